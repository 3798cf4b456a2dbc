"""The memory of a run: measured in the process that made it, and compared by claims."""

from pathlib import Path

import numpy as np
import pytest

from conftest import made_up_run
from triptych.engines import PeakMemory
from triptych.engines import memory as memory_module
from triptych.records import StudyFolder, StudyRecord
from triptych.report import render_html
from triptych.runner import RunEnded, Setting, execute_study, read_result
from triptych.runner.kept import data_shapes
from triptych.runner.ways import find_ways
from triptych.spec import Metric, parse_study
from triptych.verdicts import judge

TEXT = """
title = "memory"
seeds = 1
[data]
source = "moons"
n_samples = 60
[arm.numpy]
engine = "numpy"
network = { kind = "mlp", hidden = [5] }
train = { epochs = 1, batch_size = 8 }
[arm.torch]
engine = "torch"
network = { kind = "mlp", hidden = [5] }
train = { epochs = 1, batch_size = 8 }
[arm.compiled]
engine = "compiled"
network = { kind = "mlp", hidden = [5] }
train = { epochs = 1, batch_size = 1 }
[[claim]]
says = "PyTorch takes more memory."
test = "torch.peak_memory > numpy.peak_memory + 50"
"""
on_linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")


@on_linux
def test_a_peak_is_that_since_it_was_asked_for_in_megabytes():
    before = PeakMemory().megabytes()
    np.ones(20_000_000)
    peak = PeakMemory()
    assert peak.megabytes() < before + 80
    held = np.ones(20_000_000)
    del held
    assert 155 < peak.megabytes() - before < 240


def test_where_a_peak_cannot_be_reset_only_a_process_of_its_own_tells_it(monkeypatch, tmp_path):
    monkeypatch.setattr(memory_module, "_CLEAR", tmp_path / "none" / "clear_refs")
    assert PeakMemory().megabytes() is None
    assert PeakMemory(own_process=True).megabytes() > 20


def test_an_arm_whose_memory_is_compared_has_a_process_for_each_run(tmp_path):
    study = parse_study(TEXT)
    ways = find_ways(study, study, data_shapes(study, StudyFolder(Path("none")), None), Setting())
    assert {name for name, way in ways.items() if way.own_process} == {
        "numpy", "torch"
    }  # fmt: skip
    runs = {
        event.record.arm: event.record
        for event in execute_study(study, StudyFolder(tmp_path), Setting())
        if isinstance(event, RunEnded)
    }
    # This process has PyTorch; a new one that trains in NumPy has not.
    assert 20 < runs["numpy"].peak_memory < 300
    assert runs["torch"].peak_memory > runs["numpy"].peak_memory + 50
    assert runs["numpy"].measure(Metric("numpy", "peak_memory"))[0] == runs["numpy"].peak_memory
    assert runs["compiled"].peak_memory > 0
    html = read_result(tmp_path).to_html()
    assert "peak memory, MB" in html
    assert "needed: more than 50 MB" in html
    assert "most memory that a process had" in html


def test_memory_that_was_not_measured_is_in_no_verdict():
    study = parse_study(TEXT).with_seeds(7)
    runs = [
        made_up_run(study, arm, seed, peak_memory=None if seed == 3 else 100.0 + seed + 200 * place)
        for place, arm in enumerate(study.arms)
        for seed in range(7)
    ]
    record = StudyRecord(study, tuple(runs), Path("x"))
    (verdict,) = judge(record)
    assert (verdict.verdict, verdict.outcomes[0].seeds) == ("holds", 6)
    assert verdict.outcomes[0].unit == "MB"
    assert verdict.outcomes[0].effect == pytest.approx(150)
    assert "Mean peak memory: torch 303 MB · numpy 103 MB" in render_html(record, (verdict,), "x")

"""A recorded run done again: the same bits, nearly, or not, and because of what."""

import json
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

from triptych.errors import RunError
from triptych.records import StudyFolder, list_study
from triptych.rerun import Again
from triptych.rerun.again import is_close
from triptych.rerun.show import repeat_lines
from triptych.runner import RunEnded, Setting, execute_study
from triptych.spec import OptimizerSpec, parse_study

STUDY = """
title = "engines"
seeds = 2
[data]
source = "moons"
n_samples = 60
[arm.a]
engine = "ENGINE"
network = { kind = "mlp", hidden = [5] }
train = { epochs = 4, batch_size = 8 }
"""


def again(folder, arm, seed=0):
    found = Again(StudyFolder(folder).run(arm, seed), Setting())
    list(found.events())
    return found.repeat


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def said(repeat, folder, arm):
    return " ".join(repeat_lines(repeat, StudyFolder(folder).run(arm, 0).read()))


@pytest.mark.parametrize("engine", ["numpy", "compiled", "torch"])
def test_a_run_comes_out_to_the_same_bits_also_if_its_seeds_were_trained_together(
    tmp_path, engine, one_thread
):
    study = parse_study(STUDY.replace("ENGINE", engine))
    list(execute_study(study, StudyFolder(tmp_path), Setting()))
    repeat = again(tmp_path, "a", 1)
    assert (repeat.outcome, repeat.causes) == ("same bits", ())
    assert repeat.comparison.weights == "equal"


def test_pytorch_gets_the_threads_of_the_record_for_as_long_as_it_takes(one_thread):
    import torch

    from triptych.engines import torch_threads

    with torch_threads(3):
        assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == 1
    with torch_threads(None):
        assert torch.get_num_threads() == 1


def test_the_record_and_its_folder_are_left_as_they_are(kept):
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in kept.rglob("*") if p.is_file()}
    assert again(kept, "wide").outcome == "same bits"
    after = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in kept.rglob("*") if p.is_file()}
    assert after == before


def test_a_diverged_run_diverges_again(tmp_path):
    study = parse_study(STUDY.replace("ENGINE", "numpy"))
    arm = study.arms["a"]
    wild = replace(arm.train, epochs=400, optimizer=OptimizerSpec(lr=10.0))
    wild = replace(arm, train=wild, data=replace(arm.data, noise=100.0))
    study = replace(study, arms={"a": wild, "b": arm}, seeds=2)
    with np.errstate(all="ignore"):
        events = list(execute_study(study, StudyFolder(tmp_path), Setting()))
        seed = next(e.record.seed for e in events if isinstance(e, RunEnded) and e.record.error)
        repeat = again(tmp_path, "a", seed)
        assert repeat.outcome == "same bits"
        path = tmp_path / f"runs/a/seed-{seed}/result.json"
        edit(path, error="step 3: loss nan")
        assert again(tmp_path, "a", seed).outcome == "differs"


def changed_weights(kept, change):
    path = kept / "runs/wide/seed-0/weights.safetensors"
    weights = safetensors.numpy.load(path.read_bytes())
    path.write_bytes(safetensors.numpy.save({name: change(w) for name, w in weights.items()}))


def test_rounding_is_within_tolerance_and_more_is_not(kept):
    changed_weights(kept, lambda w: w * np.float32(1 + 1e-5))
    repeat = again(kept, "wide")
    assert repeat.outcome == "within tolerance"
    assert "Nothing that was recorded" in said(repeat, kept, "wide")
    changed_weights(kept, lambda w: w * np.float32(1.01))
    assert again(kept, "wide").outcome == "differs"


def test_what_is_not_as_recorded_is_named_as_the_cause(kept):
    changed_weights(kept, lambda w: w + np.float32(1))
    edit(kept / "runs/wide/seed-0/environment.json", numpy="1.0.0", processor="another")
    repeat = again(kept, "wide")
    assert repeat.outcome == "differs"
    assert {(c.name, c.one) for c in repeat.causes} == {
        ("numpy", "1.0.0"), ("processor", "another"),
    }  # fmt: skip
    text = said(repeat, kept, "wide")
    assert "differs: the run did not come out as it was recorded." in text
    assert "The cause is probably: numpy: 1.0.0 -> " in text


def test_another_environment_with_the_same_bits_is_told_and_no_cause(kept):
    edit(kept / "runs/wide/seed-0/environment.json", threads="64")
    text = said(again(kept, "wide"), kept, "wide")
    assert text.startswith("same bits")
    assert "Not as recorded: threads: 64 -> " in text


def test_other_data_are_told_before_anything_is_trained(kept):
    edit(kept / "runs/wide/seed-0/result.json", fingerprint="0" * 64)
    found = Again(StudyFolder(kept).run("wide", 0), Setting())
    assert list(found.events()) == []
    assert found.repeat.outcome == "differs"
    assert found.repeat.causes[0].name == "data fingerprint"
    assert "nothing was trained" in said(found.repeat, kept, "wide")


def test_a_record_without_weights_is_compared_by_its_evaluations(kept):
    (kept / "runs/wide/seed-0/weights.safetensors").unlink()
    repeat = again(kept, "wide")
    assert (repeat.outcome, repeat.comparison.weights) == ("same bits", "absent")
    assert "has no weights" in said(repeat, kept, "wide")
    path = kept / "runs/wide/seed-0/metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[1]["test_loss"] *= 2
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    repeat = again(kept, "wide")
    assert (repeat.outcome, repeat.comparison.parts.name) == ("differs", "epoch 2")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("result.json", "{", "is damaged"),
        ("spec.json", '{"arm": {"network": 3}, "seed": 0}', "cannot be run by this version: arm"),
        ("spec.json", "[]", "is damaged"),
    ],
)
def test_a_run_that_cannot_be_read_is_refused(kept, name, content, words):
    (kept / "runs/wide/seed-0" / name).write_text(content)
    with pytest.raises(RunError, match=words):
        Again(StudyFolder(kept).run("wide", 0), Setting())


def test_a_run_that_did_not_end_is_refused(kept):
    edit(kept / "runs/wide/seed-0/result.json", status="failed")
    with pytest.raises(RunError, match="the run failed, so there is nothing to repeat"):
        Again(StudyFolder(kept).run("wide", 0), Setting())


def test_an_accuracy_may_be_off_by_two_rows_and_a_loss_by_rounding(kept):
    (found,) = (again(kept, "narrow").comparison,)
    rows = [dict(row) for row in found.other.curve]

    def close(**changes):
        curve = (*rows[:-1], rows[-1] | changes)
        return is_close(replace(found, other=replace(found.other, curve=curve)), 1e-8)

    last = rows[-1]
    assert close(test_accuracy=last["test_accuracy"] - 2 / 12 + 1e-9)
    assert not close(test_accuracy=last["test_accuracy"] - 3 / 12)
    assert close(test_loss=last["test_loss"] * (1 + 1e-9))
    assert not close(test_loss=last["test_loss"] * (1 + 1e-6))
    assert not close(test_loss=None)
    assert not close(more=1.0)
    assert list_study(kept).runs[0].record.test_rows == 12

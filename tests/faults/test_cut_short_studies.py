"""Studies that were cut short, by what may happen before they are called again."""

import html
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from triptych.records import StudyFolder
from triptych.records.checkpoints import unpacked
from triptych.records.disk import CHECKPOINT_FILES
from triptych.runner import StudyResult
from triptych.runner.keeping import Rhythm
from triptych.runner.under_way import Run
from triptych.spec import read_study
from triptych.training import loop as loop_module

pytestmark = pytest.mark.usefixtures("one_thread")

STUDY = """
title = "small"
seeds = 1
[data]
source = "table"
path = "rows.csv"
target = "kind"
[arm.a]
engine = "numpy"
network = { kind = "mlp", hidden = [4], dropout = 0.1 }
[arm.a.train]
epochs = 4
batch_size = 8
optimizer = { name = "adam", lr = 0.01 }
"""
TO_HTML = StudyResult.to_html
FOLDER, RUN = Path("triptych-runs/s"), Path("triptych-runs/s/runs/a/seed-0")


def write_rows(turn=0):
    rows = [f"{i % 7},{(3 * i + turn) % 11},{'ab'[i % 7 > 3]}" for i in range(40)]
    Path("rows.csv").write_text("\n".join(["x,y,kind", *rows, ""]))


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Go where there is a study and its table; let it be kept before every step."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loop_module, "_SECONDS_BETWEEN_PROGRESS", 0.0)
    monkeypatch.setattr(Rhythm, "is_due", lambda self: True)
    monkeypatch.setattr(StudyResult, "to_html", str)  # drawing it takes a second
    Path("s.toml").write_text(STUDY)
    write_rows()


@pytest.fixture
def cut_short(study, call, monkeypatch):
    """Return what runs the study and interrupts it after some checkpoints."""

    def run(checkpoints=10, *options):
        keep, left = Run.keep, [checkpoints]

        def interrupt(self):
            keep(self)
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(Run, "keep", interrupt)
            code, _, err = call("run", "s.toml", *options)
        assert code == 130
        assert "the same command goes on" in err

    return run


def contents(folder=FOLDER, *, but=("lock.json",)):
    """Return the content of every file, but that which says who holds the folder."""
    return {
        str(path): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in but
    }


def outcome(folder=RUN):
    """Return what a run came to, without seconds and memory, which no two runs have in common."""
    result = json.loads((folder / "result.json").read_text())
    for name in ("seconds", "times", "peak_memory", "source"):
        del result[name]
    curve = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for row in curve:
        del row["seconds"]
    return result, curve, (folder / "weights.safetensors").read_bytes()


def in_one_go(call):
    assert call("run", "s.toml", "--out", "whole")[0] == 0
    return outcome(Path("whole/runs/a/seed-0"))


def steps():
    return {
        name: unpacked((RUN / name).read_bytes()).step
        for name in CHECKPOINT_FILES
        if (RUN / name).exists()
    }


def refused(call, *options):
    """Call the study, which is refused and changes nothing; return the one line it says."""
    before = contents()
    code, _, err = call("run", "s.toml", *options)
    assert code == 4
    assert contents() == before
    (line,) = err.splitlines()
    return line


@pytest.mark.fault(12)
def test_data_that_changed_are_refused_with_both_fingerprints_until_they_are_put_back(
    cut_short, call
):
    cut_short()
    before = unpacked((RUN / CHECKPOINT_FILES[0]).read_bytes()).fingerprint
    write_rows(turn=1)
    line = refused(call)
    assert call("run", "s.toml", "--out", "other")[0] == 0
    after = json.loads(Path("other/runs/a/seed-0/result.json").read_text())["fingerprint"]
    assert before != after
    assert line == (
        "triptych: a, seed 0: its data have changed since its checkpoint: fingerprint "
        f"{before[:12]} ≠ {after[:12]}. Put them back, or 'triptych runs delete {RUN}' lets it "
        "start again."
    )
    write_rows()
    code, out, _ = call("run", "s.toml")
    assert code == 0
    assert "a, seed 0: goes on after step 9" in out
    assert outcome() == in_one_go(call)


@pytest.mark.fault(12)
def test_a_finished_run_of_data_that_changed_is_made_again(study, call):
    assert call("run", "s.toml")[0] == 0
    before = outcome()
    write_rows(turn=1)
    assert call("run", "s.toml")[0] == 0
    assert outcome() == in_one_go(call)
    assert outcome()[0]["fingerprint"] != before[0]["fingerprint"]


@pytest.mark.fault(28)
@pytest.mark.parametrize("harm", ["flip", "cut", "empty"])
def test_the_checkpoint_before_the_newest_is_used_with_a_warning(cut_short, call, harm):
    cut_short()
    newest = max(steps(), key=steps().get)
    damage(RUN / newest, harm)
    code, out, _ = call("run", "s.toml")
    assert code == 0
    assert f"{newest} of {RUN} is damaged" in out
    assert "a, seed 0: goes on after step 8" in out
    assert outcome() == in_one_go(call)


def damage(path, harm):
    content = bytearray(path.read_bytes())
    if harm == "flip":
        content[len(content) // 2] ^= 4
    path.write_bytes({"flip": content, "cut": content[:-7], "empty": b""}[harm])


@pytest.mark.fault(28)
@pytest.mark.parametrize("harm", ["flip", "cut", "empty"])
@pytest.mark.parametrize("spec", ["whole", "gone"])
def test_where_both_checkpoints_are_damaged_it_is_never_begun_anew_by_itself(
    cut_short, call, harm, spec
):
    cut_short()
    for name in CHECKPOINT_FILES:
        damage(RUN / name, harm)
    if spec == "gone":  # then it is a run's folder only by its name
        (RUN / "spec.json").unlink()
    for options in [(), ("--inexact",), ("--seeds", "2")]:
        before = {k: v for k, v in contents().items() if "study.toml" not in k}
        code, _, err = call("run", "s.toml", *options)
        assert code == 4
        assert err.splitlines()[-1] == (
            f"triptych: {RUN}: checkpoint-a.safetensors and checkpoint-b.safetensors are damaged, "
            f"so the run cannot go on. 'triptych runs delete {RUN}' lets it start again."
        )
        assert {k: v for k, v in contents().items() if "study.toml" not in k} == before
    command = re.search(r"'triptych (runs delete \S+)'", err).group(1)
    assert call(*command.split(), "--yes")[0] == 0
    assert call("run", "s.toml")[0] == 0
    assert outcome() == in_one_go(call)


HOLDS = (
    "import sys, time; from pathlib import Path; from triptych.records import StudyFolder\n"
    "with StudyFolder(Path(sys.argv[1])).lock():\n"
    "    print('held', flush=True); time.sleep(600)"
)


@pytest.mark.fault(27)
def test_a_second_writer_is_told_who_holds_the_folder_until_that_process_dies(cut_short, call):
    cut_short()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, FOLDER], stdout=subprocess.PIPE, text=True
    ) as holder:
        try:
            assert holder.stdout.readline() == "held\n"
            everything = contents(but=())
            who = f"is in use by pid {holder.pid} on host {socket.gethostname()}."
            assert refused(call, "--seeds", "3") == f"triptych: '{FOLDER}' {who}"
            code, out, _ = call("runs", "delete", RUN, "--yes")
            assert (code, who in out) == (4, True)
            assert contents(but=()) == everything
            assert call("runs", "list", FOLDER)[0] == 0  # who only reads is let
        finally:
            holder.send_signal(signal.SIGKILL)
    # It had no time to say that it let go: the file that names it is still there.
    assert json.loads((FOLDER / "lock.json").read_text())["pid"] == holder.pid
    assert call("run", "s.toml")[0] == 0
    assert outcome() == in_one_go(call)


@pytest.fixture
def elsewhere(monkeypatch):
    """Return what moves this process to where a library has another version."""
    module = sys.modules["triptych.records.environment"]
    real = module._versions

    def move():
        monkeypatch.setattr(module, "_versions", lambda: real() | {"numpy": "9.9"})

    return move


@pytest.mark.fault(32)
def test_another_environment_is_refused_with_what_differs(cut_short, call, elsewhere):
    cut_short()
    before = steps()
    elsewhere()
    assert refused(call) == (
        f"triptych: a, seed 0 was begun with numpy {np.__version__}; here are numpy 9.9, so it "
        "would end with other bits. --inexact goes on all the same, and the page says so; "
        f"'triptych runs delete {RUN}' lets it start again."
    )
    assert steps() == before


@pytest.mark.fault(32)
def test_inexact_goes_on_in_another_environment_and_the_page_says_so(
    cut_short, call, elsewhere, monkeypatch
):
    cut_short()
    pure = in_one_go(call)
    elsewhere()
    monkeypatch.setattr(StudyResult, "to_html", TO_HTML)
    code, out, _ = call("run", "s.toml", "--inexact")
    assert code == 0
    assert "a, seed 0: goes on after step 9" in out
    said = (
        f"It was begun with numpy {np.__version__}; here are numpy 9.9, where it went on: a run in "
        "one place has other bits."
    )
    result, curve, _ = outcome()
    assert result["notes"] == [*pure[0]["notes"], said]
    assert curve == pure[1]
    assert said in html.unescape((FOLDER / "report.html").read_text())


@pytest.mark.fault(31)
@pytest.mark.parametrize("days", [-1, 1])
def test_a_clock_that_jumps_changes_neither_seconds_nor_order(cut_short, call, monkeypatch, days):
    wall, jumped = time.time, []

    def clock():
        return wall() + days * 86_400 * (len(jumped) % 2)

    keep = Run.keep

    def keep_and_jump(self):
        jumped.append(1)
        return keep(self)

    monkeypatch.setattr(time, "time", clock)
    monkeypatch.setattr(Run, "keep", keep_and_jump)
    cut_short()
    newest = max(steps(), key=steps().get)
    # The files say so too: the newest was written a day before, or after, the other.
    for name in steps():
        when = wall() + (days if name == newest else -days) * 86_400
        os.utime(RUN / name, (when, when))
    code, out, _ = call("run", "s.toml")
    assert code == 0
    assert "a, seed 0: goes on after step 9" in out
    record = StudyFolder(FOLDER).run("a", 0).read()
    assert len(jumped) > 15
    seconds = [row["seconds"] for row in record.curve]
    assert seconds == sorted(seconds)
    assert [row["step"] for row in record.curve] == [4, 8, 12, 16]
    assert 0 < seconds[0] < record.seconds < 60
    assert all(0 <= value < 60 for value in record.times.values())
    assert outcome() == in_one_go(call)
    # And what is whole is kept, whatever day it is.
    before = contents()
    for jumped[:] in ([], [1]):
        assert call("run", "s.toml")[0] == 0
    assert contents() == before
    assert read_study("s.toml") == StudyFolder(FOLDER).read_study()


@pytest.mark.parametrize("name", ["environment.json", "spec.json"])
@pytest.mark.parametrize("content", [None, b"", b'{"numpy": "2'])
def test_what_else_is_damaged_of_a_run_is_written_again_when_it_goes_on(
    cut_short, call, name, content
):
    cut_short()
    path = RUN / name
    before = path.read_bytes()
    path.unlink() if content is None else path.write_bytes(content)
    code, out, _ = call("run", "s.toml")
    assert code == 0
    assert "a, seed 0: goes on after step 9" in out
    assert path.read_bytes() == before
    assert outcome() == in_one_go(call)
    assert call("report", FOLDER)[0] == 0


def test_a_run_that_goes_on_as_the_first_shows_its_boundaries_from_the_start_on(cut_short, call):
    cut_short(27, "--seeds", "2")  # in the second run, which nobody explains
    code, out, _ = call("run", "s.toml", "--first-seed", "1")
    assert code == 0
    assert "a, seed 1: goes on after step" in out
    (boundary, *_) = StudyFolder(FOLDER).run("a", 1).read().findings
    epochs = boundary.arrays["epochs"].tolist()
    assert epochs[0] == 0
    assert 1 not in epochs
    assert epochs[-1] == 4

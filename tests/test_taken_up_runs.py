"""Runs that were cut short go on from their checkpoints, or say why they do not."""

import errno
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from taken_up import After
from triptych.errors import CheckpointError, RunError
from triptych.records import StudyFolder
from triptych.records.checkpoints import unpacked
from triptych.records.disk import CHECKPOINT_FILES
from triptych.records.files import DISK
from triptych.runner import (
    RunEnded,
    RunTold,
    Setting,
    execute_runs,
    execute_study,
    read_result,
)
from triptych.runner import keeping as keeping_module
from triptych.runner import under_way as under_way_module
from triptych.runner.keeping import Rhythm, first_guess
from triptych.spec import parse_study
from triptych.training import Notice
from triptych.training import loop as loop_module

pytestmark = pytest.mark.usefixtures("one_thread")

STUDY = """
title = "small"
seeds = 2
[data]
source = "moons"
n_samples = 60
[arm.a]
engine = "numpy"
network = { kind = "mlp", hidden = [5], dropout = 0.1 }
[arm.a.train]
epochs = 4
batch_size = 8
eval_every = 2
optimizer = { name = "adam", lr = 0.01 }
"""
ALL = Setting(device="cpu", checkpoint=0.0)


@pytest.fixture(autouse=True)
def step_by_step(monkeypatch):
    monkeypatch.setattr(loop_module, "_SECONDS_BETWEEN_PROGRESS", 0.0)


@pytest.fixture
def folder(tmp_path):
    return StudyFolder(tmp_path / "s")


def arm(text=STUDY):
    return parse_study(text).arms["a"]


def cut_short(folder, pauses=9, setting=ALL, seeds=(0,), text=STUDY):
    with pytest.raises(KeyboardInterrupt):
        list(execute_runs("a", arm(text), seeds, folder, setting, After(pauses)))
    return folder.run("a", seeds[0])


def go_on(folder, setting=ALL, seeds=(0,), text=STUDY):
    """Make runs; return their records and what was told of them."""
    events = list(execute_runs("a", arm(text), seeds, folder, setting))
    notices = [
        e.event.text for e in events if isinstance(e, RunTold) and isinstance(e.event, Notice)
    ]
    return [e.record for e in events if isinstance(e, RunEnded)], notices


def checkpoints(run):
    paths = [run.path / name for name in CHECKPOINT_FILES]
    return {path.name: unpacked(path.read_bytes()) for path in paths if path.exists()}


def bits(run):
    """Return what must not differ of a run's folder: all but seconds and peak memory."""
    found = {}
    for path in sorted(run.path.iterdir()):
        if path.name in ("metrics.jsonl", "result.json"):
            lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
            tables = [json.loads(line) for line in lines]
            for table in tables:
                table.pop("seconds")
                table.pop("peak_memory", None)
                table.pop("times", None)
            found[path.name] = tables
        else:
            found[path.name] = path.read_bytes()
    return found


def test_a_run_goes_on_after_its_last_step_and_ends_with_the_same_bytes(folder, tmp_path):
    run = cut_short(folder)
    assert not run.is_finished()
    assert max(one.step for one in checkpoints(run).values()) == 9
    (record,), told = go_on(folder)
    assert told == ["a, seed 0: goes on after step 9"]
    assert checkpoints(run) == {}
    whole = StudyFolder(tmp_path / "whole")
    assert go_on(whole)[1] == []
    assert bits(run) == bits(whole.run("a", 0))
    assert record == run.read()


@pytest.mark.fault(29)
def test_what_was_logged_after_the_checkpoint_is_dropped(folder, tmp_path):
    run = cut_short(folder, pauses=17)
    with (run.path / "metrics.jsonl").open("ab") as log:
        log.write(b'{"epoch": 4, "train_loss": 0}\n{"ep')
    go_on(folder)
    assert [row["epoch"] for row in run.read().curve] == [2, 4]
    whole = StudyFolder(tmp_path / "whole")
    go_on(whole)
    assert bits(run) == bits(whole.run("a", 0))


def test_a_damaged_checkpoint_is_told_and_the_one_before_taken(folder):
    run = cut_short(folder)
    newest = max(checkpoints(run), key=lambda name: checkpoints(run)[name].step)
    (run.path / newest).write_bytes((run.path / newest).read_bytes()[:-1])
    _, told = go_on(folder)
    assert told == [f"{newest} of {run.path} is damaged", "a, seed 0: goes on after step 8"]


def test_a_run_without_a_whole_checkpoint_is_never_begun_anew_by_itself(folder):
    run = cut_short(folder)
    for name in CHECKPOINT_FILES:
        (run.path / name).write_bytes(b"")
    before = bits(run)
    with pytest.raises(CheckpointError, match=r"are damaged.*'triptych runs delete .*seed-0'"):
        go_on(folder)
    assert bits(run) == before


def test_other_settings_begin_anew(folder):
    cut_short(folder)
    (record,), told = go_on(folder, text=STUDY.replace("lr = 0.01", "lr = 0.02"))
    assert (record.epochs, told) == (4, [])


@pytest.mark.fault(12)
def test_data_that_changed_are_named_by_their_fingerprints(folder, monkeypatch):
    run = cut_short(folder)
    load = under_way_module.found_checkpoint
    before = run.path.joinpath("metrics.jsonl").read_bytes()

    def of_other_data(blank, *rest):
        return load(replace(blank, fingerprint="b" * 64), *rest)

    monkeypatch.setattr(under_way_module, "found_checkpoint", of_other_data)
    with pytest.raises(RunError, match=r"a, seed 0: its data have changed .* ≠ bbbbbbbbbbbb\. Put"):
        go_on(folder)
    assert run.path.joinpath("metrics.jsonl").read_bytes() == before


def elsewhere(monkeypatch, **fields):
    from triptych.runner import runs as runs_module

    machine = runs_module.machine
    monkeypatch.setattr(runs_module, "machine", lambda *a: machine(*a) | fields)


def test_another_environment_is_refused_with_what_differs(folder, monkeypatch):
    run = cut_short(folder)
    elsewhere(monkeypatch, numpy="9.9", threads="64")
    with pytest.raises(
        RunError, match=r"a, seed 0 was begun with numpy [\d.]+, threads \d+; here are numpy 9\.9, "
        r"threads 64, so it would end with other bits\. --inexact goes on"
    ):  # fmt: skip
        go_on(folder)
    assert not run.is_finished()


def test_inexact_goes_on_and_the_record_says_so_however_often_it_is_cut_short(folder, monkeypatch):
    cut_short(folder)
    elsewhere(monkeypatch, numpy="9.9")
    inexact = replace(ALL, inexact=True)
    run = cut_short(folder, 3, inexact)
    (record,), told = go_on(folder)
    assert told == ["a, seed 0: goes on after step 12"]
    notes = [note for note in record.notes if "It was begun with numpy" in note]
    assert len(notes) == 1
    assert notes[0].endswith(
        "here are numpy 9.9, where it went on: a run in one place has other bits."
    )
    assert record.environment["numpy"] == "9.9"
    assert run.read() == record
    assert go_on(folder)[0][0] == record


def test_a_run_that_failed_goes_on_too(folder, monkeypatch):
    study = parse_study(STUDY.replace("seeds = 2", "seeds = 1"))
    fit = loop_module._Loop._fit
    calls = []

    def fail(*rest):
        calls.append(1)
        if len(calls) == 8:
            raise MemoryError
        return fit(*rest)

    monkeypatch.setattr(loop_module._Loop, "_fit", fail)
    events = execute_study(study, folder, ALL)
    failed = next(e.record for e in events if isinstance(e, RunEnded))
    list(events)
    assert failed.status == "failed"
    assert failed.error.startswith("out of memory beside its steps; fewer rows")
    (record,), told = go_on(folder)
    assert told == ["a, seed 0: goes on after step 7"]
    assert record.status == "finished"


def changed(**lines):
    """Return the study with lines of these keys in place of its own."""
    kept = [line for line in STUDY.splitlines() if line.split(" = ")[0] not in lines]
    return "\n".join([*kept, *(f"{key} = {value}" for key, value in lines.items()), ""])


DIVERGES = changed(epochs=400, optimizer="{ lr = 10 }").replace(
    "hidden = [5]", "hidden = [50, 50, 50]"
)
DIVERGES = DIVERGES.replace("n_samples = 60", "n_samples = 60\nnoise = 100")


def test_what_diverges_keeps_the_step_before_and_is_not_made_again(folder):
    (record,), _ = go_on(folder, Setting(device="cpu"), text=DIVERGES)
    assert record.status == "diverged"
    run = folder.run("a", 0)
    step = int(record.error.split(":")[0].removeprefix("step "))
    assert f"; last finite checkpoint: step {step - 1}; try train.optimizer.lr = 1" in record.error
    ((_, kept),) = checkpoints(run).items()
    assert kept.step == step - 1
    assert not kept.state.not_finite
    events = list(execute_runs("a", arm(DIVERGES), [0], folder, Setting(device="cpu")))
    assert [e.kept for e in events] == [True]


TOGETHER = changed(
    epochs=30, patience=1, validation=0.3, eval_every=1, optimizer='{ name = "adam", lr = 0.3 }'
).replace('"numpy"', '"compiled"')


def test_seeds_of_which_some_have_ended_go_on_and_say_the_same_of_how_they_were_made(
    folder, tmp_path
):
    seeds, whole = range(5), StudyFolder(tmp_path / "whole")
    go_on(whole, seeds=seeds, text=TOGETHER)
    steps = sorted({whole.run("a", seed).read().epochs for seed in seeds})
    assert len(steps) > 1
    pauses = steps[0] * 5 + 2  # 34 rows to learn from, in batches of 8
    cut_short(folder, pauses, seeds=seeds, text=TOGETHER)
    ended = [seed for seed in seeds if folder.run("a", seed).is_finished()]
    assert 0 < len(ended) < 5
    go_on(folder, seeds=seeds, text=TOGETHER)
    for seed in seeds:
        assert bits(folder.run("a", seed)) == bits(whole.run("a", seed))
        assert "5 seeds were trained at the same time" in folder.run("a", seed).read().notes[-1]


def test_seeds_whose_checkpoints_are_of_different_steps_go_on_in_turn(folder, tmp_path):
    cut_short(folder, 7, seeds=range(3), text=TOGETHER)
    later = StudyFolder(tmp_path / "later")
    cut_short(later, 9, seeds=range(3), text=TOGETHER)
    run, ahead = folder.run("a", 1), later.run("a", 1)
    for path in ahead.path.iterdir():
        (run.path / path.name).write_bytes(path.read_bytes())
    records, told = go_on(folder, seeds=range(3), text=TOGETHER)
    assert told == ["a, seed 0, 2: goes on after step 7", "a, seed 1: goes on after step 9"]
    whole = StudyFolder(tmp_path / "whole")
    go_on(whole, seeds=range(3), text=TOGETHER)
    for seed in range(3):
        assert bits(folder.run("a", seed)) == bits(whole.run("a", seed))
    assert [record.status for record in records] == ["finished"] * 3


def test_a_run_that_is_to_be_timed_does_not_go_on_from_one_made_beside_others(folder):
    beside = replace(ALL, jobs=2, alone=False)
    cut_short(folder, setting=beside)
    (record,), told = go_on(folder, replace(ALL, timed=True))
    assert (record.shared, told) == (False, [])


def test_peak_memory_and_seconds_are_those_of_all_parts(folder):
    run = cut_short(folder)
    newest = max(checkpoints(run).values(), key=lambda one: one.step)
    state = newest.state
    values = {**state.values, "run": {**state.values["run"], "peak": 1e6},
              "job": {**state.values["job"], "seconds": 500.0}}  # fmt: skip
    run.checkpoints.newest()
    run.keep(spec=newest.spec, fingerprint=newest.fingerprint, environment=newest.environment,
             step=newest.step + 1, state=replace(state, values=values))  # fmt: skip
    (record,), _ = go_on(folder)
    assert record.peak_memory == 1e6
    assert 500 < record.seconds < 510


def test_the_rhythm_is_ten_seconds_or_what_keeps_it_to_two_percent(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(keeping_module.time, "monotonic", lambda: now[0])
    rhythm = Rhythm(None, took=0.01)
    for due in (False, True):
        now[0] += 6.0
        assert rhythm.is_due() == due
    rhythm.wrote(1.0)
    for due in (False, True):
        now[0] += 40.0
        assert rhythm.is_due() == due
    assert not Rhythm(3600.0).is_due()


def test_before_anything_was_seen_large_networks_wait_longer_for_their_first_checkpoint(folder):
    (record,), _ = go_on(folder)
    small, large = (
        first_guess([replace(record, parameters=count)], 0.01, 4) for count in (100, 9_000_000)
    )
    assert small < 0.02
    assert 1 < large < 5


class Closing:
    """A file that says only when it is closed that not all of it was written."""

    def __init__(self, file, fail):
        self.file, self.fail = file, fail

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.fail()


def fails(operation, number, after):
    """Return what an operation of the disk is from its call `after` on."""
    act, count = getattr(DISK, "open" if operation == "close" else operation), itertools.count(1)

    def fail():
        raise OSError(number, os.strerror(number))

    def do(*rest):
        if next(count) < after:
            return act(*rest)
        if operation == "close":
            return Closing(act(*rest), fail)
        if operation == "write":  # half of it is there
            act(rest[0], rest[1][: len(rest[1]) // 2])
        return fail()

    return do


@pytest.fixture(scope="module")
def whole_bits(tmp_path_factory):
    folder = StudyFolder(tmp_path_factory.mktemp("whole"))
    list(execute_runs("a", arm(), [0], folder, Setting(device="cpu")))
    return bits(folder.run("a", 0))


@pytest.mark.fault(26)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize(("operation", "after"), [
    ("open", 20), ("write", 12), ("sync", 30), ("rename", 12), ("close", 20),
])  # fmt: skip
def test_a_disk_that_fails_says_which_step_is_safe_and_the_run_goes_on_from_it(
    folder, whole_bits, monkeypatch, operation, after, number
):
    name = "open" if operation == "close" else operation
    monkeypatch.setattr(DISK, name, fails(operation, number, after))
    said = "cannot write .*Input/output error" if number == errno.EIO else "no space left to write"
    with pytest.raises(RunError, match=said) as caught:
        list(execute_runs("a", arm(), [0], folder, ALL))
    monkeypatch.undo()
    assert caught.value.exit_code == 4
    run = folder.run("a", 0)
    last = max(one.step for one in checkpoints(run).values())
    assert 1 <= last < 20
    named = int(re.search(r"The last checkpoint is of step (\d+)\.$", str(caught.value))[1])
    # Of one whose name was not yet synced nothing is said, though it is there.
    assert named == last or (operation == "sync" and named == last - 1)
    monkeypatch.setattr(loop_module, "_SECONDS_BETWEEN_PROGRESS", 0.0)
    _, told = go_on(folder)
    assert told == [f"a, seed 0: goes on after step {last}"]
    assert bits(run) == whole_bits


def test_checkpoints_stay_within_the_limit_of_the_disk_and_drop_no_weights(folder):
    study = parse_study(STUDY.replace("hidden = [5]", "hidden = [300]"))
    list(execute_study(study, folder, Setting(device="cpu")))
    before = bits(folder.run("a", 0))
    size = sum(path.stat().st_size for path in folder.path.rglob("*") if path.is_file())
    longer = replace(study, seeds=3)
    # Room for a run and its weights of 6 kB, but not for a checkpoint of 18 kB.
    events = list(execute_study(longer, folder, replace(ALL, disk=size + 17_000)))
    assert bits(folder.run("a", 0)) == before
    assert folder.run("a", 2).has_weights()
    notices = [
        e.event.text for e in events if isinstance(e, RunTold) and isinstance(e.event, Notice)
    ]
    assert [text for text in notices if "no room for checkpoints" in text]


def test_what_a_kill_left_beside_a_whole_run_is_tidied_away(folder):
    study = parse_study(STUDY)
    folder.start(study)
    run = cut_short(folder)
    left = (run.path / CHECKPOINT_FILES[0]).read_bytes()
    list(execute_study(study, folder, ALL))
    names = {path.name for path in run.path.iterdir()}
    (run.path / CHECKPOINT_FILES[0]).write_bytes(left)
    (run.path / "result.json.partial").write_bytes(b"{")
    (run.path / "notes.partial").write_bytes(b"mine")
    list(execute_study(study, folder, ALL))
    assert {path.name for path in run.path.iterdir()} == names | {"notes.partial"}


LONG = changed(epochs=1_000_000, eval_every=50).replace("seeds = 2", "seeds = 1")


@contextmanager
def started(tmp_path, *options, text=LONG):
    """Run the study in a process, which is over in any case when the context is."""
    (tmp_path / "s.toml").write_text(text)
    with subprocess.Popen(
        [sys.executable, "-m", "triptych", "run", "s.toml", *options], cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def wait_for_evaluations(tmp_path, arms=("a",)):
    runs = tmp_path / "triptych-runs" / "s" / "runs"
    end = time.monotonic() + 60
    while not all(
        (log := runs / name / "seed-0" / "metrics.jsonl").exists() and log.stat().st_size
        for name in arms
    ):
        assert time.monotonic() < end
        time.sleep(0.05)
    return [runs / name / "seed-0" for name in arms]


TWO = LONG + LONG[LONG.index("[arm.a]") :].replace("arm.a", "arm.b")


@pytest.mark.fault(17)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_signal_writes_a_checkpoint_and_the_same_command_goes_on(tmp_path, number, code, jobs):
    arms = ("a", "b")[: int(jobs)]
    text = TWO if jobs == "2" else LONG
    with started(tmp_path, "--jobs", jobs, "--checkpoint", "1 h", text=text) as process:
        folders = wait_for_evaluations(tmp_path, arms)
        os.killpg(process.pid, number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert said.startswith("stopped; finished runs are kept in triptych-runs/s, and checkpoints")
    steps = []
    for path in folders:
        (found,) = (
            unpacked((path / n).read_bytes()) for n in CHECKPOINT_FILES if (path / n).exists()
        )
        steps.append(found.step)
    assert all(steps)
    with started(tmp_path, "--jobs", jobs, text=text) as process:
        words = [
            f"{arm}, seed 0: goes on after step {step:,}"
            for arm, step in zip(arms, steps, strict=True)
        ]
        seen = ""
        while not all(word in seen for word in words):
            line = process.stdout.readline()
            assert line, process.stderr.read()
            seen += line
        process.kill()
        process.communicate()


@pytest.mark.fault(17)
def test_the_second_signal_acts_at_once(tmp_path):
    slow = (
        "import sys, time; from triptych.training import numpy_learner\n"
        "step = numpy_learner.NumpyLearner._step\n"
        "def slow(*a): print('step', flush=True); time.sleep(60); return step(*a)\n"
        "numpy_learner.NumpyLearner._step = slow\n"
        "from triptych.cli import main; main(['run', 's.toml'])"
    )
    (tmp_path / "s.toml").write_text(LONG)
    with subprocess.Popen([sys.executable, "-c", slow], cwd=tmp_path, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:  # fmt: skip
        while "step" not in process.stdout.readline():
            pass
        started_at = time.monotonic()
        try:
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130
    assert time.monotonic() - started_at < 30


def test_signals_are_what_they_were_when_training_is_over(folder):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    go_on(folder)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_second_command_in_the_same_folder_changes_nothing_there(tmp_path):
    with started(tmp_path) as process:
        wait_for_evaluations(tmp_path)
        study = (tmp_path / "triptych-runs" / "s" / "study.toml").read_bytes()
        with started(tmp_path, "--seeds", "7") as second:
            _, said = second.communicate(timeout=60)
        process.kill()
        process.communicate()
    assert second.returncode == 4
    assert f"is in use by pid {process.pid} on host" in said
    assert (tmp_path / "triptych-runs" / "s" / "study.toml").read_bytes() == study


@pytest.mark.fault(25)
def test_a_killed_command_goes_on_and_its_page_is_that_of_one_in_one_go(tmp_path):
    text = STUDY.replace("epochs = 4", "epochs = 3000").replace(
        "eval_every = 2", "eval_every = 100"
    )
    with started(tmp_path, "--checkpoint", "0.001 s", text=text) as process:
        wait_for_evaluations(tmp_path)
        process.kill()
        process.communicate()
    folder = tmp_path / "triptych-runs" / "s"
    assert any((folder / "runs/a/seed-0" / name).exists() for name in CHECKPOINT_FILES)
    with started(tmp_path, text=text) as process:
        out, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "goes on after step" in out
    whole = StudyFolder(tmp_path / "whole")
    list(execute_study(parse_study(text), whole, Setting()))
    for seed in (0, 1):
        assert bits(StudyFolder(folder).run("a", seed)) == bits(whole.run("a", seed))
    assert read_result(folder).record.stopped == read_result(whole.path).record.stopped


FITS = """
title = "fits"
seeds = 1
[data]
source = "classification"
n_samples = 200000
[arm.a]
network = { kind = "reference", model = "most_frequent" }
[arm.b]
network = { kind = "reference", model = "random_forest" }
"""


@pytest.mark.fault(17)
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_signal_while_a_reference_is_fitted_acts_at_once_and_loses_no_other(tmp_path, jobs):
    with started(tmp_path, "--jobs", jobs, text=FITS) as process:
        wait_for_files(tmp_path, "a/seed-0/result.json", "b/seed-0/environment.json")
        time.sleep(0.5)
        sent = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.startswith("stopped; finished runs are kept in triptych-runs/s, and checkpoints")
    assert time.monotonic() - sent < 15  # the fit would take a minute
    runs = tmp_path / "triptych-runs" / "s" / "runs"
    assert [path.parts[-3] for path in runs.glob("*/*/result.json")] == ["a"]


def wait_for_files(tmp_path, *names):
    runs = tmp_path / "triptych-runs" / "s" / "runs"
    end = time.monotonic() + 60
    while not all((runs / name).exists() for name in names):
        assert time.monotonic() < end
        time.sleep(0.05)

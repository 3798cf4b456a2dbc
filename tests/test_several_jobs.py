"""Runs made at the same time are the runs made one after the other; one that dies is marked."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import triptych
from triptych.engines import threads as threads_module
from triptych.errors import RunError, SpecError
from triptych.models.conv_torch import has_wide_registers
from triptych.records import StudyFolder
from triptych.runner import (
    RunEnded,
    RunStarted,
    RunTold,
    SeedsEnded,
    Setting,
    execute_runs,
    execute_study,
    read_result,
)
from triptych.runner import executors as executors_module
from triptych.runner import failures as failures_module
from triptych.runner import hanging as hanging_module
from triptych.runner import ways as ways_module
from triptych.runner import workers as workers_module
from triptych.runner.kept import data_shapes
from triptych.runner.ways import find_ways
from triptych.spec import ClaimSpec, parse_study
from triptych.training import Evaluation, Progress

# One of each: alone in NumPy, seeds together, PyTorch in one thread, a CNN whose steps are large
# enough for all threads, and one that is timed. The first claim is decided, the second never.
EVERY_KIND = """
title = "every kind"
seeds = "auto"
max_seeds = 7
[data]
source = "moons"
n_samples = 60
[arm.numpy]
engine = "numpy"
network = { kind = "mlp", hidden = [5] }
train = { epochs = 3, batch_size = 8 }
[arm.together]
engine = "compiled"
network = { kind = "mlp", hidden = [5] }
train = { epochs = 3, batch_size = 1 }
[arm.torch]
engine = "torch"
network = { kind = "mlp", hidden = [5] }
train = { epochs = 3, batch_size = 8 }
[arm.large]
engine = "torch"
data = { source = "digits", train_limit = 320, test_limit = 30 }
network = { kind = "cnn", channels = [32, 32], pool_after = [2] }
train = { epochs = 1, batch_size = 320 }
[arm.timed]
engine = "numpy"
network = { kind = "mlp", hidden = [4] }
train = { epochs = 3, batch_size = 8 }
[[claim]]
says = "It is over soon."
test = "timed.seconds < 100"
[[claim]]
says = "They are equal."
test = "numpy.test_accuracy = together.test_accuracy within 0.0001"
"""


def ways_of(setting):
    study = parse_study(EVERY_KIND)
    return find_ways(study, study, data_shapes(study, StudyFolder(Path("none")), None), setting)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make the study with 1, 2 and 8 jobs; return events and folder of each."""
    study = parse_study(EVERY_KIND)
    found = {}
    for jobs in (1, 2, 8):
        path = tmp_path_factory.mktemp(f"jobs-{jobs}")
        found[jobs] = list(execute_study(study, StudyFolder(path), Setting(), jobs)), path
    return found


def bits(path):
    """Return what must not differ: weights by hash, metrics without times, findings, verdicts."""
    weights = {
        file.relative_to(path).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in path.rglob("weights.safetensors")
    }
    metrics = {
        file.relative_to(path).as_posix(): re.sub(r'"seconds": [^,]*', "", file.read_text())
        for file in path.rglob("metrics.jsonl")
    }
    result = read_result(path)
    scores = [(run.arm, run.seed, run.key, run.scores, run.epochs) for run in result.record.runs]
    verdicts = [(v.verdict, v.seeds, v.outcomes[1:]) for v in result.verdicts]
    return weights, metrics, scores, verdicts


@pytest.mark.fault(30)
def test_runs_and_verdicts_are_the_same_for_any_number_of_jobs(made):
    one = bits(made[1][1])
    # Six seeds of each, a seventh of the two arms whose claim is open.
    assert len(one[0]) == len(one[1]) == 5 * 6 + 2
    assert [v[:2] for v in one[3]] == [("holds", 6), ("undecided", 7)]
    for jobs in (2, 8):
        assert bits(made[jobs][1]) == one


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core has one thread")
def test_the_study_would_show_a_run_with_other_threads(tmp_path, monkeypatch):
    if not has_wide_registers():
        pytest.skip("only the own convolutions surely depend on threads")
    study = parse_study(EVERY_KIND)
    found = set()
    before = torch.get_num_threads()
    for threads in (1, 2):
        monkeypatch.setattr(threads_module, "_all_threads", lambda threads=threads: threads)
        folder = StudyFolder(tmp_path / str(threads))
        list(execute_runs("large", study.arms["large"], [0], folder, Setting(device="cpu")))
        weights = folder.run("large", 0).weights()
        found.add(b"".join(weights[name].tobytes() for name in sorted(weights)))
    torch.set_num_threads(before)
    assert len(found) == 2


def test_the_end_is_the_same_too(made):
    ends = [[e for e in events if isinstance(e, SeedsEnded)] for events, _ in made.values()]
    assert ends[0] == ends[1] == ends[2]
    assert ends[0][0].why == "max_seeds"


def test_what_is_timed_and_what_takes_all_cores_goes_alone(made):
    events, path = made[2]
    under_way, beside = set(), {}
    for event in events:
        if isinstance(event, RunStarted):
            under_way |= {(event.arm, seed) for seed in event.seeds}
            for arm, _ in under_way:
                others = {name for name, _ in under_way} - {arm}
                beside.setdefault(arm, set()).update(others)
        elif isinstance(event, RunEnded):
            under_way.discard((event.record.arm, event.record.seed))
    assert beside["timed"] == beside["together"] == set()
    # Where this process has but one thread, its steps do not take all cores.
    if ways_of(Setting(jobs=2))["large"].places == 2:
        assert beside["large"] == set()
    assert "torch" in beside["numpy"]
    record = read_result(path).record
    assert not any(run.shared for run in record.of("timed"))
    assert all(run.shared for run in record.of("numpy"))
    assert "timed with nothing else running" in record.of("timed")[0].notes[-1]
    assert "Up to 2 runs were made at the same time" in record.of("numpy")[0].notes[-1]
    assert not any(
        "same time;" in note for note in read_result(made[1][1]).record.of("numpy")[0].notes
    )


def test_runs_in_other_processes_tell_how_far_they_are(made):
    events, _ = made[2]
    told = [e for e in events if isinstance(e, RunTold)]
    scores = next(e.event for e in told if isinstance(e.event, Evaluation))
    assert 0 <= scores.test.accuracy <= 1
    assert any(isinstance(e.event, Progress) for e in told)


def test_a_second_call_starts_no_process(made, monkeypatch):
    def refuse(*_):
        raise AssertionError("nothing is to be made")

    monkeypatch.setattr(workers_module, "Worker", refuse)
    path = made[8][1]
    ended = [e for e in execute_study(parse_study(EVERY_KIND), StudyFolder(path), Setting(), 2)
             if isinstance(e, RunEnded)]  # fmt: skip
    assert len(ended) == 32
    assert all(e.kept for e in ended)


def test_runs_that_were_made_beside_others_are_made_again_to_be_timed(made, tmp_path):
    folder = StudyFolder(tmp_path)
    study = parse_study(EVERY_KIND)
    claim = ClaimSpec(says="It is quick.", tests=("numpy.seconds < 100",))
    study = replace(study, arms={"numpy": study.arms["numpy"]}, claims=(), seeds=2)
    list(execute_study(study, folder, Setting()))
    run = folder.run("numpy", 1)
    run.finish(replace(run.read(), shared=True), run.weights())
    kept = [e.kept for e in execute_study(study, folder, Setting()) if isinstance(e, RunEnded)]
    assert kept == [True, True]
    study = replace(study, claims=(claim,))
    kept = [e.kept for e in execute_study(study, folder, Setting()) if isinstance(e, RunEnded)]
    assert kept == [True, False]
    assert not run.read().shared


@pytest.mark.parametrize(("threads", "cores", "jobs", "places"), [
    (1, 8, 4, 1), (8, 8, 4, 4), (2, 8, 4, 1), (3, 8, 4, 2), (2, 2, 2, 2), (1, 2, 8, 1),
    (2, 2, 8, 2),
])  # fmt: skip
def test_a_run_takes_the_place_of_as_many_jobs_as_it_has_threads_of(
    monkeypatch, threads, cores, jobs, places
):
    monkeypatch.setattr(ways_module, "threads_taken", lambda *_: threads)
    monkeypatch.setattr(ways_module, "cores", lambda: cores)
    ways = ways_of(Setting(device="cpu", jobs=jobs))
    assert ways["torch"].places == places
    assert ways["timed"].places == ways["together"].places == jobs


@pytest.mark.parametrize("jobs", [0, -1, 2.0, True, "all"])
def test_a_wrong_number_of_jobs_is_refused_before_anything_is_written(tmp_path, jobs):
    with pytest.raises(SpecError, match="jobs: must be 'auto' or a number from 1"):
        triptych.run(parse_study(EVERY_KIND), out=tmp_path / "s", jobs=jobs)
    assert not (tmp_path / "s").exists()


def test_auto_is_one_job_for_each_core(monkeypatch):
    monkeypatch.setattr(executors_module, "cores", lambda: 5)
    assert executors_module.count_jobs("auto") == 5


_TO_KILL = """
title = "to kill"
seeds = 1
[data]
source = "moons"
n_samples = 60
ARMS
[[claim]]
says = "They agree."
test = "first.test_accuracy = quick.test_accuracy within 0.5"
"""


def three_arms(**epochs):
    """Return a study of three arms, in this order, that train so long."""
    arms = "".join(
        f"[arm.{name}]\nengine = 'numpy'\nnetwork = {{ kind = 'mlp', hidden = [5] }}\n"
        f"train = {{ epochs = {count}, batch_size = 8, eval_every = {min(100, count)} }}\n"
        for name, count in epochs.items()
    )
    return _TO_KILL.replace("ARMS", arms)


TO_KILL = three_arms(first=3000, second=3000, quick=2)
FOR_EVER = three_arms(quick=2, first=10**6, second=10**6)


def children(pid):
    """Return the processes whose parent is `pid`."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


on_linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@on_linux
@pytest.mark.fault(30)
def test_a_process_that_dies_costs_its_run_alone_and_the_next_call_makes_it(tmp_path):
    study, folder = parse_study(TO_KILL), StudyFolder(tmp_path)
    signals = [signal.SIGKILL, signal.SIGSEGV]
    ended, told = [], set()
    others = set(children(os.getpid()))  # a browser of other tests, say
    for event in execute_study(study, folder, Setting(), 2):
        if isinstance(event, RunTold) and isinstance(event.event, Evaluation):
            told.add(event.arm)
        if told == {"first", "second"} and signals:
            for pid in set(children(os.getpid())) - others:
                os.kill(pid, signals.pop())
        if isinstance(event, RunEnded):
            ended.append(event.record)
    assert [(run.arm, run.status) for run in ended[2:]] == [("quick", "finished")]
    assert {(run.arm, run.status) for run in ended[:2]} == {
        ("first", "failed"), ("second", "failed")
    }  # fmt: skip
    assert {run.error for run in ended[:2]} == {
        "its process was ended by signal 9 (SIGKILL); out of memory?",
        "its process was ended by signal 11 (SIGSEGV)",
    }
    # What was known of it is kept.
    assert all(run.parameters and run.curve for run in ended[:2])
    result = read_result(tmp_path)
    html = result.to_html()
    assert "2 runs failed" in html
    assert "SIGSEGV" in html
    assert result.verdicts[0].outcomes[0].reason.endswith("1 run failed")
    assert "(2 failed)" in html
    again = [e for e in execute_study(study, folder, Setting()) if isinstance(e, RunEnded)]
    assert [(e.record.status, e.kept) for e in again] == [
        ("finished", False), ("finished", False), ("finished", True)
    ]  # fmt: skip
    assert "failed" not in read_result(tmp_path).to_html()


@on_linux
@pytest.mark.fault(30)
def test_a_process_that_hangs_is_ended_and_the_next_call_makes_its_run(tmp_path, monkeypatch):
    monkeypatch.setattr(hanging_module, "SECONDS_BETWEEN_LOOKS", 0.2)
    monkeypatch.setattr(workers_module, "SECONDS_BETWEEN_LOOKS", 0.2)
    monkeypatch.setattr(hanging_module, "_MOST_SECONDS", 3.0)
    study, folder = parse_study(TO_KILL), StudyFolder(tmp_path)
    others = set(children(os.getpid()))
    ended, stopped, told = {}, [], set()
    for event in execute_study(study, folder, Setting(), 2):
        if isinstance(event, RunTold) and isinstance(event.event, Evaluation):
            told.add(event.arm)
        if told == {"first", "second"} and not stopped:
            stopped = sorted(set(children(os.getpid())) - others)[:1]
            os.kill(stopped[0], signal.SIGSTOP)
        if isinstance(event, RunEnded):
            ended[event.record.arm] = event.record
    assert sorted(run.status for run in ended.values()) == ["failed", "finished", "finished"]
    (failed,) = [run for run in ended.values() if run.status == "failed"]
    assert failed.error == "its process hung: it computed nothing for 3.00 s, and was ended"
    assert failed.curve
    assert set(children(os.getpid())) <= others
    again = [e for e in execute_study(study, folder, Setting()) if isinstance(e, RunEnded)]
    assert {e.record.arm: e.kept for e in again} == {name: name != failed.arm for name in ended}
    assert all(e.record.status == "finished" for e in again)


def test_time_in_which_nothing_could_run_is_not_time_in_which_a_process_hung(monkeypatch):
    now, taken = [0.0], [5]
    monkeypatch.setattr(hanging_module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(hanging_module, "processor_time", lambda _: taken[0])
    hanging = hanging_module.Hanging()

    def look(seconds):
        now[0] += seconds
        return hanging.among([7])

    assert look(3600.0) == look(3600.0) == look(1.0) == []
    assert [look(10.0) for _ in range(29)] == [[]] * 28 + [[7]]
    taken[0] += 1
    assert look(10.0) == []


def test_an_error_in_a_run_marks_it_and_the_study_goes_on(tmp_path, monkeypatch):
    study = parse_study(TO_KILL)
    execute = failures_module.execute_runs

    def break_some(name, *rest):
        if name == "second":
            raise ValueError("shapes (3,) and (4,)\nnot aligned")
        yield from execute(name, *rest)
        if name == "first":
            raise AssertionError("an error after the end changes nothing")

    monkeypatch.setattr(failures_module, "execute_runs", break_some)
    ended = {}
    for event in execute_study(study, StudyFolder(tmp_path), Setting()):
        if isinstance(event, RunEnded):
            ended[event.record.arm] = event
    assert [e.record.status for e in ended.values()] == ["finished", "failed", "finished"]
    assert re.fullmatch(
        r"ValueError: shapes \(3,\) and \(4,\) not aligned \(test_several_jobs.py, line \d+\)",
        ended["second"].record.error,
    )
    assert "Traceback" in ended["second"].trace
    assert "1 run failed" in read_result(tmp_path).to_html()


def test_a_study_of_which_no_run_finishes_ends_with_its_page_and_an_error(tmp_path, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(failures_module, "execute_runs", fail)
    with pytest.raises(
        RunError, match="no run finished; first, seed 0, failed: out of memory beside"
    ):
        triptych.run(parse_study(TO_KILL), out=tmp_path / "s")
    html = (tmp_path / "s" / "report.html").read_text("utf-8")
    assert "3 runs failed" in html
    assert "The same command makes them again." in html


def test_what_is_raised_on_purpose_in_another_process_ends_the_study_as_itself(tmp_path):
    text = TO_KILL.replace(
        "epochs = 2, batch_size = 8", "epochs = 2, patience = 1, validation = 0.001"
    )
    others = set(children(os.getpid()))
    with pytest.raises(SpecError, match="train.validation: 0.001 of 48 rows leaves one side empty"):
        list(execute_study(parse_study(text), StudyFolder(tmp_path), Setting(), 3))
    assert set(children(os.getpid())) <= others


def test_a_python_that_cannot_start_is_an_error_with_its_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(workers_module, "_START", "raise SystemExit('no such thing')")
    with pytest.raises(RunError, match="a worker process cannot start: .* code 1: no such thing"):
        list(execute_study(parse_study(TO_KILL), StudyFolder(tmp_path), Setting(), 2))


@contextmanager
def started(folder, text):
    """Run a study with two jobs; give the process and its workers when both are at long runs."""
    (folder / "s.toml").write_text(text)
    process = subprocess.Popen(
        [sys.executable, "-m", "triptych", "run", "s.toml", "--jobs", "2"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    runs = folder / "triptych-runs" / "s" / "runs"
    files = [runs / "quick" / "seed-0" / "result.json"]
    files += [runs / arm / "seed-0" / "metrics.jsonl" for arm in ("first", "second")]
    with process:
        try:
            wait_for(lambda: process.poll() is not None or all(file.exists() for file in files))
            assert process.poll() is None, process.stderr.read()
            yield process, children(process.pid)
        finally:
            process.kill()


def wait_for(happens, seconds=60):
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_alive(pid):
    return Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text()


@on_linux
@pytest.mark.fault(30)
def test_workers_end_with_the_process_that_started_them_however_it_ends(tmp_path):
    with started(tmp_path, FOR_EVER) as (process, workers):
        assert len(workers) == 2
        process.kill()
        process.communicate()
    # Of a machine that has nothing else to do, well below a second.
    wait_for(lambda: not any(map(is_alive, workers)), 10)


@on_linux
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_all_processes_stops_with_its_code_and_keeps_what_is_finished(
    tmp_path, number, code
):
    with started(tmp_path, FOR_EVER) as (process, workers):
        os.killpg(process.pid, number)  # as a terminal does
        _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert said.decode().startswith("stopped; finished runs are kept")
    assert said.count(b"\n") == 1
    assert not any(map(is_alive, workers))
    runs = read_result(tmp_path / "triptych-runs" / "s").record.runs
    assert [(run.arm, run.status) for run in runs] == [("quick", "finished")]


def test_messages_are_lines_of_json_whatever_a_folder_is_called(tmp_path):
    from triptych.runner.wire import Hello, line

    hello = Hello("title = 'ü\n'", "/tmp/\udcff\n", None, "cpu", 0, None, None, False)
    text = line(hello)
    assert text.count(b"\n") == 1
    assert json.loads(text)["folder"] == "/tmp/\udcff\n"

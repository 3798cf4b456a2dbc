"""A training on one's own data that is stopped goes on with the same command, to the same bytes."""

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import triptych
from closed_output import code_with_output, full_disk, left_by_its_reader
from triptych.baseline import plans, results
from triptych.engines import PeakMemory
from triptych.errors import RunError, SpecError
from triptych.records import StudyFolder
from triptych.records.checkpoints import unpacked
from triptych.records.disk import CHECKPOINT_FILES
from triptych.records.files import DISK
from triptych.records.runs import RunFolder
from triptych.runner import explained, runs
from triptych.runner import results as results_module
from triptych.runner.keeper import Keeper
from triptych.training import jobs, loop, references

FOLDER = Path("triptych-runs/t")
NETWORK = FOLDER / "runs/network/seed-0"
COMMAND = ("train", "t.csv", "--seeds", "1")
STOPPED = (
    "stopped; finished runs are kept in triptych-runs/t, and checkpoints of the others; "
    "the same command goes on\n"
)
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


def lines(rows=60, move=0.0):
    draw = np.random.default_rng(0)
    found = ["a,b,town,kind"]
    for k in range(rows):
        x, y = draw.normal(size=2)
        kind = "ny"[int(x + y + 0.8 * draw.normal() > 0)]
        found.append(f"{x + move * (k == 7):.3f},{y:.3f},{'RS'[k % 2]},{kind}")
    return "\n".join(found) + "\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Return a folder with a table that has been there for long, as the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("triptych.data.identity._SETTLED_SECONDS", -1e9)
    Path("t.csv").write_text(lines())
    before = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, before)  # which a command takes for itself


@pytest.fixture
def still(monkeypatch):
    """Let time stand still, memory go unmeasured, and training pause before every step."""
    monkeypatch.setattr(loop, "_SECONDS_BETWEEN_PROGRESS", 0.0)
    clock = SimpleNamespace(perf_counter=lambda: 0.0, monotonic=time.monotonic)
    for module in (loop, jobs, explained, runs, results_module, references):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(PeakMemory, "megabytes", lambda *_: None)


@pytest.fixture
def small(monkeypatch):
    """Train the network for a few steps only: what is tested is how it is stopped."""
    network_for = plans.network_for

    def quick(data):
        network, train = network_for(data)
        return network, replace(train, epochs=4 + len(data.train) // 100, eval_every=2)

    monkeypatch.setattr(plans, "network_for", quick)


def bits(folder=FOLDER):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("lock", "lock.json")
    }


def at_pause(monkeypatch, count, *numbers):
    """Let signals arrive before that many steps of all trainings have been taken."""
    left, pause = [count], Keeper._pause

    def then_signal(keeper, group):
        left[0] -= 1
        if not left[0]:
            for number in numbers:
                signal.raise_signal(number)
        pause(keeper, group)

    monkeypatch.setattr(Keeper, "_pause", then_signal)


def newest(folder=NETWORK):
    found = [unpacked(p.read_bytes()) for n in CHECKPOINT_FILES if (p := folder / n).exists()]
    return max(found, key=lambda one: one.step)


def cut_short(call, monkeypatch, count=154, command=COMMAND):
    """Interrupt a training before so many steps."""
    with monkeypatch.context() as patch:
        patch.setattr(loop, "_SECONDS_BETWEEN_PROGRESS", 0.0)
        at_pause(patch, count, signal.SIGINT)
        assert call(*command)[0] == 130


@pytest.mark.fault(17, 25)
@pytest.mark.usefixtures("still", "small")
def test_stopped_in_its_search_its_training_and_its_fits_it_ends_as_in_one_go(
    here, call, monkeypatch
):
    code, whole, _ = call(*COMMAND)
    assert code == 0
    FOLDER.rename("whole")
    expected = bits(Path("whole"))
    steps = []
    for count, (number, wanted) in ((50, SIGNALS[0]), (98, SIGNALS[1]), (6, SIGNALS[0])):
        with monkeypatch.context() as patch:
            at_pause(patch, count, number)
            code, _, err = call(*COMMAND)
        assert (code, err) == (wanted, STOPPED)
        steps.append((newest().step, "search" in newest().state.values["job"]))
    # A search takes three times 48 steps, the training 12.
    assert steps == [(49, True), (146, False), (151, False)]
    with monkeypatch.context() as patch:
        in_a_fit(patch, "linear", signal.SIGTERM)
        code, out, err = call(*COMMAND)
    assert (code, err) == (143, STOPPED)
    assert "network, seed 0: goes on after step 7\n" in out
    code, out, _ = call(*COMMAND)
    assert code == 0
    assert out.count("kept from before") == 2
    table = "Held-out rows"
    assert out[out.index(table) :] == whole[whole.index(table) :]
    assert bits() == expected


def in_a_fit(patch, model, number):
    """Let a signal arrive while a reference is fitted."""
    fit = references._fit

    def signalled(spec, *rest):
        if spec.model == model:
            signal.raise_signal(number)
        return fit(spec, *rest)

    patch.setattr(references, "_fit", signalled)


def fits(monkeypatch):
    """Return a list that gets the name of each reference that is fitted."""
    found, fit = [], references._fit

    def noted(spec, *rest):
        found.append(spec.model)
        return fit(spec, *rest)

    monkeypatch.setattr(references, "_fit", noted)
    return found


@pytest.mark.fault(17)
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_what_was_fitted_is_not_fitted_again(here, call, monkeypatch, number, code):
    with monkeypatch.context() as patch:
        fitted = fits(patch)
        in_a_fit(patch, "gradient_boosting", number)
        assert call(*COMMAND)[0] == code
    assert fitted == ["most_frequent", "linear"]  # the next was begun, and left at once
    again = fits(monkeypatch)
    assert call(*COMMAND)[0] == 0
    assert again == ["gradient_boosting", "nearest_neighbours"]


@pytest.mark.fault(17)
@pytest.mark.usefixtures("small")
def test_a_signal_while_what_was_fitted_is_written_loses_nothing(here, call, monkeypatch):
    finish = RunFolder.finish

    def signalled(folder, record, weights):
        if record.arm == "linear":
            signal.raise_signal(signal.SIGINT)
        finish(folder, record, weights)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "finish", signalled)
        fitted = fits(patch)
        code, _, err = call(*COMMAND)
    assert (code, err, fitted[-1]) == (130, STOPPED, "linear")
    again = fits(monkeypatch)
    assert call(*COMMAND)[0] == 0
    assert again == ["gradient_boosting", "nearest_neighbours"]


@pytest.mark.fault(17)
@pytest.mark.usefixtures("small", "still")
def test_the_second_signal_acts_at_once(here, call, monkeypatch):
    with monkeypatch.context() as patch:
        at_pause(patch, 30, signal.SIGINT, signal.SIGTERM)
        code, _, err = call(*COMMAND)
    assert (code, err) == (143, STOPPED)
    assert not any((NETWORK / name).exists() for name in CHECKPOINT_FILES)


@pytest.mark.fault(17)
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("at", ["keep_model", "read_result"])
def test_a_signal_while_model_and_page_are_written_is_told_and_they_come_next(
    here, call, monkeypatch, at
):
    with monkeypatch.context() as patch:
        act = getattr(results, at)

        def signalled(*rest):
            signal.raise_signal(signal.SIGINT)
            return act(*rest)

        patch.setattr(results, at, signalled)
        code, _, err = call(*COMMAND)
    assert (code, err) == (130, STOPPED)
    assert not (FOLDER / "report.html").exists()
    code, out, _ = call(*COMMAND)
    assert (code, out.count("kept from before")) == (0, 5)
    assert {"report.html", "model.safetensors"} <= {path.name for path in FOLDER.iterdir()}


@pytest.mark.fault(26)
@pytest.mark.usefixtures("small", "still")
def test_a_full_disk_says_how_far_the_search_is_kept_and_it_goes_on_from_there(
    here, call, monkeypatch
):
    write, count = DISK.write, []

    def full(file, content):
        count.append(1)
        if len(count) > 40:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(file, content)

    with monkeypatch.context() as patch:
        patch.setattr(DISK, "write", full)
        code, _, err = call(*COMMAND, "--checkpoint", "0.000001")
    assert code == 4
    step = newest().step
    assert 20 < step < 48
    assert err.startswith(f"triptych: no space left to write {NETWORK}/checkpoint-")
    assert err.endswith(
        f"The last checkpoint is of step {step} of its search for a learning rate.\n"
    )
    assert f"goes on after step {step} of its search for a learning rate\n" in call(*COMMAND)[1]


@pytest.mark.fault(12)
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("more", [(), ("--seeds", "3")], ids=["", "more seeds"])
@pytest.mark.parametrize("changed", [lines(move=1.0), lines(500)], ids=["a cell", "more rows"])
def test_data_that_changed_are_refused_with_both_fingerprints(
    here, call, monkeypatch, changed, more
):
    cut_short(call, monkeypatch)
    then, before = newest().fingerprint, bits()
    Path("t.csv").write_text(changed)
    code, _, err = call(*COMMAND, *more)
    assert code == 4
    assert err.startswith(
        f"triptych: network, seed 0: its data have changed since its checkpoint: fingerprint "
        f"{then[:12]} ≠ "
    )
    assert err.endswith(
        f". Put them back, or 'triptych runs delete {NETWORK}' lets it start again.\n"
    )
    assert f"≠ {then[:12]}" not in err
    # Rows that change the network itself are refused before anything is written.
    same = bits()
    kept = {name for name in before if name.startswith("runs/")}
    assert {name: same[name] for name in kept} == {name: before[name] for name in kept}
    Path("t.csv").write_text(lines())
    assert "goes on after step 9\n" in call(*COMMAND)[1]


def elsewhere(patch, **fields):
    machine = runs.machine
    patch.setattr(runs, "machine", lambda *rest: machine(*rest) | fields)


@pytest.mark.fault(32)
@pytest.mark.usefixtures("small")
def test_another_environment_is_refused_and_inexact_says_so(here, call, monkeypatch):
    cut_short(call, monkeypatch)
    before = bits(NETWORK)
    elsewhere(monkeypatch, processor="another one")
    code, _, err = call(*COMMAND)
    assert code == 4
    assert err.startswith("triptych: network, seed 0 was begun with processor ")
    assert "; here are processor another one, so it would end with other bits. --inexact" in err
    assert bits(NETWORK) == before
    code, out, _ = call(*COMMAND, "--inexact")
    assert code == 0
    assert "goes on after step 9\n" in out
    assert (
        "here are processor another one, where it went on" in (FOLDER / "report.html").read_text()
    )
    notes = triptych.load(FOLDER / "model.safetensors").facts["notes"]
    assert any("where it went on" in note for note in notes)


@pytest.mark.usefixtures("small")
def test_from_python_the_same_is_promised(here, call, monkeypatch):
    cut_short(call, monkeypatch)
    with monkeypatch.context() as patch:
        elsewhere(patch, processor="another one")
        with pytest.raises(RunError, match="--inexact goes on"):
            triptych.train("t.csv", seeds=1)
        found = triptych.train("t.csv", seeds=1, inexact=True, checkpoint="1 min")
    assert any("where it went on" in note for note in found.run.notes)
    with pytest.raises(SpecError, match=r"^checkpoint: unknown unit 'mn'"):
        triptych.train("t.csv", seeds=1, checkpoint="1 mn")
    assert call(*COMMAND, "--checkpoint", "0")[0] == 2


@pytest.mark.fault(27)
@pytest.mark.usefixtures("small")
def test_a_second_training_in_the_same_folder_is_refused(here, call, monkeypatch):
    cut_short(call, monkeypatch)
    before = bits()
    with StudyFolder(FOLDER).lock():
        code, _, err = call(*COMMAND)
    assert code == 4
    holder = f"pid {os.getpid()} on host {os.uname().nodename}"
    assert err == f"triptych: 'triptych-runs/t' is in use by {holder}.\n"
    assert bits() == before


@pytest.mark.usefixtures("small")
def test_called_again_it_neither_looks_at_data_nor_trains(here, call, monkeypatch):
    out = call(*COMMAND)[1]
    before = bits()
    for module, name in ((plans, "look"), (plans, "load"), (runs, "load_for")):
        monkeypatch.setattr(module, name, None)
    code, again, _ = call(*COMMAND)
    assert (code, again.count("kept from before")) == (0, 5)
    assert again.splitlines()[-4:] == out.splitlines()[-4:]
    assert again.splitlines()[:6] == out.splitlines()[:6]
    assert bits() == before


@pytest.mark.usefixtures("small")
def test_a_training_that_was_cut_short_is_not_looked_at_again(here, call, monkeypatch):
    cut_short(call, monkeypatch)
    monkeypatch.setattr(plans, "look", None)
    assert call(*COMMAND)[0] == 0


@pytest.mark.usefixtures("small")
def test_other_settings_are_told_and_begin_another_run(here, call, monkeypatch):
    cut_short(call, monkeypatch)
    code, out, _ = call(*COMMAND, "--target", "town", "--ignore", "b")
    assert code == 0
    assert (
        "note: triptych-runs/t is of other settings: target not given, now town; ignore not given, "
        "now b. What these change is made anew there; --out FOLDER keeps both.\n"
    ) in out
    assert "goes on" not in out
    assert triptych.load(FOLDER / "model.safetensors").classes == ("R", "S")
    record = triptych.read_result(FOLDER).record
    assert {run.arm: run.seed for run in record.runs}.keys() == set(record.study.arms)
    # More seeds are no other settings; and the note is not told twice.
    out = call("train", "t.csv", "--seeds", "2", "--target", "town", "--ignore", "b")[1]
    assert "is of other settings" not in out
    assert out.count("kept from before") == 5


BAD_FOLDERS = [
    ("t.csv", "it is a file"),
    ("t.csv/below", "'t.csv' is a file"),
    ("a/../b", "it contains '..'"),
    ("a\nb", "its name has a control character"),
    ("n" * 256, "a name in it is longer than 255 bytes"),
    ("/".join(["n" * 200] * 30), "File name too long"),
    ("mine", "it has files of something else"),
]


@pytest.mark.fault(16)
@pytest.mark.parametrize("command", ["run", "train"])
@pytest.mark.parametrize(("out", "says"), BAD_FOLDERS, ids=[says for _, says in BAD_FOLDERS])
def test_a_folder_that_cannot_be_used_is_refused_and_nothing_is_changed(
    here, call, command, out, says
):
    Path("mine").mkdir()
    Path("mine/letter.txt").write_text("dear reader")
    before = bits(Path())
    code, said, err = call(command, {"run": "toys", "train": "t.csv"}[command], "--out", out)
    assert code == 4
    assert err.startswith("triptych: cannot use '")
    assert err.endswith(f"' as a run folder: {says}.\n")
    assert err.count("\n") == 1
    assert bits(Path()) == before
    if command == "train":
        assert said == ""  # nothing was looked at before


@pytest.mark.fault(16)
@pytest.mark.parametrize("command", ["run", "train"])
@pytest.mark.parametrize(("out", "what"), [("there", "it"), ("there/below", "'there'")])
def test_a_folder_that_is_read_only_is_refused(here, call, monkeypatch, command, out, what):
    Path("there").mkdir()
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path).name != "there" and access(path, mode)
    )
    code, _, err = call(command, {"run": "toys", "train": "t.csv"}[command], "--out", out)
    assert code == 4
    assert err == f"triptych: cannot use {out!r} as a run folder: {what} is read-only.\n"
    assert list(Path("there").iterdir()) == []


@pytest.mark.fault(16)
def test_a_study_that_train_did_not_make_is_not_written_over(here, call):
    Path("s.toml").write_text(
        'title = "mine"\nseeds = 1\n[data]\nsource = "moons"\nn_samples = 40\n[arm.a]\n'
        'engine = "numpy"\nnetwork = { kind = "mlp", hidden = [3] }\ntrain = { epochs = 1 }\n'
    )
    call("run", "s.toml", "--out", "o")
    before = bits(Path("o"))
    code, _, err = call(*COMMAND, "--out", "o")
    assert code == 4
    assert err == (
        "triptych: cannot use 'o' as a run folder: it holds 'mine', which 'triptych train' did not "
        "make. --out names another.\n"
    )
    assert bits(Path("o")) == before


@pytest.mark.fault(17)
@pytest.mark.usefixtures("small")
def test_a_reader_that_leaves_is_no_error_and_a_full_output_is(here, capsys):
    for _ in range(2):  # under way, and once it is finished
        with left_by_its_reader() as pipe:
            assert code_with_output(pipe, *COMMAND) == 0
        assert capsys.readouterr().err == ""
    with full_disk() as file:
        assert code_with_output(file, *COMMAND) == 4
    said = capsys.readouterr().err
    assert said == "triptych: cannot write the output: No space left on device.\n"


HARNESS = Path(__file__).parents[1] / "faults" / "fault_train.py"


def harness(*arguments):
    done = subprocess.run(
        [sys.executable, HARNESS, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.fault(25, 26)
@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_whatever_write_fails_and_whenever_it_is_killed_it_ends_with_the_same_bytes():
    found = harness("points", "kills", "--every", "223", "--count", "6")
    assert found["points"]["trials"] >= 14
    assert found["kills"]["trials"] >= 6

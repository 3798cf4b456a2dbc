"""When checkpoints are written, and which of those that are found are taken up."""

import numpy as np
import pytest

from triptych.contracts import State
from triptych.errors import RunError
from triptych.records import Found, RunFolder, RunRecord
from triptych.records.checkpoints import Checkpoint, log_until, packed
from triptych.records.files import dump_json
from triptych.runner import Setting
from triptych.runner import keeping as keeping_module
from triptych.runner.keeping import Rhythm, differences, first_guess, found_checkpoint

HERE = {"numpy": "2.1", "threads": "2"}
BLANK = RunRecord(
    arm="a", seed=3, key="k", spec="s", status="finished", engine="numpy", data="d",
    fingerprint="f" * 64, notes=(), train_rows=1, test_rows=1, parameters=1_000_000, flops=1,
    environment=HERE,
)  # fmt: skip


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(keeping_module.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("every", "took", "wait"),
    [(None, 0.0, 10.0), (None, 0.15, 10.0), (None, 0.3, 20.0), (0.0, 5.0, 0.0), (3.0, 5.0, 3.0)],
)
def test_a_checkpoint_is_due_after_so_many_seconds_and_no_sooner(clock, every, took, wait):
    rhythm = Rhythm(every, took)
    if wait:
        clock[0] += wait - 0.001
        assert not rhythm.is_due()
    clock[0] = 100.0 + wait
    assert rhythm.is_due()


def test_what_one_took_says_when_the_next_is_due(clock):
    rhythm = Rhythm(None)
    clock[0] += 10.0
    assert rhythm.is_due()
    rhythm.wrote(0.6)
    assert not rhythm.is_due()
    clock[0] += 39.9
    assert not rhythm.is_due()
    clock[0] += 0.2
    assert rhythm.is_due()


def test_the_first_is_guessed_from_three_arrays_of_each_weight_at_50_megabytes_a_second():
    assert first_guess([BLANK, BLANK], 0.5, 4) == pytest.approx(0.5 + 2e6 * 4 * 3 / 50e6)


@pytest.fixture
def folder(tmp_path):
    found = RunFolder(tmp_path / "a" / "seed-3")
    found.path.mkdir(parents=True)
    (found.path / "metrics.jsonl").write_bytes(b"")
    return found


def keep(folder, **fields):
    about = {"spec": "s", "fingerprint": BLANK.fingerprint, "environment": HERE, "step": 7}
    state = State({"w": np.zeros(2)}, {})
    folder.checkpoints.write(
        packed(Checkpoint(**{**about, **fields}, state=state, **log_until(b"")))
    )


def test_a_run_goes_on_from_its_own_checkpoint(folder):
    assert found_checkpoint(BLANK, folder, Setting()) is None
    keep(folder)
    assert found_checkpoint(BLANK, folder, Setting()).checkpoint.step == 7


def test_that_of_other_settings_is_none(folder):
    keep(folder, spec="other", fingerprint="other", environment={})
    assert found_checkpoint(BLANK, folder, Setting()) is None


@pytest.mark.parametrize(("status", "goes_on"), [("finished", False), ("diverged", False),
                                                 ("failed", True)])  # fmt: skip
def test_a_run_that_has_ended_goes_on_only_where_it_failed(folder, status, goes_on):
    keep(folder)
    (folder.path / "result.json").write_bytes(dump_json({"status": status}))
    assert (found_checkpoint(BLANK, folder, Setting()) is not None) == goes_on


@pytest.mark.fault(12)
@pytest.mark.parametrize("inexact", [False, True])
def test_other_data_are_refused_whatever_is_let_pass(folder, inexact):
    keep(folder, fingerprint="e" * 64)
    with pytest.raises(RunError) as caught:
        found_checkpoint(BLANK, folder, Setting(inexact=inexact))
    assert str(caught.value) == (
        f"a, seed 3: its data have changed since its checkpoint: fingerprint {'e' * 12} ≠ "
        f"{'f' * 12}. Put them back, or 'triptych runs delete {folder.path}' lets it start again."
    )


@pytest.mark.fault(32)
def test_another_environment_is_let_pass_only_where_that_is_asked_for(folder):
    keep(folder, environment={"numpy": "2.0", "threads": "2", "device": "gpu"})
    said = "with device gpu, numpy 2.0; here are device unknown, numpy 2.1"
    with pytest.raises(RunError) as caught:
        found_checkpoint(BLANK, folder, Setting())
    assert str(caught.value) == (
        f"a, seed 3 was begun {said}, so it would end with other bits. --inexact goes on all the "
        f"same, and the page says so; 'triptych runs delete {folder.path}' lets it start again."
    )
    found = found_checkpoint(BLANK, folder, Setting(inexact=True))
    assert isinstance(found, Found)
    assert differences(found, BLANK) == said


def test_the_same_environment_differs_in_nothing(folder):
    keep(folder)
    assert differences(found_checkpoint(BLANK, folder, Setting()), BLANK) == ""

"""When checkpoints are written, and whether one that is found is taken up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from triptych.errors import RunError
from triptych.records import Found, RunFolder, RunRecord
from triptych.runner.setting import Setting

_SECONDS = 10.0
# Of the time that training takes, at most 2 %; some of that is left for what takes longer once.
_SHARE = 0.015
# That a disk takes in a second, before it was seen what it does; and arrays of each weight: itself
# and the optimiser's two moments.
_FIRST_SPEED = 50e6
_ARRAYS = 3


class Rhythm:
    """Says when to write checkpoints: every so often, but for no more than a share of the time.

    Parameters
    ----------
    every : float, optional
        Seconds from one to the next. Absent: 10, or as many more as keep writing them to 2 % of
        the time.
    took : float
        About how many seconds the first will take to write.
    """

    def __init__(self, every: float | None, took: float = 0.0) -> None:
        self.every, self.took = every, took
        self.last = time.monotonic()

    def is_due(self) -> bool:
        """Whether it is time for one."""
        wait = max(_SECONDS, self.took / _SHARE) if self.every is None else self.every
        return time.monotonic() - self.last >= wait

    def wrote(self, seconds: float) -> None:
        """Note that one was written, which took so long."""
        self.took, self.last = seconds, time.monotonic()


def first_guess(runs: Sequence[RunRecord], started: float, bytes_each: int) -> float:
    """Return about how many seconds the first checkpoints of some runs will take to write.

    Parameters
    ----------
    runs : sequence of RunRecord
        Not yet trained.
    started : float
        Seconds that the files took which begin the runs.
    bytes_each : int
        Of a weight.
    """
    size = sum(run.parameters for run in runs) * bytes_each * _ARRAYS
    return started + size / _FIRST_SPEED


def found_checkpoint(blank: RunRecord, folder: RunFolder, setting: Setting) -> Found | None:
    """Return the checkpoint from which a run goes on; None where it begins anew.

    Parameters
    ----------
    blank : RunRecord
        What is to be made.
    folder : RunFolder
    setting : Setting

    Raises
    ------
    CheckpointError
        If there are checkpoints, and none of them is whole.
    RunError
        If it was begun on other data; or in another environment, where that is not let pass.
    """
    if not folder.is_to_be_made():
        return None
    found = folder.checkpoints.newest()
    if found is None or found.checkpoint.spec != blank.spec:
        return None
    where, checkpoint = f"{blank.arm}, seed {blank.seed}", found.checkpoint
    if checkpoint.fingerprint != blank.fingerprint:
        raise other_data(where, checkpoint.fingerprint, blank.fingerprint, folder.path)
    if (other := differences(found, blank)) and not setting.inexact:
        raise RunError(
            f"{where} was begun {other}, so it would end with other bits. --inexact goes on all "
            f"the same, and the page says so; {_anew(folder.path)}."
        )
    return found


def other_data(where: str, then: str, now: str, folder: Path) -> RunError:
    """Return the error of a run whose data have changed since its checkpoint."""
    return RunError(
        f"{where}: its data have changed since its checkpoint: fingerprint {then[:12]} ≠ "
        f"{now[:12]}. Put them back, or {_anew(folder)}."
    )


def _anew(folder: Path) -> str:
    return f"'triptych runs delete {folder}' lets it start again"


def differences(found: Found, blank: RunRecord) -> str:
    """Return how the environment of a checkpoint differs from the present one, if it does.

    Such as ``"with numpy 2.1.0, threads 8; here are numpy 2.2.0, threads 2"``.
    """
    then, now = found.checkpoint.environment, blank.environment
    names = [name for name in sorted(then.keys() | now.keys()) if then.get(name) != now.get(name)]
    if not names:
        return ""
    before, here = (
        ", ".join(f"{name} {one.get(name, 'unknown')}" for name in names) for one in (then, now)
    )
    return f"with {before}; here are {here}"

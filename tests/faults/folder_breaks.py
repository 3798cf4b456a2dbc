"""What people do wrong with folders, in ways that `folder_machine` must catch, each in a child."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from triptych.records import checkpoints, deletion, locks, runs, study
from triptych.records.files import DISK
from triptych.runner import keeping, under_way
from triptych.runner import runs as runner_runs


def nobody_holds() -> None:
    """Let everybody write."""

    class NoLock:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def acquire(self) -> None:
            pass

        release = acquire

    locks.FileLock = NoLock


def anew_where_damaged() -> None:
    """Begin anew where all checkpoints are damaged."""
    newest = checkpoints.Checkpoints.newest

    def find(self: checkpoints.Checkpoints) -> Any:
        try:
            return newest(self)
        except checkpoints.CheckpointError:
            return None

    checkpoints.Checkpoints.newest = find


def anywhere() -> None:
    """Go on in any environment."""
    keeping.differences = lambda *_: ""
    under_way.differences = lambda *_: ""


def nothing_tidied() -> None:
    """Leave what a kill left."""
    study.StudyFolder.tidy = lambda self: None


def result_not_seen() -> None:
    """Take a run that is whole for one that is not."""
    runs.RunFolder.is_finished = lambda self: False


def result_stays() -> None:
    """Delete the result last."""
    deletion.RUN_FILES = tuple(reversed(deletion.RUN_FILES))


def other_data_kept() -> None:
    """Take a run for one of other data."""
    key = runner_runs.run_key
    runner_runs.run_key = lambda arm, seed, _, where: key(arm, seed, "", where)


def older_first() -> None:
    """Write over the newest checkpoint."""
    turn = checkpoints.Checkpoints._turn

    def stay(self: checkpoints.Checkpoints, newest: str) -> None:
        turn(self, newest)
        self.next = newest

    checkpoints.Checkpoints._turn = stay


def in_place() -> None:
    """Write a checkpoint in its place."""

    def write(path: Path, content: bytes) -> None:
        with DISK.open(path, "wb") as file:
            DISK.write(file, content)

    checkpoints.write_atomic = write


BREAKS: dict[str, Callable[[], None]] = {
    one.__name__: one
    for one in (
        nobody_holds, anew_where_damaged, anywhere, nothing_tidied, result_not_seen,
        result_stays, other_data_kept, older_first, in_place,
    )
}  # fmt: skip

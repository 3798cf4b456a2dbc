"""What is told of runs, from their start to their record."""

from __future__ import annotations

from dataclasses import dataclass

from triptych.records import RunRecord
from triptych.training import Event


@dataclass(frozen=True)
class RunTold:
    """Something the training loop told of a run."""

    arm: str
    seed: int
    event: Event


@dataclass(frozen=True)
class RunStarted:
    """Runs of one arm begin: on which seeds, at the same time where they are several."""

    arm: str
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class RunPrepared:
    """A run is about to be trained; `blank` is its record as far as it is known by then."""

    blank: RunRecord


@dataclass(frozen=True)
class RunEnded:
    """A run is whole; `kept` says that it had been before.

    Of one that failed by an error of Python's, `trace` says where.
    """

    record: RunRecord
    kept: bool
    trace: str = ""


RunEvent = RunStarted | RunPrepared | RunTold | RunEnded

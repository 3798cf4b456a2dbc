"""Where a study stands: which runs are planned, under way and over."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from triptych.records import DIVERGED, FAILED, RunRecord
from triptych.report.wording import accuracy, figure
from triptych.runner import RunEnded, RunsPlanned, RunStarted, RunTold
from triptych.spec import StudySpec
from triptych.training import Evaluation, Progress

Job = tuple[str, tuple[int, ...]]


@dataclass
class UnderWay:
    """Runs of one arm that are made: since when, and what was told last."""

    arm: str
    seeds: tuple[int, ...]
    started: float
    progress: Progress | None = None
    evaluation: Evaluation | None = None

    @property
    def share(self) -> float:
        """How much of the steps is done, 0 to 1."""
        return self.progress.step / self.progress.steps if self.progress else 0.0

    def seconds_each(self) -> float:
        """Return the seconds spent so far, shared out among the seeds."""
        return (time.perf_counter() - self.started) / len(self.seeds)


@dataclass
class State:
    """What is known of each run of a study.

    Attributes
    ----------
    planned : dict of str to int
        How many seeds each arm is to have, as far as that was told.
    ended : dict of (str, int) to RunEnded
        By arm and seed.
    under_way : dict
        What is made now, by arm and seeds.
    """

    study: StudySpec
    planned: dict[str, int] = field(default_factory=dict)
    ended: dict[tuple[str, int], RunEnded] = field(default_factory=dict)
    under_way: dict[Job, UnderWay] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seeds = self.study.seeds if self.study.seeds != "auto" else 0
        self.planned = dict.fromkeys(self.study.arms, seeds)

    def plan(self, event: RunsPlanned) -> None:
        """Take that further runs will be made."""
        for arm, count in event.runs.items():
            self.planned[arm] += count

    def start(self, event: RunStarted) -> None:
        """Take that runs began."""
        job = event.arm, event.seeds
        self.under_way[job] = UnderWay(*job, time.perf_counter())

    def tell(self, event: RunTold) -> None:
        """Take how far a run is."""
        found = self.of(event.arm, event.seed)
        if isinstance(event.event, Progress):
            found.progress = event.event
        elif isinstance(event.event, Evaluation):
            found.evaluation = event.event

    def end(self, event: RunEnded) -> float:
        """Take that a run ended, and return the seconds that it took, by now."""
        run = event.record
        self.ended[run.arm, run.seed] = event
        found = self.of(run.arm, run.seed)
        if all((run.arm, seed) in self.ended for seed in found.seeds):
            del self.under_way[found.arm, found.seeds]
        return found.seconds_each()

    def of(self, arm: str, seed: int) -> UnderWay:
        """Return what is made of which a run is part."""
        return next(
            x for (name, seeds), x in self.under_way.items() if name == arm and seed in seeds
        )

    def cell(self, arm: str, seed: int) -> tuple[str, str]:
        """Return what a table shows of one run, in at most five letters, and in which style."""
        if (arm, seed) in self.ended:
            event = self.ended[arm, seed]
            if event.record.status in _LOST:
                return _LOST[event.record.status], "bold red"
            return score(event.record), "dim" if event.kept else ""
        for (name, seeds), runs in self.under_way.items():
            if name == arm and seed in seeds:
                return f"{runs.share:.0%}", "bold cyan"
        return ("·", "dim") if seed - self.study.first_seed < self.planned[arm] else ("", "")


_LOST = {DIVERGED: "div.", FAILED: "fail"}


def score(record: RunRecord) -> str:
    """Return the test accuracy of a run, or its R2 where it tells numbers, else its test loss."""
    value = record.scores.get("test_r2" if "test_r2" in record.scores else "test_accuracy")
    if value is not None and math.isfinite(value):
        return accuracy(value)
    loss = record.scores.get("test_loss")
    return "–" if loss is None else figure(loss)

"""A whole study: every arm on its seeds."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from triptych.engines import DataShape, choose_device, choose_engine
from triptych.errors import NumericsError
from triptych.records import (
    BUDGET,
    DECIDED,
    DIVERGED,
    MAX_SEEDS,
    RunRecord,
    StudyFolder,
    StudyRecord,
)
from triptych.report.wording import budget_text, duration, plural
from triptych.runner.kept import data_shapes
from triptych.runner.runs import RunEnded, RunTold, Setting, execute_runs
from triptych.runner.seeds import Job, Meter, seeds_next, sweeps
from triptych.spec import MIN_SEEDS, ArmSpec, DataSpec, MLPSpec, RNNSpec, StudySpec
from triptych.verdicts import UNDECIDED, Verdict, judge

# Values of all training rows together up to which seeds are trained at the same time: 1.3 GB in
# float32, which lets two seeds of all of CIFAR-10 have a core each.
_VALUES_TOGETHER = 320_000_000


@dataclass(frozen=True)
class RunStarted:
    """Runs of one arm begin: on which seeds, at the same time where they are several."""

    arm: str
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class RunsPlanned:
    """So many more runs of each arm will be made, in time; and the verdicts by now."""

    runs: dict[str, int]
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class ClaimDecided:
    """A claim, counted from 1, is decided: no more seeds are run for it."""

    number: int
    verdict: Verdict


@dataclass(frozen=True)
class SeedsEnded:
    """No more seeds are run: ``"decided"``, ``"max_seeds"`` or ``"budget"``, and in words."""

    why: str
    text: str


StudyEvent = RunStarted | RunTold | RunEnded | RunsPlanned | ClaimDecided | SeedsEnded


def execute_study(study: StudySpec, folder: StudyFolder, setting: Setting) -> Iterator[StudyEvent]:
    """Run every arm on its seeds: a fixed number, or until every claim is decided.

    It goes seed by seed, so that arms stay paired if it is cut short; but an arm whose engine can
    train many seeds at the same time does so at its first, unless a claim compares its seconds.

    Yields
    ------
    StudyEvent

    Raises
    ------
    DataError, UnsafeFileError, SpecError
        If data or device cannot be used; nothing was written then.
    NumericsError
        If every run diverged.
    """
    # What is wrong with the data or the device shows before anything is written.
    shapes = data_shapes(study, folder, setting.data_dir)
    if setting.device == "cuda":
        choose_device("cuda", "torch")
    folder.start(study)
    with folder.lock():
        execution = _Execution(study, folder, setting, shapes)
        yield from execution.fixed() if study.seeds != "auto" else execution.until_decided()
    records = execution.records
    if all(record.status == DIVERGED for record in records):
        raise NumericsError(f"every run diverged; the first: {records[0].error}")


class _Execution:
    """A study under way: the records so far, and the time they took."""

    def __init__(
        self,
        study: StudySpec,
        folder: StudyFolder,
        setting: Setting,
        shapes: Mapping[DataSpec, DataShape],
    ) -> None:
        self.study, self.folder, self.setting = study, folder, setting
        self.records: list[RunRecord] = []
        self.done = dict.fromkeys(study.arms, 0)
        self.meter = Meter(study.budget_seconds)
        timed = _timed(study)
        self.together = {
            name: 1
            if name in timed
            else _together(arm, study.most_seeds, shapes[arm.data], setting)
            for name, arm in study.arms.items()
        }

    def fixed(self) -> Iterator[StudyEvent]:
        """Run the number of seeds that was asked for."""
        wanted = dict.fromkeys(self.study.arms, range(self.study.least_seeds))
        for jobs in sweeps(wanted, self.together):
            for job in jobs:
                yield from self._run(job)

    def until_decided(self) -> Iterator[StudyEvent]:
        """Add seeds to the arms of open claims until there is none, or none may be added."""
        decided: set[int] = set()
        wanted = dict.fromkeys(self.study.arms, range(MIN_SEEDS))
        in_time = True
        verdicts: tuple[Verdict, ...] = ()
        while wanted and in_time:
            yield RunsPlanned({name: len(seeds) for name, seeds in wanted.items()}, verdicts)
            for jobs in sweeps(wanted, self.together):
                in_time = in_time and self._has_time_for(jobs)
                for job in jobs:
                    # Runs may take longer than they did before.
                    in_time = in_time and self.meter.has_time_for([])
                    if in_time:
                        yield from self._run(job)
            verdicts = judge(StudyRecord(self.study, tuple(self.records), self.folder.path))
            for number, verdict in enumerate(verdicts, start=1):
                if verdict.verdict != UNDECIDED and number not in decided:
                    decided.add(number)
                    yield ClaimDecided(number, verdict)
            wanted = self._fitting(seeds_next(self.study, verdicts, self.done, self.together))
        yield self._stop(len(verdicts) - len(decided), in_time=in_time)

    def _fitting(self, wanted: dict[str, range]) -> dict[str, range]:
        """Return one seed of each arm where there is no time for all at the same time."""
        if all(self._has_time_for(jobs) for jobs in sweeps(wanted, self.together)):
            return wanted
        return {name: seeds[:1] for name, seeds in wanted.items()}

    def _has_time_for(self, jobs: list[Job]) -> bool:
        """Whether the budget is enough for those of the runs that are not there yet."""
        missing = [
            (name, tuple(seed for seed in seeds if not self.folder.run(name, seed).is_finished()))
            for name, seeds in jobs
        ]
        return self.meter.has_time_for(missing)

    def _run(self, job: Job) -> Iterator[StudyEvent]:
        name, seeds = job
        yield RunStarted(name, seeds)
        start, fresh, records = time.monotonic(), 0, []
        for event in execute_runs(name, self.study.arms[name], seeds, self.folder, self.setting):
            if isinstance(event, RunEnded):
                records.append(event.record)
                fresh += not event.kept
            yield event
        self.records += records
        self.done[name] = seeds[-1] + 1
        self.meter.note(name, records, fresh, time.monotonic() - start)

    def _stop(self, still_open: int, *, in_time: bool) -> SeedsEnded:
        claims = f"{plural(still_open, 'claim')} still open"
        if not still_open:
            ended = SeedsEnded(DECIDED, "every claim is decided")
        elif in_time:
            most = plural(self.study.most_seeds, "seed")
            ended = SeedsEnded(MAX_SEEDS, f"{most}, the most that this study takes; {claims}")
        else:
            ended = SeedsEnded(BUDGET, f"the budget of {budget_text(self.study)} ended; {claims}")
            least = min(self.done.values())
            if least < MIN_SEEDS:
                ended = SeedsEnded(BUDGET, f"{ended.text}: {self._too_small(least)}")
        self.folder.stop(ended.why)
        return ended

    def _too_small(self, least: int) -> str:
        """Return what a budget would have to be for any verdict."""
        return (
            f"there was time for {plural(least, 'seed')} of every arm; a verdict takes "
            f"{MIN_SEEDS} seeds, about {duration(self.meter.least(self.study))} in all; "
            "the same command goes on"
        )


def _timed(study: StudySpec) -> set[str]:
    """Return the arms whose seconds a claim compares.

    Each of their runs is timed alone: the shares of seeds that were trained together are one
    measurement, not several.
    """
    tests = [test for claim in study.claims for test in claim.with_causes]
    metrics = [metric for test in tests for _, metric in test.terms]
    return {metric.arm for metric in metrics if metric.name == "seconds"}


def _together(arm: ArmSpec, seeds: int, data: DataShape, setting: Setting) -> int:
    """Return how many seeds of `arm` are trained at the same time."""
    if not isinstance(arm.network, MLPSpec | RNNSpec) or seeds == 1:
        return 1
    if choose_engine(arm, data, setting.device)[0] != "compiled":
        return 1
    return max(1, min(seeds, _VALUES_TOGETHER // (data.rows * math.prod(data.sample_shape))))

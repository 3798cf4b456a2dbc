"""A whole study: every arm on its seeds."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from triptych.engines import choose_device
from triptych.records import (
    BUDGET,
    DECIDED,
    MAX_SEEDS,
    RunRecord,
    StudyFolder,
    StudyRecord,
)
from triptych.report.wording import budget_text, duration, plural
from triptych.runner.events import RunEnded, RunEvent, RunStarted
from triptych.runner.executors import Executor, open_executor
from triptych.runner.kept import check_tasks, data_shapes
from triptych.runner.matching import match_arms
from triptych.runner.own import jobs_of, refuse_processes, with_arrays, with_networks
from triptych.runner.seeds import Job, Meter, seeds_next, sweeps
from triptych.runner.setting import Setting
from triptych.runner.ways import Way, find_ways
from triptych.spec import MIN_SEEDS, StudySpec
from triptych.verdicts import UNDECIDED, Verdict, judge


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


@dataclass(frozen=True)
class ArmsMatched:
    """Arms were given what matches them to others: the study with that, and notes on it."""

    study: StudySpec
    notes: tuple[str, ...]


StudyEvent = ArmsMatched | RunEvent | RunsPlanned | ClaimDecided | SeedsEnded


def execute_study(
    study: StudySpec, folder: StudyFolder, setting: Setting, jobs: int | Literal["auto"] = 1
) -> Generator[StudyEvent]:
    """Run every arm on its seeds: a fixed number, or until every claim is decided.

    It goes seed by seed, so that arms stay paired if it is cut short; but an arm whose engine can
    train many seeds at the same time does so at its first, unless a claim compares its seconds.
    A run that fails is recorded, and the others go on.

    Parameters
    ----------
    study : StudySpec
    folder : StudyFolder
    setting : Setting
    jobs : int or "auto"
        How many runs may be made at the same time, in processes of their own; ``"auto"``: one for
        each core. The runs are the same, to the bit, and so are the seeds they are made on. Of
        other processes only every tenth of a second's evaluations are told, and no weights.

    Yields
    ------
    StudyEvent

    Raises
    ------
    DataError, UnsafeFileError, SpecError
        If data or device cannot be used, or an arm cannot be matched; nothing was written then.
    RunError
        If the folder cannot be used, or the disk is full; or a run cannot be taken up.
    """
    setting = replace(setting, jobs=jobs_of(study, jobs), first_seed=study.first_seed)
    # What is wrong with the data or the device shows before anything is written.
    study, setting = with_arrays(study, setting)
    shapes = data_shapes(study, folder, setting.data_dir, setting.handed)
    study = with_networks(study, shapes, setting)
    check_tasks(study, shapes)
    if setting.device == "cuda":
        choose_device("cuda", "torch")
    asked, (study, matched) = study, match_arms(study, shapes, folder, setting)
    ways = find_ways(study, asked, shapes, setting)
    refuse_processes(study, ways)
    folder.make()
    with folder.lock():
        folder.start(asked)
        folder.tidy()
        folder.keep_matched(matched)
        if matched:
            yield ArmsMatched(study, tuple(one.note for one in matched.values()))
        with open_executor(study, folder, setting, ways) as executor:
            execution = _Execution(study, folder, executor, ways, setting.jobs)
            yield from execution.fixed() if study.seeds != "auto" else execution.until_decided()


@dataclass
class _Tally:
    """What runs that are under way have come to: since when, which ended, how many were made."""

    start: float
    records: list[RunRecord] = field(default_factory=list)
    fresh: int = 0


class _Execution:
    """A study under way: the records so far, and the time they took."""

    def __init__(
        self,
        study: StudySpec,
        folder: StudyFolder,
        executor: Executor,
        ways: Mapping[str, Way],
        jobs: int,
    ) -> None:
        self.study, self.folder, self.executor = study, folder, executor
        self.records: list[RunRecord] = []
        self.done = dict.fromkeys(study.arms, 0)
        self.together = {name: way.together for name, way in ways.items()}
        shares = {name: way.places / jobs for name, way in ways.items()}
        self.meter = Meter(study.budget_seconds, shares)
        self.in_time = True

    def ordered(self) -> tuple[RunRecord, ...]:
        """Return the records so far in the order of arms, then seeds, whichever ended first."""
        places = {name: place for place, name in enumerate(self.study.arms)}
        return tuple(sorted(self.records, key=lambda run: (places[run.arm], run.seed)))

    def fixed(self) -> Iterator[StudyEvent]:
        """Run the number of seeds that was asked for."""
        wanted = dict.fromkeys(self.study.arms, self.study.seeds_from(0, self.study.least_seeds))
        yield from self._make(sweeps(wanted, self.together))

    def until_decided(self) -> Iterator[StudyEvent]:
        """Add seeds to the arms of open claims until there is none, or none may be added."""
        decided: set[int] = set()
        wanted = dict.fromkeys(self.study.arms, self.study.seeds_from(0, MIN_SEEDS))
        verdicts: tuple[Verdict, ...] = ()
        while wanted and self.in_time:
            yield RunsPlanned({name: len(seeds) for name, seeds in wanted.items()}, verdicts)
            yield from self._make(self._in_time(wanted))
            # Only now, when all of them have ended: on which seeds a claim is decided must not
            # depend on which run is the first to end.
            verdicts = judge(StudyRecord(self.study, self.ordered(), self.folder.path))
            for number, verdict in enumerate(verdicts, start=1):
                if verdict.verdict != UNDECIDED and number not in decided:
                    decided.add(number)
                    yield ClaimDecided(number, verdict)
            wanted = self._fitting(seeds_next(self.study, verdicts, self.done, self.together))
        yield self._stop(len(verdicts) - len(decided))

    def _in_time(self, wanted: dict[str, range]) -> Iterator[list[Job]]:
        """Give sweep after sweep, as long as there is time for it."""
        for jobs in sweeps(wanted, self.together):
            self.in_time = self.in_time and self._has_time_for(jobs)
            if not self.in_time:
                return
            yield jobs

    def _goes_on(self) -> bool:
        """Whether another run may begin: those before may have taken longer than they used to."""
        self.in_time = self.in_time and self.meter.has_time_for([])
        return self.in_time

    def _fitting(self, wanted: dict[str, range]) -> dict[str, range]:
        """Return one seed of each arm where there is no time for all at the same time."""
        if all(self._has_time_for(jobs) for jobs in sweeps(wanted, self.together)):
            return wanted
        return {name: seeds[:1] for name, seeds in wanted.items()}

    def _has_time_for(self, jobs: list[Job]) -> bool:
        """Whether the budget is enough for those of the runs that are not there yet."""
        missing = [
            (name, tuple(seed for seed in seeds if self.folder.run(name, seed).is_to_be_made()))
            for name, seeds in jobs
        ]
        return self.meter.has_time_for(missing)

    def _make(self, coming: Iterator[list[Job]]) -> Iterator[StudyEvent]:
        """Let runs be made, and note what they take."""
        under_way: dict[Job, _Tally] = {}
        for event in self.executor.execute(coming, self._goes_on):
            if isinstance(event, RunStarted):
                job = event.arm, event.seeds
                under_way[job] = _Tally(time.monotonic())
                self.meter.begin(job)
            yield event
            if isinstance(event, RunEnded):
                run = event.record
                job = next(j for j in under_way if j[0] == run.arm and run.seed in j[1])
                under_way[job].records.append(run)
                under_way[job].fresh += not event.kept
                if len(under_way[job].records) == len(job[1]):
                    self._note(job, under_way.pop(job))

    def _note(self, job: Job, tally: _Tally) -> None:
        """Take runs that have ended."""
        name, seeds = job
        self.records += tally.records
        self.done[name] = max(self.done[name], seeds[-1] + 1 - self.study.first_seed)
        self.meter.note(job, tally.records, tally.fresh, time.monotonic() - tally.start)

    def _stop(self, still_open: int) -> SeedsEnded:
        claims = f"{plural(still_open, 'claim')} still open"
        if not still_open:
            ended = SeedsEnded(DECIDED, "every claim is decided")
        elif self.in_time:
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

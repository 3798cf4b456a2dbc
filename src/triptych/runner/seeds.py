"""Which seeds of which arms to train next, and whether there is time for them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from triptych.records import RunRecord
from triptych.spec import MIN_SEEDS, ClaimSpec, StudySpec
from triptych.verdicts import UNDECIDED, Verdict

Job = tuple[str, tuple[int, ...]]


def sweeps(wanted: Mapping[str, range], together: Mapping[str, int]) -> Iterator[list[Job]]:
    """Give arms and seeds, seed by seed, so that arms stay paired if it is cut short.

    Parameters
    ----------
    wanted : dict of str to range
        The seeds of each arm.
    together : dict of str to int
        How many seeds of each arm are trained at the same time: those come with the first of them.
    """
    for seed in range(
        min((seeds.start for seeds in wanted.values()), default=0),
        max((seeds.stop for seeds in wanted.values()), default=0),
    ):
        jobs = [
            (name, tuple(seeds[seed - seeds.start :][: together[name]]))
            for name, seeds in wanted.items()
            if seed in seeds and (seed - seeds.start) % together[name] == 0
        ]
        if jobs:
            yield jobs


def seeds_next(
    study: StudySpec,
    verdicts: Sequence[Verdict],
    done: Mapping[str, int],
    together: Mapping[str, int],
) -> dict[str, range]:
    """Return what open claims need next; empty where all are decided or have all seeds.

    Every arm of an open claim gets the same further seeds: as many as would decide it, about, where
    all of its arms are trained many seeds at the same time, else one.

    Parameters
    ----------
    study : StudySpec
    verdicts : sequence of Verdict
    done : dict of str to int
        How many seeds of each arm there are: the first ones.
    together : dict of str to int
        See `sweeps`.
    """
    target = dict(done)
    for verdict in verdicts:
        if verdict.verdict != UNDECIDED:
            continue
        names = arms_of(verdict.claim)
        step = max(1, verdict.more) if all(together[name] > 1 for name in names) else 1
        goal = min(min(done[name] for name in names) + step, study.most_seeds)
        for name in names:
            target[name] = max(target[name], goal)
    return {
        name: study.seeds_from(done[name], target[name])
        for name in done
        if target[name] > done[name]
    }


def arms_of(claim: ClaimSpec) -> tuple[str, ...]:
    """Return the arms that a claim and its causes speak of, each once."""
    return tuple(dict.fromkeys(arm for test in claim.with_causes for arm in test.arms))


class Meter:
    """The time that a study has taken, and what its next runs will take.

    Parameters
    ----------
    budget : float
        Seconds; infinite where there is no limit.
    shares : dict of str to float
        Which part of what may be made at the same time a run of each arm is; 1: nothing else is.
    """

    def __init__(self, budget: float, shares: Mapping[str, float]) -> None:
        self.budget = budget
        self.shares = shares
        self._start = time.monotonic()
        self._a_run: dict[str, float] = {}
        self._fresh = 0
        self._begun: dict[Job, float] = {}

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def begin(self, job: Job) -> None:
        """Note that runs begin."""
        self._begun[job] = time.monotonic()

    def note(self, job: Job, records: Sequence[RunRecord], fresh: int, seconds: float) -> None:
        """Note that `fresh` of some runs took `seconds`, the others had been there."""
        self._begun.pop(job, None)
        arm = job[0]
        self._fresh += fresh
        if fresh:
            self._a_run[arm] = seconds / fresh
        elif records and arm not in self._a_run:
            self._a_run[arm] = sum(record.seconds for record in records) / len(records)

    def has_time_for(self, jobs: Sequence[Job]) -> bool:
        """Whether runs would end within the budget, as far as their arms were measured.

        Something is always run first, so that a call after the budget ended goes on.
        """
        if not self._fresh:
            return True
        now = time.monotonic()
        parts = [(name, self._takes(name, seeds)) for name, seeds in jobs]
        parts += [
            (job[0], max(0.0, self._takes(*job) - (now - begun)))
            for job, begun in self._begun.items()
        ]
        shared = sum(self.shares[name] * seconds for name, seconds in parts)
        longest = max((seconds for _, seconds in parts), default=0.0)
        return self.spent + max(shared, longest) < self.budget

    def _takes(self, name: str, seeds: Sequence[int]) -> float:
        return self._a_run.get(name, 0.0) * len(seeds)

    def least(self, study: StudySpec) -> float:
        """Return about how many seconds the fewest seeds that decide anything take."""
        known = list(self._a_run.values()) or [0.0]
        usual = sum(known) / len(known)
        return MIN_SEEDS * sum(
            self.shares[name] * self._a_run.get(name, usual) for name in study.arms
        )

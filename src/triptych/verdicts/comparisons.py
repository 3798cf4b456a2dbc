"""What the seeds say of one comparison.

A comparison is a weighted sum of metrics. Every seed gives one value of that sum, from arms that
shared the seed's data, first weights and order, and the verdict is read off an interval of their
mean that holds at every number of seeds at once (`triptych.verdicts.sequential`). So seeds may be
added until a claim is decided. A comparison is decided at the first number of seeds, counted in
their order, whose interval decides it, and stays so: its error rate is that of ever being decided
wrongly. So seeds that were added for other claims do not undo it, and it does not matter how many
at a time came.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from triptych.records import DIVERGED, FAILED, RunRecord, StudyRecord
from triptych.spec import MIN_SEEDS, Comparison, Metric
from triptych.verdicts.sequential import HORIZON, Sample

ERROR_RATE = 0.05
HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"
_PAGE = 4096 / 1e6  # memory is counted in pages of so many MB


@dataclass(frozen=True)
class Outcome:
    """What the seeds say of one comparison.

    Attributes
    ----------
    test : str
        The comparison as written.
    verdict : {"holds", "fails", "undecided"}
    effect, low, high : float
        Mean over all seeds of the left side minus the right side, with its interval: the present
        one, which is valid too, and narrower than that of the decision. NaN where no seed has
        every metric.
    unit : str
        As `triptych.spec.UNITS` has them, such as ``"share"`` or ``"loss"``.
    seeds : int
        Seeds on which all its arms finished.
    reason : str
        Why it is undecided, or how many runs were lost; empty where there is nothing to say.
    decided : int
        On how many seeds it was decided; 0 where it is not.
    more : int
        How many more seeds would decide it, about; 0 where it is decided or nobody can say.
    """

    test: str
    verdict: str
    effect: float
    low: float
    high: float
    unit: str
    seeds: int
    reason: str = ""
    decided: int = 0
    more: int = 0


def compare(
    test: str,
    comparison: Comparison,
    record: StudyRecord,
    error_rate: float = ERROR_RATE,
    ways_to_fail: int = 1,
) -> Outcome:
    """Return what the finished seeds of `record` say of one comparison.

    Parameters
    ----------
    test : str
        The comparison as written, for display.
    comparison : Comparison
    record : StudyRecord
    error_rate : float
        How often, at most, a wrong verdict is ever given, over all numbers of seeds.
    ways_to_fail : int
        Comparisons of its claim: that one of them fails takes this many times the evidence.
    """
    values = _values(comparison, record)
    reason = _lost(comparison, record)
    if len(values) < 2:
        effect = values[0].value if values else math.nan
        one = "one seed gives no interval" if values else "no seed on which all its arms finished"
        return Outcome(
            test, UNDECIDED, effect, math.nan, math.nan, comparison.unit, len(values),
            "; ".join(filter(None, (one, reason))),
        )  # fmt: skip
    rates = (error_rate, error_rate / ways_to_fail)
    now = _Look.at(values, comparison, rates)
    verdict, decided, more = now.verdict, 0, 0
    for n in range(MIN_SEEDS, len(values) + 1):
        first = _Look.at(values[:n], comparison, rates)
        if first.verdict != UNDECIDED:
            verdict, decided = first.verdict, n
            break
    if decided:
        reason = "; ".join(filter(None, (_since(decided, verdict, now), reason)))
    elif now.unreached:
        reason = "not reached in the epochs that were run"
    else:
        more, text = _open(comparison, now.sample, rates)
        reason = "; ".join(filter(None, (text, reason)))
    ends = (now.low, now.high) if math.isfinite(now.high - now.low) else (math.nan, math.nan)
    return Outcome(
        test, verdict, now.sample.mean, *ends, comparison.unit, len(values), reason, decided, more
    )


def _lost(comparison: Comparison, record: StudyRecord) -> str:
    """Return how many runs are not counted, and why; empty where all are."""
    statuses = [run.status for arm in comparison.arms for run in record.of(arm)]
    counts = {status: statuses.count(status) for status in (DIVERGED, FAILED)}
    return ", ".join(
        f"{count} run{'s' if count > 1 else ''} {status}"
        for status, count in counts.items()
        if count
    )


def _since(decided: int, verdict: str, now: _Look) -> str:
    """Return what the seeds after the decision say; empty where there are none."""
    if now.sample.n == decided:
        return ""
    if now.unreached:
        return f"decided on the first {decided}; on later seeds the level is out of reach"
    would = {UNDECIDED: "leave it open", HOLDS: "say it holds", FAILS: "say it fails"}
    changed = f"; of all {now.sample.n} the interval alone would {would[now.verdict]}"
    return f"decided on the first {decided}{changed if now.verdict != verdict else ''}"


@dataclass(frozen=True)
class _Look:
    """What some of the seeds say of a comparison, looked at by themselves."""

    sample: Sample
    low: float
    high: float
    verdict: str
    unreached: bool

    @classmethod
    def at(
        cls, values: Sequence[_Value], comparison: Comparison, rates: tuple[float, float]
    ) -> _Look:
        sample = Sample.of([v.value for v in values], max(v.step for v in values))
        low, high = _ends(comparison, sample, rates)
        verdict = _verdict(comparison, low, high)
        # A level that was never reached says that it takes longer than the run, no more: the sum
        # is then known from one side only.
        bounds = {side for value in values for side in value.bounds}
        known = {(HOLDS, ">"): {1}, (FAILS, ">"): {-1}}.get((verdict, comparison.relation))
        unreached = bool(bounds) and bounds != known
        return cls(sample, low, high, UNDECIDED if unreached else verdict, unreached)


def _ends(
    comparison: Comparison, sample: Sample, rates: tuple[float, float]
) -> tuple[float, float]:
    """Return the interval's ends, each as sure as the verdict that it can give must be."""
    to_hold, to_fail = rates
    if comparison.relation == "=":
        # Around a mean within the margin it can only hold, around one outside only fail.
        rate = to_hold if abs(sample.mean) <= _margin(comparison) else to_fail
        return sample.low(rate), sample.high(rate)
    return sample.low(to_hold), sample.high(to_fail)


def _margin(comparison: Comparison) -> float:
    # Rounding may put an effect that equals the margin a bit past it.
    return comparison.margin * (1 + 1e-12)


def _verdict(comparison: Comparison, low: float, high: float) -> str:
    if comparison.relation == "=":
        margin = _margin(comparison)
        if -margin <= low and high <= margin:
            return HOLDS
        return FAILS if low > margin or high < -margin else UNDECIDED
    return HOLDS if low > 0 else FAILS if high < 0 else UNDECIDED


def _open(comparison: Comparison, sample: Sample, rates: tuple[float, float]) -> tuple[int, str]:
    """Return what it would take to decide, if effect and spread stay as they are; in words too."""
    to_hold, to_fail = rates
    equality = comparison.relation == "="
    margin = _margin(comparison) if equality else 0.0
    if equality and abs(sample.mean) <= margin:
        more = sample.more_until(to_hold, low=-margin, high=margin)
    elif sample.mean > 0:
        more = sample.more_until(to_fail if equality else to_hold, low=margin)
    else:
        more = sample.more_until(to_fail, high=-margin)
    at_least = f"a verdict takes {MIN_SEEDS} seeds; " if sample.n < MIN_SEEDS else ""
    if more > HORIZON:
        near = f"so near the limit that more than {HORIZON:,} more seeds would be needed"
        return more, at_least + near
    return more, f"{at_least}about {more} more seed{'s' if more > 1 else ''} would decide"


def interval(
    values: Sequence[float], error_rate: float, resolution: float = 0.0
) -> tuple[float, float, float]:
    """Return mean, lower and upper end of the interval that is valid at every look.

    Parameters
    ----------
    values : sequence of float
        Two or more; fewer than `MIN_SEEDS` of them have an infinite interval.
    error_rate : float
        How often, at most, the mean is ever outside.
    resolution : float
        The step between neighbouring values, see `Sample.of`.

    Examples
    --------
    >>> [round(x, 2) for x in interval([1.0, 2.0, 3.0, 1.0, 2.0, 3.0], 0.05)]
    [2.0, 0.27, 3.73]
    """
    sample = Sample.of(values, resolution)
    return sample.mean, sample.low(error_rate), sample.high(error_rate)


@dataclass(frozen=True)
class _Value:
    """One seed's sum, the sides on which it is open, and the step of what was measured.

    Of the sides 1 stands for "at least this", -1 for "at most this".
    """

    value: float
    bounds: frozenset[int]
    step: float


def _values(comparison: Comparison, record: StudyRecord) -> list[_Value]:
    """Return the sum on each seed that all arms finished, in the order of seeds."""
    by_arm = {arm: {run.seed: run for run in record.finished(arm)} for arm in comparison.arms}
    shared = set.intersection(*(set(runs) for runs in by_arm.values()))
    found = []
    for seed in sorted(shared):
        total, bounds, step = comparison.constant, set(), 0.0
        for factor, metric in comparison.terms:
            run = by_arm[metric.arm][seed]
            value, is_bound = run.measure(metric)
            total += factor * value
            if is_bound:
                bounds.add(1 if factor > 0 else -1)
            if math.isfinite(value):
                step = max(step, abs(factor) * _step(run, metric, value))
        if math.isfinite(total):
            found.append(_Value(total, frozenset(bounds), step))
    return found


def _step(run: RunRecord, metric: Metric, value: float) -> float:
    """Return the smallest difference that a run's figure can show."""
    if metric.name == "epochs_to":
        looks = [row["epoch"] for row in run.curve]
        return float(max((b - a for a, b in pairwise(looks)), default=1))
    if metric.name in run.steps:
        return run.steps[metric.name]
    if metric.name == "train_accuracy":
        return 1 / max(run.train_rows, 1)
    if metric.name.startswith("test_") and "accuracy" in metric.name:
        return 1 / max(run.test_rows, 1)
    if metric.name == "peak_memory":
        return _PAGE
    # Of a float: sums that took different ways are never equal to the last bit. R2 is what they
    # leave of 1.
    return max(abs(value), float(metric.name.endswith("_r2"))) * 2**-52

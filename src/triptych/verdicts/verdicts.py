"""Claims and records to verdicts, valid however often one looks and whenever one stops.

A comparison is a weighted sum of metrics. Every seed gives one value of that sum, from arms that
shared the seed's data, first weights and order, and the verdict is read off an interval of their
mean that holds at every number of seeds at once (`triptych.verdicts.sequential`). So seeds may be
added until a claim is decided.

All verdicts of a study together err in at most 5 % of studies. Of K claims each has 1/K of that.
A claim of m comparisons holds if all do, which is wrong only if a comparison that is false was
found to hold: each may be tried with the whole share. It fails if any does, which has m ways to go
wrong: there the share is split by m. Causes explain a verdict and have no part in it, so
each stands for itself, at 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from triptych.records import RunRecord, StudyRecord
from triptych.spec import ClaimSpec, Comparison, Evidence, Metric
from triptych.verdicts.sequential import HORIZON, MIN_SEEDS, Sample

ERROR_RATE = 0.05
HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"


@dataclass(frozen=True)
class Outcome:
    """What the seeds say of one comparison.

    Attributes
    ----------
    test : str
        The comparison as written.
    verdict : {"holds", "fails", "undecided"}
    effect, low, high : float
        Mean over seeds of the left side minus the right side, with its interval. NaN where no
        seed has every metric.
    unit : str
        ``"share"``, ``"loss"``, ``"seconds"`` or ``"epochs"``.
    seeds : int
        Seeds on which all its arms finished.
    reason : str
        Why it is undecided, or how many runs were lost; empty where there is nothing to say.
    """

    test: str
    verdict: str
    effect: float
    low: float
    high: float
    unit: str
    seeds: int
    reason: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the seeds say of a claim, and of the causes offered for it.

    Attributes
    ----------
    claim : ClaimSpec
    verdict : {"holds", "fails", "undecided"}
        ``holds`` if every comparison does, ``fails`` if any does.
    outcomes : tuple of Outcome
        One for each comparison of the claim.
    causes : tuple of (Evidence, Outcome)
    data : tuple of str
        What the runs behind it were trained on.
    """

    claim: ClaimSpec
    verdict: str
    outcomes: tuple[Outcome, ...]
    causes: tuple[tuple[Evidence, Outcome], ...]
    data: tuple[str, ...]


def judge(record: StudyRecord) -> tuple[Verdict, ...]:
    """Return the verdict on every claim of the study, in order."""
    return tuple(_judge_claim(claim, record) for claim in record.study.claims)


def _judge_claim(claim: ClaimSpec, record: StudyRecord) -> Verdict:
    # By the claims that were written, not by those still open: dropping the decided ones, as Holm
    # does for one-sided hypotheses, is not valid where both directions give a verdict.
    share = ERROR_RATE / len(record.study.claims)
    outcomes = tuple(
        compare(test, comparison, record, share, ways_to_fail=len(claim.tests))
        for test, comparison in zip(claim.tests, claim.comparisons, strict=True)
    )
    verdicts = {outcome.verdict for outcome in outcomes}
    verdict = FAILS if FAILS in verdicts else UNDECIDED if UNDECIDED in verdicts else HOLDS
    causes = tuple((c, compare(c.test, c.comparison, record)) for c in claim.causes)
    arms = dict.fromkeys(arm for c in claim.comparisons for arm in c.arms)
    data = dict.fromkeys(run.data for arm in arms for run in record.of(arm))
    return Verdict(claim, verdict, outcomes, causes, tuple(data))


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
    values, bounds, resolution = _values(comparison, record)
    lost = sum(run.status != "finished" for arm in comparison.arms for run in record.of(arm))
    reason = f"{lost} run{'s' if lost > 1 else ''} diverged" if lost else ""
    if len(values) < 2:
        effect = values[0] if values else math.nan
        one = "one seed gives no interval" if values else "no seed on which all its arms finished"
        return Outcome(
            test, UNDECIDED, effect, math.nan, math.nan, comparison.unit, len(values),
            "; ".join(filter(None, (one, reason))),
        )  # fmt: skip
    sample = Sample.of(values, resolution)
    rates = (error_rate, error_rate / ways_to_fail)
    low, high = _ends(comparison, sample, rates)
    verdict = _verdict(comparison, low, high)
    # A level that was never reached says that it takes longer than the run, no more: the sum is
    # then known from one side only.
    known = {(HOLDS, ">"): {1}, (FAILS, ">"): {-1}}.get((verdict, comparison.relation))
    if bounds and bounds != known:
        verdict, reason = UNDECIDED, "not reached in the epochs that were run"
    elif verdict == UNDECIDED:
        reason = "; ".join(filter(None, (_open(comparison, sample, rates), reason)))
    ends = (low, high) if math.isfinite(high - low) else (math.nan, math.nan)
    return Outcome(test, verdict, sample.mean, *ends, comparison.unit, len(values), reason)


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


def _open(comparison: Comparison, sample: Sample, rates: tuple[float, float]) -> str:
    """Return what it would take to decide, if effect and spread stay as they are."""
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
        return f"{at_least}so near the limit that more than {HORIZON:,} more seeds would be needed"
    return f"{at_least}about {more} more seed{'s' if more > 1 else ''} would decide"


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


def _values(comparison: Comparison, record: StudyRecord) -> tuple[list[float], set[int], float]:
    """Return the sum on each seed that all arms finished, where it is open, and its resolution.

    Of the sides on which it is open, 1 stands for "at least this", -1 for "at most this".
    """
    by_arm = {arm: {run.seed: run for run in record.finished(arm)} for arm in comparison.arms}
    shared = set.intersection(*(set(runs) for runs in by_arm.values()))
    values: list[float] = []
    bounds: set[int] = set()
    resolution = 0.0
    for seed in sorted(shared):
        total = comparison.constant
        for factor, metric in comparison.terms:
            run = by_arm[metric.arm][seed]
            value, is_bound = run.measure(metric)
            total += factor * value
            if is_bound:
                bounds.add(1 if factor > 0 else -1)
            if math.isfinite(value):
                resolution = max(resolution, abs(factor) * _step(run, metric, value))
        if math.isfinite(total):
            values.append(total)
    return values, bounds, resolution


def _step(run: RunRecord, metric: Metric, value: float) -> float:
    """Return the smallest difference that a run's figure can show."""
    if metric.name == "epochs_to":
        looks = [row["epoch"] for row in run.curve]
        return float(max((b - a for a, b in pairwise(looks)), default=1))
    if metric.name == "train_accuracy":
        return 1 / max(run.train_rows, 1)
    if metric.name.startswith("test_") and "accuracy" in metric.name:
        return 1 / max(run.test_rows, 1)
    # Of a float: sums that took different ways are never equal to the last bit.
    return abs(value) * 2**-52

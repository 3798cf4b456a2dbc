"""Claims and records to verdicts: a paired interval over a fixed number of seeds.

A comparison is a weighted sum of metrics. Every seed gives one value of that sum, from arms that
shared the seed's data, first weights and order, and the verdict is read off the Student t
interval of their mean. With several comparisons in a claim each interval is widened (Bonferroni),
so that the claim as a whole errs in at most 5 % of studies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from triptych.records import StudyRecord
from triptych.spec import ClaimSpec, Comparison, Evidence

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
    share = ERROR_RATE / len(claim.tests)
    outcomes = tuple(compare(test, c, record, share) for test, c in _pairs(claim))
    verdicts = {outcome.verdict for outcome in outcomes}
    verdict = FAILS if FAILS in verdicts else UNDECIDED if UNDECIDED in verdicts else HOLDS
    causes = tuple((c, compare(c.test, c.comparison, record, ERROR_RATE)) for c in claim.causes)
    arms = dict.fromkeys(arm for c in claim.comparisons for arm in c.arms)
    data = dict.fromkeys(run.data for arm in arms for run in record.of(arm))
    return Verdict(claim, verdict, outcomes, causes, tuple(data))


def _pairs(claim: ClaimSpec) -> list[tuple[str, Comparison]]:
    return list(zip(claim.tests, claim.comparisons, strict=True))


def compare(
    test: str, comparison: Comparison, record: StudyRecord, error_rate: float = ERROR_RATE
) -> Outcome:
    """Return what the finished seeds of `record` say of one comparison.

    Parameters
    ----------
    test : str
        The comparison as written, for display.
    comparison : Comparison
    record : StudyRecord
    error_rate : float
        Of the two-sided interval.
    """
    values, bounds = _values(comparison, record)
    lost = sum(run.status != "finished" for arm in comparison.arms for run in record.of(arm))
    reason = f"{lost} run{'s' if lost > 1 else ''} diverged" if lost else ""
    if len(values) < 2:
        effect = values[0] if values else math.nan
        one = "one seed gives no interval" if values else "no seed on which all its arms finished"
        return Outcome(
            test, UNDECIDED, effect, math.nan, math.nan, comparison.unit, len(values),
            "; ".join(filter(None, (one, reason))),
        )  # fmt: skip
    effect, low, high = interval(values, error_rate)
    verdict = _verdict(comparison, low, high)
    # A level that was never reached says that it takes longer than the run, no more: the sum is
    # then known from one side only.
    known = {(HOLDS, ">"): {1}, (FAILS, ">"): {-1}}.get((verdict, comparison.relation))
    if bounds and bounds != known:
        verdict, reason = UNDECIDED, "not reached in the epochs that were run"
    return Outcome(test, verdict, effect, low, high, comparison.unit, len(values), reason)


def _verdict(comparison: Comparison, low: float, high: float) -> str:
    if comparison.relation == "=":
        # Rounding may put an effect that equals the margin a bit past it.
        margin = comparison.margin * (1 + 1e-12)
        if -margin <= low and high <= margin:
            return HOLDS
        return FAILS if low > margin or high < -margin else UNDECIDED
    if low > 0:
        return HOLDS
    return FAILS if high < 0 or low == high == 0 else UNDECIDED


def interval(values: Sequence[float], error_rate: float) -> tuple[float, float, float]:
    """Return mean, lower and upper end of Student's t interval (Student, 1908).

    Examples
    --------
    >>> [round(x, 3) for x in interval([1.0, 2.0, 3.0], 0.05)]
    [2.0, -0.484, 4.484]
    """
    array = np.asarray(values)
    mean = float(array.mean())
    spread = float(array.std(ddof=1)) / math.sqrt(len(array))
    half = float(stdtrit(len(array) - 1, 1 - error_rate / 2)) * spread
    return mean, mean - half, mean + half


def _values(comparison: Comparison, record: StudyRecord) -> tuple[list[float], set[int]]:
    """Return the sum's value for each seed that all arms finished, and on which sides it is open.

    1 stands for "at least this", -1 for "at most this".
    """
    by_arm = {arm: {run.seed: run for run in record.finished(arm)} for arm in comparison.arms}
    shared = set.intersection(*(set(runs) for runs in by_arm.values()))
    values: list[float] = []
    bounds: set[int] = set()
    for seed in sorted(shared):
        total = comparison.constant
        for factor, metric in comparison.terms:
            value, is_bound = by_arm[metric.arm][seed].measure(metric)
            total += factor * value
            if is_bound:
                bounds.add(1 if factor > 0 else -1)
        if math.isfinite(total):
            values.append(total)
    return values, bounds

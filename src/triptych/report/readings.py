"""One comparison's outcome in words, and as an interval beside what was needed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from triptych.records import StudyRecord
from triptych.report.wording import (
    UNIT_NAMES,
    OutcomeLike,
    accuracy,
    arm_label,
    figure,
    given,
    measured,
    metric_name,
    plural,
    signed,
)
from triptych.spec import Comparison, Metric

_NEEDS = {">": "more than", "<": "less than", ">=": "at least", "<=": "at most"}


@dataclass(frozen=True)
class Sides:
    """An outcome turned as its claim reads: metrics on the left, a plain number on the right.

    The outcome's effect is left minus right; here the constant is back on the right, and a ``<``
    points the way it was written.
    """

    value: float
    low: float
    high: float
    threshold: float
    relation: str


def is_absolute(comparison: Comparison) -> bool:
    """Whether it holds one figure against a number, rather than figures against each other."""
    return len(comparison.terms) == 1 and abs(comparison.terms[0][0]) == 1


def sides(comparison: Comparison, outcome: OutcomeLike) -> Sides:
    """Return an outcome as its claim reads."""
    value, low, high = (
        x - comparison.constant for x in (outcome.effect, outcome.low, outcome.high)
    )
    # One figure keeps its own sign: "0.5 < a" and "a > 0.5" are the same sentence.
    flip = comparison.terms[0][0] < 0 if is_absolute(comparison) else "<" in outcome.test
    if not flip:
        return Sides(value, low, high, -comparison.constant, comparison.relation)
    relation = {">": "<", "=": "="}[comparison.relation]
    return Sides(-value, -high, -low, comparison.constant, relation)


def never_reached(outcome: OutcomeLike) -> bool:
    """Whether the figure is only how long was trained, because the level was never reached."""
    return outcome.unit == "epochs" and "not reached" in outcome.reason


def reading(comparison: Comparison, outcome: OutcomeLike) -> str:
    """Return one sentence: what was measured, on how many seeds, and what was needed."""
    found = sides(comparison, outcome)
    need = f"needed: {needed(comparison, outcome)}"
    seeds = plural(outcome.seeds, "seed")
    if outcome.seeds == 0:
        return f"Not measured: {outcome.reason}; {need}."
    if never_reached(outcome) and is_absolute(comparison):
        return f"Not reached in {_epochs(found.value)} epochs, on {seeds}; {need}."
    start, _ = _opening(comparison, outcome.unit)
    reason = f" ({outcome.reason})" if outcome.reason else ""
    return f"{start} {_value(comparison, outcome, found)} on {seeds}; {need}{reason}."


def brief(comparison: Comparison, outcome: OutcomeLike) -> str:
    """Return what was measured alone: the value with its interval."""
    if outcome.seeds == 0:
        return "–"
    if never_reached(outcome) and is_absolute(comparison):
        return "not reached"
    return _value(comparison, outcome, sides(comparison, outcome))


def _value(comparison: Comparison, outcome: OutcomeLike, found: Sides) -> str:
    """Return the mean with its unit, and its interval where it has one."""
    _, show = _opening(comparison, outcome.unit)
    interval = ""
    if not math.isnan(found.low):
        interval = f" [{show(found.low).lstrip('+')}, {show(found.high).lstrip('+')}]"
    bare = is_absolute(comparison) and outcome.unit == "share"
    unit = "" if bare else UNIT_NAMES.get(outcome.unit, "")
    return f"{show(found.value)} {unit}".rstrip() + interval


def _epochs(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


def _opening(comparison: Comparison, unit: str) -> tuple[str, Callable[[float], str]]:
    if is_absolute(comparison):
        return "Measured", {"share": accuracy, "R2": accuracy, "epochs": _epochs}.get(unit, figure)
    factors = sorted(factor for factor, _ in comparison.terms)
    start = "Difference" if factors == [-1.0, 1.0] else "Left side minus right side"
    return start, lambda value: signed(value, unit)


def needed(comparison: Comparison, outcome: OutcomeLike) -> str:
    """Return what a claim needs of the figure: ``more than 2 points``."""
    found = sides(comparison, outcome)
    absolute, unit = is_absolute(comparison), outcome.unit
    threshold = given(found.threshold, unit, absolute=absolute)
    if found.relation == "=":
        around = f" of {threshold}" if abs(found.threshold) > 1e-12 else ""
        return f"within {given(comparison.margin, unit, absolute=absolute)}{around}"
    or_equal = "=" if "=" in outcome.test else ""
    return f"{_NEEDS[found.relation + or_equal]} {threshold}"


def means(record: StudyRecord, comparison: Comparison) -> str:
    """Return the mean of every figure that a comparison puts together; empty for a single one."""
    metrics = [m for m in dict.fromkeys(m for _, m in comparison.terms) if m.name != "epochs_to"]
    if not metrics or is_absolute(comparison):
        return ""
    same = len({(m.name, m.level) for m in metrics}) == 1
    pairs = []
    for metric in metrics:
        value = measured(record.finished(metric.arm), metric.name, metric.level)[0]
        about = "" if same else f", {metric_name(metric.name, metric.level)}"
        unit = {"seconds": " s", "peak_memory": " MB"}.get(metric.name, "")
        pairs.append(f"{arm_label(record, metric.arm)}{about} {value}{unit}")
    start = f"Mean {metric_name(metrics[0].name, metrics[0].level)}: " if same else "Means: "
    return start + " · ".join(pairs) + _ratio(record, comparison)


def _ratio(record: StudyRecord, comparison: Comparison) -> str:
    """Return how many times one figure the other is, where the claim is about a multiple."""
    if len(comparison.terms) != 2 or all(abs(f) == 1 for f, _ in comparison.terms):
        return ""
    values = [_mean(record, metric) for _, metric in comparison.terms]
    small, large = sorted(values) if all(math.isfinite(v) for v in values) else (0.0, 0.0)
    return f" · ratio {figure(large / small)}" if small > 0 else ""


def _mean(record: StudyRecord, metric: Metric) -> float:
    values = [run.measure(metric)[0] for run in record.finished(metric.arm)]
    values = [value for value in values if math.isfinite(value)]
    return sum(values) / len(values) if values else math.nan


@dataclass(frozen=True)
class Strip:
    """An interval beside its threshold, drawn in a box 100 wide: all in its units."""

    low: float
    high: float
    dot: float
    threshold: float
    margin: float


def strip(comparison: Comparison, outcome: OutcomeLike) -> Strip | None:
    """Return where to draw an outcome's interval; None where it has none."""
    found = sides(comparison, outcome)
    if never_reached(outcome) or not found.low <= found.value <= found.high:
        return None
    margin = comparison.margin if found.relation == "=" else 0.0
    left = min(found.low, found.threshold - margin)
    right = max(found.high, found.threshold + margin)
    room = (right - left) or 1.0
    left, room = left - 0.12 * room, 1.24 * room
    marks = (found.low, found.high, found.value, found.threshold)
    place = [round(100 * (x - left) / room, 2) for x in marks]
    return Strip(place[0], place[1], place[2], place[3], round(100 * margin / room, 2))

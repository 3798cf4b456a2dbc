"""How figures and verdicts read, the same on the page and in the terminal."""

from __future__ import annotations

import math
import statistics
import unicodedata
from collections.abc import Sequence
from typing import Protocol

from triptych.records import RunRecord, StudyRecord
from triptych.spec import ClaimSpec, Comparison, Evidence, Metric

SYMBOLS = {"holds": "✓", "fails": "✗", "undecided": "?"}


class OutcomeLike(Protocol):
    """What the report needs of `triptych.verdicts.Outcome`."""

    @property
    def test(self) -> str: ...
    @property
    def verdict(self) -> str: ...
    @property
    def effect(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def unit(self) -> str: ...
    @property
    def seeds(self) -> int: ...
    @property
    def reason(self) -> str: ...


class VerdictLike(Protocol):
    """What the report needs of `triptych.verdicts.Verdict`."""

    @property
    def claim(self) -> ClaimSpec: ...
    @property
    def verdict(self) -> str: ...
    @property
    def outcomes(self) -> Sequence[OutcomeLike]: ...
    @property
    def causes(self) -> Sequence[tuple[Evidence, OutcomeLike]]: ...
    @property
    def data(self) -> Sequence[str]: ...


def visible(text: str) -> str:
    r"""Return `text` with control and direction-changing characters made visible.

    Examples
    --------
    >>> visible("a\x1b[31mb")
    'a␛[31mb'
    """
    return "".join(_visible(letter) for letter in text)


def _visible(letter: str) -> str:
    if letter == "\n" or unicodedata.category(letter) not in ("Cc", "Cf"):
        return letter
    return chr(0x2400 + ord(letter)) if ord(letter) < 32 else "�"


def signed(value: float, unit: str) -> str:
    """Return a difference in its unit, without the unit's name: shares as points.

    Examples
    --------
    >>> signed(0.2431, "share"), signed(-1.5, "seconds"), signed(0.00123456, "loss")
    ('+24.3', '−1.50', '+0.00123')
    """
    if math.isnan(value):
        return "–"
    if unit == "share":
        value = round(100 * value, 1)
    size = abs(value)
    sign = "" if size < 1e-12 else "−" if value < 0 else "+"
    if unit == "share":
        return f"{sign}{size:.1f}"
    if unit == "epochs":
        return f"{sign}{size:.1f}".removesuffix(".0")
    return f"{sign}{figure(size)}"


def figure(value: float) -> str:
    """Return a loss or a duration to three significant digits, without exponents near 1.

    Examples
    --------
    >>> figure(0.0128), figure(91.03), figure(438.4), figure(8.19e-5)
    ('0.0128', '91.0', '438', '8.19e-05')
    """
    if not math.isfinite(value):
        return "–"
    if abs(value) < 1e-12:  # rounding, in any unit that is shown here
        return "0"
    if not 1e-4 <= abs(value) < 1e6:
        return f"{value:.2e}"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{places}f}"


UNIT_NAMES = {"share": "points", "loss": "", "seconds": "s", "epochs": "epochs"}


def sides(comparison: Comparison, outcome: OutcomeLike) -> tuple[float, float, float, float, str]:
    """Return measured value, low, high, threshold and relation, turned as the claim reads.

    The outcome's effect is the left side minus the right; here the constant goes back to the
    right, and a ``<`` points the way it was written.
    """
    constant = comparison.constant
    values = [x - constant for x in (outcome.effect, outcome.low, outcome.high)]
    if comparison.relation == ">" and "<" in outcome.test:
        return -values[0], -values[2], -values[1], constant, "<"
    return values[0], values[1], values[2], -constant, comparison.relation


def reading(comparison: Comparison, outcome: OutcomeLike) -> str:
    """Return one sentence: what was measured, on how many seeds, and what was needed."""
    value, low, high, threshold, relation = sides(comparison, outcome)
    unit = UNIT_NAMES[outcome.unit]
    unit = f" {unit}" if unit else ""
    if relation == "=":
        need = f"needed within ±{signed(comparison.margin, outcome.unit).lstrip('+')}{unit}"
        if threshold:
            need += f" of {signed(threshold, outcome.unit)}{unit}"
    else:
        bound = signed(threshold, outcome.unit).lstrip("+")
        need = f"needed {'more' if relation == '>' else 'less'} than {bound}{unit}"
    if outcome.seeds == 0:
        return f"Not measured: {outcome.reason}; {need}."
    seeds = f"{outcome.seeds} seed{'s' if outcome.seeds != 1 else ''}"
    interval = ""
    if not math.isnan(low):
        interval = f" [{signed(low, outcome.unit)}, {signed(high, outcome.unit)}]"
    reason = f" ({outcome.reason})" if outcome.reason else ""
    start = (
        "Left side minus right side:" if not threshold and len(comparison.terms) > 1 else "Measured"
    )
    return f"{start} {signed(value, outcome.unit)}{interval}{unit} on {seeds}, {need}{reason}."


def measured(runs: Sequence[RunRecord], metric: str) -> tuple[str, str]:
    """Return mean and range over seeds of one metric, as texts; ``–`` where there is none."""
    values = [run.measure(Metric(run.arm, metric))[0] for run in runs]
    values = [value for value in values if math.isfinite(value)]
    if not values:
        return "–", ""
    show = accuracy if metric.endswith("accuracy") else figure
    low, high = show(min(values)), show(max(values))
    return show(statistics.fmean(values)), "" if low == high else f"{low}–{high}"


def means(record: StudyRecord, comparison: Comparison) -> str:
    """Return the mean of every metric of a comparison over the seeds that finished."""
    metrics = dict.fromkeys(metric for _, metric in comparison.terms)
    shown = [
        f"{metric} {measured(record.finished(metric.arm), metric.name)[0]}"
        for metric in metrics
        if metric.name != "epochs_to"
    ]
    return ", ".join(shown)


def accuracy(value: float) -> str:
    """Return an accuracy to three decimals.

    Examples
    --------
    >>> accuracy(0.5)
    '0.500'
    """
    return f"{value:.3f}" if math.isfinite(value) else "–"


def arm_label(record: StudyRecord, arm: str) -> str:
    """Return how tables call an arm."""
    return visible(record.study.arms[arm].label or arm)


def stand_in(record: StudyRecord, claim: ClaimSpec) -> str:
    """Return what a claim's runs were trained on where that is not what they were meant for."""
    pairs = {
        f"measured on {run.data}, not on {record.study.arms[arm].data.source}"
        for comparison in claim.comparisons
        for arm in comparison.arms
        for run in record.of(arm)
        if record.study.arms[arm].data.source == "cifar10" != run.data
    }
    return visible(", ".join(sorted(pairs)))


def summary(record: StudyRecord, verdicts: Sequence[VerdictLike]) -> str:
    """Return the outcome of the whole study in one sentence."""
    counts = {v: sum(x.verdict == v for x in verdicts) for v in SYMBOLS}
    seeds = f"{record.study.seeds} seed{'s' if record.study.seeds != 1 else ''}"
    runs = f"{len(record.runs)} runs on {seeds}"
    diverged = sum(run.status != "finished" for run in record.runs)
    missing = len(record.study.arms) * record.study.seeds - len(record.runs)
    trouble = [f"{diverged} diverged"] * bool(diverged) + [f"{missing} missing"] * bool(missing)
    runs += f" ({', '.join(trouble)})" if trouble else ""
    if not verdicts:
        return f"{runs}; no claims."
    return (
        f"Of {len(verdicts)} claims {counts['holds']} hold, {counts['fails']} fail and "
        f"{counts['undecided']} are undecided; {runs}."
    )

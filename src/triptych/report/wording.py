"""How figures and verdicts read, the same on the page and in the terminal."""

from __future__ import annotations

import math
import statistics
import unicodedata
from collections.abc import Callable, Sequence
from typing import Protocol

from triptych.records import RunRecord, StudyRecord
from triptych.spec import ClaimSpec, Evidence, Metric, StudySpec

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
    @property
    def seeds(self) -> int: ...


def visible(text: str) -> str:
    r"""Return `text` with control and direction-changing characters made visible.

    Examples
    --------
    >>> visible("a\x1b[31mb")
    'a␛[31mb'
    """
    return "".join(_visible(letter) for letter in text)


def _visible(letter: str) -> str:
    # Cc, Cf: control and format (direction, zero width); Zl, Zp: line breaks; Cs: half a character,
    # which no file can be written with.
    if letter == "\n" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Zl", "Zp"):
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


UNIT_NAMES = {"share": "points", "seconds": "s", "MB": "MB", "epochs": "epochs"}


def given(value: float, unit: str, *, absolute: bool) -> str:
    """Return a number that somebody wrote into a claim, no more precise than it was written.

    Examples
    --------
    >>> given(0.02, "share", absolute=False), given(0.99, "share", absolute=True)
    ('2 points', '0.99')
    >>> given(60, "epochs", absolute=True), given(-0.0, "share", absolute=False)
    ('60 epochs', '0')
    """
    if abs(value) < 1e-12:
        return "0"
    if unit == "share" and absolute:
        return f"{value:g}"
    text = f"{100 * value if unit == 'share' else value:g}".replace("-", "−", 1)
    name = UNIT_NAMES.get(unit, "")
    return f"{text} {name.removesuffix('s') if text == '1' and len(name) > 1 else name}".rstrip()


def metric_name(name: str, level: float = 0.0) -> str:
    """Return a metric in words; `level` is the length of ``test_accuracy_at``.

    Examples
    --------
    >>> metric_name("train_accuracy"), metric_name("test_loss_sum"), metric_name("seconds")
    ('training accuracy', 'test loss, summed', 'training time')
    >>> metric_name("test_accuracy_at", 1000), metric_name("test_macro_f1"), metric_name("test_r2")
    ('test accuracy at length 1,000', 'test macro F1', 'test R²')
    """
    if name == "test_accuracy_at":
        return f"test accuracy at length {level:,.0f}"
    if name == "seconds":
        return "training time"
    if name == "test_views_accuracy":
        return "test accuracy over views"
    words = name.replace("_sum", ", summed").replace("_", " ").replace("train ", "training ", 1)
    return words.replace(" r2", " R²").replace(" rmse", " RMSE").replace(" f1", " F1")


def plural(count: int, noun: str) -> str:
    """Return a count with its noun.

    Examples
    --------
    >>> plural(1, "seed"), plural(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def seeds_text(study: StudySpec, least: int, most: int | None = None) -> str:
    """Return how many seeds, and which, where they are not those from 0 on.

    Parameters
    ----------
    study : StudySpec
    least : int
    most : int, optional
        Where it is not sure how many.
    """
    most = least if most is None else most
    text = plural(most, "seed") if least == most else f"{least} to {plural(most, 'seed')}"
    if not study.first_seed or not most:
        return text
    which = study.seeds_from(0, most)
    return f"{text} ({which[0]})" if most == 1 else f"{text} ({which[0]} to {which[-1]})"


def duration(seconds: float) -> str:
    """Return a time in units that can be pictured.

    Examples
    --------
    >>> duration(0.4), duration(83), duration(283), duration(7_300)
    ('0.400 s', '83 s', '4 min 43 s', '2 h 2 min')
    """
    if seconds < 10:
        return f"{figure(seconds)} s"
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = round(seconds / 60)
    return (
        f"{whole // 60} min {whole % 60} s"
        if whole < 3600
        else f"{minutes // 60} h {minutes % 60} min"
    )


def measured(runs: Sequence[RunRecord], metric: str, level: float = 0.0) -> tuple[str, str]:
    """Return mean and range over seeds of one metric, as texts; ``–`` where there is none.

    `level` is that of `triptych.spec.Metric`: a length, for ``test_accuracy_at``.
    """
    values = [run.measure(Metric(run.arm, metric, level=level))[0] for run in runs]
    values = [value for value in values if math.isfinite(value)]
    if not values:
        return "–", ""
    show = shows(metric)
    low, high = show(min(values)), show(max(values))
    return show(statistics.fmean(values)), "" if low == high else f"{low}–{high}"


def shows(metric: str) -> Callable[[float], str]:
    """Return what writes the values of a metric: three decimals where 1 is best, else digits."""
    return accuracy if "accuracy" in metric or metric.endswith(("_r2", "_f1")) else figure


def accuracy(value: float) -> str:
    """Return an accuracy to three decimals, or R2, which may be below 0.

    Examples
    --------
    >>> accuracy(0.5), accuracy(-0.25)
    ('0.500', '−0.250')
    """
    return f"{value:.3f}".replace("-", "−") if math.isfinite(value) else "–"


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


def budget_text(study: StudySpec) -> str:
    """Return the study's budget as it was written, seconds where it has no unit."""
    text = study.budget if isinstance(study.budget, str) else f"{study.budget:g}"
    return text if text[-1:].isalpha() else f"{text.strip()} s"

"""What is probably wrong with a tensor that departs from ours."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from triptych.contracts import Array, FloatArray

# Rounding of sums taken in another order stays far below this share of the largest value.
CLOSE = 1e-9


def agrees(mine: object, ours: FloatArray) -> bool:
    """Whether `mine` has the shape of `ours` and its values, but for rounding."""
    found = _array(mine)
    return found is not None and found.shape == ours.shape and _near(found, ours)


def diagnose(
    mine: object, ours: FloatArray, batch: int, guesses: Mapping[str, FloatArray] | None = None
) -> str:
    """Return, in words, how `mine` differs from `ours`, and what may have caused it.

    Parameters
    ----------
    mine : object
        What a learner's function returned.
    ours : FloatArray
    batch : int
        Rows of the batch.
    guesses : mapping of str to FloatArray, optional
        Results of usual mistakes, by their description; some may have another shape.
    """
    found = _array(mine)
    if found is None:
        return f"is {type(mine).__name__}, should be an array of shape {ours.shape}"
    for text, guess in (guesses or {}).items():
        if guess.shape == found.shape and _near(found, guess):
            return text
    if found.shape != ours.shape:
        return _shapes(found, ours)
    if not np.isfinite(found).all():
        return f"has {np.count_nonzero(~np.isfinite(found))} values that are not finite"
    return _values(found, ours, batch)


def _values(found: FloatArray, ours: FloatArray, batch: int) -> str:
    if not found.any():
        return "is 0 everywhere: was it ever computed?"
    factor = float(np.vdot(ours, found) / max(float(np.vdot(ours, ours)), 1e-300))
    if factor and _near(found, factor * ours):
        return _factor(factor, batch)
    if ours.ndim == 2 and ours.shape[0] == ours.shape[1] and _near(found, ours.T):
        return "is the transpose of what it should be"
    return _elements(found, ours)


def _array(value: object) -> FloatArray | None:
    try:
        out: FloatArray = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return None if value is None else out


def _near(a: Array, b: Array) -> bool:
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return False
    scale = max(float(np.abs(a).max(initial=0)), float(np.abs(b).max(initial=0)))
    return bool((np.abs(a - b) <= CLOSE * scale).all())


def _shapes(found: FloatArray, ours: FloatArray) -> str:
    text = f"has shape {found.shape}, should have {ours.shape}"
    if found.T.shape == ours.shape and _near(found.T, ours):
        return f"{text}: transposed?"
    if found.size == ours.size and _near(found.reshape(ours.shape), ours):
        return f"{text}: its values are right"
    if found.ndim == ours.ndim + 1 and found.sum(axis=0).shape == ours.shape:
        return f"{text}: not summed over the batch?"
    return text


def _factor(factor: float, batch: int) -> str:
    nice = Fraction(factor).limit_denominator(100_000)
    exact = abs(float(nice) - factor) < 1e-7 * abs(factor)
    if factor < 0:
        size = "" if _equal(factor, -1) else f", and {abs(factor):.6g} times its size"
        return f"has the opposite sign{size}: gradient of what is gained, not of the loss?"
    if exact and nice.numerator == 1 and nice.denominator > 1:
        share = f"1/{nice.denominator}"
    elif exact and nice.denominator == 1:
        share = f"{nice.numerator} times"
    else:
        share = f"{factor:.6g} times"
    text = f"is {share}{'' if share.endswith('times') else ' of'} what it should be"
    if batch > 1 and _equal(factor, 1 / batch):
        return f"{text}: divided by the batch twice?"
    if batch > 1 and _equal(factor, batch):
        return f"{text}: not divided by the batch?"
    if _equal(factor, 2) or _equal(factor, 0.5):
        return f"{text}: a half that is missing, or that is one too many?"
    return text


def _equal(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-6 * abs(b)


def _elements(found: FloatArray, ours: FloatArray) -> str:
    scale = max(float(np.abs(ours).max()), 1e-300)
    wrong = np.abs(found - ours) > CLOSE * scale
    size = float(np.abs(found - ours).max()) / scale
    place = tuple(int(i) for i in np.argwhere(wrong)[0]) if wrong.any() else ()
    count = f"{np.count_nonzero(wrong)} of {wrong.size} values"
    at = f"; the first is {list(place)}: {found[place]:.6g}, should be {ours[place]:.6g}"
    return f"differs in {count}, by up to {size:.2g} of its largest{at}"

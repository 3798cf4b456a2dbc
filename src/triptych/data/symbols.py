"""What sequences are made of: the symbols that an estimator knows, and finite vectors."""

from __future__ import annotations

import difflib
from typing import Any

import numpy as np

from triptych.contracts import Array, IntArray, Standardization
from triptych.data.sequence_steps import Steps

# As many rows as `RNNSpec` lets a network have units.
MOST_SYMBOLS = 65_536


def alphabet(kind: str, values: Any) -> Array:
    """Return the different symbols, sorted: strings as objects, or integers.

    Parameters
    ----------
    kind : {"strings", "integers"}
    values : list of str, or Array

    Raises
    ------
    ValueError
        If there are more than a network can tell.
    """
    # Strings as objects, since NumPy's would take the room of the longest each.
    is_text = kind == "strings"
    found = np.array(sorted(set(values)), dtype=object) if is_text else np.unique(values)
    if len(found) > MOST_SYMBOLS:
        raise ValueError(
            f"X may hold {MOST_SYMBOLS:,} different symbols. Got {len(found):,} instead; numbers "
            "that measure something must be floats."
        )
    return found


def named(symbols: Any) -> tuple[str, Array]:
    """Return the kind and the alphabet that the parameter `symbols` gives."""
    given = list(symbols)
    if given and all(isinstance(s, str) for s in given):
        return "strings", alphabet("strings", given)
    array = np.asarray(given)
    if not given or array.ndim != 1 or array.dtype.kind not in "iub":
        raise ValueError(
            f"The 'symbols' parameter must name strings, or integers. Got {symbols!r} instead."
        )
    return "integers", alphabet("integers", array)


def places(steps: Steps, symbols: Array) -> IntArray:
    """Return the place of each step's symbol in the alphabet, (M,), signed; -1: it has none."""
    dtype = next(d for d in (np.int8, np.int16, np.int32) if len(symbols) - 1 <= np.iinfo(d).max)
    if steps.kind == "strings":
        known = {symbol: place for place, symbol in enumerate(symbols)}
        codes = np.array([known.get(v, -1) for v in steps.values])
    else:
        codes = np.searchsorted(symbols, steps.values).clip(0, len(symbols) - 1)
        codes = np.where(symbols[codes] == steps.values, codes, -1)
    found: IntArray = codes.astype(dtype)
    return found


def coded(steps: Steps, symbols: Array) -> Array:
    """Return the places of symbols in the alphabet, (N, T), signed, -1 past the end.

    Raises
    ------
    ValueError
        If one is not there, naming its place and what is like it.
    """
    codes = places(steps, symbols)
    unknown = np.flatnonzero(codes < 0)
    if len(unknown):
        at = int(unknown[0])
        symbol = steps.values[at]
        shown = repr(symbol) if isinstance(symbol, str) else str(symbol)
        raise ValueError(
            f"{steps.place(at)} is an unknown symbol, {shown}: {like(symbol, symbols)}. Name all "
            "that there will be by the parameter 'symbols', or leave it out."
        )
    return steps.padded(codes, -1)


def like(symbol: Any, symbols: Array) -> str:
    """Return which known symbol is nearest to one that is not known, or the first of them."""
    known = symbols.tolist()
    if isinstance(symbol, str):
        same = [s for s in known if s.casefold() == symbol.casefold()]
        # More would take long, and help nobody.
        near = same or difflib.get_close_matches(symbol, known[:5000], 1)
        if near:
            return f"the nearest known is {near[0]!r}"
    shown = ", ".join(map(repr, known[:8])) + (", ..." if len(known) > 8 else "")
    return f"{len(known)} are known, {shown}"


def finite(steps: Steps) -> Array:
    """Return vectors, float64 (N, T, D), NaN past the end.

    Raises
    ------
    ValueError
        If a number is not finite, naming its place.
    """
    values = np.asarray(steps.values, np.float64)
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        step, feature = wrong[0].tolist()
        what = "NaN" if np.isnan(values[step, feature]) else "infinity"
        raise ValueError(
            f"Input X contains {what}: {steps.place(step)}, feature {feature}. "
            "Where it pads a sequence, pass lengths."
        )
    return steps.padded(values, np.nan)


def standardization(x: Array) -> Standardization:
    """Return mean and deviation of each feature over the steps of vectors (N, T, D), as (D,)."""
    values = x[~np.isnan(x[:, :, 0])].astype(np.float64)
    # Squares of very large or small numbers are none.
    scale = np.abs(values).max(axis=0)
    scale[scale == 0] = 1.0
    values /= scale
    mean, variance = values.mean(axis=0), values.var(axis=0)
    # What rounding makes of a constant, as scikit-learn's StandardScaler has it.
    eps, n = np.finfo(np.float64).eps, len(values)
    constant = variance <= n * eps * variance + (n * eps * mean) ** 2
    std = np.sqrt(variance) * scale
    constant |= std < np.finfo(np.float64).tiny  # nearly 0
    return Standardization(mean * scale, np.where(constant, 1.0, std))

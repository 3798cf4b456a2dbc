"""One sequence: a string, or what can be made an array of symbols, numbers or vectors."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from triptych.contracts import Array

_LARGEST = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Row:
    """One sequence.

    Attributes
    ----------
    kind : {"strings", "integers", "numbers", "vectors"}
    values : list of str, or Array
        Shape (T,); of vectors (T, D).
    """

    kind: str
    values: Any

    @property
    def steps(self) -> int:
        """How many there are."""
        return len(self.values)


def row_of(given: Any, name: str) -> Row:
    """Return a sequence by its kind.

    Parameters
    ----------
    given : str, list, tuple or array
    name : str
        For messages.

    Raises
    ------
    ValueError
        If it is none, or mixes kinds.
    """
    if isinstance(given, str):
        return Row("strings", list(given))
    if isinstance(given, bytes | Mapping | Set) or not hasattr(given, "__len__"):
        raise ValueError(
            f"{name} must be a sequence: a string, a list or an array. Got {_short(given)} instead."
        )
    if not len(given):
        return Row("strings", [])
    if not isinstance(given, np.ndarray) or given.dtype.kind == "O":
        strings = [isinstance(v, str) for v in given]
        if all(strings):
            return Row("strings", [str(v) for v in given])
        _refuse_odd(given, strings, name)
    return _of_array(_as_array(given, name), name)


def _refuse_odd(given: Any, strings: list[bool], name: str) -> None:
    """Raise where some steps are strings or missing, and others not."""
    if any(strings):
        place = strings.index(not strings[0])
        raise ValueError(
            f"{name} mixes strings and others: all symbols must be of the same kind. "
            f"Got {_short(given[0])} at {name}[0] and {_short(given[place])} at {name}[{place}]."
        )
    for place, value in enumerate(given):
        if value is None:
            raise ValueError(f"{name}[{place}] is missing: a step must be there. Got None instead.")


def _as_array(given: Any, name: str) -> Array:
    """Return a sequence as an array of numbers or of strings."""
    try:
        array = np.asarray(given)
        if array.dtype.kind == "O" and not all(isinstance(v, int) for v in given):
            array = np.array([np.asarray(v, np.float64) for v in given])
    except (TypeError, ValueError, OverflowError) as error:
        sizes = [len(v) for v in given if hasattr(v, "__len__")]
        place = next((k for k, size in enumerate(sizes) if size != sizes[0]), None)
        if len(sizes) == len(given) and place is not None:
            raise ValueError(
                f"{name} must have as many features in each step. Got {sizes[0]} at {name}[0] and "
                f"{sizes[place]} at {name}[{place}] instead."
            ) from error
        raise ValueError(f"{name} must hold numbers or strings: {error}.") from error
    return array


def _of_array(array: Array, name: str) -> Row:
    kind, axes = array.dtype.kind, array.ndim
    if kind in "UT" and axes == 1:
        return Row("strings", array.tolist())
    if axes == 1 and (kind == "O" or (kind == "u" and array.max() > _LARGEST)):
        raise ValueError(f"{name} has an integer beyond {_LARGEST}, the largest symbol there is.")
    if kind not in "iubf":
        what = "Complex data not supported: " if kind == "c" else ""
        raise ValueError(
            f"{what}{name} must hold numbers or strings. Got {array.dtype}, {axes} axes, instead."
        )
    if axes == 1:
        # One type for all, since unsigned and signed ones would together become floats.
        return Row("numbers", array) if kind == "f" else Row("integers", _signed(array))
    if axes == 2 and array.shape[1]:
        return Row("vectors", array)
    raise ValueError(
        f"{name} must have steps of one symbol or number (1 axis), or of features (2 axes). "
        f"Got shape {array.shape} instead."
    )


def _signed(array: Array) -> Array:
    return array.astype(np.int64) if array.dtype.kind == "u" else array


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."

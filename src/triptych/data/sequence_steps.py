"""How sequences are given: lists, strings or padded arrays, all made into one layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from triptych.contracts import Array, IntArray
from triptych.data.sequence_rows import Row, row_of

_NONE = "X holds no sequence: at least 1 is needed, 0 sample(s) were found."


class Given(NamedTuple):
    """What an estimator was handed: sequences, and how long each is where they are padded."""

    x: Any
    lengths: Any = None


@dataclass(frozen=True)
class Steps:
    """The steps of all sequences, one after the other.

    Attributes
    ----------
    kind : {"strings", "integers", "vectors"}
        The first two are symbols.
    values : list of str, or Array
        Symbols (M,), or vectors (M, D).
    lengths : IntArray, shape (N,)
        At least 1 each.
    """

    kind: str
    values: Any
    lengths: IntArray

    def place(self, step: int) -> str:
        """Return how to call a step, by its place among all."""
        ends = np.cumsum(self.lengths)
        row = int(np.searchsorted(ends, step, "right"))
        return f"X[{row}][{step - int(ends[row] - self.lengths[row])}]"

    def padded(self, values: Array, fill: float) -> Array:
        """Return values (M, ...) as an array (N, T, ...), with `fill` past the end of each."""
        lengths = self.lengths
        out = np.full((len(lengths), int(lengths.max()), *values.shape[1:]), fill, values.dtype)
        out[np.arange(out.shape[1]) < lengths[:, None]] = values
        return out


def gathered(given: Given, *, numbers: bool) -> Steps | None:
    """Return the steps of sequences in any form; None for a table, which scikit-learn checks.

    Parameters
    ----------
    given : Given
    numbers : bool
        Whether integers are features, not symbols.

    Raises
    ------
    ValueError
        Naming the sequence, and the step where there is one.
    """
    x, lengths = given
    if sparse.issparse(x):
        return None
    _refuse_odd(x)
    if lengths is not None:
        return _of_padded(_as_array(x), lengths, numbers=numbers)
    if isinstance(x, list | tuple):
        return _of_rows(x, numbers=numbers)
    x = np.asarray(x)
    if x.ndim == 1 and x.dtype.kind in "OUT" and len(x):
        return _of_rows(x.tolist(), numbers=numbers)
    if x.ndim < 2 or (x.ndim == 2 and (not len(x) or _is_table(x, numbers=numbers))):
        return None
    return _of_padded(x, None, numbers=numbers)


def _refuse_odd(x: Any) -> None:
    """Raise where `x` holds no sequences, or no order of them."""
    if isinstance(x, str):
        raise ValueError("X must hold sequences. Got a single string instead; put it in a list.")
    ordered = hasattr(x, "__len__") or hasattr(x, "__array__")
    if not ordered or isinstance(x, Mapping | Set | bytes):
        raise ValueError(
            f"X must be a list or an array of sequences. Got {type(x).__name__} instead."
        )


def _is_table(x: Array, *, numbers: bool) -> bool:
    """Whether an array (N, F) holds numbers to compute with, or what is to be refused."""
    if x.dtype.kind == "O":
        return not all(isinstance(v, str) for v in x.flat)
    return x.dtype.kind not in "UT" and (numbers or x.dtype.kind not in "iub")


def _as_array(x: Any) -> Array:
    try:
        return np.asarray(x)
    except ValueError as error:
        raise ValueError(
            "lengths goes with a padded array. Got sequences of several lengths, which need none."
        ) from error


def _of_padded(x: Array, given: Any, *, numbers: bool) -> Steps:
    if x.ndim not in (2, 3):
        raise ValueError(
            "A padded array of sequences must have 2 axes (sequences, steps), or 3 (sequences, "
            f"steps, features). Got shape {x.shape} instead."
        )
    lengths = _checked_lengths(given, x)
    if x.dtype.kind == "O":
        # Python's own objects are told by looking at each.
        cut = [row[:n].tolist() for row, n in zip(x, lengths, strict=True)]
        return _joined([row_of(row, f"X[{k}]") for k, row in enumerate(cut)], numbers=numbers)
    whole = row_of(x[np.arange(x.shape[1]) < lengths[:, None]], "X")
    return replace(_joined([whole], numbers=numbers), lengths=lengths)


def _checked_lengths(given: Any, x: Array) -> IntArray:
    """Return how many steps of a padded array count in each row."""
    rows, most = x.shape[:2]
    if not rows:
        raise ValueError(_NONE)
    lengths = np.full(rows, most) if given is None else np.asarray(given)
    if lengths.shape != (rows,):
        raise ValueError(
            f"lengths must name the steps of each of the {rows} sequences of X. "
            f"Got shape {lengths.shape} instead."
        )
    if lengths.dtype.kind not in "iu":
        raise ValueError(f"lengths must be integers. Got {lengths.dtype} instead.")
    wrong = np.flatnonzero((lengths < 1) | (lengths > most))
    if len(wrong) and lengths[wrong[0]] == 0:
        raise ValueError(_empty(int(wrong[0])))
    if len(wrong):
        raise ValueError(
            f"lengths must be 1 to {most}, the steps that X has room for. "
            f"Got lengths[{wrong[0]}] = {lengths[wrong[0]]} instead."
        )
    return lengths.astype(np.int64)


def _empty(row: int) -> str:
    return f"X[{row}] is empty: a sequence needs at least one step. Leave it and its label out."


def _of_rows(x: Sequence[Any], *, numbers: bool) -> Steps | None:
    """Return the steps of a list of sequences; None where it is a table."""
    if not len(x):
        raise ValueError(_NONE)
    rows = []
    for k, given in enumerate(x):
        row = row_of(given, f"X[{k}]")
        if not row.steps:
            raise ValueError(_empty(k))
        rows.append(row)
    steps = _joined(rows, numbers=numbers)
    flat = all(row.kind in ("integers", "numbers") for row in rows)
    return None if steps.kind == "vectors" and flat and np.ptp(steps.lengths) == 0 else steps


def _joined(rows: list[Row], *, numbers: bool) -> Steps:
    kind = _common_kind(rows, numbers=numbers)
    lengths = np.array([row.steps for row in rows])
    if kind == "strings":
        return Steps(kind, list(chain.from_iterable(row.values for row in rows)), lengths)
    values = np.concatenate([row.values for row in rows])
    if kind == "numbers":
        return Steps("vectors", values[:, None], lengths)
    return Steps(kind, values, lengths)


def _common_kind(rows: list[Row], *, numbers: bool) -> str:
    """Return what all rows are, or say which two are not alike."""
    first = {row.kind: k for k, row in reversed(list(enumerate(rows)))}
    if "strings" in first and len(first) > 1:
        other = next(k for kind, k in first.items() if kind != "strings")
        raise ValueError(
            "All sequences must be of the same kind. Got strings in "
            f"X[{first['strings']}] and numbers in X[{other}] instead."
        )
    if "vectors" in first:
        widths = [1 if row.kind != "vectors" else row.values.shape[1] for row in rows]
        axes = [1 if row.kind != "vectors" else 2 for row in rows]
        for k in range(1, len(rows)):
            if (axes[k], widths[k]) != (axes[0], widths[0]):
                raise ValueError(
                    "All sequences must have as many features a step. Got "
                    f"{_shape(rows[0])} in X[0] and {_shape(rows[k])} in X[{k}] instead."
                )
        return "vectors"
    if "integers" in first and (numbers or "numbers" in first):
        return "numbers"
    (kind,) = first
    return kind


def _shape(row: Row) -> str:
    return f"{row.values.shape[1]} features" if row.kind == "vectors" else "one number a step"

"""Columns to inputs: numbers are standardised, texts become one input for each value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from triptych.contracts import FloatArray, IntArray, Standardization
from triptych.data.columns import Column
from triptych.data.text_files import counted, shown
from triptych.errors import DataError

# A text with more values is hardly a category: a name, a date, a free remark.
MOST_WORDS = 50
_NAMED = 4


def inputs(
    name: str, features: Sequence[Column], train_rows: IntArray
) -> tuple[FloatArray, list[str]]:
    """Return what networks read of a table's rows, and in words how it was made.

    All that is fitted is fitted to the training rows: means and deviations, medians where cells are
    empty, and the values that a text can have; one that is in none of them has inputs of 0.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    features : sequence of Column
        Of N rows.
    train_rows : IntArray

    Returns
    -------
    x : FloatArray, shape (N, I), float64
        As wide for any `train_rows`.
    notes : list of str

    Raises
    ------
    DataError
        If a column has too many texts.
    """
    for column in features:
        if len(column.words) > MOST_WORDS:
            raise DataError(
                f"{name}: column {shown(column.name)} has {len(column.words):,} different texts, "
                f"and at most {MOST_WORDS} can be inputs; name it in ignore = [...], or group them."
            )
    parts = [_one_hot(c, train_rows) if c.words else _filled(c, train_rows) for c in features]
    x = np.concatenate(parts, axis=1)
    numbers = [c.name for c in features if not c.words]
    texts = [c for c in features if c.words]
    notes = []
    if numbers:
        places = np.concatenate([np.full(p.shape[1], not c.words)
                                 for p, c in zip(parts, features, strict=True)])  # fmt: skip
        scale = columns_standardization(x[np.ix_(train_rows, places)])
        x[:, places] = scale(x[:, places], "float64")
        notes.append(
            f"{counted(len(numbers), 'column')} numbers, standardised on the training rows"
        )
    if texts:
        told = [f"{shown(c.name)} ({len(c.words)})" for c in texts]
        notes.append(f"texts are one input for each value: {_listed(told)}")
    still = [shown(c.name) for c in features if _is_constant(c)]
    if still:
        notes.append(f"{_listed(still)} never {'changes' if len(still) == 1 else 'change'}")
    return x, notes


def columns_standardization(x: FloatArray) -> Standardization:
    """Return mean and deviation of each column of numbers (N, K), as (K,).

    A column that never changes has deviation 1.
    """
    # The square of a large number is infinite; a power of two costs no digit.
    _, exponents = np.frexp(np.abs(x).max(axis=0))
    scaled = np.ldexp(x, -exponents)
    mean, deviation = scaled.mean(axis=0), scaled.std(axis=0)
    still = scaled.min(axis=0) == scaled.max(axis=0)
    mean = np.where(still, scaled[0], mean)  # rounding would leave something
    return Standardization(
        np.ldexp(mean, exponents), np.where(still, 1.0, np.ldexp(deviation, exponents))
    )


def _filled(column: Column, train_rows: IntArray) -> FloatArray:
    values = column.values.copy()
    empty = np.isnan(values)
    if empty.any():
        known = values[train_rows][~empty[train_rows]]
        values[empty] = np.median(known) if len(known) else 0.0
    return values[:, None]


def _one_hot(column: Column, train_rows: IntArray) -> FloatArray:
    out: FloatArray = (column.values[:, None] == np.arange(len(column.words))).astype(np.float64)
    out[:, ~out[train_rows].any(axis=0)] = 0.0
    return out


def _is_constant(column: Column) -> bool:
    values = column.values[~np.isnan(column.values)]
    return not len(values) or bool(values.min() == values.max())


def _listed(names: Sequence[str]) -> str:
    """Return some names as a sentence may hold them."""
    more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    *most, last = [*names[:_NAMED], *more]
    return f"{', '.join(most)} and {last}" if most else last

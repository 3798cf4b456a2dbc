"""A table's preparation, fitted to its training rows, and in words what it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from triptych.contracts import FloatArray, IntArray, Standardization
from triptych.data.columns import Column
from triptych.data.dates import has_times, iso
from triptych.data.table_columns import OTHER, PreparedColumn, PreparedTarget
from triptych.data.table_preparation import TablePreparation
from triptych.data.table_targets import Target
from triptych.data.text_files import counted, shown
from triptych.errors import DataError

# A text with more values is hardly a category: a name, a free remark.
MOST_WORDS = 50
_NAMED = 4


@dataclass(frozen=True)
class Table:
    """A table of N rows without gaps, or with those that are to be filled.

    Attributes
    ----------
    name : str
        Of the file, for messages.
    features : tuple of Column
        What is to become inputs.
    target : Target
    left_out : tuple of str
        Columns of the file that are neither.
    fills : bool
        Whether empty cells are to be filled.
    shares : bool
        Whether rarer texts of a column that has too many share one input; else that is refused.
    """

    name: str
    features: tuple[Column, ...]
    target: Target
    left_out: tuple[str, ...] = ()
    fills: bool = False
    shares: bool = False


def fitted(table: Table, train_rows: IntArray) -> TablePreparation:
    """Return how the rows of a table become inputs; as many for any training rows.

    All that is fitted is fitted to the training rows: means and deviations, medians where cells are
    empty, and which texts have inputs; one that none of those rows had has inputs of 0.

    Parameters
    ----------
    table : Table
    train_rows : IntArray

    Raises
    ------
    DataError
        If a column has too many texts.
    """
    for column in table.features:
        if len(column.words) > MOST_WORDS and not table.shares:
            raise DataError(
                f"{table.name}: column {shown(column.name)} has {len(column.words):,} different "
                f"texts, and at most {MOST_WORDS} can be inputs; name it in ignore = [...], group "
                "them, or set many_texts = 'frequent'."
            )
    numbers = [column for column in table.features if not column.words]
    fills = {c.name: _median(c, train_rows) for c in numbers} if table.fills else {}
    scales = _scales(numbers, fills, train_rows)
    columns = tuple(
        _texts(column, train_rows)
        if column.words
        else PreparedColumn(
            column.name,
            column.kind,
            *scales[column.name],
            fill=fills.get(column.name),
            timed=column.dated and has_times(column.values),
        )
        for column in table.features
    )
    return TablePreparation(columns, _told(table.target, train_rows), table.left_out, table.fills)


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


def _median(column: Column, train_rows: IntArray) -> float:
    values = column.values[train_rows]
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else 0.0


def _scales(
    numbers: Sequence[Column], fills: dict[str, float], train_rows: IntArray
) -> dict[str, tuple[float, float]]:
    """Return the mean and the deviation of each column of numbers or dates, empty cells filled."""
    if not numbers:
        return {}
    filled = [
        np.where(np.isnan(c.values), fills[c.name], c.values) if fills else c.values
        for c in numbers
    ]
    scale = columns_standardization(np.stack(filled, axis=1)[train_rows])
    pairs = zip(scale.mean.tolist(), scale.std.tolist(), strict=True)
    return dict(zip((c.name for c in numbers), pairs, strict=True))


def _texts(column: Column, train_rows: IntArray) -> PreparedColumn:
    values = column.values[train_rows]
    codes = values[~np.isnan(values)].astype(np.int64)
    counts = np.bincount(codes, minlength=len(column.words))
    # Most frequent first; of those that are so alike, and of the rest, by name.
    kept = np.sort(np.argsort(-counts, kind="stable")[:MOST_WORDS])
    words = tuple(column.words[k] for k in kept)
    seen = tuple(bool(counts[k]) for k in kept)
    return PreparedColumn(
        column.name, "text", words=words, seen=seen, shared=len(column.words) > MOST_WORDS
    )


def _told(target: Target, train_rows: IntArray) -> PreparedTarget:
    if target.classes:
        return PreparedTarget(target.name, target.column.kind, target.classes)
    scale = columns_standardization(target.column.values[train_rows, None])
    return PreparedTarget(target.name, "number", (), float(scale.mean[0]), float(scale.std[0]))


def preparation_notes(preparation: TablePreparation, table: Table) -> list[str]:
    """Say how the columns of a table became inputs, and which of them never change."""
    columns = preparation.columns
    notes = []
    numbers = [c for c in columns if c.kind == "number"]
    if numbers:
        notes.append(
            f"{counted(len(numbers), 'column')} numbers, standardised on the training rows"
        )
    if texts := [c for c in columns if c.kind == "text"]:
        told = [f"{shown(c.name)} ({len(c.words)})" for c in texts]
        notes.append(f"texts are one input for each value: {listed(told)}")
    if shared := [shown(c.name) for c in texts if c.shared]:
        notes.append(
            f"of {listed(shared)} the {MOST_WORDS} most frequent have inputs, and the others share "
            f"one, {OTHER}"
        )
    by_name = {column.name: column for column in table.features}
    notes += [_date_note(c, by_name[c.name]) for c in columns if c.kind == "date"]
    still = [shown(c.name) for c in table.features if is_constant(c)]
    if still:
        notes.append(f"{listed(still)} never {'changes' if len(still) == 1 else 'change'}")
    return notes


def _date_note(column: PreparedColumn, found: Column) -> str:
    first, last = np.nanmin(found.values), np.nanmax(found.values)
    parts = "month, weekday and time of day" if column.timed else "month and weekday"
    return (
        f"{shown(column.name)} holds dates, {iso(float(first))} to {iso(float(last))}: days, "
        f"standardised, and {parts} as points on circles"
    )


def is_constant(column: Column) -> bool:
    """Whether a column has one value at most, empty cells aside."""
    values = column.values[~np.isnan(column.values)]
    return not len(values) or bool(values.min() == values.max())


def listed(names: Sequence[str]) -> str:
    """Return some names as a sentence may hold them."""
    more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    *most, last = [*names[:_NAMED], *more]
    return f"{', '.join(most)} and {last}" if most else last

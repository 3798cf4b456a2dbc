"""Empty cells of a table to learn from: refused, filled later, or left out with their rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from triptych.contracts import Array
from triptych.data.columns import Columns
from triptych.data.csv_rows import refused_cells
from triptych.data.text_files import counted, shown
from triptych.errors import DataError
from triptych.spec import TableSpec


def without_gaps(table: Columns, spec: TableSpec) -> tuple[Columns, tuple[str, ...]]:
    """Return a table as `spec` wants it where cells are empty, and what was done.

    Parameters
    ----------
    table : Columns
    spec : TableSpec

    Raises
    ------
    DataError
        If it has empty cells that are not to be there, or numbers past the largest.
    """
    infinite = np.stack([np.isinf(column.values) for column in table.columns], axis=1)
    if infinite.any():
        raise _refused(table, infinite, "Correct them.", "infinite or past the largest number")
    empty = np.stack([np.isnan(column.values) for column in table.columns], axis=1)
    if not empty.any():
        return table, ()
    for column in table.columns:
        if np.isnan(column.values).all():
            raise DataError(
                f"{table.header}: column {shown(column.name)} is empty; name it in ignore = [...]."
            )
    if spec.missing == "refuse":
        raise _refused(table, empty, _advice(table, spec, empty))
    if spec.missing == "drop":
        return _dropped(table, empty)
    _refuse_unfilled(table, spec, empty)
    filled = (
        f"{counted(int(empty.sum()), 'empty cell')} filled: numbers with the median of the "
        "training rows, texts with none of their values"
    )
    return table, (filled,)


def _unfilled(table: Columns, spec: TableSpec, empty: Array) -> Iterator[tuple[int, str]]:
    """Give the place and the use of each column with empty cells that are never filled."""
    kinds = {spec.target: "target", spec.group: "group", spec.time: "time"}
    for k, column in enumerate(table.columns):
        if column.name in kinds and empty[:, k].any():
            yield k, kinds[column.name]


def _advice(table: Columns, spec: TableSpec, empty: Array) -> str:
    for _, kind in _unfilled(table, spec, empty):
        return (
            f"A {kind} is never filled: leave out those rows, or set missing = 'drop' "
            "(--missing drop)."
        )
    return "Fill them, leave out their rows, or set missing = 'fill' or 'drop' (--missing fill)."


def _refuse_unfilled(table: Columns, spec: TableSpec, empty: Array) -> None:
    for k, kind in _unfilled(table, spec, empty):
        advice = f"A {kind} is never filled; leave out those rows (--missing drop)."
        raise _refused(table, empty & (np.arange(empty.shape[1]) == k), advice)


def _dropped(table: Columns, empty: Array) -> tuple[Columns, tuple[str, ...]]:
    kept = np.flatnonzero(~empty.any(axis=1))
    if len(kept) < 2:
        raise DataError(f"{table.name}: all rows but {len(kept)} have empty cells.")
    left = counted(len(table) - len(kept), "row")
    return table.take(kept), (f"{left} left out for empty cells",)


def _refused(
    table: Columns, bad: Array, advice: str, what: str = "empty or not finite"
) -> DataError:
    first = np.argwhere(bad)[:3]
    places = [table.place(row, table.columns[column].name) for row, column in first]
    return refused_cells(table.name, places, int(bad.sum()), advice, what)

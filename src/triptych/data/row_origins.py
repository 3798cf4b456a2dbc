"""What the rows of a table were where they were read, for those who look at single ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from triptych.contracts import IntArray, Origin
from triptych.data.columns import Column


@dataclass(frozen=True)
class RowOrigins:
    """Finds the cells of a split's rows in the table that they are from.

    Attributes
    ----------
    columns : sequence of Column
        Of the whole table, N rows.
    lines : IntArray, shape (N,), optional
        The line of each in a file of text.
    rows : IntArray
        Which of them the split has, in its order.
    """

    columns: Sequence[Column]
    lines: IntArray | None
    rows: IntArray

    def __call__(self, row: int) -> Origin:
        """Return what a row of the split was."""
        at = int(self.rows[row])
        place = f"row {at + 1}" if self.lines is None else f"line {self.lines[at]}"
        return Origin(place, {column.name: _cell(column, at) for column in self.columns})


def _cell(column: Column, row: int) -> str:
    value = float(column.values[row])
    if np.isnan(value):
        return ""
    return column.words[int(value)] if column.words else f"{value:.6g}"

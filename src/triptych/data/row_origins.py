"""What the rows of a table were where they were read, for those who look at single ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from triptych.contracts import IntArray, Origin
from triptych.data.columns import Column


@dataclass(frozen=True)
class RowOrigins:
    """Finds the cells of a split's rows in the table that they are from.

    Attributes
    ----------
    columns : sequence of Column
        Of the whole table, N rows.
    place : callable
        From one of the N to what it is called.
    rows : IntArray
        Which of them the split has, in its order.
    """

    columns: Sequence[Column]
    place: Callable[[int], str]
    rows: IntArray

    def __call__(self, row: int) -> Origin:
        """Return what a row of the split was."""
        at = int(self.rows[row])
        return Origin(self.place(at), {column.name: column.text(at) for column in self.columns})

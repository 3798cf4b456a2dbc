"""How a table's rows become what networks read: fitted to training rows once, and then applied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from triptych.contracts import FloatArray, Standardization
from triptych.data.columns import Column
from triptych.data.strict import different, fields, many, one_of, text
from triptych.data.table_columns import PreparedColumn, PreparedTarget, Unseen
from triptych.errors import UnsafeFileError

ColumnOf = Callable[[PreparedColumn], Column]
"""Gives the cells of a column, of its kind; may raise DataError."""


@dataclass(frozen=True)
class TablePreparation:
    """What was fitted to the training rows of a table, as plain data.

    Attributes
    ----------
    columns : tuple of PreparedColumn
        Those that became inputs, in the order of the inputs.
    told : PreparedTarget
        The column that is to be told from them.
    left_out : tuple of str
        Columns of the training file that are no inputs: an id, a group, a time.
    fills : bool
        Whether empty cells are filled; else they are refused.
    """

    kind: ClassVar[str] = "table"
    columns: tuple[PreparedColumn, ...]
    told: PreparedTarget
    left_out: tuple[str, ...] = ()
    fills: bool = False

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, which labels index; none where numbers are to be told."""
        return self.told.classes

    @property
    def target(self) -> Standardization | None:
        """How numbers to tell became those that networks learn, (1,); None of classes."""
        return self.told.scale

    @property
    def features(self) -> tuple[tuple[str, str], ...]:
        """Each input's column, and what of it the input is; see `triptych.contracts.Dataset`."""
        return tuple((column.name, part) for column in self.columns for part in column.inputs)

    def inputs(self, rows: int, column_of: ColumnOf) -> tuple[FloatArray, dict[str, Unseen]]:
        """Return what networks read of some rows.

        Parameters
        ----------
        rows : int
            N.
        column_of : callable
            Gives the N cells of each column.

        Returns
        -------
        x : FloatArray, shape (N, I), float64
        unseen : dict
            By column, the texts that no input is for, and how often each came.
        """
        x = np.zeros((rows, len(self.features)))
        unseen = {}
        at = 0
        for column in self.columns:
            end = at + len(column.inputs)
            if found := column.set_inputs(x[:, at:end], column_of(column)):
                unseen[column.name] = found
            at = end
        return x, unseen

    def as_dict(self) -> dict[str, Any]:
        """Return it as values of JSON."""
        return {
            "kind": self.kind,
            "columns": [column.as_dict() for column in self.columns],
            "told": self.told.as_dict(),
            "left_out": list(self.left_out),
            "empty": "fill" if self.fills else "refuse",
        }

    @classmethod
    def from_dict(cls, value: object, where: str = "preparation") -> Self:
        """Return what `as_dict` made.

        Raises
        ------
        UnsafeFileError
            If it is anything else: other keys, kinds or numbers, or columns of one name.
        """
        found = fields(value, where, {
            "kind": one_of("table"), "columns": many(PreparedColumn.from_dict),
            "told": PreparedTarget.from_dict, "left_out": many(text),
            "empty": one_of("fill", "refuse"),
        })  # fmt: skip
        columns, told, fills = found["columns"], found["told"], found["empty"] == "fill"
        if not columns:
            raise UnsafeFileError(f"{where}.columns: there are none.")
        names = (*(column.name for column in columns), told.name, *found["left_out"])
        different(names, f"{where}: the names of its columns")
        for column in columns:
            if (column.fill is not None) != (fills and column.kind != "text"):
                raise UnsafeFileError(f"{where}: column {column.name[:40]!r}: fill does not fit.")
            if column.words and column.kind != "text":
                raise UnsafeFileError(f"{where}: column {column.name[:40]!r} has words.")
        return cls(columns, told, found["left_out"], fills)

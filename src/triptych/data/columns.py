"""The columns of a table, whatever it was read from: numbers, dates, or codes of texts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from triptych.contracts import FloatArray, IntArray
from triptych.data.dates import iso
from triptych.data.text_files import hint, shown
from triptych.errors import DataError

# Half a gigabyte in float64; more would not train in sensible time on one machine.
MOST_VALUES = 1 << 26

Kind = Literal["number", "text", "date"]
"""What the cells of a column are."""


@dataclass(frozen=True)
class Column:
    """One column of N rows.

    Attributes
    ----------
    name : str
    values : FloatArray, shape (N,)
        Numbers, float64, NaN where a cell is empty. Of texts their places in `words`, of dates days
        from 1970.
    words : tuple of str
        The texts that there are, sorted; none of numbers and dates.
    dated : bool
        Whether it holds dates.
    """

    name: str
    values: FloatArray
    words: tuple[str, ...] = ()
    dated: bool = False

    @property
    def kind(self) -> Kind:
        """Whether cells are numbers, texts or dates; numbers where all are empty."""
        return "text" if self.words else "date" if self.dated else "number"

    def text(self, row: int) -> str:
        """Return a cell as it may be written; empty where it is."""
        value = float(self.values[row])
        if math.isnan(value):
            return ""
        if self.words:
            return self.words[int(value)]
        return iso(value) if self.dated else written(value)


@dataclass(frozen=True)
class Columns:
    """A table of N rows as it stands in its file, or some rows of it.

    Attributes
    ----------
    name : str
        Of the file, for messages.
    columns : tuple of Column
    lines : IntArray, shape (N,), optional
        The line of each row in a file of text.
    before : int
        How many rows there are in the file before the first of these.
    unread : tuple of str
        Columns of the file that were not asked for.
    """

    name: str
    columns: tuple[Column, ...]
    lines: IntArray | None = None
    before: int = 0
    unread: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.columns[0].values if self.lines is None else self.lines)

    def __getitem__(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    def take(self, rows: IntArray) -> Columns:
        """Return the given rows, in that order."""
        columns = tuple(replace(column, values=column.values[rows]) for column in self.columns)
        return Columns(self.name, columns, None if self.lines is None else self.lines[rows])

    @property
    def places(self) -> tuple[str, ...]:
        """Where each row is, as messages call it."""
        if self.lines is None:
            return tuple(f"row {k + 1}" for k in range(self.before, self.before + len(self)))
        return tuple(f"line {line}" for line in self.lines.tolist())

    def row(self, row: int) -> str:
        """Return where a row is, as messages call it; all of them are `places`."""
        return f"row {self.before + row + 1}" if self.lines is None else f"line {self.lines[row]}"

    def place(self, row: int, column: str) -> str:
        """Return where a cell is, as messages call it."""
        return f"{self.row(row)} column {shown(column)}"

    @property
    def header(self) -> str:
        """Where the names of the columns are, as messages call it."""
        return self.name if self.lines is None else f"{self.name} line 1"


def column_of_texts(name: str, cells: Sequence[str | None]) -> Column:
    """Return a column of texts, of which empty ones and None are missing."""
    codes: dict[str | None, int] = {}
    places = np.array([codes.setdefault(cell, len(codes)) for cell in cells], dtype=np.int64)
    return coded_column(name, places, ["" if cell is None else cell for cell in codes])


def coded_column(name: str, codes: IntArray, texts: Sequence[str]) -> Column:
    """Return a column of texts that are given by their places (N,) in a list of them.

    Spaces around a text are left out; nothing is left of one that is missing.
    """
    stripped = [text.strip() for text in texts]
    words = tuple(sorted(set(stripped) - {""}))
    places = {word: float(k) for k, word in enumerate(words)} | {"": np.nan}
    return Column(name, np.array([places[text] for text in stripped])[codes], words)


def written(value: float) -> str:
    """Return a number as a name, without the point of a whole one."""
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)


def as_texts(column: Column) -> Column:
    """Return a column whose numbers or dates are taken as names."""
    if column.words:
        return column
    present, codes = np.unique(column.values, return_inverse=True)
    found = Column(column.name, present, dated=column.dated)
    return coded_column(
        column.name, codes.reshape(-1), [found.text(k) for k in range(len(present))]
    )


def as_names(table: Columns, text: tuple[str, ...]) -> Columns:
    """Return a table in which the numbers and dates of some columns are texts.

    Raises
    ------
    DataError
        If it has no such column.
    """
    for name in text:
        check_column(name, table.names, table.header, "text")
    columns = [as_texts(c) if c.name in text else c for c in table.columns]
    return replace(table, columns=tuple(columns))


def joined(parts: Sequence[Columns]) -> Columns:
    """Return parts of one table, each with all its columns, as one."""
    if len(parts) == 1:
        return parts[0]
    columns = tuple(
        _joined([part.columns[k] for part in parts]) for k in range(len(parts[0].columns))
    )
    return replace(parts[0], columns=columns)


def _joined(parts: Sequence[Column]) -> Column:
    words = tuple(sorted({word for part in parts for word in part.words}))
    places = {word: float(k) for k, word in enumerate(words)}
    values = np.concatenate([_moved(part, places) for part in parts])
    return Column(parts[0].name, values, words, any(part.dated for part in parts))


def _moved(part: Column, places: Mapping[str, float]) -> FloatArray:
    """Return codes of the words of one part as those of all."""
    if not part.words:
        return part.values
    table = np.array([*(places[word] for word in part.words), np.nan])
    codes = np.where(np.isnan(part.values), len(part.words), part.values)
    moved: FloatArray = table[codes.astype(np.int64)]
    return moved


def check_column(column: str, names: Iterable[str], where: str, parameter: str) -> None:
    """Refuse a column that is asked for and not there.

    Raises
    ------
    DataError
    """
    if column not in names:
        raise DataError(
            f"{where}: there is no column {shown(column)}; correct {parameter}. "
            f"{hint(column, names)}"
        )


def check_size(name: str, rows: int, columns: int) -> None:
    """Refuse a table that is larger than what is read.

    Raises
    ------
    DataError
    """
    if rows * columns > MOST_VALUES:
        raise DataError(
            f"{name}: {rows:,} rows of {columns:,} columns are more than the {MOST_VALUES:,} "
            "values that are read; take a sample of the rows."
        )

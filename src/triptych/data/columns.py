"""The columns of a table, whatever it was read from: numbers, or codes of texts."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from triptych.contracts import FloatArray, IntArray
from triptych.data.text_files import hint, number_of, numbers_of, shown
from triptych.errors import DataError

# Half a gigabyte in float64; more would not train in sensible time on one machine.
MOST_VALUES = 1 << 26
# What somebody may have meant as a number, but that is none here: a decimal comma, digits of
# another script, thousands set apart, a percent sign.
_MEANT_AS_NUMBER = re.compile(r"[+-]?[\d.,_'\s]+(?:[eE][+-]?\d+)?%?")


@dataclass(frozen=True)
class Column:
    """One column of N rows.

    Attributes
    ----------
    name : str
    values : FloatArray, shape (N,)
        Numbers, float64, NaN where a cell is empty. Of texts their places in `words`.
    words : tuple of str
        The texts that there are, sorted; none of numbers.
    """

    name: str
    values: FloatArray
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Columns:
    """A table of N rows as it stands in its file.

    Attributes
    ----------
    name : str
        Of the file, for messages.
    columns : tuple of Column
    lines : IntArray, shape (N,), optional
        The line of each row in a file of text.
    """

    name: str
    columns: tuple[Column, ...]
    lines: IntArray | None = None

    def __len__(self) -> int:
        return len(self.columns[0].values)

    def __getitem__(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def take(self, rows: IntArray) -> Columns:
        """Return the given rows, in that order."""
        columns = tuple(replace(column, values=column.values[rows]) for column in self.columns)
        return Columns(self.name, columns, None if self.lines is None else self.lines[rows])

    def place(self, row: int, column: str) -> str:
        """Return where a cell is, as messages call it."""
        where = f"row {row + 1}" if self.lines is None else f"line {self.lines[row]}"
        return f"{where} column {shown(column)}"

    @property
    def header(self) -> str:
        """Where the names of the columns are, as messages call it."""
        return self.name if self.lines is None else f"{self.name} line 1"


def column_of_texts(name: str, cells: Sequence[str | None]) -> Column:
    """Return a column of texts, of which empty ones and None are missing."""
    stripped = ["" if cell is None else cell.strip() for cell in cells]
    words = tuple(sorted(set(stripped) - {""}))
    codes = {word: float(k) for k, word in enumerate(words)} | {"": np.nan}
    return Column(name, np.array([codes[cell] for cell in stripped]), words)


def written(value: float) -> str:
    """Return a number as a name, without the point of a whole one."""
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)


def as_names(table: Columns, text: tuple[str, ...]) -> Columns:
    """Return a table in which the numbers of some columns are texts.

    Raises
    ------
    DataError
        If it has no such column.
    """
    names = tuple(column.name for column in table.columns)
    for name in text:
        check_column(name, names, table.header, "text")
    columns = [
        column_of_texts(c.name, ["" if math.isnan(v) else written(v) for v in c.values.tolist()])
        if c.name in text and not c.words
        else c
        for c in table.columns
    ]
    return replace(table, columns=tuple(columns))


def column_of_cells(
    name: str, cells: Sequence[str], where: Callable[[int], str], advice: str
) -> Column:
    """Return a column of a file of text: of numbers where all cells are, of texts where none is.

    Parameters
    ----------
    name : str
    cells : sequence of str
    where : callable
        Says where the cell of a row is.
    advice : str
        How to have the column's numbers taken as texts.

    Raises
    ------
    DataError
        If some cells are numbers and some are not, or if one may have been meant as a number.
    """
    plain = numbers_of(cells)
    if plain is not None:
        return Column(name, np.array(plain))
    found = [_number(cell) for cell in cells]
    numbers = sum(value is not None and not math.isnan(value) for value in found)
    if None not in found:
        return Column(name, np.array(found, dtype=np.float64))
    other = found.index(None)
    if numbers:
        raise DataError(
            f"{where(other)}: {shown(cells[other])} is not a number, and {numbers:,} of "
            f"{len(cells):,} cells of the column are. Correct it, or {advice}."
        )
    for row, cell in enumerate(cells):
        if _MEANT_AS_NUMBER.fullmatch(cell.strip()) and any(map(str.isdigit, cell)):
            raise DataError(
                f"{where(row)}: {shown(cell)} is not a number; 1234.5 is written so. Or {advice}."
            )
    return column_of_texts(name, cells)


def _number(cell: str) -> float | None:
    try:
        return number_of(cell)
    except ValueError:
        return None


def check_column(column: str, names: tuple[str, ...], where: str, parameter: str) -> None:
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

"""What the cells of a column of text are: numbers, dates, or names."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import numpy as np

from triptych.contracts import Array, FloatArray, IntArray
from triptych.data.columns import Column, Kind, coded_column, column_of_texts
from triptych.data.dates import day_of
from triptych.data.text_files import number_of, numbers_of, shown
from triptych.errors import DataError

# What somebody may have meant as a number, but that is none here: a decimal comma, digits of
# another script, thousands set apart, a percent sign, a currency, a typographer's minus.
_MEANT_AS_NUMBER = re.compile(r"[$€£¥]?[+\-−]?[$€£¥]?[\d.,_'\s]+(?:[eE][+-]?\d+)?[%$€£¥]?")
_OF_COMMAS = (
    "Decimal commas: pandas.read_csv(FILE, sep=';', decimal=',') gives a frame to train on."
)
_DECIMAL_COMMA = re.compile(r"[+-]?[\d.]*\d,\d+")


class ColumnParts:
    """A column of text on its way in, some rows at a time.

    Parameters
    ----------
    name : str
    named : bool
        Whether its cells are names though they look like numbers or dates.
    """

    def __init__(self, name: str, *, named: bool = False) -> None:
        self.name, self.named = name, named
        self._codes: dict[str, int] = {}
        self._parts: list[Array] = []  # numbers, float; or codes, int

    def add(self, cells: FloatArray | Sequence[str]) -> None:
        """Take the cells of further rows; as texts where the column is `named`."""
        if isinstance(cells, np.ndarray):
            self._parts.append(cells)
        elif not self.named and (numbers := numbers_of(cells)) is not None:
            self._parts.append(numbers)
        else:
            codes = self._codes
            found = [codes.setdefault(cell, len(codes)) for cell in cells]
            self._parts.append(np.array(found, dtype=np.int64))

    def column(self, where: Callable[[int], str]) -> Column:
        """Return the column: of numbers or dates where all cells are, of texts where none is.

        Parameters
        ----------
        where : callable
            Says where the cell of a row is.

        Raises
        ------
        DataError
            If some cells are numbers, or most are dates, and some are not; or if one may have been
            meant as a number.
        """
        cells = list(self._codes)
        if self.named:
            return self._texts()
        numbers = list(map(_number, cells))
        if len(known := [value for value in numbers if value is not None]) == len(cells):
            return Column(self.name, self._values(known))
        self._refuse_mixed(numbers, where)
        self._refuse_meant(where)
        # Those that are left are missing, as in a column of numbers: "NA", "null".
        days = [
            math.nan if number is not None else day_of(cell)
            for cell, number in zip(cells, numbers, strict=True)
        ]
        if len(known := [day for day in days if day is not None]) == len(cells):
            return Column(self.name, self._values(known), dated=True)
        self._refuse_undated(days, where)
        return self._texts()

    def _values(self, meanings: list[float]) -> FloatArray:
        """Return the values of all rows, of which the codes mean what they are given."""
        table = np.array(meanings, dtype=np.float64)
        return np.concatenate([p if p.dtype.kind == "f" else table[p] for p in self._parts])

    def _texts(self) -> Column:
        # Where numbers are among the parts, all of them are missing.
        empty = self._codes.setdefault("", len(self._codes))
        codes = [p if p.dtype.kind == "i" else np.full(len(p), empty) for p in self._parts]
        return coded_column(self.name, np.concatenate(codes), list(self._codes))

    def _counts(self) -> IntArray:
        """Return how often each cell comes that has a code."""
        counts: IntArray = np.zeros(len(self._codes), np.int64)
        for part in self._parts:
            if part.dtype.kind == "i":
                counts += np.bincount(part, minlength=len(counts))
        return counts

    def _row(self, code: int) -> int:
        """Return the first row of a cell that has a code."""
        before = 0
        for part in self._parts:
            if part.dtype.kind == "i" and len(found := np.flatnonzero(part == code)):
                return before + int(found[0])
            before += len(part)
        raise AssertionError(code)

    def _refuse_mixed(self, numbers: list[float | None], where: Callable[[int], str]) -> None:
        is_number = [value is not None and not math.isnan(value) for value in numbers]
        count = int(self._counts()[is_number].sum())
        count += sum(int((~np.isnan(p)).sum()) for p in self._parts if p.dtype.kind == "f")
        if count:
            self._refuse(numbers.index(None), count, "is not a number,", where)

    def _refuse_undated(self, days: list[float | None], where: Callable[[int], str]) -> None:
        counts = self._counts()
        is_date = np.array([day is not None and not math.isnan(day) for day in days])
        other = np.array([day is None for day in days])
        dates = int(counts[is_date].sum())
        if dates > int(counts[other].sum()):
            self._refuse(days.index(None), dates, "is no date, such as 2024-01-31,", where)

    def _refuse(self, code: int, count: int, what: str, where: Callable[[int], str]) -> None:
        cell, whole = list(self._codes)[code], sum(map(len, self._parts))
        raise DataError(
            f"{where(self._row(code))}: {shown(cell)} {what} and {count:,} of {whole:,} cells of "
            f"the column are. Correct it, or {self._advice}."
        )

    def _refuse_meant(self, where: Callable[[int], str]) -> None:
        for code, cell in enumerate(self._codes):
            if _MEANT_AS_NUMBER.fullmatch(cell.strip()) and any(map(str.isdigit, cell)):
                comma = _DECIMAL_COMMA.fullmatch(cell.strip())
                advice = f" {_OF_COMMAS}" if comma else ""
                raise DataError(
                    f"{where(self._row(code))}: {shown(cell)} is not a number; 1234.5 is written "
                    f"so.{advice} Or {self._advice}."
                )

    @property
    def _advice(self) -> str:
        return f"name {shown(self.name)} in text = [...] (--text) to take its cells as names"


def column_of_cells(name: str, cells: Sequence[str], where: Callable[[int], str]) -> Column:
    """Return a column of a file of text; see `ColumnParts.column`."""
    parts = ColumnParts(name)
    parts.add(cells)
    return parts.column(where)


def column_of_kind(
    name: str, kind: Kind, cells: FloatArray | Sequence[str], where: Callable[[int], str]
) -> Column:
    """Return a column of a file of text whose cells are of one kind, or empty.

    Parameters
    ----------
    name : str
    kind : {"number", "text", "date"}
    cells : FloatArray or sequence of str
        Of N rows; texts as they stand in the file.
    where : callable
        Says where the cell of a row is.

    Raises
    ------
    DataError
        If a cell is of another kind.
    """
    if isinstance(cells, np.ndarray):
        assert kind == "number"
        return Column(name, cells)
    if kind == "text":
        return column_of_texts(name, cells)
    if kind == "number" and (numbers := numbers_of(cells)) is not None:
        return Column(name, numbers)
    values = [_READERS[kind](cell) for cell in cells]
    if len(known := [value for value in values if value is not None]) < len(cells):
        row = values.index(None)
        raise DataError(f"{where(row)}: {shown(cells[row])} is {_WRITTEN[kind]}.")
    return Column(name, np.array(known), dated=kind == "date")


def _number(cell: str) -> float | None:
    try:
        return number_of(cell)
    except ValueError:
        return None


def _day(cell: str) -> float | None:
    day = day_of(cell)
    if day is None and (number := _number(cell)) is not None and math.isnan(number):
        return number
    return day


_READERS: dict[Kind, Callable[[str], float | None]] = {"number": _number, "date": _day}
_WRITTEN: dict[Kind, str] = {
    "number": "not a number; 1234.5 is written so",
    "date": "no date; 2024-01-31 is written so",
}

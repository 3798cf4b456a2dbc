"""What each column of a table is, told by looking at it, with the reason in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from triptych.data.columns import Column, Columns
from triptych.data.dates import has_times
from triptych.data.parquet_files import other_kinds
from triptych.data.table_files import read_table_file
from triptych.data.table_fitting import MOST_WORDS
from triptych.data.text_files import shown

Looks = Literal["number", "text", "date", "constant", "id", "other"]
"""What a column is; ``"other"``: nothing that can be learnt from, such as lists."""

# Fewer rows say little of whether a column tells each of them from all others.
_FEW_ROWS = 10
_NEARLY_ALL = 0.9
_IDS = re.compile(r"(?:^|[^a-z])(?:id|uuid|guid|index)$|^unnamed: 0$", re.IGNORECASE)
_CAMEL_IDS = re.compile(r"[a-z]I[dD]$")


@dataclass(frozen=True)
class ColumnLook:
    """What one column is.

    Attributes
    ----------
    name : str
    kind : {"number", "text", "date", "constant", "id", "other"}
        An id has another value in nearly every row, and tells nothing of rows to come.
    reason : str
        Why, in words.
    rows, different, empty : int
        Cells, values that there are, and cells without one.
    """

    name: str
    kind: Looks
    reason: str
    rows: int = 0
    different: int = 0
    empty: int = 0

    @property
    def is_unique(self) -> bool:
        """Whether every cell has a value of its own."""
        return self.different == self.rows

    @property
    def is_wordy(self) -> bool:
        """Whether it holds more texts than can have an input each."""
        return self.kind == "text" and self.different > MOST_WORDS


def look_at_columns(
    path: Path, *, encoding: str = "utf-8", text: tuple[str, ...] = ()
) -> tuple[ColumnLook, ...]:
    """Return what the columns of a table are, in the order of the file.

    Parameters
    ----------
    path : Path
    encoding : str
    text : tuple of str
        Columns whose cells are names though they look like numbers or dates.

    Raises
    ------
    DataError, UnsafeFileError
        If the file cannot be read, or a column is neither one thing nor the other.
    """
    other = other_kinds(path) if path.suffix.lower() == ".parquet" else ()
    table = read_table_file(path, encoding, other, text)
    found = [_look(column, table) for column in table.columns]
    reason = "neither numbers nor texts nor dates"
    return (*found, *(ColumnLook(name, "other", reason) for name in other))


def _look(column: Column, table: Columns) -> ColumnLook:
    known = column.values[~np.isnan(column.values)]
    different, empty = len(np.unique(known)), len(column.values) - len(known)
    kind, reason = _kind(column, different, len(known))
    if empty and different:
        reason += f"; {empty:,} of {len(table):,} cells are empty"
    return ColumnLook(column.name, kind, reason, len(table), different, empty)


def _kind(column: Column, different: int, known: int) -> tuple[Looks, str]:
    if not different:
        return "constant", "every cell is empty"
    if different == 1:
        cell = column.text(int(np.flatnonzero(~np.isnan(column.values))[0]))
        return "constant", f"{shown(cell) if column.words else cell} in every row"
    if column.words:
        enough = known >= _FEW_ROWS or (_is_called_id(column) and different == known)
        if enough and different >= _NEARLY_ALL * known:
            return "id", f"{different:,} different texts in {known:,} rows"
        return "text", f"{different:,} different texts"
    first, last = int(np.nanargmin(column.values)), int(np.nanargmax(column.values))
    span = f"{column.text(first)} to {column.text(last)}"
    if column.dated:
        return "date", f"{'times' if has_times(column.values) else 'dates'} from {span}"
    if reason := _id_of_numbers(column, different):
        return "id", reason
    return "number", f"numbers from {span}"


def _id_of_numbers(column: Column, different: int) -> str:
    """Return why whole numbers are no quantity; nothing where they may be one."""
    values = column.values
    if different < len(values) or (values != np.floor(values)).any():
        return ""
    if different >= _FEW_ROWS and (np.diff(values) == 1).all():
        return "it counts the rows"
    if _is_called_id(column):
        return "it is called an id, and has another number in every row"
    return ""


def _is_called_id(column: Column) -> bool:
    return bool(_IDS.search(column.name) or _CAMEL_IDS.search(column.name))

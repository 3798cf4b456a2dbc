"""The rows of any table as a network reads them: columns by name, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from triptych.contracts import Prepared
from triptych.data.column_cells import column_of_kind
from triptych.data.columns import Column, Columns, Kind, as_texts
from triptych.data.csv_chunks import TextRows, TextTable
from triptych.data.table_columns import Unseen
from triptych.data.table_files import stored_chunks
from triptych.data.table_fitting import listed
from triptych.data.table_preparation import TablePreparation
from triptych.data.text_files import hint, shown
from triptych.errors import DataError
from triptych.spec.tables import TABLE_SUFFIXES

# Of each column so many different texts are told that no input is for.
_MOST_TOLD = 100


def read_table_rows(
    preparation: TablePreparation,
    path: Path,
    *,
    rows: int,
    needs_target: bool,
    group: str | None,
    encoding: str,
) -> Iterator[Prepared]:
    """Give the rows of a table; see `triptych.data.read_prepared`.

    Raises
    ------
    DataError, UnsafeFileError
    """
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise DataError(f"{path.name}: a table ends in {', '.join(TABLE_SUFFIXES)}.")
    reader = _Reader(preparation, needs_target, group)
    chunks = stored_chunks(path)
    parts: Iterator[_Part]
    if chunks is None:
        parts = _texts(path, encoding, rows, reader)
    else:
        parts = map(_Stored, chunks(path, (), rows, reader.needed))
    notes: tuple[str, ...] | None = None
    for part in parts:
        notes = reader.check(part) if notes is None else ()
        if len(part.table):
            yield reader.prepared(part, notes)
    if not reader.rows:
        raise DataError(f"{path.name}: there are no rows.")


class _Part(Protocol):
    """Some rows of a file: their table says where they are, and its columns may be of any kind."""

    @property
    def table(self) -> Columns:
        """Where the rows are in the file."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Of all columns of the file."""
        ...

    def column(self, name: str, kind: Kind) -> Column:
        """Return a column whose cells are of a kind."""
        ...

    def cells(self, name: str) -> tuple[str, ...]:
        """Return the cells of a column as they are written."""
        ...


@dataclass(frozen=True)
class _Text:
    """Rows of a file of text."""

    table: Columns
    names: tuple[str, ...]
    rows: TextRows

    def column(self, name: str, kind: Kind) -> Column:
        cells = self.rows.columns[self.names.index(name)]
        return column_of_kind(name, kind, cells, partial(_place, self.table, name))

    def cells(self, name: str) -> tuple[str, ...]:
        cells = self.rows.columns[self.names.index(name)]
        assert not isinstance(cells, np.ndarray)
        return tuple(cell.strip() for cell in cells)


@dataclass(frozen=True)
class _Stored:
    """Rows of a file whose columns have kinds of their own."""

    table: Columns

    @property
    def names(self) -> tuple[str, ...]:
        """Of all columns of the file."""
        return (*self.table.names, *self.table.unread)

    def column(self, name: str, kind: Kind) -> Column:
        column = self.table[name]
        if kind == "text":
            return as_texts(column)
        known = np.flatnonzero(~np.isnan(column.values))
        if column.kind == kind or not len(known):
            return Column(name, column.values, dated=kind == "date")
        if column.words:
            where = partial(_place, self.table, name)
            return column_of_kind(name, kind, self.cells(name), where)
        place = self.table.place(int(known[0]), name)
        raise DataError(
            f"{self.table.name} {place}: {column.text(int(known[0]))} is a {column.kind}, and the "
            f"model reads a {kind} there."
        )

    def cells(self, name: str) -> tuple[str, ...]:
        column = self.table[name]
        return tuple(column.text(row) for row in range(len(self.table)))


def _place(table: Columns, column: str, row: int) -> str:
    return f"{table.name} {table.place(row, column)}"


def _texts(path: Path, encoding: str, rows: int, reader: _Reader) -> Iterator[_Part]:
    opened = TextTable(path, encoding)
    for found in opened.chunks(rows, as_written=not reader.only_numbers):
        yield _Text(Columns(path.name, (), found.lines), opened.names, found)


@dataclass
class _Reader:
    """Makes inputs of parts of one file, and counts."""

    preparation: TablePreparation
    needs_target: bool
    group: str | None
    rows: int = 0
    _told: dict[str, set[str]] = field(default_factory=dict)

    @property
    def needed(self) -> frozenset[str]:
        """The columns that must be there."""
        names = [column.name for column in self.preparation.columns]
        names += [self.preparation.told.name] if self.needs_target else []
        return frozenset([*names, *filter(None, [self.group])])

    @property
    def only_numbers(self) -> bool:
        """Whether every cell that is needed is a number, and not asked for as it is written."""
        kinds = {column.kind for column in self.preparation.columns}
        kinds |= {self.preparation.told.kind} if self.needs_target else set()
        return self.group is None and kinds == {"number"}

    def check(self, part: _Part) -> tuple[str, ...]:
        """Return what is to be said of the columns of a file, all that are needed being there.

        Raises
        ------
        DataError
        """
        names, preparation = part.names, self.preparation
        wanted = [*(c.name for c in preparation.columns), preparation.told.name, self.group]
        missing = [name for name in wanted if name in self.needed - set(names)]
        if missing:
            more = f" ({len(missing):,} such columns are missing)" if len(missing) > 1 else ""
            raise DataError(
                f"{part.table.header}: there is no column {shown(missing[0])}, which is needed"
                f"{more}. {hint(str(missing[0]), names)}"
            )
        extra = [n for n in names if n not in wanted and n not in preparation.left_out]
        if not extra:
            return ()
        verb = "is" if len(extra) == 1 else "are"
        return (f"{part.table.name}: {listed(list(map(shown, extra)))} {verb} not read.",)

    def prepared(self, part: _Part, notes: tuple[str, ...]) -> Prepared:
        """Return the rows of a part."""
        table, told = part.table, self.preparation.told
        x, unseen = self.preparation.inputs(
            len(table), lambda column: self._filled(part, column.name, column.kind)
        )
        y = None
        if self.needs_target:
            column = part.column(told.name, told.kind)
            self._refuse(table, column, "a row without it cannot be judged")
            y, others = told.told(column)
            unseen |= {told.name: others} if others else {}
        self.rows += len(table)
        return Prepared(
            x=x,
            y=y,
            places=table.places,
            unseen=self._capped(unseen),
            groups=() if self.group is None else part.cells(self.group),
            notes=notes,
        )

    def _filled(self, part: _Part, name: str, kind: Kind) -> Column:
        column = part.column(name, kind)
        if not self.preparation.fills:
            advice = "no training row had an empty one; fill it, or train with missing = 'fill'"
            self._refuse(part.table, column, advice)
        infinite = np.isinf(column.values)
        if infinite.any():
            where = part.table.place(int(infinite.argmax()), name)
            raise DataError(f"{part.table.name} {where}: no number is as large; correct it.")
        return column

    @staticmethod
    def _refuse(table: Columns, column: Column, advice: str) -> None:
        empty = np.isnan(column.values)
        if empty.any():
            where = table.place(int(empty.argmax()), column.name)
            raise DataError(f"{table.name} {where}: the cell is empty, and {advice}.")

    def _capped(self, unseen: Mapping[str, Unseen]) -> dict[str, Unseen]:
        """Return counts in which all but the first different texts of a column are one."""
        found: dict[str, Unseen] = {}
        for name, counts in unseen.items():
            told, out = self._told.setdefault(name, set()), found.setdefault(name, {})
            for text, count in counts.items():
                if len(told) < _MOST_TOLD:
                    told.add(text)
                key = text if text in told else ""
                out[key] = out.get(key, 0) + count
        return found

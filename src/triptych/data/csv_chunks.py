"""CSV text of any size, some rows at a time; the plainer a block is, the quicker."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import methodcaller
from pathlib import Path

import numpy as np

from triptych.contracts import FloatArray, IntArray
from triptych.data.csv_rows import Row, checked, delimiter_of, names_of, parsed
from triptych.data.text_files import numbers_in, text_blocks


@dataclass(frozen=True)
class TextRows:
    """Some rows of a table of text.

    Attributes
    ----------
    lines : IntArray, shape (N,)
        The line that each ends on.
    columns : sequence of (FloatArray or sequence of str)
        The N cells of each column; as numbers where every cell of every column is one.
    """

    lines: IntArray
    columns: Sequence[FloatArray | Sequence[str]]

    def __len__(self) -> int:
        return len(self.lines)


class TextTable:
    """A table of text that is open, at its first rows.

    Parameters
    ----------
    path : Path
        A name that ends in .tsv says that tabs stand between cells.
    encoding : str

    Attributes
    ----------
    names : tuple of str
        Of the columns.
    delimiter : str
        What stands between cells.

    Raises
    ------
    DataError
        If the file is none, or no text, or its header breaks the grammar.
    """

    def __init__(self, path: Path, encoding: str) -> None:
        self.name = path.name
        self.names: tuple[str, ...] = ()
        self._blocks = text_blocks(path, encoding)
        self._pieces: list[str] = []  # of a block that was cut, the last first
        self._block = self._next()
        self._line = 1  # of the block's first
        header = (self._block or "").partition("\n")[0]
        self.delimiter = "\t" if path.suffix.lower() == ".tsv" else delimiter_of(header)
        self.names = names_of(self._taken(1)[0], self.name)

    def chunks(self, rows: int, *, as_written: bool = False) -> Iterator[TextRows]:
        """Give the rows, at most so many at a time.

        Parameters
        ----------
        rows : int
        as_written : bool
            Whether cells are texts even where all are numbers.

        Raises
        ------
        DataError
            If a row breaks the grammar of CSV, or has more or fewer cells than the header.
        """
        while self._block is not None:
            self._cut(rows)
            found = self._plain(as_written=as_written)
            yield self._careful() if found is None else found

    def _next(self) -> str | None:
        return self._pieces.pop() if self._pieces else next(self._blocks, None)

    def _cut(self, rows: int) -> None:
        """Let the block be one of `rows` lines at most."""
        assert self._block is not None
        lines = self._block.split("\n")
        if len(lines) > rows:
            pieces = ["\n".join(lines[k : k + rows]) for k in range(0, len(lines), rows)]
            self._block, self._pieces = pieces[0], [*self._pieces, *reversed(pieces[1:])]

    def _plain(self, *, as_written: bool) -> TextRows | None:
        """Take the block off; None, and it is left, where a line is not simply a row of cells."""
        assert self._block is not None
        width, separator = len(self.names), self.delimiter
        lines = self._block.split("\n")
        if (
            '"' in self._block
            or "\r" in self._block
            or (width == 1 and "" in lines)
            or set(map(methodcaller("count", separator), lines)) != {width - 1}
            or max(map(len, lines)) > csv.field_size_limit()
        ):
            return None
        text = self._block.replace("\n", separator)
        values = None if as_written else numbers_in(text, separator)
        columns: Sequence[FloatArray | Sequence[str]]
        if values is None:
            cells = text.split(separator)
            columns = [cells[k::width] for k in range(width)]
        else:
            columns = list(values.reshape(-1, width).T)
        numbers = np.arange(self._line, self._line + len(lines))
        self._line, self._block = self._line + len(lines), self._next()
        return TextRows(numbers, columns)

    def _careful(self) -> TextRows:
        """Take off all rows that begin in the block, by the whole grammar of CSV."""
        assert self._block is not None
        last = self._line + self._block.count("\n")
        found = self._taken(last)
        columns = list(zip(*(row for _, row in found), strict=True))
        return TextRows(np.array([line for line, _ in found]), columns)

    def _taken(self, last: int) -> list[Row]:
        """Take rows off, up to the first that ends on the line `last` or behind it."""
        rest: Iterator[str] = iter(())

        def lines() -> Iterator[str]:
            nonlocal rest
            while self._block is not None:
                rest = iter(self._block.split("\n"))
                yield from rest
                self._block = self._next()

        rows = parsed(lines(), self.name, self.delimiter, self._line - 1)
        found = []
        for row in checked(rows, self.name, len(self.names)) if self.names else rows:
            found.append(row)
            if row[0] >= last:
                break
        left = list(rest)
        self._line = found[-1][0] + 1
        self._block = "\n".join(left) if left else self._next()
        return found

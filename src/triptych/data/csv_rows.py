"""The rows of CSV text: every row as wide as its header, whose names are told apart."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence

from triptych.data.text_files import counted, shown
from triptych.errors import DataError

Row = tuple[int, Sequence[str]]
"""The number of the line that a row ends on, counted from 1, and its cells."""


def table_rows(
    lines: Iterable[str], name: str, delimiter: str = ","
) -> tuple[tuple[str, ...], Iterator[Row]]:
    """Return the names of a table's columns, and its rows.

    Parameters
    ----------
    lines : iterable of str
        As `triptych.data.text_files.read_lines` returns them, the header first.
    name : str
        Of the file, for messages.
    delimiter : str

    Raises
    ------
    DataError
        If the text breaks the grammar of CSV, a column has no name or that of another, or a row has
        more or fewer cells than the header; some of it only as the rows are taken.
    """
    rows = parsed(lines, name, delimiter)
    names = names_of(next(rows), name)
    return names, checked(rows, name, len(names))


def names_of(header: Row, name: str) -> tuple[str, ...]:
    """Return the names of a table's columns.

    Raises
    ------
    DataError
        If one has none, or that of another.
    """
    names = tuple(cell.strip() for cell in header[1])
    check_names(names, f"{name} line 1")
    return names


def delimiter_of(header: str) -> str:
    """Return what stands between the cells of a CSV file, told by its first line.

    Where the comma is the decimal point, spreadsheets write semicolons between cells.
    """
    return ";" if ";" in header and "," not in header else ","


def check_names(names: Sequence[str], where: str) -> None:
    """Refuse columns without a name, or with that of another.

    Raises
    ------
    DataError
    """
    seen: set[str] = set()
    for place, column in enumerate(names, start=1):
        if not column:
            raise DataError(f"{where}: column {place} has no name.")
        if column in seen:
            raise DataError(f"{where}: there are two columns {shown(column)}.")
        seen.add(column)


def refused_cells(
    name: str, places: Sequence[str], count: int, advice: str, what: str = "empty or not finite"
) -> DataError:
    """Return the error on cells that hold no number, which names the first three.

    Parameters
    ----------
    name : str
        Of the file.
    places : sequence of str
        Of the first ones at least.
    count : int
        How many there are.
    advice : str
        What to do about them.
    what : str
        What they are.
    """
    first = ", ".join(places[:3])
    return DataError(f"{name}: {counted(count, 'cell')} {what}, the first: {first}. {advice}")


def parsed(lines: Iterable[str], name: str, delimiter: str, before: int = 0) -> Iterator[Row]:
    """Give the rows of lines, of which `before` have been taken already.

    Raises
    ------
    DataError
        If a line is blank, or breaks the grammar of CSV.
    """
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
    last = before
    try:
        for row in reader:
            last = before + reader.line_num
            if not row:
                raise DataError(f"{name} line {last}: the line is blank; remove it.")
            yield last, row
    except csv.Error as error:
        what = _ungrammatical(str(error), last + 1, before + reader.line_num)
        raise DataError(f"{name} {what}.") from error


def _ungrammatical(said: str, first: int, last: int) -> str:
    """Return what is wrong with the row from one line to another, which the parser has told."""
    if said.startswith("unexpected end"):
        return f"line {first}: a quote that opens in this row is never closed"
    if said.startswith("field larger"):
        until = f", up to line {last}; is a quote never closed?" if last > first else ""
        return f"line {first}: a cell has more than {csv.field_size_limit():,} characters{until}"
    if said.startswith("new-line"):
        return (
            f"line {last}: there is a carriage return within the line; save the file with line "
            "feeds at the ends of its lines"
        )
    if "expected after" in said:
        return f"line {last}: text follows a closing quote; a quote within a cell is written twice"
    return f"line {last}: {said}"


def checked(rows: Iterable[Row], name: str, width: int) -> Iterator[Row]:
    """Give rows on, each as wide as the header.

    Raises
    ------
    DataError
    """
    for line, row in rows:
        if len(row) != width:
            fields = "1 field" if len(row) == 1 else f"{len(row)} fields"
            raise DataError(f"{name} line {line}: {fields}, expected {width}.")
        yield line, row

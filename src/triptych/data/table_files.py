"""Tables of one's own, read from files: CSV, TSV, Parquet, and the arrays of an .npz."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from triptych.data.array_files import read_arrays
from triptych.data.columns import (
    Column,
    Columns,
    as_names,
    check_column,
    check_size,
    column_of_cells,
    column_of_texts,
)
from triptych.data.csv_rows import table_rows
from triptych.data.fingerprints import stamp
from triptych.data.parquet_files import read_parquet
from triptych.data.text_files import read_lines, shown
from triptych.errors import DataError
from triptych.spec import TableSpec


def read_columns(spec: TableSpec) -> Columns:
    """Return the columns of a file, all but those that are to be ignored.

    Parameters
    ----------
    spec : TableSpec

    Raises
    ------
    DataError
        Naming the file, line and column, what was found and what to do about it.
    UnsafeFileError
        If an ``.npz`` holds pickled objects, or blows up when it is unpacked.
    """
    return _read(spec.path, stamp(spec.path), spec.encoding, spec.ignore, spec.text)


# Every run of a study loads its data; the file is the same for all of them.
@lru_cache(maxsize=4)
def _read(
    path: str,
    state: tuple[int, int],
    encoding: str,
    ignore: tuple[str, ...],
    text: tuple[str, ...],
) -> Columns:
    """Return the columns of a file in the state, time and size, that it is in now."""
    file = Path(path)
    suffix = file.suffix.lower()
    if suffix == ".parquet":
        table = as_names(read_parquet(file, ignore), text)
    elif suffix == ".npz":
        table = as_names(read_arrays(file, ignore), text)
    else:
        table = _read_text(file, "\t" if suffix == ".tsv" else "", encoding, ignore, text)
    if not table.columns:
        raise DataError(f"{file.name}: every column is in ignore; there is nothing left to read.")
    if len(table) < 2:
        raise DataError(f"{table.name}: there is one row only; two are the least to learn from.")
    return table


def delimiter_of(header: str) -> str:
    """Return what stands between the cells of a CSV file, told by its first line.

    Where the comma is the decimal point, spreadsheets write semicolons between cells.
    """
    return ";" if ";" in header and "," not in header else ","


def _read_text(
    file: Path, delimiter: str, encoding: str, ignore: tuple[str, ...], text: tuple[str, ...]
) -> Columns:
    lines = read_lines(file, encoding)
    names, rows = table_rows(lines, file.name, delimiter or delimiter_of(lines[0]))
    for parameter, wanted in (("ignore", ignore), ("text", text)):
        for asked in wanted:
            check_column(asked, names, f"{file.name} line 1", parameter)
    found = list(rows)
    if not found:
        raise DataError(f"{file.name}: there is a header only, no rows.")
    check_size(file.name, len(found), len(names))
    table = Columns(file.name, (), np.array([line for line, _ in found]))
    columns = []
    for place, name in enumerate(names):
        cells = [row[place] for _, row in found]
        if name in text:
            columns.append(column_of_texts(name, cells))
        elif name not in ignore:
            columns.append(_column(table, name, cells))
    return Columns(file.name, tuple(columns), table.lines)


def _column(table: Columns, name: str, cells: list[str]) -> Column:
    advice = f"name {shown(name)} in text = [...] to take its cells as names"
    return column_of_cells(
        name, cells, lambda row: f"{table.name} {table.place(row, name)}", advice
    )

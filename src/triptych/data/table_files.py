"""Tables in files: CSV, TSV, Parquet, and the arrays of an .npz; whole, or some rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from triptych.contracts import IntArray
from triptych.data.array_files import array_chunks
from triptych.data.column_cells import ColumnParts
from triptych.data.columns import Column, Columns, as_names, check_column, check_size, joined
from triptych.data.csv_chunks import TextTable
from triptych.data.fingerprints import stamp
from triptych.data.parquet_files import parquet_chunks
from triptych.errors import DataError
from triptych.spec import TableSpec

Chunks = Callable[[Path, tuple[str, ...], int, frozenset[str] | None], Iterator[Columns]]
"""Takes a file, columns to ignore, the most rows of a chunk, and the columns to read if not all."""

# Of a file that is read whole; so that the texts of all its cells are never there together.
_ROWS = 1 << 16


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
    table = read_table_file(Path(spec.path), spec.encoding, spec.ignore, spec.text)
    if not table.columns:
        why = "every column is in ignore" if spec.ignore else "there are no columns"
        raise DataError(f"{table.name}: {why}; there is nothing to read.")
    if not len(table):
        raise DataError(f"{table.name}: there are no rows.")
    if len(table) < 2:
        raise DataError(f"{table.name}: there is one row only; two are the least to learn from.")
    return table


def read_table_file(
    path: Path, encoding: str, ignore: tuple[str, ...] = (), text: tuple[str, ...] = ()
) -> Columns:
    """Return the columns of a file.

    Parameters
    ----------
    path : Path
    encoding, ignore, text
        As `triptych.spec.TableSpec` has them.

    Raises
    ------
    DataError, UnsafeFileError
        As `read_columns`.
    """
    return _read(str(path), stamp(path), encoding, ignore, text)


def stored_chunks(path: Path) -> Chunks | None:
    """Return what reads a file whose columns have kinds of their own; None of a file of text."""
    return {".parquet": parquet_chunks, ".npz": array_chunks}.get(path.suffix.lower())


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
    if (chunks := stored_chunks(file)) is None:
        return _read_text(file, encoding, ignore, text)
    parts: list[Columns] = []
    for part in chunks(file, ignore, _ROWS, None):
        parts.append(part)
        if part.columns:
            check_size(file.name, part.before + len(part), len(part.columns))
    return as_names(joined(parts), text)


def _read_text(
    file: Path, encoding: str, ignore: tuple[str, ...], text: tuple[str, ...]
) -> Columns:
    opened = TextTable(file, encoding)
    for parameter, wanted in (("ignore", ignore), ("text", text)):
        for asked in wanted:
            check_column(asked, opened.names, f"{file.name} line 1", parameter)
    kept = [k for k, name in enumerate(opened.names) if name not in ignore]
    parts = [ColumnParts(opened.names[k], named=opened.names[k] in text) for k in kept]
    lines: list[IntArray] = []
    rows = 0
    for chunk in opened.chunks(_ROWS, as_written=bool(text)):
        rows += len(chunk)
        check_size(file.name, rows, len(opened.names))
        lines.append(chunk.lines)
        for part, k in zip(parts, kept, strict=True):
            part.add(chunk.columns[k])
    if not rows:
        raise DataError(f"{file.name}: there is a header only, no rows.")
    table = Columns(file.name, (), np.concatenate(lines))
    return Columns(file.name, tuple(_finished(table, parts)), table.lines)


def _finished(table: Columns, parts: Sequence[ColumnParts]) -> Iterator[Column]:
    for part in parts:
        yield part.column(partial(_place, table, part.name))


def _place(table: Columns, column: str, row: int) -> str:
    return f"{table.name} {table.place(row, column)}"

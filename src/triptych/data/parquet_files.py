"""Tables in Parquet files, read by pyarrow, which is an extra."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from triptych.contracts import FloatArray
from triptych.data.columns import MOST_VALUES, Column, Columns, check_column, column_of_texts
from triptych.data.csv_rows import check_names
from triptych.data.dates import days_of
from triptych.data.text_files import open_bytes, shown
from triptych.errors import DataError, UnsafeFileError

# Data hardly ever shrink to a byte for 16 values, of 8 bytes each; a run of one value does.
_MOST_OF_A_BYTE, _HARMLESS_VALUES = 100, 10_000_000


def parquet_chunks(
    file: Path, ignore: tuple[str, ...], rows: int, only: frozenset[str] | None = None
) -> Iterator[Columns]:
    """Give the columns of a Parquet file, some rows at a time; one chunk at least.

    Numbers and truth values are numbers, texts and categories of texts are texts, dates and times
    of day and date are dates.

    Parameters
    ----------
    file : Path
    ignore : tuple of str
        Columns that are left out.
    rows : int
        The most of a chunk.
    only : set of str, optional
        Columns that are read, as far as they are there; absent: all.

    Raises
    ------
    DataError
        If pyarrow is not installed, or the file is damaged, has too large a part, or a column of
        another kind, such as lists.
    UnsafeFileError
        If it blows up when it is unpacked.
    """
    with open_bytes(file) as raw:
        try:
            # Here, because it is an extra, and a third of a second to load. Not polars, which ends
            # the whole process where a damaged file claims a size that no memory has.
            import pyarrow
            from pyarrow import parquet
        except ImportError:
            raise DataError(
                f"{file.name}: to read Parquet, pip install 'triptych[parquet]'."
            ) from None
        try:
            opened = parquet.ParquetFile(raw)
            kept = _kept(opened, file.name, file.stat().st_size, ignore, only)
            unread = tuple(name for name in opened.schema_arrow.names if name not in kept)
            step = max(1, min(rows, MOST_VALUES // max(len(kept), 1)))
            before = 0
            for batch in opened.iter_batches(step, columns=kept, use_threads=False):
                batch.validate(full=True)
                columns = tuple(_column(name, batch.column(name)) for name in kept)
                yield Columns(file.name, columns, None, before, unread)
                before += len(batch)
            if not before:
                empty = tuple(Column(name, np.empty(0)) for name in kept)
                yield Columns(file.name, empty, unread=unread)
        except (pyarrow.ArrowException, OSError, ValueError, MemoryError, OverflowError) as error:
            what = " ".join(str(error).split())[:200].rstrip(".")
            raise DataError(f"{file.name}: this is no whole Parquet file: {what}.") from None


def other_kinds(file: Path) -> tuple[str, ...]:
    """Return the columns of a Parquet file that are neither numbers nor texts nor dates.

    None of a file that cannot be opened: `parquet_chunks` says why.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        return ()
    with open_bytes(file) as raw:
        try:
            schema = parquet.ParquetFile(raw).schema_arrow
        except (ArrowException, OSError, ValueError, MemoryError, OverflowError):
            return ()
    kinds = zip(schema.names, schema.types, strict=True)
    return tuple(name for name, kind in kinds if not _is_learnable(kind))


def _kept(
    opened: Any, file: str, size: int, ignore: tuple[str, ...], only: frozenset[str] | None
) -> list[str]:
    """Return the columns to read, after what the file claims to hold was found to be possible."""
    schema, about = opened.schema_arrow, opened.metadata
    check_names(schema.names, file)
    for name in ignore:
        check_column(name, tuple(schema.names), file, "ignore")
    kept = [n for n in schema.names if n not in ignore and (only is None or n in only)]
    for name in kept:
        _check_kind(file, name, schema.field(name).type)
    _check_blow_up(file, about.num_rows * len(kept), size)
    groups = (about.row_group(k).total_byte_size for k in range(about.num_row_groups))
    if (largest := max(groups, default=0)) > 8 * MOST_VALUES:
        raise DataError(
            f"{file}: a group of rows unpacks to {largest:,} bytes, and at most "
            f"{8 * MOST_VALUES:,} are read; write it with smaller groups of rows."
        )
    return kept


def _check_blow_up(file: str, values: int, size: int) -> None:
    """Refuse a file in which a run length stands for more values than anybody writes."""
    if values > max(_HARMLESS_VALUES, _MOST_OF_A_BYTE * size):
        raise UnsafeFileError(
            f"{file} unpacks to {values:,} values from {size:,} bytes, more than {_MOST_OF_A_BYTE} "
            "of each; write its columns without a dictionary and without compression."
        )


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_date(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_date(kind) or types.is_timestamp(kind))


def _is_learnable(kind: Any) -> bool:
    from pyarrow import types

    numbers = (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean)
    return any(test(kind) for test in (*numbers, _is_text, _is_date))


def _check_kind(file: str, name: str, kind: Any) -> None:
    if not _is_learnable(kind):
        raise DataError(
            f"{file}: column {shown(name)} is of kind {shown(str(kind))}; numbers, texts and dates "
            "can be learnt from. Turn it into one of them, or name it in ignore = [...]."
        )


def _column(name: str, cells: Any) -> Column:
    """Return a column; cells that are null are missing."""
    if _is_text(cells.type):
        return column_of_texts(name, cells.to_pylist())
    if _is_date(cells.type):
        # As moments in UTC, which is what they are kept as.
        moments = cells.cast("timestamp[us]", safe=False).to_numpy(zero_copy_only=False)
        return Column(name, days_of(moments), dated=True)
    return Column(name, _numbers(cells))


def _numbers(cells: Any) -> FloatArray:
    from pyarrow import types

    if types.is_decimal(cells.type):  # arrow rounds otherwise than Python
        numbers = [np.nan if cell is None else float(cell) for cell in cells.to_pylist()]
        return np.array(numbers, dtype=np.float64)
    found: FloatArray = cells.cast("float64", safe=False).to_numpy(zero_copy_only=False)
    return found.astype(np.float64)

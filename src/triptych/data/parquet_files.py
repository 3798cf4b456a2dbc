"""Tables in Parquet files, read by pyarrow, which is an extra."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from triptych.data.columns import (
    MOST_VALUES,
    Column,
    Columns,
    check_column,
    check_size,
    column_of_texts,
)
from triptych.data.csv_rows import check_names
from triptych.data.text_files import read_bytes, shown
from triptych.errors import DataError


def read_parquet(file: Path, ignore: tuple[str, ...]) -> Columns:
    """Return the columns of a Parquet file, but for those to be ignored.

    Numbers and truth values are numbers, texts and categories of texts are texts.

    Parameters
    ----------
    file : Path
    ignore : tuple of str

    Raises
    ------
    DataError
        If pyarrow is not installed, or the file is damaged, too large, or has a column of another
        kind, such as dates or lists.
    """
    raw = BytesIO(read_bytes(file))
    try:
        # Here, because it is an extra, and a third of a second to load. Not polars, which ends the
        # whole process where a damaged file claims a size that no memory has.
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise DataError(f"{file.name}: to read Parquet, pip install triptych[parquet].") from None
    try:
        opened = parquet.ParquetFile(raw)
        schema, about = opened.schema_arrow, opened.metadata
        check_names(schema.names, file.name)
        for name in ignore:
            check_column(name, tuple(schema.names), file.name, "ignore")
        kept = [name for name in schema.names if name not in ignore]
        for name in kept:
            _check_kind(file.name, name, schema.field(name).type)
        unpacked = sum(about.row_group(k).total_byte_size for k in range(about.num_row_groups))
        check_size(file.name, about.num_rows, len(kept))
        if unpacked > 8 * MOST_VALUES:
            raise DataError(
                f"{file.name}: it unpacks to {unpacked:,} bytes, and at most {8 * MOST_VALUES:,} "
                "are read; take a sample of the rows."
            )
        table = opened.read(columns=kept, use_threads=False)
        table.validate(full=True)
        columns = tuple(_column(name, table.column(name)) for name in kept)
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError, OverflowError) as error:
        what = " ".join(str(error).split())
        raise DataError(f"{file.name}: this is no whole Parquet file: {what[:200]}.") from None
    return Columns(file.name, columns)


def other_kinds(file: Path) -> tuple[str, ...]:
    """Return the columns of a Parquet file that are neither numbers nor texts, such as dates.

    None of a file that cannot be opened: `read_parquet` says why.
    """
    raw = BytesIO(read_bytes(file))
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        return ()
    try:
        schema = parquet.ParquetFile(raw).schema_arrow
    except (ArrowException, OSError, ValueError, MemoryError, OverflowError):
        return ()
    kinds = zip(schema.names, schema.types, strict=True)
    return tuple(name for name, kind in kinds if not _is_learnable(kind))


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_learnable(kind: Any) -> bool:
    from pyarrow import types

    tests = (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean, _is_text)
    return any(test(kind) for test in tests)


def _check_kind(file: str, name: str, kind: Any) -> None:
    if not _is_learnable(kind):
        raise DataError(
            f"{file}: column {shown(name)} is of kind {shown(str(kind))}; numbers and texts can be "
            "learnt from. Turn it into numbers, or name it in ignore = [...]."
        )


def _column(name: str, cells: Any) -> Column:
    """Return a column; cells that are null are missing."""
    if _is_text(cells.type):
        return column_of_texts(name, cells.to_pylist())
    numbers = [np.nan if cell is None else float(cell) for cell in cells.to_pylist()]
    return Column(name, np.array(numbers, dtype=np.float64))

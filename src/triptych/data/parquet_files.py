"""Tables in Parquet files, read by polars, which is an extra."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from triptych.data.columns import Column, Columns, check_column, check_size, column_of_texts
from triptych.data.text_files import read_bytes, shown
from triptych.errors import DataError

if TYPE_CHECKING:
    import polars


def read_parquet(file: Path, ignore: tuple[str, ...]) -> Columns:
    """Return the columns of a Parquet file, but for those to be ignored.

    Numbers and truth values are numbers, texts and categories are texts.

    Parameters
    ----------
    file : Path
    ignore : tuple of str

    Raises
    ------
    DataError
        If polars is not installed, or the file is damaged, too large, or has a column of another
        kind, such as dates or lists.
    """
    try:
        # Here, because it is an extra, and half a second to load.
        import polars
    except ImportError:
        raise DataError(f"{file.name}: to read Parquet, pip install triptych[parquet].") from None
    # From memory, as polars takes some names for patterns, folders or addresses on the network.
    raw = BytesIO(read_bytes(file))
    try:
        schema = polars.read_parquet_schema(raw)
        names = tuple(schema)
        for column in ignore:
            check_column(column, names, file.name, "ignore")
        kept = [name for name in names if name not in ignore]
        for name in kept:
            _check_kind(file.name, name, schema[name])
        raw.seek(0)
        rows = int(polars.scan_parquet(raw).select(polars.len()).collect().item())
        check_size(file.name, rows, len(kept))
        raw.seek(0)
        frame = polars.read_parquet(raw, columns=kept)
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException, OSError) as error:
        what = " ".join(str(error).split())
        raise DataError(f"{file.name}: this is no whole Parquet file: {what[:200]}.") from None
    if not rows or not kept:
        raise DataError(f"{file.name}: there are no rows.")
    return Columns(file.name, tuple(_column(frame[name]) for name in kept))


def _is_text(kind: polars.DataType) -> bool:
    import polars

    return kind in (polars.String, polars.Categorical, polars.Enum)


def _check_kind(file: str, name: str, kind: polars.DataType) -> None:
    import polars

    if not (kind.is_numeric() or kind == polars.Boolean or _is_text(kind)):
        raise DataError(
            f"{file}: column {shown(name)} is of kind {kind}; numbers and texts can be learnt "
            f"from. Turn it into numbers, or name it in ignore = [...]."
        )


def _column(series: polars.Series) -> Column:
    import polars

    if _is_text(series.dtype):
        return column_of_texts(series.name, series.cast(polars.String).to_list())
    values = series.cast(polars.Float64).to_numpy()
    return Column(series.name, np.array(values, dtype=np.float64))

"""Data frames as files, so that what was trained on them can be done again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from triptych.errors import DataError
from triptych.records import STUDIES, make_folder, write_atomic

_LOOKED_AT = 100
_NO_CELLS = (list, tuple, dict, set, bytes, complex)


def written_frame(frame: Any, out: Path | None) -> Path:
    """Keep a data frame of pandas or polars as a CSV beside its folder of runs; return its path.

    A file that holds the same is left alone, so that finished runs of it are known as such.

    Parameters
    ----------
    frame : data frame
    out : Path, optional
        Folder of the runs; ``triptych-runs/frame`` where absent.

    Raises
    ------
    DataError
        If it is no data frame, or has cells that are neither numbers nor texts nor dates.
    """
    if hasattr(frame, "columns") and hasattr(frame, "head"):
        _check_cells(frame)
    if hasattr(frame, "write_csv"):  # polars
        text = frame.write_csv()
    elif hasattr(frame, "to_csv") and hasattr(frame, "columns"):  # pandas
        text = frame.to_csv(index=False)
    else:
        raise DataError(
            f"data: must be a path or a data frame of pandas or polars, got {type(frame).__name__}."
        )
    path = out.with_name(f"{out.name}.csv") if out else STUDIES / "frame.csv"
    content = text.encode()
    if not path.exists() or path.read_bytes() != content:
        make_folder(path.parent)
        write_atomic(path, content)
    return path


def _check_cells(frame: Any) -> None:
    """Refuse columns whose first cells no CSV can hold: pandas would write them as texts."""
    head = frame.head(_LOOKED_AT)
    for name in dict.fromkeys(head.columns):
        column = head[name]
        if hasattr(column, "columns"):  # of two columns of that name, which reading refuses
            continue
        for cell in column:
            if isinstance(cell, _NO_CELLS) or type(cell).__name__ in ("ndarray", "Series"):
                kind = type(cell).__name__
                raise DataError(
                    f"data: column {name!r} holds cells of kind {kind}; numbers, texts and dates "
                    "can be learnt from. Turn it into one of them, or drop it."
                )

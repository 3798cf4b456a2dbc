"""Data frames as files, so that what was trained on them can be done again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from triptych.errors import DataError
from triptych.records import STUDIES, make_folder, write_atomic


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
        If it is no data frame.
    """
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

"""Files of a run's folder are read whole, if they are files and have an end."""

from __future__ import annotations

import errno
from pathlib import Path

MOST_BYTES = 1 << 30
"""Of a record: a million evaluations, the most that settings take, are 530 MB."""
MOST_STUDY = 16_000_000
"""Of a study's file as it was run: with all that its author left out it is many times as long."""


def read_whole(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return what a file holds.

    Parameters
    ----------
    path : Path
    most : int
        Bytes that it may have.

    Raises
    ------
    OSError
        If it is not there, is larger, or is no ordinary file: a pipe would be waited for, and a
        device may never end.
    """
    size = path.stat().st_size
    if not path.is_file():
        raise OSError(errno.EINVAL, "it is no file", str(path))
    if size > most:
        raise OSError(errno.EFBIG, f"it has {size:,} bytes, at most {most:,} are read", str(path))
    return path.read_bytes()

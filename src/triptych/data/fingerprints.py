"""The identity of a data set, what was trained on to the bit; and of a file, at a glance."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from triptych.contracts import Split


def fingerprint(train: Split, test: Split) -> str:
    """Return SHA-256 over dtype, shape and bytes of both splits, hexadecimal."""
    digest = hashlib.sha256()
    for array in (train.x, train.y, test.x, test.y):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()


def stamp(file: str | Path) -> tuple[int, int]:
    """Return what changes when a file does: its size and time; (-1, -1) where it cannot be seen.

    What was read of a file is kept in memory by it, as every seed and arm asks for the same.
    """
    try:
        found = Path(file).stat()
    except (OSError, ValueError):  # reading says what is wrong
        return (-1, -1)
    return (found.st_size, found.st_mtime_ns)

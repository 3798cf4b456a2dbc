"""Paths in study files."""

from __future__ import annotations

from pathlib import Path

from triptych.errors import SpecError


def absolute(path: str) -> str:
    """Return a path as a study keeps it: found from anywhere.

    Raises
    ------
    SpecError
        If it names nothing, or somebody's home that is not there.
    """
    if not path or any(ord(letter) < 32 for letter in path):
        raise SpecError(f"path: must name a file or folder, got {path!r}.")
    try:
        return str(Path(path).expanduser().absolute())
    except RuntimeError:
        raise SpecError(f"path: {path!r} is in the home of nobody known.") from None

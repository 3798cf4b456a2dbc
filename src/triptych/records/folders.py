"""Folders made so that they stay: a loss of power takes none that something was written into."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from triptych.errors import RunError
from triptych.records.files import DISK, sync_folder

# Of a folder that is somebody else's: it may be closed to us, or of what knows no sync.
_NOT_OURS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EINVAL)
MAX_NAME_BYTES = 255


def make_folder(path: Path) -> None:
    """Make `path` and its parents, if they are not there; their names are on the disk then.

    Raises
    ------
    RunError
        If it is a file, its name is too long or has a line break, or it cannot be written to.
    """
    reason = _unusable(path)
    try:
        if not reason:
            _make_folders(path)
            reason = "" if os.access(path, os.W_OK) else "it is read-only"
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise RunError(f"cannot use {str(path)!r} as a run folder: {reason}.")


def _make_folders(path: Path) -> None:
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    # Whoever made that one may have been killed before its name was on the disk.
    _sync_parent(there)
    missing = [folder for folder in (path, *path.parents) if there in folder.parents]
    for folder in reversed(missing):
        DISK.make_folder(folder)
        _sync_parent(folder)


def _sync_parent(folder: Path) -> None:
    try:
        sync_folder(folder.parent)
    except OSError as error:
        if error.errno not in _NOT_OURS:
            raise


def _unusable(path: Path) -> str:
    if any(ord(letter) < 32 for letter in str(path)):
        return "its name has a control character"
    if any(len(part.encode()) > MAX_NAME_BYTES for part in path.parts):
        return f"a name in it is longer than {MAX_NAME_BYTES} bytes"
    if ".." in path.parts:
        return "it contains '..'"
    if path.exists() and not path.is_dir():
        return "it is a file"
    return ""

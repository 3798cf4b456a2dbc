"""Folders that a study is kept in: refused before anything is written, or made so that they stay.

A loss of power takes none that something was written into.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Set
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
    check_folder(path)
    try:
        _make_folders(path)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    if not os.access(path, os.W_OK):
        raise _unusable(path, "it is read-only")


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


def check_folder(path: Path) -> None:
    """Refuse what cannot be a folder to write to, as far as that is known before it is made.

    Raises
    ------
    RunError
        See `make_folder`.
    """
    try:
        reason = _what_is_wrong(path)
    except OSError as error:  # such as a name that is too long in all
        reason = error.strerror or str(error)
    if reason:
        raise _unusable(path, reason)


def check_free(path: Path, own: str, besides: Set[str]) -> None:
    """Refuse a folder with files of something else: more than `besides`, and not the file `own`.

    Raises
    ------
    RunError
    """
    names = {one.name for one in path.iterdir()} if path.is_dir() else set()
    if names - besides and own not in names:
        raise _unusable(path, "it has files of something else")


def _unusable(path: Path, reason: str) -> RunError:
    return RunError(f"cannot use {str(path)!r} as a run folder: {reason}.")


def _what_is_wrong(path: Path) -> str:
    if any(ord(letter) < 32 for letter in str(path)):
        return "its name has a control character"
    if any(len(os.fsencode(part)) > MAX_NAME_BYTES for part in path.parts):
        return f"a name in it is longer than {MAX_NAME_BYTES} bytes"
    if ".." in path.parts:
        return "it contains '..'"
    there = next((one for one in (path, *path.parents) if one.exists()), None)
    if there is None:
        return ""
    what = "it" if there == path else repr(str(there))
    if not there.is_dir():
        return f"{what} is a file"
    if not os.access(there, os.W_OK):
        return f"{what} is read-only"
    return "" if os.access(there, os.R_OK | os.X_OK) else f"{what} cannot be read"

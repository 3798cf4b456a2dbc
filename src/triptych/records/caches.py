"""Where to keep kernels and downloads if the user's cache cannot be used."""

from __future__ import annotations

import os
import stat
import tempfile
import warnings
from functools import cache
from pathlib import Path

from triptych.records.files import DISK


@cache
def temporary_cache() -> Path:
    """Return a folder in place of the user's cache; says so in one warning a process.

    The same for all processes of a user, so that kernels are compiled once. It is nobody else's to
    write, since what is kept there is trusted: where another has taken its name, it has a new one.
    """
    folder = Path(tempfile.gettempdir()) / f"triptych-cache-{_user()}"
    if not _is_ours(folder):
        made = Path(tempfile.mkdtemp(prefix="triptych-"))  # for its owner only
        try:
            DISK.rename(made, folder)
        except OSError:
            folder = made
    warnings.warn(f"the user's cache cannot be written; {folder} is used instead", stacklevel=2)
    return folder


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else ""  # Windows: each has a folder anyway


def _is_ours(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        return False
    return not _user() or (str(found.st_uid) == _user() and not found.st_mode & 0o077)

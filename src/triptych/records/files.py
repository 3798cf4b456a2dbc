"""The only module that writes to disk: whole files atomically, logs line by line.

Whoever reads a file written here finds either what was there before or all of the new content,
also after a kill or a full disk.
"""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from triptych.errors import RunError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
MAX_NAME_BYTES = 255
# Made once: some runs write a thousand lines a second.
_LINE = json.JSONEncoder(sort_keys=True, allow_nan=False)


def write_atomic(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, or leave it as it was.

    Raises
    ------
    RunError
        If the disk is full or the path cannot be written; nothing is left half-written.
    """
    with atomic_file(path) as file:
        file.write(content)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` once all is written; after an error `path` is as it was.

    The bytes reach the disk before the name does; then the folder's entry is synced too.

    Raises
    ------
    RunError
        If the disk is full or the path cannot be written; nothing is left half-written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        try:
            with partial.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            _sync_folder(path.parent)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _run_error(path, error) from error


def append_line(path: Path, line: str) -> None:
    """Append one line to a log; a torn last line is for the reader to drop.

    Raises
    ------
    RunError
        If the disk is full or the path cannot be written.
    """
    append_bytes(path, line.encode() + b"\n")


def append_bytes(path: Path, content: bytes) -> None:
    """Append to a file that its reader takes in pieces, of which the last may be torn.

    Raises
    ------
    RunError
        If the disk is full or the path cannot be written.
    """
    try:
        with path.open("ab") as file:
            file.write(content)
    except OSError as error:
        raise _run_error(path, error) from error


def make_folder(path: Path) -> None:
    """Make `path` and its parents, if they are not there.

    Raises
    ------
    RunError
        If it is a file, its name is too long or has a line break, or it cannot be written to.
    """
    reason = _unusable(path)
    try:
        if not reason:
            path.mkdir(parents=True, exist_ok=True)
            reason = "" if os.access(path, os.W_OK) else "it is read-only"
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise RunError(f"cannot use {str(path)!r} as a run folder: {reason}.")


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


def dump_json(value: object, indent: int | None = 2) -> bytes:
    """Return `value` as JSON, indented and sorted; NaN and infinities become null."""
    text = json.dumps(finite(value), indent=indent, sort_keys=True, allow_nan=False)
    return (text + "\n").encode()


def dump_line(value: object) -> str:
    """Return `value` as JSON on one line; NaN and infinities become null."""
    return _LINE.encode(finite(value))


def finite(value: object) -> object:
    """Return `value` with every float that is not finite replaced by None."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def read_json(path: Path) -> dict[str, Any]:
    """Read what `dump_json` wrote.

    Raises
    ------
    RunError
        If the file is missing, damaged or not a table.
    """
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {error}.") from None
    if not isinstance(value, dict):
        raise RunError(f"{path} is damaged: expected a table.")
    return value


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read a log of JSON lines; a last line without its end is dropped.

    Raises
    ------
    RunError
        If the file is missing, or a line before the last is damaged.
    """
    try:
        whole = path.read_bytes()
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}.") from None
    lines = whole.split(b"\n")[:-1]
    try:
        return [json.loads(line) for line in lines]
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {error}.") from None


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened, and needs no sync
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _run_error(path: Path, error: OSError) -> RunError:
    if error.errno in _NO_SPACE:
        return RunError(f"no space left to write {path}; finished runs are kept, run it again.")
    return RunError(f"cannot write {path}: {error.strerror or error}.")

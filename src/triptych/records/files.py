"""The only module that writes to disk: whole files atomically, logs line by line.

Whoever reads a file written here finds either what was there before or all of the new content,
also after a kill, a full disk or a loss of power. Everything that changes a disk is one of the few
operations of `DISK`, so that the fault harness (tests/faults) can stop before, within and after
each of them.
"""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal

from triptych.errors import RunError
from triptych.records.reading import read_whole

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
PARTIAL = ".partial"
"""Ends the name of a file that is being written; one that is found was left by a kill."""
# Made once: some runs write a thousand lines a second.
_LINE = json.JSONEncoder(sort_keys=True, allow_nan=False)


class Disk:
    """Every operation that changes a disk, one call each."""

    def open(self, path: Path, mode: Literal["wb", "ab", "r+b"]) -> BinaryIO:
        """Return an open file; with ``"wb"`` it is empty from now on."""
        return path.open(mode)

    def write(self, file: BinaryIO, content: bytes) -> None:
        """Hand all of `content` to the system."""
        file.write(content)
        file.flush()

    def sync(self, handle: int) -> None:
        """Wait until what was written through `handle`, of a file or folder, is on the disk."""
        os.fsync(handle)

    def cut(self, file: BinaryIO, size: int) -> None:
        """Drop what a file holds beyond `size` bytes."""
        file.truncate(size)

    def rename(self, path: Path, to: Path) -> None:
        """Give a file another name; what had that name is gone."""
        path.replace(to)

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""
        path.unlink(missing_ok=True)

    def make_folder(self, path: Path) -> None:
        """Make a folder, if it is not there; its parent is."""
        path.mkdir(exist_ok=True)

    def remove_folder(self, path: Path) -> None:
        """Remove an empty folder."""
        path.rmdir()


DISK = Disk()


def write_atomic(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, or leave it as it was.

    Raises
    ------
    RunError
        If the disk is full or the path cannot be written; nothing is left half-written.
    """
    with atomic_file(path) as file:
        DISK.write(file, content)


def write_on(file: BinaryIO, content: bytes) -> None:
    """Write more into a file of `atomic_file`."""
    DISK.write(file, content)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` once all is written; after an error `path` is as it was.

    The bytes reach the disk before the name does; then the folder's entry is synced too.

    Raises
    ------
    RunError
        If the disk is full or the path cannot be written; nothing is left half-written.
    """
    partial = path.with_name(path.name + PARTIAL)
    try:
        try:
            with DISK.open(partial, "wb") as file:
                yield file
                file.flush()
                DISK.sync(file.fileno())
            DISK.rename(partial, path)
            sync_folder(path.parent)
        except BaseException:
            with suppress(OSError):  # what stopped the write says more
                DISK.remove(partial)
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
        with DISK.open(path, "ab") as file:
            DISK.write(file, content)
    except OSError as error:
        raise _run_error(path, error) from error


def sync_log(path: Path) -> bytes:
    """Wait until a log is on the disk, and return what it holds.

    Raises
    ------
    RunError
        If it is not there, or the disk fails.
    """
    try:
        with DISK.open(path, "ab") as file:
            DISK.sync(file.fileno())
        return path.read_bytes()
    except OSError as error:
        raise _run_error(path, error) from error


def cut_log(path: Path, size: int) -> None:
    """Drop all of a log that comes after its first `size` bytes.

    Raises
    ------
    RunError
        If it cannot be written.
    """
    try:
        with DISK.open(path, "r+b") as file:
            DISK.cut(file, size)
            DISK.sync(file.fileno())
    except OSError as error:
        raise _run_error(path, error) from error


def remove(path: Path) -> None:
    """Remove a file, or a link, if it is there.

    Raises
    ------
    RunError
        If the disk refuses.
    """
    try:
        DISK.remove(path)
    except OSError as error:
        raise RunError(f"cannot delete {path}: {error.strerror or error}.") from error


def remove_surely(path: Path) -> None:
    """Remove a file, if it is there, and wait until that is on the disk.

    For what has to be gone before something else goes: a result before what it rests on.

    Raises
    ------
    RunError
        If the disk refuses.
    """
    remove(path)
    try:
        sync_folder(path.parent)
    except OSError as error:
        raise RunError(f"cannot delete {path}: {error.strerror or error}.") from error


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
        value = json.loads(read_whole(path))
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
        whole = read_whole(path)
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}.") from None
    lines = whole.split(b"\n")[:-1]
    try:
        return [json.loads(line) for line in lines]
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {error}.") from None


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk: which there are, and of what.

    Raises
    ------
    OSError
        If the disk fails, or the folder may not be read.
    """
    if os.name != "posix":  # elsewhere a folder cannot be opened, and needs no sync
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        DISK.sync(handle)
    finally:
        os.close(handle)


def _run_error(path: Path, error: OSError) -> RunError:
    if error.errno in _NO_SPACE:
        return RunError(f"no space left to write {path}; finished runs are kept, run it again.")
    return RunError(f"cannot write {path}: {error.strerror or error}.")

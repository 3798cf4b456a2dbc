"""Who writes to a study's folder: one process at a time, as long as it lives."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from triptych.errors import RunError
from triptych.records.files import dump_json, read_json, write_atomic

LOCK_FILE, HOLDER_FILE = "lock", "lock.json"


class InUse(RunError):
    """Another process holds the study's folder."""


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold a folder; the system lets go of it when this process ends, in whatever way.

    Raises
    ------
    InUse
        If another process holds it.
    RunError
        If it cannot be locked.
    """
    held = FileLock(folder / LOCK_FILE, timeout=0)
    try:
        held.acquire()
    except Timeout:
        raise InUse(f"{str(folder)!r} is in use by {_holder(folder)}.") from None
    except OSError as error:
        reason = error.strerror or error
        raise RunError(f"cannot lock {str(folder)!r}: {reason}.") from None
    try:
        here = {"pid": os.getpid(), "host": socket.gethostname()}
        write_atomic(folder / HOLDER_FILE, dump_json(here))
        yield
    finally:
        held.release()


def _holder(folder: Path) -> str:
    try:
        holder = read_json(folder / HOLDER_FILE)
        return f"pid {holder['pid']} on host {holder['host']}"
    except (RunError, KeyError):  # it has not said so yet
        return "another process"

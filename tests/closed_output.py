"""Outputs that take nothing: of a reader that has left, of a disk that is full."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest


@contextmanager
def left_by_its_reader() -> Iterator[TextIO]:
    """Give a pipe that nobody reads from."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        yield pipe


@contextmanager
def full_disk() -> Iterator[TextIO]:
    """Give a file on a disk that is full."""
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with Path("/dev/full").open("w") as file:
        yield file


def code_with_output(output: TextIO, *arguments: str) -> int | str | None:
    """Return the exit code of a command that prints there."""
    from triptych.cli import main

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", output)
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
    return left.value.code

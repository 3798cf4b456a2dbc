"""What a fuzzed format is, and how its files are given to a command."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from fuzz_bytes import mutated

from triptych.cli.main import _guarded, _one_line
from triptych.errors import TriptychError

Change = Callable[[bytes, Sequence[bytes], Random], bytes]
Reader = Callable[[Path], int]
"""Reads a file, and returns the exit code; whatever else happens to it is a fault."""


@dataclass(frozen=True)
class Format:
    """One kind of file.

    Attributes
    ----------
    name : str
    seeds : dict of str to bytes
        Whole files, by names whose endings count.
    readers : tuple of Reader
        They take turns.
    repaired : dict of str to Change
        By ending: damage within, behind checksums and lengths that are right.
    place : str
        Where a file must stand for its readers; absent: under a name of its own.
    slow : bool
        Whether few files of it are to be tried: to read one takes a large part of a second.
    """

    name: str
    seeds: dict[str, bytes]
    readers: tuple[Reader, ...]
    repaired: dict[str, Change]
    place: str = ""
    slow: bool = False

    def drawn(self, draw: Random, others: Sequence[bytes]) -> tuple[str, bytes]:
        """Return the name of a seed, and what became of it."""
        name = draw.choice(sorted(self.seeds))
        change = self.repaired.get(Path(name).suffix)
        if change is None or draw.random() < 0.4:
            change = mutated
        return name, change(self.seeds[name], others, draw)


def command(*arguments: object) -> int:
    """Run a command in this process, and return its exit code."""
    return _guarded([str(one) for one in arguments])


def called(function: Callable[[], object]) -> int:
    """Call a function as the command line does."""
    try:
        function()
    except TriptychError as error:
        print(f"triptych: {_one_line(error)}", file=sys.stderr)
        return error.exit_code
    return 0

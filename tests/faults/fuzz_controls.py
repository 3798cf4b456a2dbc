"""Readers that are broken on purpose: a fuzzer that does not find each of them finds nothing."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from pathlib import Path

from fuzz_bytes import PICKLE
from fuzz_readers import Format, Reader


def _raises(path: Path) -> int:
    raise ValueError(path)


def _exits(path: Path) -> int:
    return 1


def _hangs(path: Path) -> int:
    time.sleep(60)
    return 0


def _fills(path: Path) -> int:
    return len(b"x" * 300_000_000) % 2


def _runs(path: Path) -> int:
    pickle.loads(PICKLE)  # noqa: S301 (it is what must be found)
    return 0


def _writes(path: Path) -> int:
    Path("canary").write_text("dead")
    return 0


def _colours(path: Path) -> int:
    print("\x1b[31m")
    return 0


def _is_silent(path: Path) -> int:
    return 3


def _talks(path: Path) -> int:
    print("triptych: no.\nMore of it.", file=sys.stderr)
    return 3


def _dies(path: Path) -> int:
    os.kill(os.getpid(), signal.SIGSEGV)
    return 0


BROKEN: dict[str, tuple[Reader, str]] = {
    "raises": (_raises, "ValueError"),
    "exits": (_exits, "exit code 1"),
    "hangs": (_hangs, "nothing for"),
    "fills memory": (_fills, "MB more than idle"),
    "runs what it reads": (_runs, "was run"),
    "writes elsewhere": (_writes, "canary"),
    "colours": (_colours, "it prints"),
    "is silent": (_is_silent, "does not say why"),
    "says too much": (_talks, "more than a line"),
    "dies": (_dies, "it died"),
}
"""By what they do: the reader, and words of what is to be found."""


def broken(name: str) -> Format:
    """Return a format whose reader turns bad after its seed, which any reads."""
    reader, seen = BROKEN[name][0], []

    def read(path: Path) -> int:
        seen.append(path)
        return reader(path) if len(seen) > 1 else 0

    return Format(name, {"x.bin": b"x"}, (read,), {})

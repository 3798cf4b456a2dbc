"""What becomes of a command whose output nobody takes."""

from __future__ import annotations

import errno
import os
import sys

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def refused(error: OSError) -> int | None:
    """Return the exit code where an error is that of the standard output; None of any other.

    A reader that left, such as ``head``, has what it wanted. A disk that is full is said.
    """
    if isinstance(error, BrokenPipeError):
        _let_go()
        return 0
    if error.filename is not None or error.errno not in _FULL:
        return None
    _let_go()
    print(f"triptych: cannot write the output: {error.strerror}.", file=sys.stderr)
    return 4


def _let_go() -> None:
    """Let nothing be written any more: Python would try once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

"""Where the command line prints."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def create_console() -> Console:
    """Return a console on the standard output, as wide as tables need in a pipe."""
    from rich.console import Console

    class Piped(Console):
        def on_broken_pipe(self) -> None:
            # rich would leave with code 1; a reader that has what it wanted is no error.
            raise BrokenPipeError

    # A pipe has no width of its own; 100 columns keep a table's rows whole.
    return Console() if sys.stdout.isatty() else Piped(width=100)

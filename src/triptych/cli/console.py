"""Where the command line prints."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


def create_console(*, errors: bool = False) -> Console:
    """Return a console on the standard output, or that for errors, as wide as a pipe needs."""
    from rich.console import Console

    class Piped(Console):
        def on_broken_pipe(self) -> None:
            # rich would leave with code 1; a reader that has what it wanted is no error.
            raise BrokenPipeError

    # Titles and names may hold brackets, which rich would take for its own marks.
    if (sys.stderr if errors else sys.stdout).isatty():
        return Console(markup=False, stderr=errors)
    # A pipe has no width of its own; 100 columns keep a table's rows whole.
    return Piped(width=100, markup=False, stderr=errors)


def say(console: Console, what: RenderableType) -> None:
    """Print a line or a table with such letters as the console has; lines are not broken."""
    from rich.table import Table
    from rich.text import Text

    from triptych.report.tables import Writable

    if isinstance(what, Table):
        # A pipe gets each row on one line, however long.
        wide = None if console.is_terminal else 10_000
        console.print(Writable(what), width=wide, crop=console.is_terminal)
        return
    text = Text(what) if isinstance(what, str) else what
    console.print(Writable(text), soft_wrap=True)

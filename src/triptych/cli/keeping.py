"""Options of how runs under way are kept."""

from __future__ import annotations

import argparse


def add_keeping(parser: argparse.ArgumentParser) -> None:
    """Add the options to a command that trains."""
    add = parser.add_argument
    add("--checkpoint", metavar="TIME", help="from one checkpoint to the next, such as '1 min' "
        "(default: 10 s, or what keeps it to 2 %% of the time)")  # fmt: skip
    add("--inexact", action="store_true", help="go on with runs that were begun in another "
        "environment, to other bits; the page says so")  # fmt: skip


def rhythm(options: argparse.Namespace) -> float | None:
    """Return the seconds from one checkpoint to the next, where that was asked for."""
    from triptych.spec import seconds_of

    return None if options.checkpoint is None else seconds_of(options.checkpoint, "--checkpoint")

"""A study under way, shown as it goes."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from triptych.spec import StudySpec


class Terminated(BaseException):
    """SIGTERM arrived; not an Exception, so that nothing swallows it."""


def watch_study(
    study: StudySpec,
    console: Console,
    events: Generator[Any, None, None],
    folder: Path,
    *,
    debug: bool,
) -> None:
    """Show a study's events as they come; where it is stopped, say how it goes on."""
    from triptych.live import Watcher

    watcher = Watcher(study, console, debug=debug)
    with telling_what_is_kept(folder), closing(events):
        watcher.watch(events)


@contextmanager
def telling_what_is_kept(folder: Path) -> Iterator[None]:
    """Say how a study in a folder goes on, where it is stopped within this."""
    try:
        yield
    except (KeyboardInterrupt, Terminated):
        print(f"stopped; finished runs are kept in {folder}, and checkpoints of the others; "
              "the same command goes on", file=sys.stderr)  # fmt: skip
        raise

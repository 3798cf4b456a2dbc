"""A bar on the standard error while an estimator trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def progress(estimator: Any, *, incremental: bool) -> Iterator[Callable[[], None]]:
    """Show a bar on the standard error where that is asked for; gives what tells it an epoch."""
    if not estimator.progress or incremental:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=False) as bar:
        task = bar.add_task(type(estimator).__name__, total=estimator.max_iter)
        yield lambda: bar.update(
            task, advance=1, description=f"{type(estimator).__name__}, loss {estimator.loss_:.4f}"
        )
        # Training that stopped before `max_iter` is whole.
        bar.update(task, total=bar.tasks[0].completed)

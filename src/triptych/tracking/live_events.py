"""A study's evaluations for TensorBoard while it runs."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

from triptych.records import append_bytes, make_folder, write_atomic
from triptych.runner import RunEnded, RunTold, StudyEvent
from triptych.runner.events import RunPrepared
from triptych.runner.rows import evaluation_row
from triptych.tracking.event_files import (
    FILE,
    evaluation_event,
    first_event,
    framed,
    place_of,
    require_tensorboard,
)
from triptych.tracking.figures import figures_of
from triptych.training import Evaluation

# Compiled runs judge a thousand times a second; TensorBoard looks every few.
_SECONDS_BETWEEN_WRITES = 1.0

Run = tuple[str, int]
"""An arm and a seed."""


class LiveEvents:
    """Writes evaluations as they come; the rest of a run is for `export_tensorboard` at the end.

    Parameters
    ----------
    folder : Path
        As `triptych.tracking.export_tensorboard` takes it.

    Raises
    ------
    SpecError
        If TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        require_tensorboard()
        self.folder = folder
        self._coming: dict[Run, list[Any]] = {}
        self._written = time.monotonic()

    def follow(self, events: Generator[StudyEvent]) -> Generator[StudyEvent]:
        """Hand all events on, and write what they tell of runs.

        Raises
        ------
        RunError
            If a file cannot be written.
        """
        with closing(events):
            for event in events:
                match event:
                    case RunPrepared(blank):
                        self._start((blank.arm, blank.seed))
                    case RunTold(arm, seed, Evaluation() as evaluation):
                        self._take((arm, seed), evaluation)
                    case RunEnded():
                        self._write()
                yield event

    def _start(self, run: Run) -> None:
        """Begin a run's file anew, as a run that was cut short begins anew."""
        folder = place_of(self.folder, *run)
        make_folder(folder)
        write_atomic(folder / FILE, framed([first_event(time.time())]))
        self._coming[run] = []

    def _take(self, run: Run, evaluation: Evaluation) -> None:
        figures = figures_of(evaluation_row(evaluation))
        event = evaluation_event(time.time(), evaluation.step, figures)
        self._coming.setdefault(run, []).append(event)
        if time.monotonic() - self._written > _SECONDS_BETWEEN_WRITES:
            self._write()

    def _write(self) -> None:
        for run, events in self._coming.items():
            if events:
                append_bytes(place_of(self.folder, *run) / FILE, framed(events))
                events.clear()
        self._written = time.monotonic()

"""Runs are watched while they are trained: checkpoints are written, and stops obeyed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from triptych.errors import RunError
from triptych.records import RunRecord
from triptych.runner.keeping import Rhythm, first_guess
from triptych.runner.setting import Setting
from triptych.runner.stopping import Stop
from triptych.runner.under_way import Run
from triptych.spec import ArmSpec, ReferenceSpec
from triptych.training import Event, Pause


def rhythm_of(arm: ArmSpec, runs: Sequence[Run], setting: Setting, started: float) -> Rhythm:
    """Return when to write checkpoints of runs whose first files took `started` seconds."""
    if isinstance(arm.network, ReferenceSpec):
        return Rhythm(setting.checkpoint)
    size = 8 if arm.trained[1].dtype == "float64" else 4
    return Rhythm(setting.checkpoint, first_guess([run.blank for run in runs], started, size))


@dataclass
class Keeper:
    """Keeps runs while they are trained: writes checkpoints, and lets them stop where asked to."""

    rhythm: Rhythm
    stop: Stop

    def watch(
        self, runs: Sequence[Run], events: Iterator[tuple[int, Event]]
    ) -> Iterator[tuple[Run, Event, RunRecord | None]]:
        """Let runs take their events, and give all but pauses: run, event, and its record if any.

        Raises
        ------
        RunError
            If the disk is full or fails.
        """
        # A reference is fitted in one go: what is under way cannot be kept, so a stop acts at once.
        with self.stop if runs[0].job is not None else nullcontext():
            try:
                for k, event in events:
                    if isinstance(event, Pause):
                        self._pause(runs)
                    else:
                        with self.stop:  # what it came to is written all the same
                            record = runs[k].take(event)
                        yield runs[k], event, record
                        if record is not None and runs[k].job is None and self.stop.is_asked:
                            self.stop.obey()
            except RunError as error:
                raise type(error)(f"{error} {_last_step(runs)}") from error

    def _pause(self, runs: Sequence[Run]) -> None:
        """Write the checkpoints that are due, and stop where that is asked."""
        asked = self.stop.is_asked
        if not asked and not self.rhythm.is_due():
            return
        started = time.monotonic()
        for run in runs:
            if not run.ended:
                run.keep()
        self.rhythm.wrote(time.monotonic() - started)
        if asked:
            self.stop.obey()


def _last_step(runs: Sequence[Run]) -> str:
    """Return which checkpoints there are of runs that cannot be written any more."""
    kept = [run.kept for run in runs if not run.ended and run.kept is not None]
    return f"The last checkpoint is of {min(kept)[1]}." if kept else "There is no checkpoint."

"""Where runs are made: one after the other in this process, or several in processes of their own.

Either way gives the same runs, to the bit: see `triptych.engines.threads_of_blas`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal, Protocol

from triptych.engines import cores
from triptych.errors import SpecError
from triptych.records import StudyFolder
from triptych.runner.events import RunEvent, RunStarted
from triptych.runner.failures import execute_or_fail
from triptych.runner.seeds import Job
from triptych.runner.setting import Setting
from triptych.runner.stopping import Signals
from triptych.runner.ways import Way
from triptych.runner.workers import Workers
from triptych.spec import StudySpec


class Executor(Protocol):
    """Makes runs."""

    def execute(
        self, sweeps: Iterable[list[Job]], goes_on: Callable[[], bool]
    ) -> Iterator[RunEvent]:
        """Make the runs of one sweep after the other, as long as it may begin another.

        A sweep is asked for when all runs of the one before have begun, and each run begins only
        if ``goes_on()``. Every run that began ends: with its `RunEnded`, also where it failed.
        """


def count_jobs(jobs: int | Literal["auto"]) -> int:
    """Return how many runs may be made at the same time: ``"auto"`` is one for each core.

    Raises
    ------
    SpecError
        If it is neither ``"auto"`` nor a number from 1.
    """
    if jobs == "auto":
        return cores()
    if type(jobs) is not int or jobs < 1:
        raise SpecError(f"jobs: must be 'auto' or a number from 1, got {jobs!r}.")
    return jobs


@contextmanager
def open_executor(
    study: StudySpec, folder: StudyFolder, setting: Setting, ways: Mapping[str, Way]
) -> Iterator[Executor]:
    """Return what makes the runs of a study; all its processes have ended when the context does."""
    if setting.jobs == 1 and not any(way.own_process for way in ways.values()):
        yield InThisProcess(study, folder, setting, ways)
        return
    workers = Workers(study, folder, setting, ways)
    try:
        yield workers
    finally:
        workers.close()


class InThisProcess:
    """Makes runs here, one after the other."""

    def __init__(
        self, study: StudySpec, folder: StudyFolder, setting: Setting, ways: Mapping[str, Way]
    ) -> None:
        self.study, self.folder, self.setting, self.ways = study, folder, setting, ways
        self.stop = Signals()

    def execute(
        self, sweeps: Iterable[list[Job]], goes_on: Callable[[], bool]
    ) -> Iterator[RunEvent]:
        """Make runs; see `Executor.execute`."""
        for jobs in sweeps:
            for name, seeds in jobs:
                if not goes_on():
                    return
                yield RunStarted(name, seeds)
                setting = replace(self.setting, timed=self.ways[name].timed)
                arm = self.study.arms[name]
                yield from execute_or_fail(name, arm, seeds, self.folder, setting, self.stop)
                if self.stop.is_asked:  # where what was under way has ended
                    self.stop.obey()

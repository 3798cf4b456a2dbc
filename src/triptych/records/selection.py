"""Which of the runs that there are: by their properties, or by name."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.errors import RunError, SpecError
from triptych.records.disk import RUNS
from triptych.records.listing import RunEntry, is_study, list_run, list_studies, study_name
from triptych.records.runs import RUN_FILES, RunFolder
from triptych.records.study import STUDIES, StudyFolder
from triptych.spec import Condition, Metric, nearest

_SHORTEST_KEY = 4

SORTS: dict[str, Callable[[RunEntry], Any]] = {
    "arm": lambda run: (run.arm, run.seed),
    "seed": lambda run: run.seed,
    "status": lambda run: run.status,
    "finished": lambda run: run.ended,
    "size": lambda run: run.size,
    "seconds": lambda run: run.measure(Metric("", "seconds")),
    "epochs": lambda run: run.measure(Metric("", "epochs")),
    "score": lambda run: main_score(run)[1],
}
"""What runs can be sorted by."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is asked of runs; empty or None where it does not matter.

    Attributes
    ----------
    arms, seeds, statuses : tuple
    where : Condition, optional
    older_than : float, optional
        Seconds since the run's last file was written.
    """

    arms: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    statuses: tuple[str, ...] = ()
    where: Condition | None = None
    older_than: float | None = None

    def takes(self, run: RunEntry) -> bool:
        """Whether a run is all that was asked for."""
        return (
            (not self.arms or run.arm in self.arms)
            and (not self.seeds or run.seed in self.seeds)
            and (not self.statuses or run.status in self.statuses)
            and (self.where is None or self.where.holds(run.measure))
            and (self.older_than is None or time.time() - run.ended > self.older_than)
        )


def sorted_runs(runs: Sequence[RunEntry], by: str) -> list[RunEntry]:
    """Return runs by one of `SORTS`, with ``-`` before it from the largest; without it last.

    Raises
    ------
    SpecError
        If there is no such order.
    """
    name = by.removeprefix("-")
    if name not in SORTS:
        raise SpecError(f"--sort: unknown order {name!r}.{nearest(name, SORTS)}")
    values = {id(run): SORTS[name](run) for run in runs}
    # A NaN is unequal to itself; such runs have no place in the order.
    placed = [run for run in runs if values[id(run)] == values[id(run)]]
    placed.sort(key=lambda run: values[id(run)], reverse=by.startswith("-"))
    return placed + [run for run in runs if values[id(run)] != values[id(run)]]


def main_score(run: RunEntry) -> tuple[str, float]:
    """Return the score that a run is judged by first: name, and value or NaN."""
    scores = run.record.scores if run.record else {}
    for name in ("test_accuracy", "test_r2", "test_loss"):
        value = scores.get(name)
        if value is not None:  # an accuracy of what has no classes was NaN
            return name, value
    return "", float("nan")


def find_run(name: str) -> RunEntry:
    """Return the run of that name.

    Parameters
    ----------
    name : str
        The path of its folder, ``STUDY/ARM/seed-N``, or the start of its key.

    Raises
    ------
    RunError
        If there is none, or more than one.
    """
    for path in (Path(name), *_by_place(name)):
        # A run of which neither is left must have a name all the same, to be deleted by.
        if any((path / file).is_file() for file in RUN_FILES):
            return _at(path)
    runs = [run for study in list_studies() for run in study.runs]
    found = []
    if len(name) >= _SHORTEST_KEY:
        found = [run for run in runs if run.record and run.record.key.startswith(name.lower())]
    if not found:
        close = nearest(name, [run.place for run in runs])
        raise RunError(
            f"no run {name!r}: name its folder, STUDY/ARM/seed-N, or the start of its key."
            f"{close if 'Did you mean' in close else ''}"
        )
    if len(found) > 1:
        places = ", ".join(str(run.folder.path) for run in found[:3])
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise RunError(f"{len(found)} runs have a key that starts with {name}: {places}{more}.")
    return found[0]


def _by_place(name: str) -> list[Path]:
    study, _, rest = name.rpartition("/")[0].rpartition("/")
    if not study:
        return []
    inside = Path(RUNS) / rest / name.rpartition("/")[2]
    return [STUDIES / study / inside, Path(study) / inside]


def _at(path: Path) -> RunEntry:
    """Return the entry of a run's folder: of its study, where it is in one."""
    path = path if len(path.parts) > 3 else path.absolute()
    study = study_of(path)
    if study is None:
        return list_run(RunFolder(path), str(path))
    try:
        spec = StudyFolder(study).read_study()
    except RunError:  # the run may be whole all the same
        spec = None
    return list_run(RunFolder(path), study_name(study), spec)


def study_of(path: Path) -> Path | None:
    """Return the folder of the study that a run's folder is in; None where it is in none."""
    if len(path.parts) < 4 or path.parent.parent.name != RUNS:
        return None
    study = path.parent.parent.parent
    return study if is_study(study) else None

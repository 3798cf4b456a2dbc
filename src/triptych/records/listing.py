"""All runs of a study's folder, also those that are damaged or of former settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from triptych.errors import RunError
from triptych.records.disk import (
    RESULT_FILE,
    WEIGHTS_FILE,
    disk_use,
    file_sizes,
    is_seed_folder,
    seed_folders,
    seed_of,
)
from triptych.records.run_record import DIVERGED, FINISHED, RunRecord
from triptych.records.runs import RunFolder
from triptych.records.study import STUDIES, STUDY_FILE, StudyFolder
from triptych.spec import COUNTS, Metric, StudySpec, spec_id

FORMER, UNFINISHED, DAMAGED = "former", "unfinished", "damaged"
STATUSES = (FINISHED, DIVERGED, "failed", UNFINISHED, DAMAGED, FORMER)
_SHORT = 8


@dataclass(frozen=True, kw_only=True)
class RunEntry:
    """A run's folder, and what can be told of it.

    Attributes
    ----------
    study : str
        How its study is called: its folder under ``triptych-runs``, else the whole path.
    arm, seed : str, int
        By the names of the folders.
    folder : RunFolder
    status : str
        Of its record; ``"unfinished"`` without a result, ``"damaged"`` where it cannot be read,
        ``"former"`` where the study's settings of this arm, or its seeds, are others by now.
    size : int
        Bytes of its files.
    weights : int
        Bytes of them that are weights.
    ended : float
        When its last file was written, in seconds since 1970.
    record : RunRecord, optional
        Where it could be read.
    error : str
        Why it could not.
    """

    study: str
    arm: str
    seed: int
    folder: RunFolder
    status: str
    size: int = 0
    weights: int = 0
    ended: float = 0.0
    record: RunRecord | None = None
    error: str = ""

    @property
    def place(self) -> str:
        """How a command may name it."""
        return f"{self.study}/{self.arm}/seed-{self.seed}"

    @property
    def key(self) -> str:
        """The start of its key, empty where it has none."""
        return self.record.key[:_SHORT] if self.record else ""

    def measure(self, metric: Metric) -> float:
        """Return a figure of a condition: NaN without a record, infinite where never reached."""
        if self.record is None:
            return float(self.seed) if metric.name == "seed" else float("nan")
        if metric.name in COUNTS:
            return float(getattr(self.record, metric.name))
        value, is_bound = self.record.measure(metric)
        return float("inf") if is_bound else value


@dataclass(frozen=True)
class StudyEntry:
    """A study's folder and its runs.

    Attributes
    ----------
    name : str
        See `RunEntry`.
    folder : StudyFolder
    runs : tuple of RunEntry
        In the order of the study's arms, then seeds; arms it no longer has come last.
    size : int
        Bytes of all files in the folder.
    error : str
        Why its study file could not be read.
    """

    name: str
    folder: StudyFolder
    runs: tuple[RunEntry, ...]
    size: int
    error: str = ""


def is_study(path: Path) -> bool:
    """Whether a folder is that of a study."""
    return (path / STUDY_FILE).is_file()


def named_study(name: str | Path) -> Path | None:
    """Return the folder of a study that is named by its path, or as lists call it."""
    return next((path for path in (Path(name), STUDIES / name) if is_study(path)), None)


def list_studies(folders: Sequence[Path] = ()) -> list[StudyEntry]:
    """Return the studies in some folders, or all under ``triptych-runs``.

    Parameters
    ----------
    folders : sequence of Path
        Each the folder of a study, or one that holds such folders.

    Raises
    ------
    RunError
        If a folder is neither.
    """
    found: list[Path] = []
    for folder in folders or (STUDIES,):
        study = named_study(folder)
        here = [study] if study else _inside(folder)
        if folders and not here:
            raise RunError(f"{str(folder)!r} is not the folder of a study, nor does it hold any.")
        found += here
    return [list_study(path) for path in dict.fromkeys(found)]


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if is_study(path))
    except OSError:
        return []


def list_study(path: Path) -> StudyEntry:
    """Return a study's folder with every run in it; what is damaged is told, not raised."""
    folder, study, error = StudyFolder(path), None, ""
    try:
        study = folder.read_study()
    except RunError as problem:
        error = str(problem)
    places = {name: k for k, name in enumerate(study.arms if study else ())}
    runs = [list_run(RunFolder(run), study_name(path), study) for run in seed_folders(path)]
    runs.sort(key=lambda run: places.get(run.arm, len(places)))
    return StudyEntry(study_name(path), folder, tuple(runs), disk_use(path), error)


def study_name(path: Path) -> str:
    """Return how a study is called: its folder under ``triptych-runs``, else the whole path."""
    return path.name if path.parent == STUDIES else str(path)


def list_run(folder: RunFolder, study: str, spec: StudySpec | None = None) -> RunEntry:
    """Return what can be told of a run's folder.

    Parameters
    ----------
    folder : RunFolder
    study : str
        How its study is called.
    spec : StudySpec, optional
        Where it can be read.
    """
    record, error, status = None, "", UNFINISHED
    try:
        if folder.is_finished():
            record = folder.read()
            status = FORMER if _is_former(record, folder, spec) else record.status
    except RunError as problem:
        status, error = DAMAGED, str(problem)
    sizes = file_sizes(folder.path)
    last = max((when for _, when in sizes.values()), default=0.0)
    named = is_seed_folder(folder.path)
    return RunEntry(
        study=study,
        arm=folder.path.parent.name if named or record is None else record.arm,
        seed=seed_of(folder.path) if named else record.seed if record else -1,
        folder=folder,
        status=status,
        size=sum(size for size, _ in sizes.values()),
        weights=sizes.get(WEIGHTS_FILE, (0, 0.0))[0],
        ended=sizes[RESULT_FILE][1] if RESULT_FILE in sizes else last,
        record=record,
        error=error,
    )


def _is_former(record: RunRecord, folder: RunFolder, study: StudySpec | None) -> bool:
    """Whether the study has other settings of this arm by now, no such arm, or no such seed."""
    if study is None:
        return False
    if record.seed not in study.all_seeds:
        return True
    arm = study.arms.get(folder.path.parent.name)
    return arm is None or record.spec != spec_id(arm)

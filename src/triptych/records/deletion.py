"""Runs deleted: only files that a run is known to have, only while no study writes there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from triptych.errors import RunError
from triptych.records.disk import RESULT_FILE, is_seed_folder
from triptych.records.files import DISK, PARTIAL, sync_folder
from triptych.records.listing import RunEntry
from triptych.records.locks import InUse
from triptych.records.runs import RUN_FILES
from triptych.records.selection import study_of
from triptych.records.study import StudyFolder


@dataclass(frozen=True)
class Deletion:
    """What came of deleting one run.

    Attributes
    ----------
    run : RunEntry
    freed : int
        Bytes.
    why_not : str
        Why it is still there, or what else its folder holds; empty where all of it is gone.
    """

    run: RunEntry
    freed: int
    why_not: str = ""


def delete_runs(runs: Sequence[RunEntry]) -> list[Deletion]:
    """Delete runs, but none of a study that a process is running.

    Their results go first, so that a run is gone, or unfinished, whenever this is cut short.

    Parameters
    ----------
    runs : sequence of RunEntry

    Returns
    -------
    list of Deletion
        One for each run, by studies.

    Raises
    ------
    RunError
        If the disk refuses.
    """
    by_study: dict[Path | None, list[RunEntry]] = {}
    for run in runs:
        by_study.setdefault(_place(run.folder.path), []).append(run)
    done = []
    for study, inside in by_study.items():
        if study is None:
            done += [Deletion(run, 0, "it is not a run's folder in a study's") for run in inside]
            continue
        try:
            with StudyFolder(study).lock():
                done += [_delete(run) for run in inside]
        except InUse as problem:
            done += [Deletion(run, 0, str(problem).rstrip(".")) for run in inside]
    return done


def _place(path: Path) -> Path | None:
    """Return the study that a run's folder is in; None where it is, or is in, a link."""
    study = study_of(path)
    linked = any(folder.is_symlink() for folder in (path, path.parent, path.parent.parent))
    return None if linked or not is_seed_folder(path) else study


def _delete(run: RunEntry) -> Deletion:
    folder, freed = run.folder.path, 0
    try:
        for name in (*RUN_FILES, *(name + PARTIAL for name in RUN_FILES)):
            file = folder / name
            # Of a link only the link goes; a folder of that name is none of ours.
            if file.is_symlink() or file.is_file():
                freed += file.lstat().st_size
                DISK.remove(file)
                if name == RESULT_FILE:  # else it could come back without the rest
                    sync_folder(folder)
        others = sorted(path.name for path in folder.iterdir())
        if others:
            return Deletion(
                run, freed, f"its folder also holds {', '.join(others[:3])}, which stays"
            )
        DISK.remove_folder(folder)
        if not any(folder.parent.iterdir()):
            DISK.remove_folder(folder.parent)
    except OSError as error:
        raise RunError(f"cannot delete {folder}: {error.strerror or error}.") from error
    return Deletion(run, freed)

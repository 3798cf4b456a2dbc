"""The few calls that most Python users need."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from triptych.records import StudyFolder
from triptych.runner import Setting, StudyResult, default_folder, execute_study, read_result
from triptych.spec import StudySpec
from triptych.studies import find_study


def run(
    study: str | StudySpec = "paper",
    *,
    scale: str | None = None,
    seeds: int | None = None,
    out: str | Path | None = None,
    setting: Setting | None = None,
) -> StudyResult:
    """Run a study, keep it in a folder with its page, and return runs and verdicts.

    Parameters
    ----------
    study : str or StudySpec
        The name of a study that ships, the path of a study file, or a spec.
    scale : str, optional
        One of the study's scales; its first where absent.
    seeds : int, optional
        Runs of every arm; the study's own number where absent.
    out : path, optional
        The folder; ``triptych-runs/NAME-SCALE`` where absent. Finished runs in it are kept.
    setting : Setting, optional
        Data folder and device.

    Raises
    ------
    SpecError, DataError, RunError, NumericsError
    """
    spec = find_study(study, scale) if isinstance(study, str) else study
    if seeds is not None:
        spec = replace(spec, seeds=seeds)
    name = study if isinstance(study, str) else "study"
    folder = StudyFolder(Path(out) if out is not None else default_folder(name, spec))
    for _ in execute_study(spec, folder, setting or Setting()):
        pass
    result = read_result(folder.path)
    folder.write_report(result.to_html())
    return result

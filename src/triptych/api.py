"""The few calls that most Python users need."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from triptych.engines import Maker
from triptych.records import DiskLimit, StudyFolder
from triptych.runner import Setting, StudyResult, default_folder, execute_study, read_result
from triptych.spec import StudySpec
from triptych.studies import find_study


def run(  # noqa: PLR0913 (what may be asked of a study)
    study: str | StudySpec = "paper",
    *,
    scale: str | None = None,
    seeds: int | Literal["auto"] | None = None,
    budget: float | str | None = None,
    first_seed: int | None = None,
    out: str | Path | None = None,
    jobs: int | Literal["auto"] = 1,
    setting: Setting | None = None,
    networks: Mapping[str, Maker] | None = None,
    arrays: Mapping[str, Any] | None = None,
) -> StudyResult:
    """Run a study, keep it in a folder with its page, and return runs and verdicts.

    Parameters
    ----------
    study : str or StudySpec
        The name of a study that ships, the path of a study file, or a spec.
    scale : str, optional
        One of the study's scales; its first where absent.
    seeds : int or "auto", optional
        Runs of every arm; ``"auto"``: until every claim is decided. The study's own where absent.
    budget : float or str, optional
        With ``"auto"``, the time that this call may take: seconds, or such as ``"5 min"``.
    first_seed : int, optional
        The seeds are this one and those that follow it. The study's own where absent.
    out : path, optional
        The folder; ``triptych-runs/NAME-SCALE`` where absent. Finished runs in it are kept.
    jobs : int or "auto"
        Runs that may be made at the same time, in processes of their own; ``"auto"``: one for each
        core. The results are the same.
    setting : Setting, optional
        Data folder and device.
    networks : mapping of str to callable, optional
        What makes the networks of arms of kind ``"custom"``, by their name. Each takes the shape of
        its data (`sample_shape`, `outputs`, `rows`, `classes`, `symbols`) and returns a
        ``torch.nn.Module`` that makes ``(B, outputs)`` of a batch.
    arrays : mapping of str to tuple or Dataset, optional
        Data of source ``"arrays"``, by their name: ``(x, y)``, ``(x, y, x_test, y_test)`` or a
        `triptych.contracts.Dataset`.

    Raises
    ------
    SpecError, DataError
    RunError
        Also if no run finished; the page is there then, too.
    NumericsError
        If every run diverged.
    """
    spec = find_study(study, scale) if isinstance(study, str) else study
    spec = spec.with_seeds(seeds, budget, first_seed)
    name = study if isinstance(study, str) else "study"
    folder = StudyFolder(Path(out) if out is not None else default_folder(name, spec))
    setting = replace(setting or Setting(), networks=networks or {}, arrays=arrays or {})
    with closing(execute_study(spec, folder, setting, jobs)) as events:
        for _ in events:
            pass
    result = read_result(folder.path)
    result.write_page()
    if setting.disk is not None and (told := DiskLimit(folder.path, setting.disk).make_room()[1]):
        warnings.warn(told, stacklevel=2)
    result.check_finished()
    return result

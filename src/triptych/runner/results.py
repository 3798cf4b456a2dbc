"""A study's folder read back: its runs, and the verdicts on its claims."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from triptych.errors import NumericsError, RunError
from triptych.records import FAILED, FINISHED, STUDIES, StudyFolder, StudyRecord, code_id
from triptych.report import curve_frame, notebook_html, render_html, run_frame, study_values
from triptych.spec import ArraysSpec, CustomSpec, StudySpec
from triptych.verdicts import Verdict, judge


@dataclass(frozen=True)
class StudyResult:
    """A study's runs and the verdicts on its claims.

    Attributes
    ----------
    record : StudyRecord
    verdicts : tuple of Verdict
    """

    record: StudyRecord
    verdicts: tuple[Verdict, ...]

    def __str__(self) -> str:
        """Return one line for each claim."""
        return "\n".join(f"{v.verdict:>9}  {v.claim.says}" for v in self.verdicts)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: every claim with its verdict."""
        return notebook_html(self.record, self.verdicts)

    def to_frame(self, *, curves: bool = False) -> Any:
        """Return a data frame with a row for each run, of pandas or else of polars.

        Parameters
        ----------
        curves : bool
            A row for each evaluation of each run instead.

        Raises
        ------
        SpecError
            If neither is installed.
        """
        return curve_frame(self.record) if curves else run_frame(self.record)

    def to_dict(self) -> dict[str, Any]:
        """Return claims, verdicts, runs, curves, findings as plain values: what ``--json`` prints.

        See `triptych.report.study_values`; besides, ``page_seconds`` is what the page took.
        """
        seconds = StudyFolder(self.record.folder).page_seconds()
        return {**study_values(self.record, self.verdicts), "page_seconds": seconds}

    def check_finished(self) -> None:
        """Refuse a study of which there is nothing to tell but what became of its runs.

        Raises
        ------
        NumericsError
            If every run diverged.
        RunError
            If every run diverged or failed.
        """
        lost = [run for run in self.record.runs if run.status != FINISHED]
        if len(lost) < len(self.record.runs):
            return
        failed = [run for run in lost if run.status == FAILED]
        if not failed:
            raise NumericsError(f"every run diverged; the first: {lost[0].error}")
        first = failed[0]
        raise RunError(f"no run finished; {first.arm}, seed {first.seed}, failed: {first.error}")

    def to_html(self) -> str:
        """Return the page: one self-contained HTML file."""
        return render_html(self.record, self.verdicts, repeat_command(self.record))

    def write_page(self, *, anew: bool = False) -> Path:
        """Write the page, unless it is there and nothing that it shows has changed.

        Parameters
        ----------
        anew : bool
            Write it in any case.

        Returns
        -------
        Path
            Of the page.

        Raises
        ------
        RunError
            If it cannot be written.
        """
        folder = StudyFolder(self.record.folder)
        made_of = _made_of(self.record)
        kept = None if anew else folder.kept_report(made_of)
        if kept:
            return kept
        started = time.perf_counter()
        html = self.to_html()
        return folder.write_report(html, made_of, time.perf_counter() - started)


def _made_of(record: StudyRecord) -> str:
    """Return the identity of all that a page is made of: records, code and what draws charts."""
    code = code_id("triptych.report", "triptych.verdicts", "triptych.spec")
    drawn_by = [f"{name} {version(name)}" for name in ("vl-convert-python", "jinja2")]
    digest = hashlib.sha256("\n".join([code, *drawn_by]).encode())
    for content in StudyFolder(record.folder).contents(record):
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def repeat_command(record: StudyRecord) -> str:
    """Return the command that repeats a study from its folder's own study file.

    What needs a network or arrays that no file can hold is repeated from Python.
    """
    file, arms = record.folder / "study.toml", record.study.arms.values()
    given = {
        "networks": {a.network.name for a in arms if isinstance(a.network, CustomSpec)},
        "arrays": {a.data.name for a in arms if isinstance(a.data, ArraysSpec)},
    }
    if not any(given.values()):
        return f"triptych run {file} --out again"
    handed = "".join(
        f", {kind}={{{', '.join(f'{name!r}: ...' for name in sorted(names))}}}"
        for kind, names in given.items()
        if names
    )
    return f"triptych.run(triptych.read_study({str(file)!r}){handed}, out='again')"


def read_result(folder: str | Path) -> StudyResult:
    """Return what a study's folder holds.

    Parameters
    ----------
    folder : str or Path

    Raises
    ------
    RunError
        If it is not a study's folder, is damaged, or has no finished run.
    """
    record = StudyFolder(Path(folder)).read()
    if not record.runs:
        raise RunError(f"{str(folder)!r} has no finished run yet.")
    return StudyResult(record, judge(record))


def default_folder(name: str, study: StudySpec) -> Path:
    """Return where a study is kept unless told otherwise, under the current folder."""
    stem = Path(name).stem
    return STUDIES / (f"{stem}-{study.scale}" if study.scale else stem)

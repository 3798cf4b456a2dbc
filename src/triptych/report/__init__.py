"""Records and verdicts to one HTML file and to terminal tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from triptych.records import StudyRecord
from triptych.report.page import render_html
from triptych.report.values import curve_frame, notebook_html, run_frame, study_values
from triptych.report.wording import OutcomeLike, VerdictLike

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = [
    "OutcomeLike",
    "VerdictLike",
    "curve_frame",
    "notebook_html",
    "render_html",
    "run_frame",
    "study_tables",
    "study_values",
]


def study_tables(record: StudyRecord, verdicts: Sequence[VerdictLike]) -> list[RenderableType]:
    """Return a study's terminal tables; see `triptych.report.tables.study_tables`."""
    # Here, because rich costs 0.1 s and Python users of a study need no terminal.
    from triptych.report import tables

    return tables.study_tables(record, verdicts)

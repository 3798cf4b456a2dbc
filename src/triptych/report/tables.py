"""The same verdicts and figures for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from triptych.records import StudyRecord
from triptych.report.page import COLUMNS, reported_text
from triptych.report.wording import (
    SYMBOLS,
    VerdictLike,
    arm_label,
    measured,
    reading,
    stand_in,
    summary,
    visible,
)

_STYLES = {"holds": "bold green", "fails": "bold red", "undecided": "bold yellow"}


def study_tables(record: StudyRecord, verdicts: Sequence[VerdictLike]) -> list[RenderableType]:
    """Return what a terminal shows at the end of a study.

    Parameters
    ----------
    record : StudyRecord
    verdicts : sequence of VerdictLike

    Returns
    -------
    list of renderables
        Claims with their verdicts, figures reported and measured, what was cut or stands in.
    """
    shown: list[RenderableType] = [_figures(record)]
    if verdicts:
        shown.append(_claims(record, verdicts))
    shown.append(_remarks(record))
    shown.append(Text(f"\n{summary(record, verdicts)}", style="bold"))
    return shown


def _claims(record: StudyRecord, verdicts: Sequence[VerdictLike]) -> Table:
    table = Table(title="Claims", title_justify="left", show_lines=True, expand=True)
    table.add_column("#", justify="right")
    table.add_column("verdict", no_wrap=True)
    table.add_column("claim, what was measured, and why", ratio=1)
    for number, verdict in enumerate(verdicts, start=1):
        about: list[RenderableType] = [Text(visible(verdict.claim.says), style="bold")]
        if instead := stand_in(record, verdict.claim):
            about.append(Text(instead, style="yellow"))
        for comparison, outcome in zip(verdict.claim.comparisons, verdict.outcomes, strict=True):
            about.append(Text(reading(comparison, outcome)))
        for cause, outcome in verdict.causes:
            text = Text("why: ").append(visible(cause.says))
            text.append(f" {_badge(outcome.verdict)}", style=_STYLES[outcome.verdict])
            about.append(Padding(text, (0, 0, 0, 2)))
        badge = Text(_badge(verdict.verdict), style=_STYLES[verdict.verdict])
        table.add_row(str(number), badge, Group(*about))
    return table


def _badge(verdict: str) -> str:
    return f"{SYMBOLS[verdict]} {verdict}"


def _figures(record: StudyRecord) -> Table:
    table = Table(title="Measured (and reported)", title_justify="left", expand=True)
    table.add_column("arm", ratio=2)
    for column in COLUMNS:
        table.add_column(column.replace("_", " "), justify="right", ratio=1)
    part = None
    for name, arm in record.study.arms.items():
        if part not in (None, arm.part):
            table.add_section()
        part = arm.part
        runs = record.finished(name)
        cells = [_cell(measured(runs, c)[0], reported_text(record, name, c)) for c in COLUMNS]
        lost = len(record.of(name)) - len(runs)
        label = arm_label(record, name) + (f" ({lost} diverged)" if lost else "")
        table.add_row(Text(label), *cells)
    return table


def _cell(mean: str, reported: str) -> Text:
    text = Text(mean)
    return text if reported == "–" else text.append(f"\n({reported})", style="dim")


def _remarks(record: StudyRecord) -> Group:
    lines: list[RenderableType] = [
        Text(f"note: {visible(note)}", style="yellow") for note in record.notes
    ]
    if record.study.cuts:
        lines.append(Text(f"Cut at {record.study.scale or 'this'} scale:", style="bold"))
        lines += [Padding(Text(visible(cut)), (0, 0, 0, 2)) for cut in record.study.cuts]
    return Group(*lines)

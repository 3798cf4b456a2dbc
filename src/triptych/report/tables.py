"""The same verdicts and figures for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from triptych.records import StudyRecord
from triptych.report.figures import columns, heading, reported_text
from triptych.report.learned import Curves, learned
from triptych.report.outcome import lost_runs, summary, taken
from triptych.report.readings import reading
from triptych.report.times import times_line
from triptych.report.wording import (
    SYMBOLS,
    VerdictLike,
    arm_label,
    measured,
    stand_in,
    visible,
)

_STYLES = {"holds": "bold green", "fails": "bold red", "undecided": "bold yellow"}


# One letter for one, so that columns stay in place.
_PLAIN = str.maketrans({"✓": "+", "✗": "x", "−": "-", "–": "-", "·": ";", "→": ">"})


class Writable:
    """Shows something with letters that the console's encoding has.

    A pipe on Windows, or under ``PYTHONIOENCODING=ascii``, has no check mark, and to write one
    would end the command after all its runs were made.
    """

    def __init__(self, shown: RenderableType) -> None:
        self._shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._shown, options):
            yield (
                segment
                if segment.control
                else Segment(_written(segment.text, options.encoding), segment.style)
            )


def _written(text: str, encoding: str) -> str:
    """Return `text` as `encoding` can write it.

    Examples
    --------
    >>> _written("✓ 1 →", "utf-8"), _written("✓ −1 é", "latin-1"), _written("ü", "ascii")
    ('✓ 1 →', '+ -1 é', '?')
    """
    found = []
    for letter in text:
        try:
            letter.encode(encoding)
            found.append(letter)
        except UnicodeEncodeError:
            plain = letter.translate(_PLAIN)
            found.append(plain if plain.isascii() else "?")
    return "".join(found)


def study_tables(record: StudyRecord, verdicts: Sequence[VerdictLike]) -> list[RenderableType]:
    """Return what a terminal shows at the end of a study.

    Parameters
    ----------
    record : StudyRecord
    verdicts : sequence of VerdictLike

    Returns
    -------
    list of renderables
        Figures reported and measured, curves, findings, claims with their verdicts, where time
        went, what was cut or stands in.
    """
    shown: list[RenderableType] = [_figures(record), Curves(record)]
    if (found := learned(record)) is not None:
        shown.append(found)
    if verdicts:
        shown.append(_claims(record, verdicts))
    shown.append(_remarks(record))
    if line := times_line(record):
        shown.append(Text(line, style="dim"))
    shown.append(Text(f"\n{summary(record, verdicts)}", style="bold"))
    return [Writable(one) for one in shown]


def _claims(record: StudyRecord, verdicts: Sequence[VerdictLike]) -> Table:
    table = Table(title="Claims", title_justify="left", show_lines=True, expand=True)
    table.add_column("#", justify="right")
    table.add_column("verdict", no_wrap=True)
    table.add_column("claim, what was measured, and why", ratio=1)
    for number, verdict in enumerate(verdicts, start=1):
        about: list[RenderableType] = [Text(visible(verdict.claim.says), style="bold")]
        if instead := stand_in(record, verdict.claim):
            about.append(Text(instead, style="yellow"))
        about.append(Text(taken(record, verdict), style="dim"))
        for comparison, outcome in zip(verdict.claim.comparisons, verdict.outcomes, strict=True):
            about.append(Text(visible(outcome.test), style="dim"))
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
    title = "Measured (and reported)" if record.study.reported else "Measured"
    table = Table(title=title, title_justify="left", expand=True)
    table.add_column("arm", ratio=2)
    shown = columns(record)
    for column in shown:
        table.add_column(heading(column), justify="right", ratio=1)
    part = None
    for name, arm in record.study.arms.items():
        if part not in (None, arm.part):
            table.add_section()
        part = arm.part
        runs = record.finished(name)
        cells = [_cell(measured(runs, c)[0], reported_text(record, name, c)) for c in shown]
        lost = ", ".join(lost_runs(record.of(name)))
        label = arm_label(record, name) + (f" ({lost})" if lost else "")
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

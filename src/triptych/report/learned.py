"""How training went and what the networks learned, in short, for a terminal."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from triptych.records import Finding, RunRecord, StudyRecord
from triptych.report.finding_lines import finding_line
from triptych.report.findings import telling
from triptych.report.sparklines import BLOCKS, PLAIN, can_write, some, sparkline
from triptych.report.wording import arm_label, metric_name, plural, shows

_LETTERS = 12
_LOSSES = ("train_loss", "test_loss")
_ARMS_EXPLAINED = 6


class Curves:
    """Loss and test score of each arm, evaluation by evaluation: the first seed's.

    In a terminal as a line of letters and the last value; where its encoding has no blocks, of
    plain letters; in a pipe as the first, the middle and the last value.
    """

    def __init__(self, record: StudyRecord) -> None:
        self.record = record
        self.runs = {name: run for name in record.study.arms if (run := _curved(record, name))}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.runs:
            return
        letters = None
        if console.is_terminal:
            letters = BLOCKS if can_write(BLOCKS, options.encoding) else PLAIN
        how = "each on its own scale" if letters else "first, middle and last evaluation"
        table = Table(title=f"Curves of the first seed, {how}", title_justify="left", expand=True)
        table.add_column("arm", ratio=2)
        scores = dict.fromkeys(_score(run) for run in self.runs.values())
        heads = [metric_name(metric) for metric in _LOSSES]
        score = metric_name(next(iter(scores))) if len(scores) == 1 else "test accuracy, R²"
        for head in (*heads, score):
            table.add_column(head, no_wrap=True, ratio=2)
        for name, run in self.runs.items():
            cells = [_cell(run, metric, letters) for metric in (*_LOSSES, _score(run))]
            table.add_row(Text(arm_label(self.record, name)), *cells)
        yield table


def _curved(record: StudyRecord, name: str) -> RunRecord | None:
    """Return an arm's first run that has a curve; a reference has one point."""
    return next((run for run in record.of(name) if len(run.curve) > 1), None)


def _score(run: RunRecord) -> str:
    return "test_r2" if "test_r2" in run.curve[-1] else "test_accuracy"


def _cell(run: RunRecord, metric: str, letters: str | None) -> Text:
    values = [row.get(metric) for row in run.curve]
    show = shows(metric)

    def written(value: float | None) -> str:
        return "–" if value is None else show(value)

    if letters is None:
        return Text(" → ".join(written(value) for value in some(values)))
    return Text(sparkline(values, _LETTERS, letters), "cyan").append(
        f" {written(values[-1])}", style="default"
    )


def learned(record: StudyRecord) -> Table | None:
    """Return what explains some arms, a line for each finding; None where nothing does."""
    found = {
        name: lines
        for name in telling(record)
        if (lines := list(filter(None, map(finding_line, _findings(record, name)))))
    }
    if not found:
        return None
    shown = list(found)[:_ARMS_EXPLAINED]
    left = len(found) - len(shown)
    more = f"; {plural(left, 'more arm')} on the page" if left else ""
    table = Table(
        title=f"What the networks learned, by the first seed{more}",
        title_justify="left", expand=True, show_lines=True,
    )  # fmt: skip
    table.add_column("arm", ratio=1)
    table.add_column("findings", ratio=4)
    for name in shown:
        table.add_row(Text(arm_label(record, name)), Text("\n".join(found[name])))
    return table


def _findings(record: StudyRecord, name: str) -> list[Finding]:
    first = [run for run in record.finished(name) if run.seed == record.study.first_seed]
    return [one for run in first for one in run.findings]

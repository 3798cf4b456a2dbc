"""Where the time of a study went, by arm."""

from __future__ import annotations

import math
from collections.abc import Sequence

from triptych.records import RunRecord, StudyRecord
from triptych.report.drawing import Cell, Figure, Group, Table
from triptych.report.wording import arm_label, duration, figure

PARTS = ("training", "evaluation", "data", "findings")


def seconds_by_part(runs: Sequence[RunRecord]) -> dict[str, float]:
    """Return the seconds that some runs spent on each of `PARTS`; 0 of what was not told."""
    return {
        "training": sum(run.seconds for run in runs),
        **{part: sum(run.times.get(part, 0.0) for run in runs) for part in PARTS[1:]},
    }


def draw_times(record: StudyRecord, names: Sequence[str]) -> Figure | None:
    """Return a table of where the time of some arms went; None where no run told."""
    told = {name: [run for run in record.of(name) if run.times] for name in names}
    told = {name: runs for name, runs in told.items() if runs}
    if not told:
        return None
    parts = {name: seconds_by_part(runs) for name, runs in told.items()}
    rows = [
        ((arm_label(record, name),), [*_cells(found), Cell(figure(sum(found.values())))])
        for name, found in parts.items()
    ]
    if len(rows) > 1:
        whole = {part: sum(found[part] for found in parts.values()) for part in PARTS}
        rows.append((("all arms",), [*_cells(whole), Cell(figure(sum(whole.values())))]))
    table = Table("Where the time went", ("arm, seconds of all its runs", *PARTS, "in all"), rows)
    return Figure(
        "Where the time went",
        "Seconds, summed over the runs of an arm, and their share of its time: the stronger the "
        "tint, the larger. Training is the steps alone; evaluation judges the network, on test and "
        "training rows; data are loaded once a process, so mostly by the first arm that reads "
        "them; findings are made of the first seed only. Start-up, choice of the engine and "
        "writing are not counted, nor is what was kept from an earlier version.",
        [Group(table=table)],
    )


def _cells(found: dict[str, float]) -> list[Cell]:
    whole = sum(found.values()) or 1.0
    return [
        Cell(figure(found[part]), f"{found[part] / whole:.0%}", math.sqrt(found[part] / whole))
        for part in PARTS
    ]


def times_line(record: StudyRecord) -> str:
    """Return where the time of a whole study went, in one line; empty where no run told."""
    found = seconds_by_part([run for run in record.runs if run.times])
    whole = sum(found.values())
    if not whole:
        return ""
    parts = [f"{part} {duration(found[part])} ({found[part] / whole:.0%})" for part in PARTS]
    return f"Time of all runs: {', '.join(parts)}"

"""Where a study's time went, by arm: training steps, evaluation, data, findings."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from triptych.records import RunRecord, StudyRecord
from triptych.report.wording import arm_label, duration, measured

PARTS = ("training", "evaluation", "data", "findings")


def times(record: StudyRecord, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return what each of some arms took: a run, an epoch, all its runs, its share, its memory.

    Besides training, what all its runs spent on each of `PARTS`.
    """
    spent = {name: sum(run.seconds for run in record.of(name)) for name in names}
    whole = sum(spent.values())
    return [
        {
            **_of_a_run(record.finished(name)),
            **_beside_training(record.of(name)),
            "label": arm_label(record, name),
            "all": duration(spent[name]) if record.of(name) else "–",
            "share": 100 * spent[name] / whole if whole else 0.0,
        }
        for name in names
    ]


def _of_a_run(runs: Sequence[RunRecord]) -> dict[str, str]:
    mean, spread = measured(runs, "seconds")
    epochs = [run.seconds / run.epochs for run in runs if run.epochs]
    memory, _ = measured(runs, "peak_memory")
    return {
        "run": f"{mean} s" if runs else "–",
        "range": spread,
        "epoch": duration(statistics.fmean(epochs)) if epochs else "–",
        "memory": f"{memory} MB" if memory != "–" else "–",
    }


def _beside_training(runs: Sequence[RunRecord]) -> dict[str, str]:
    told = [run for run in runs if run.times]
    found = seconds_by_part(told)
    return {part: duration(found[part]) if told else "–" for part in PARTS[1:]}


def seconds_by_part(runs: Sequence[RunRecord]) -> dict[str, float]:
    """Return the seconds that some runs spent on each of `PARTS`; 0 of what was not told."""
    return {
        PARTS[0]: sum(run.seconds for run in runs),
        **{part: sum(run.times.get(part, 0.0) for run in runs) for part in PARTS[1:]},
    }


def times_line(record: StudyRecord) -> str:
    """Return where the time of a whole study went, in one line; empty where no run told."""
    found = seconds_by_part([run for run in record.runs if run.times])
    whole = sum(found.values())
    if not whole:
        return ""
    parts = [f"{part} {duration(found[part])} ({found[part] / whole:.0%})" for part in PARTS]
    return f"Time of all runs: {', '.join(parts)}"

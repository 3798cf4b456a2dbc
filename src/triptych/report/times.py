"""Where a study's time went: seconds of training by arm."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from triptych.records import RunRecord, StudyRecord
from triptych.report.wording import arm_label, duration, measured


def times(record: StudyRecord, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return what each of some arms took: a run, an epoch, all its runs, its share, its memory."""
    spent = {name: sum(run.seconds for run in record.of(name)) for name in names}
    whole = sum(spent.values())
    return [
        {
            **_of_a_run(record.finished(name)),
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

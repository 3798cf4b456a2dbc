"""Lists of runs for a terminal, a pipe or a program."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.box import HEAVY_HEAD
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from triptych.records import RunEntry, StudyEntry, main_score
from triptych.report.wording import plural, visible
from triptych.spec import size_text

_STYLES = {"finished": "green", "diverged": "red", "damaged": "bold red", "former": "dim"}
_RIGHT = ("seed", "score", "seconds", "epochs", "size")
_COLUMNS = (
    "study", "arm", "seed", "status", "score", "seconds", "epochs", "finished", "size", "key",
)  # fmt: skip
# What a narrow terminal does without, in this order; study, arm and seed are a run's name.
_SPARE = ("finished", "epochs", "key", "size", "seconds")


def runs_table(runs: Sequence[RunEntry], *, plain: bool, width: int | None = None) -> Table:
    """Return runs as a table, one a row.

    Parameters
    ----------
    runs : sequence of RunEntry
    plain : bool
        Without lines, for a pipe.
    width : int, optional
        Of a terminal, in letters. Columns that name no run are left out where there is no room.
    """
    rows = [dict(zip(_COLUMNS, map(visible, _cells(run)), strict=True)) for run in runs]
    table = Table(box=None if plain else HEAVY_HEAD, pad_edge=not plain)
    shown = _that_fit(rows, width)
    for name in shown:
        table.add_column(name, justify="right" if name in _RIGHT else "left", no_wrap=True)
    for run, row in zip(runs, rows, strict=True):
        cells = {name: Text(row[name]) for name in shown}
        cells["status"].stylize(_STYLES.get(run.status, "yellow"))
        table.add_row(*cells.values())
    return table


def _that_fit(rows: Sequence[Mapping[str, str]], width: int | None) -> list[str]:
    """Return the columns that a terminal has room for, with a line and two blanks for each."""
    shown = list(_COLUMNS)
    needed = {name: 3 + max(map(cell_len, (name, *(row[name] for row in rows)))) for name in shown}
    for name in _SPARE:
        if width is None or 1 + sum(needed[each] for each in shown) <= width:
            break
        shown.remove(name)
    return shown


def _cells(run: RunEntry) -> list[str]:
    name, value = main_score(run)
    kind = "" if name in ("", "test_accuracy") else f" {name.removeprefix('test_')}"
    score = "-" if math.isnan(value) else f"{value:.4g}{kind}"
    seconds = f"{run.record.seconds:.3g}" if run.record else "-"
    epochs = str(run.record.epochs) if run.record else "-"
    return [
        run.study, run.arm, str(run.seed), run.status, score, seconds, epochs,
        when(run).replace("T", " "), size_text(run.size), run.key or "-",
    ]  # fmt: skip


def when(run: RunEntry) -> str:
    """Return when a run's last file was written, in local time."""
    if not run.ended:
        return "-"
    return datetime.fromtimestamp(run.ended).astimezone().isoformat("T", "minutes")[:16]


def foot_lines(studies: Sequence[StudyEntry], shown: int) -> list[str]:
    """Return what stands below a list of runs: how many, and what they take on disk.

    Parameters
    ----------
    studies : sequence of StudyEntry
    shown : int
        How many of their runs were listed.
    """
    lines = [
        f"{visible(run.place)} is damaged: {visible(run.error)}"
        for study in studies
        for run in study.runs
        if run.error
    ]
    for study in studies:
        weights = sum(run.weights for run in study.runs)
        line = f"{visible(study.name)}: {plural(len(study.runs), 'run')}, {size_text(study.size)}"
        line += f", {size_text(weights)} of them weights" if weights else ""
        lines.append(line + (f"; {visible(study.error)}" if study.error else ""))
    runs = sum(len(study.runs) for study in studies)
    total = size_text(sum(study.size for study in studies))
    listed = f"{shown} of {plural(runs, 'run')} listed" if shown != runs else plural(runs, "run")
    return [*lines, f"In all: {listed}, {total}"]


def runs_json(studies: Sequence[StudyEntry], runs: Sequence[RunEntry]) -> dict[str, Any]:
    """Return a list of runs as plain values, for programs."""
    return {
        "runs": [_run_json(run) for run in runs],
        "studies": [
            {"study": study.name, "folder": str(study.folder.path), "runs": len(study.runs),
             "bytes": study.size, "error": study.error}
            for study in studies
        ],
        "bytes": sum(study.size for study in studies),
    }  # fmt: skip


def _run_json(run: RunEntry) -> dict[str, Any]:
    record = run.record
    table: dict[str, Any] = {
        "study": run.study, "arm": run.arm, "seed": run.seed, "status": run.status,
        "folder": str(run.folder.path), "bytes": run.size, "weights_bytes": run.weights,
        "finished": datetime.fromtimestamp(run.ended).astimezone().isoformat(timespec="seconds"),
        "error": run.error,
    }  # fmt: skip
    if record is not None:
        table |= {
            "key": record.key, "scores": record.scores, "seconds": record.seconds,
            "epochs": record.epochs, "engine": record.engine, "data": record.data,
            "fingerprint": record.fingerprint, "parameters": record.parameters,
            "error": record.error,
        }  # fmt: skip
    return table

"""Records and verdicts to one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from triptych.records import FINISHED, RunRecord, StudyRecord
from triptych.report.charts import COLOURS, colour
from triptych.report.curves import Series, curve_chart, shows_covered
from triptych.report.figures import (
    columns,
    figures_row,
    heading,
    reported_notes,
    tells_numbers,
    trained,
)
from triptych.report.findings import findings, within_size
from triptych.report.outcome import summary, taken, tally, why
from triptych.report.readings import brief, means, needed, reading, strip
from triptych.report.scripts import page_scripts
from triptych.report.sequences import reaches, sequence_notes
from triptych.report.times import times
from triptych.report.wording import (
    SYMBOLS,
    VerdictLike,
    arm_label,
    duration,
    figure,
    shows,
    stand_in,
    visible,
)
from triptych.spec import DataSpec, PalindromeSpec, PartSpec, write_study

_TABLE_ROWS = 8
_CHARTED = {"loss": "loss", "accuracy": "accuracy", "r2": "R²"}


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("triptych.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Every value that reaches the page goes through here.
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    environment.globals |= {
        "symbols": SYMBOLS, "reading": reading, "brief": brief, "needed": needed,
        "strip": strip, "why": why,
    }  # fmt: skip
    return environment


def render_html(record: StudyRecord, verdicts: Sequence[VerdictLike], command: str) -> str:
    """Return a study's page: one self-contained HTML file that needs no network.

    It is whole without a script, too; with it, charts answer.

    Parameters
    ----------
    record : StudyRecord
    verdicts : sequence of VerdictLike
        On the study's claims, in order.
    command : str
        What repeats the study.
    """
    environment = _environment()
    body = environment.get_template("body.html").render(_told(record, verdicts, command))
    style = files("triptych.report").joinpath("page.css").read_text(encoding="utf-8")
    html: str = environment.get_template("page.html").render(
        title=record.study.title,
        style=Markup(style),
        body=Markup(body),
        scripts=page_scripts(body),
    )
    return html


def _told(record: StudyRecord, verdicts: Sequence[VerdictLike], command: str) -> dict[str, Any]:
    """Return all that the page tells, in the words of its template."""
    parts = _parts(record)
    names = [[n for n, arm in record.study.arms.items() if arm.part == p.name] for p in parts]
    explained = within_size([findings(record, arms) for arms in names])
    return {
        "study": record.study,
        "record": record,
        "verdicts": verdicts,
        "tally": tally(verdicts),
        "summary": summary(record, verdicts),
        "parts": [_part(record, part) for part in parts],
        "explained": [
            (part.title, shown, left)
            for part, (shown, left) in zip(parts, explained, strict=True)
            if shown or left
        ],
        "machine": _machine(record),
        "memory": _memory(record),
        "data": _data(record),
        "lost": [run for run in record.runs if run.status != FINISHED],
        "duration": duration(record.seconds),
        "command": command,
        "spec": write_study(record.study),
        "label": lambda arm: arm_label(record, arm),
        "means": lambda comparison: means(record, comparison),
        "stand_in": lambda claim: stand_in(record, claim),
        "taken": lambda verdict: taken(record, verdict),
    }


def _parts(record: StudyRecord) -> list[PartSpec]:
    """Return the study's parts, and one without a name for arms that belong to none."""
    used = {arm.part for arm in record.study.arms.values()}
    parts = [part for part in record.study.parts if part.name in used]
    return [*parts, PartSpec(name="", title="All arms")] if "" in used else parts


def _part(record: StudyRecord, part: PartSpec) -> dict[str, Any]:
    arms = {name: arm for name, arm in record.study.arms.items() if arm.part == part.name}
    # Arms share a chart where they share data and length; a long one would squeeze a short one.
    groups: dict[tuple[DataSpec, int], list[str]] = {}
    levels: dict[DataSpec, list[str]] = {}
    for name, arm in arms.items():
        if arm.train is None:
            levels.setdefault(arm.data, []).append(name)
        else:
            groups.setdefault((arm.data, arm.train.epochs), []).append(name)
    return {
        "spec": part,
        "arms": [trained(record, name, arm) for name, arm in arms.items()],
        "figures": [
            _figure(record, *key, chart)
            for key, names in groups.items()
            for chart in _charts(names, levels.get(key[0], []))
        ],
        **_figures_table(record, list(arms)),
        "times": times(record, list(arms)),
        "shared": any(run.shared for name in arms for run in record.of(name)),
        "notes": reported_notes(record, tuple(arms)),
        "reaches": reaches(record, tuple(arms)),
        "sequence_notes": sequence_notes(record, tuple(arms)),
    }


def _figures_table(record: StudyRecord, names: list[str]) -> dict[str, Any]:
    """Return the rows of some arms and the columns that say something of them."""
    rows = [figures_row(record, name) for name in names]
    cells = {c: [row["cells"][c] for row in rows] for c in columns(record)}
    reported = any(cell["reported"] != "–" for column in cells.values() for cell in column)
    said = [c for c, cs in cells.items() if any({x["mean"], x["reported"]} != {"–"} for x in cs)]
    shown = said or list(cells)
    rows = [{**row, "cells": {c: row["cells"][c] for c in shown}} for row in rows]
    return {"rows": rows, "columns": [heading(c) for c in shown], "reported": reported}


def _charts(names: list[str], levels: list[str]) -> list[list[str]]:
    """Return the arms of each chart, the references in all; no two of a chart have one colour."""
    levels = levels[: COLOURS - 1]
    size = COLOURS - len(levels)
    return [names[start : start + size] + levels for start in range(0, len(names), size)]


def _figure(record: StudyRecord, data: DataSpec, epochs: int, names: list[str]) -> dict[str, Any]:
    is_level = [record.study.arms[name].train is None for name in names]
    # References have the same colours in every chart of a part, however many arms it has.
    places = [k if not level else k - len(names) + COLOURS for k, level in enumerate(is_level)]
    series = [
        Series(arm_label(record, name), colour(place), record.of(name), is_level=level)
        for name, place, level in zip(names, places, is_level, strict=True)
    ]
    drawn = [one for one in series if any(run.curve for run in one.runs)]
    first = next((run for one in series for run in one.runs if run.fingerprint), None)
    title = first.data if first else data.source
    if isinstance(data, PalindromeSpec):
        title = _palindromes(data)
    title += f", {epochs} epochs"
    who = ", ".join(one.label for one in drawn)
    # Arms of one data set all tell classes, or all numbers.
    judged = "r2" if any(tells_numbers(one.runs) for one in drawn) else "accuracy"
    charts = {
        metric: Markup(curve_chart(drawn, metric, f"{_CHARTED[metric]} by epoch on {title}: {who}"))
        for metric in (("loss", judged) if drawn else ())
    }
    names = [f"{split}_{metric}" for metric in charts for split in ("train", "test")]
    return {
        "title": title,
        "series": series,
        "charts": charts,
        "seeds": max((len(one.runs) for one in drawn), default=0),
        "captions": {"loss": "mean loss", judged: _CHARTED[judged]},
        "covered": any(shows_covered(chart) for chart in charts.values()),
        "levels": any(one.is_level for one in drawn),
        "heads": [name.replace("_", " ").replace(" r2", " R²") for name in names],
        "table": _curve_table(drawn, names),
    }


def _palindromes(data: PalindromeSpec) -> str:
    if data.shortest is not None:
        return f"palindromes, T = {data.shortest} to {data.length}"
    drawn = ", as drawn" if data.split == "paper" else ""
    return f"palindromes, T = {data.length}{drawn}"


def _curve_table(series: list[Series], names: list[str]) -> list[dict[str, Any]]:
    """Return the figures of a chart as rows: the first seed's evaluations, at most nine an arm."""
    rows = []
    for one in series:
        run = next(run for run in one.runs if run.curve)
        step = max(1, len(run.curve) // _TABLE_ROWS)
        for k in sorted({*range(step - 1, len(run.curve), step), len(run.curve) - 1}):
            values = [run.curve[k].get(name) for name in names]
            scores = [
                "–" if value is None else shows(name)(value)
                for name, value in zip(names, values, strict=True)
            ]
            epoch = "–" if one.is_level else run.curve[k]["epoch"]
            rows.append({"label": one.label, "seed": run.seed, "epoch": epoch, "scores": scores})
    return rows


def _machine(record: StudyRecord) -> list[tuple[str, str]]:
    """Return the environment as rows; what differs between runs is listed with all values."""
    keys = dict.fromkeys(key for run in record.runs for key in run.environment)
    rows = []
    for key in keys:
        values = dict.fromkeys(run.environment.get(key, "–") for run in record.runs)
        rows.append((key, ", ".join(values)))
    return rows


def _memory(record: StudyRecord) -> str:
    """Return the largest peak of memory, in MB; empty where it was not measured."""
    peaks = [run.peak_memory for run in record.runs if run.peak_memory is not None]
    return figure(max(peaks)) if peaks else ""


def _data(record: StudyRecord) -> list[dict[str, Any]]:
    """Return each data set that was used, with its fingerprint by seed."""
    seen: dict[tuple[str, str], RunRecord] = {}
    for run in record.runs:
        if run.fingerprint:  # else it failed before there were any
            seen.setdefault((run.data, run.fingerprint), run)
    return [
        {"name": name, "seed": run.seed, "rows": f"{run.train_rows:,} / {run.test_rows:,}",
         "fingerprint": print_}
        for (name, print_), run in seen.items()
    ]  # fmt: skip

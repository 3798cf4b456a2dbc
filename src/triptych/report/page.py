"""Records and verdicts to one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from triptych.records import RunRecord, StudyRecord
from triptych.report.charts import Series, colour, curve_svg
from triptych.report.wording import (
    SYMBOLS,
    OutcomeLike,
    VerdictLike,
    accuracy,
    arm_label,
    figure,
    means,
    measured,
    reading,
    sides,
    stand_in,
    summary,
    visible,
)
from triptych.spec import (
    ArmSpec,
    CNNSpec,
    Comparison,
    DataSpec,
    MLPSpec,
    PalindromeSpec,
    PartSpec,
    RNNSpec,
)

COLUMNS = ("test_accuracy", "train_accuracy", "test_loss", "seconds")


@dataclass(frozen=True)
class Strip:
    """An interval beside its threshold, drawn in a box 100 wide: all in its units."""

    low: float
    high: float
    dot: float
    threshold: float
    margin: float


def strip(comparison: Comparison, outcome: OutcomeLike) -> Strip | None:
    """Return where to draw an outcome's interval; None where it has none."""
    value, low, high, threshold, relation = sides(comparison, outcome)
    if not low <= value <= high:
        return None
    margin = comparison.margin if relation == "=" else 0.0
    left, right = min(low, threshold - margin), max(high, threshold + margin)
    room = (right - left) or 1.0
    left, room = left - 0.12 * room, 1.24 * room
    place = [round(100 * (x - left) / room, 2) for x in (low, high, value, threshold)]
    return Strip(place[0], place[1], place[2], place[3], round(100 * margin / room, 2))


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
    environment.globals |= {"symbols": SYMBOLS, "reading": reading, "strip": strip}
    return environment


def render_html(record: StudyRecord, verdicts: Sequence[VerdictLike], command: str) -> str:
    """Return a study's page: one self-contained HTML file that needs no network and no script.

    Parameters
    ----------
    record : StudyRecord
    verdicts : sequence of VerdictLike
        On the study's claims, in order.
    command : str
        What repeats the study.
    """
    environment = _environment()
    style = files("triptych.report").joinpath("page.css").read_text(encoding="utf-8")
    html: str = environment.get_template("page.html").render(
        study=record.study,
        record=record,
        style=Markup(style),
        verdicts=verdicts,
        summary=summary(record, verdicts),
        parts=[_part(record, part) for part in _parts(record)],
        machine=_machine(record),
        data=_data(record),
        diverged=[run for run in record.runs if run.status != "finished"],
        command=command,
        label=lambda arm: arm_label(record, arm),
        means=lambda comparison: means(record, comparison),
        stand_in=lambda claim: stand_in(record, claim),
    )
    return html


def _parts(record: StudyRecord) -> list[PartSpec]:
    """Return the study's parts, and one without a name for arms that belong to none."""
    used = {arm.part for arm in record.study.arms.values()}
    parts = [part for part in record.study.parts if part.name in used]
    return [*parts, PartSpec(name="", title="All arms")] if "" in used else parts


def _part(record: StudyRecord, part: PartSpec) -> dict[str, Any]:
    arms = {name: arm for name, arm in record.study.arms.items() if arm.part == part.name}
    # Arms share a chart where they share data and length; a long one would squeeze a short one.
    groups: dict[tuple[DataSpec, int], list[str]] = {}
    for name, arm in arms.items():
        groups.setdefault((arm.data, arm.train.epochs), []).append(name)
    return {
        "spec": part,
        "arms": [_trained(record, name, arm) for name, arm in arms.items()],
        "figures": [_figure(record, *key, names) for key, names in groups.items()],
        "rows": [_row(record, name) for name in arms],
        "notes": _notes(record, tuple(arms)),
    }


def _network(arm: ArmSpec) -> str:
    match arm.network:
        case MLPSpec(hidden=hidden, dropout=dropout):
            text = f"MLP, hidden {'-'.join(map(str, hidden))}"
            return f"{text}, dropout {dropout:g}" if dropout else text
        case CNNSpec(channels=channels):
            return f"CNN, channels {'-'.join(map(str, channels))}"
        case RNNSpec(hidden=hidden, output=output):
            return f"RNN, hidden {hidden}, {output}"


def _recipe(arm: ArmSpec) -> str:
    train, optimizer = arm.train, arm.train.optimizer
    rows = f"{train.batch_size} rows a step" if train.batch_size else "full batch"
    text = f"{optimizer.name} at {optimizer.lr:g}, {rows}, {train.epochs} epochs"
    if train.schedule.name == "step":
        text += f", times {train.schedule.gamma:g} every {train.schedule.step_epochs} epochs"
    elif train.schedule.name != "constant":
        text += f", {train.schedule.name}"
    return text + (f", clipped at {train.clip_norm:g}" if train.clip_norm else "")


def _trained(record: StudyRecord, name: str, arm: ArmSpec) -> dict[str, Any]:
    runs = record.of(name)
    first = runs[0] if runs else None
    return {
        "label": arm_label(record, name),
        "network": _network(arm),
        "parameters": f"{first.parameters:,}" if first else "–",
        "flops": f"{first.flops:,}" if first else "–",
        "recipe": _recipe(arm),
        "engine": first.engine if first else arm.engine,
        "rows": f"{first.train_rows:,} / {first.test_rows:,}" if first else "–",
        "data": first.data if first else arm.data.source,
    }


def _figure(record: StudyRecord, data: DataSpec, epochs: int, names: list[str]) -> dict[str, Any]:
    series = [
        Series(arm_label(record, name), colour(k), record.of(name)) for k, name in enumerate(names)
    ]
    drawn = [one for one in series if any(run.curve for run in one.runs)]
    first = next((run for one in series for run in one.runs), None)
    title = first.data if first else data.source
    if isinstance(data, PalindromeSpec):
        title = f"palindromes, T = {data.length}"
    title += f", {epochs} epochs"
    charts = []
    for metric in ("loss", "accuracy") if drawn else ():
        who = ", ".join(one.label for one in drawn)
        drawing = curve_svg(drawn, metric, f"{metric} by epoch on {title}: {who}")
        charts.append(Markup(drawing))
    return {"title": title, "series": series, "charts": charts, "table": _curve_table(drawn)}


def _curve_table(series: list[Series]) -> list[dict[str, Any]]:
    """Return the figures of a chart as rows: the first seed's evaluations, at most eight."""
    rows = []
    for one in series:
        run = next(run for run in one.runs if run.curve)
        step = max(1, len(run.curve) // 8)
        for k in sorted({*range(step - 1, len(run.curve), step), len(run.curve) - 1}):
            row = run.curve[k]
            scores = {
                f"{split}_{metric}": (figure if metric == "loss" else accuracy)(
                    float("nan") if (v := row.get(f"{split}_{metric}")) is None else v
                )
                for split in ("train", "test")
                for metric in ("loss", "accuracy")
            }
            rows.append({"label": one.label, "seed": run.seed, "epoch": row["epoch"], **scores})
    return rows


def _row(record: StudyRecord, name: str) -> dict[str, Any]:
    """Return an arm's reported and measured figures, by column."""
    runs = record.finished(name)
    cells = {}
    for column in COLUMNS:
        mean, spread = measured(runs, column)
        cells[column] = {
            "reported": reported_text(record, name, column),
            "mean": mean,
            "range": spread,
        }
    lost = len(record.of(name)) - len(runs)
    return {"label": arm_label(record, name), "cells": cells, "runs": len(runs), "diverged": lost}


def reported_text(record: StudyRecord, name: str, column: str) -> str:
    """Return the published figure of an arm for one column; ``–`` where there is none."""
    for value in record.study.reported:
        if value.arm != name or not value.metric.startswith(column):
            continue
        about = "about " if value.approximate else ""
        if value.metric == "test_loss_sum":
            rows = next((run.test_rows for run in record.of(name)), 0)
            mean = f", a mean of {figure(value.value / rows)}" if rows else ""
            return f"{about}{value.value:g} as a sum{mean}"
        text = f"{value.value:.3f}" if column.endswith("accuracy") else f"{value.value:g}"
        return about + text
    return "–"


def _notes(record: StudyRecord, names: tuple[str, ...]) -> list[str]:
    """Return the remarks on reported figures, each once, with what it is about."""
    notes: dict[str, list[str]] = {}
    for value in record.study.reported:
        if value.arm in names and value.note:
            about = f"{arm_label(record, value.arm)}, {value.metric.replace('_', ' ')}"
            notes.setdefault(value.note, []).append(about)
    return [f"{'; '.join(about)}: {note}." for note, about in notes.items()]


def _machine(record: StudyRecord) -> list[tuple[str, str]]:
    """Return the environment as rows; what differs between runs is listed with all values."""
    keys = dict.fromkeys(key for run in record.runs for key in run.environment)
    rows = []
    for key in keys:
        values = dict.fromkeys(run.environment.get(key, "–") for run in record.runs)
        rows.append((key, ", ".join(values)))
    return rows


def _data(record: StudyRecord) -> list[dict[str, Any]]:
    """Return each data set that was used, with its fingerprint by seed."""
    seen: dict[tuple[str, str], RunRecord] = {}
    for run in record.runs:
        seen.setdefault((run.data, run.fingerprint), run)
    return [
        {"name": name, "seed": run.seed, "rows": f"{run.train_rows:,} / {run.test_rows:,}",
         "fingerprint": print_}
        for (name, print_), run in seen.items()
    ]  # fmt: skip

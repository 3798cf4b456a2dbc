"""Records and verdicts to one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from triptych.records import FINISHED, RunRecord, StudyRecord
from triptych.report.charts import COLOURS, Series, colour, curve_svg, shows_covered
from triptych.report.figures import columns, figures_row, heading, reported_notes, trained
from triptych.report.findings import findings, within_size
from triptych.report.readings import means, reading, strip
from triptych.report.sequences import reaches, sequence_notes
from triptych.report.wording import (
    SYMBOLS,
    VerdictLike,
    accuracy,
    arm_label,
    duration,
    figure,
    stand_in,
    summary,
    taken,
    visible,
)
from triptych.spec import DataSpec, PalindromeSpec, PartSpec

_TABLE_ROWS = 8


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
    parts = _parts(record)
    names = [[n for n, arm in record.study.arms.items() if arm.part == p.name] for p in parts]
    explained = within_size([findings(record, arms) for arms in names])
    style = files("triptych.report").joinpath("page.css").read_text(encoding="utf-8")
    html: str = environment.get_template("page.html").render(
        study=record.study,
        record=record,
        style=Markup(style),
        verdicts=verdicts,
        summary=summary(record, verdicts),
        parts=[
            {**_part(record, part), "explained": shown, "left_out": left}
            for part, (shown, left) in zip(parts, explained, strict=True)
        ],
        machine=_machine(record),
        data=_data(record),
        diverged=[run for run in record.runs if run.status != FINISHED],
        columns=[heading(column) for column in columns(record)],
        duration=duration(record.seconds),
        command=command,
        label=lambda arm: arm_label(record, arm),
        means=lambda comparison: means(record, comparison),
        stand_in=lambda claim: stand_in(record, claim),
        taken=lambda verdict: taken(record, verdict),
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
        "arms": [trained(record, name, arm) for name, arm in arms.items()],
        "figures": [
            # No two arms of a chart have one colour.
            _figure(record, *key, names[start : start + COLOURS])
            for key, names in groups.items()
            for start in range(0, len(names), COLOURS)
        ],
        "rows": [figures_row(record, name) for name in arms],
        "notes": reported_notes(record, tuple(arms)),
        "reaches": reaches(record, tuple(arms)),
        "sequence_notes": sequence_notes(record, tuple(arms)),
    }


def _figure(record: StudyRecord, data: DataSpec, epochs: int, names: list[str]) -> dict[str, Any]:
    series = [
        Series(arm_label(record, name), colour(k), record.of(name)) for k, name in enumerate(names)
    ]
    drawn = [one for one in series if any(run.curve for run in one.runs)]
    first = next((run for one in series for run in one.runs), None)
    title = first.data if first else data.source
    if isinstance(data, PalindromeSpec):
        title = _palindromes(data)
    title += f", {epochs} epochs"
    who = ", ".join(one.label for one in drawn)
    charts = {
        metric: Markup(curve_svg(drawn, metric, f"{metric} by epoch on {title}: {who}"))
        for metric in (("loss", "accuracy") if drawn else ())
    }
    return {
        "title": title,
        "series": series,
        "charts": charts,
        "covered": any(shows_covered(chart) for chart in charts.values()),
        "table": _curve_table(drawn),
    }


def _palindromes(data: PalindromeSpec) -> str:
    if data.shortest is not None:
        return f"palindromes, T = {data.shortest} to {data.length}"
    drawn = ", as drawn" if data.split == "paper" else ""
    return f"palindromes, T = {data.length}{drawn}"


def _curve_table(series: list[Series]) -> list[dict[str, Any]]:
    """Return the figures of a chart as rows: the first seed's evaluations, at most nine an arm."""
    rows = []
    for one in series:
        run = next(run for run in one.runs if run.curve)
        step = max(1, len(run.curve) // _TABLE_ROWS)
        for k in sorted({*range(step - 1, len(run.curve), step), len(run.curve) - 1}):
            scores = _scores(run.curve[k])
            epoch = run.curve[k]["epoch"]
            rows.append({"label": one.label, "seed": run.seed, "epoch": epoch, **scores})
    return rows


def _scores(row: dict[str, Any]) -> dict[str, str]:
    scores = {}
    for name in ("train_loss", "test_loss", "train_accuracy", "test_accuracy"):
        value = row.get(name)
        show = figure if name.endswith("loss") else accuracy
        scores[name] = "–" if value is None else show(value)
    return scores


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

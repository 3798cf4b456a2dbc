"""What a page says of recurrent networks: how far they reach, and what explains it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from triptych.records import Finding, RunRecord, StudyRecord
from triptych.report.charts import COLOURS, colour
from triptych.report.drawing import Cell, Explained, Figure, Group, Key, Panel, Table
from triptych.report.sequence_charts import Reach, flow_chart, lengths_chart, paths_svg
from triptych.report.wording import accuracy, arm_label, figure
from triptych.spec import RNNSpec

_AT = re.compile(r"test_accuracy_at\((\d+)\)")
_STEPS_SHOWN = 5


def reaches(record: StudyRecord, names: Sequence[str]) -> list[Figure]:
    """Return accuracy by length of those of some arms that are recurrent, eight a chart."""
    arms = _recurrent(record, names)
    groups = [arms[start : start + COLOURS] for start in range(0, len(arms), COLOURS)]
    return [found for group in groups if (found := _lengths(record, group))]


def _recurrent(record: StudyRecord, names: Sequence[str]) -> list[str]:
    """Return those of some arms that are recurrent and read sequences."""
    arms = record.study.arms
    return [
        name
        for name in names
        if isinstance(arms[name].network, RNNSpec) and arms[name].data.holds == "sequences"
    ]


def sequence_notes(record: StudyRecord, names: Sequence[str]) -> list[str]:
    """Return what a reader must know of the sequences of some arms."""
    arms = _recurrent(record, names)
    runs = [run for name in arms for run in record.of(name)]
    return list(dict.fromkeys(note for run in runs for note in run.notes))


def _lengths(record: StudyRecord, names: Sequence[str]) -> Figure | None:
    """Return accuracy by length, as a chart and as a table."""
    series = [
        Reach(arm_label(record, name), colour(k), at)
        for k, name in enumerate(names)
        if (at := _accuracies(record.finished(name)))
    ]
    if not series:
        return None
    lengths = sorted({t for one in series for t in one.at})
    who = ", ".join(one.label for one in series)
    table = Table(
        f"Table of accuracy against T: {who}",
        ("arm", *(f"{t:,}" for t in lengths)),
        [((one.label,), [_cell(one.at.get(t, ())) for t in lengths]) for one in series],
    )
    chart = Markup(lengths_chart(series, f"accuracy by length of the palindrome: {who}"))
    return Figure(
        "Accuracy against T",
        "Accuracy on strings of each length, drawn for this alone, after training; the axis of T "
        "is logarithmic. Lines and figures are means over seeds; bands, and the figures beneath, "
        "reach from the worst seed to the best. By chance it would be 0.1. A broad line behind "
        "another: the two arms agree.",
        [Group([Panel(chart)], "broad", table=table)],
        [Key(one.label, one.colour) for one in series],
    )


def _accuracies(runs: Sequence[RunRecord]) -> dict[int, list[float]]:
    """Return the accuracies of an arm's runs by length, shortest first."""
    found: dict[int, list[float]] = {}
    for run in runs:
        for name, value in run.scores.items():
            if (match := _AT.fullmatch(name)) and value is not None:
                found.setdefault(int(match[1]), []).append(value)
    return dict(sorted(found.items()))


def _cell(values: Sequence[float]) -> Cell:
    """Return mean and range over seeds."""
    if not values:
        return Cell("–")
    low, high = accuracy(min(values)), accuracy(max(values))
    return Cell(accuracy(sum(values) / len(values)), "" if low == high else f"{low}–{high}")


def draw_flow(series: Sequence[Explained]) -> Figure:
    """Return gradients through time, as a chart and as a table."""
    back = series[0].finding.arrays["back"]
    # At the end itself it is 1 by definition.
    shown = sorted({int(k) for k in np.geomspace(2, len(back), _STEPS_SHOWN).round() - 1})
    rows = [
        ((one.label, when), [_share(float(one.finding.arrays[when][k])) for k in shown])
        for one in series
        for when in ("before", "after")
    ]
    who = ", ".join(one.label for one in series)
    heads = ("steps back", "training", *(f"{back[k]:g}" for k in shown))
    chart = Markup(flow_chart(series, f"gradient by steps back in time: {who}"))
    keys = [Key(one.label, one.colour) for one in series]
    return Figure(
        series[0].finding.title,
        f"{series[0].finding.caption} The axis of the gradient is logarithmic and ends at 1e-12.",
        [Group([Panel(chart)], "pair", table=Table(f"Table of gradients: {who}", heads, rows))],
        [*keys, Key("after training"), Key("before", dashed=True)],
    )


def _share(value: float) -> Cell:
    """Return a gradient's share of that at the end; the smallest are rounding."""
    return Cell(f"{value:.2g}" if value >= 1e-20 else "< 1e-20")


def draw_paths(series: Sequence[Explained]) -> Figure:
    """Return paths of hidden states, a panel for each arm, and how far apart they end."""
    panels = [
        Panel(Markup(paths_svg(one.finding, f"paths of the hidden state: {one.label}")), one.label)
        for one in series
    ]
    heads = (
        "arm", "variance on the two axes", "mean distance to the centre of its digit",
        "mean distance between centres",
    )  # fmt: skip
    rows = [((one.label,), [Cell(text) for text in _spread(one.finding)]) for one in series]
    who = ", ".join(one.label for one in series)
    table = Table(f"Table of hidden states: {who}", heads, rows, "How far apart the ends lie")
    finding = series[0].finding
    return Figure(finding.title, finding.caption, [Group(panels, "panels", table=table)])


def _spread(finding: Finding) -> tuple[str, str, str]:
    """Return the two axes' share of the variance, and distances of ends within and between classes.

    An end is the mean of a path's last steps; distances are measured in the plane that is drawn.
    """
    arrays = finding.arrays
    points_KLD = arrays["paths"][:, -int(arrays["late"]) :]
    labels = np.unique(arrays["labels"])
    centres = np.array([points_KLD[arrays["labels"] == c].mean(axis=(0, 1)) for c in labels])
    own = centres[np.searchsorted(labels, arrays["labels"])][:, None]
    within = float(np.linalg.norm(points_KLD - own, axis=2).mean())
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    pairs = apart[np.triu_indices(len(labels), 1)]
    between = float(pairs.mean()) if len(pairs) else float("nan")
    return f"{float(arrays['explained'].sum()):.0%}", figure(within), figure(between)

"""What a page says of recurrent networks: how far they reach, and what explains it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from triptych.contracts import Finding
from triptych.records import RunRecord, StudyRecord
from triptych.report.charts import COLOURS, colour
from triptych.report.sequence_charts import Explained, Reach, flow_svg, lengths_svg, paths_svg
from triptych.report.wording import accuracy, arm_label, figure
from triptych.spec import RNNSpec

# As `triptych.explain` calls them.
FLOW, STATES = "gradient flow", "hidden states"
_AT = re.compile(r"test_accuracy_at\((\d+)\)")
_STEPS_SHOWN = 5


def sequences(record: StudyRecord, names: Sequence[str]) -> dict[str, Any]:
    """Return the figures of a part's recurrent arms; each is an empty list where there is none.

    Returns
    -------
    dict
        ``lengths``, ``flow``, ``paths``: figures; ``notes``: what a reader must know of the data.
    """
    arms = [
        name
        for name in names
        if isinstance(record.study.arms[name].network, RNNSpec)
        and record.study.arms[name].data.holds == "sequences"
    ]
    groups = [arms[start : start + COLOURS] for start in range(0, len(arms), COLOURS)]
    runs = [run for name in arms for run in record.of(name)]
    return {
        "lengths": [found for group in groups if (found := _lengths(record, group))],
        "flow": [found for group in groups if (found := _flow(record, group))],
        "paths": [found for group in groups if (found := _paths(record, group))],
        "notes": list(dict.fromkeys(note for run in runs for note in run.notes)),
    }


def _lengths(record: StudyRecord, names: Sequence[str]) -> dict[str, Any] | None:
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
    return {
        "series": series,
        "chart": Markup(lengths_svg(series, f"accuracy by length of the palindrome: {who}")),
        "heads": [f"{t:,}" for t in lengths],
        "rows": [(one.label, [_cell(one.at.get(t, ())) for t in lengths]) for one in series],
    }


def _accuracies(runs: Sequence[RunRecord]) -> dict[int, list[float]]:
    """Return the accuracies of an arm's runs by length, shortest first."""
    found: dict[int, list[float]] = {}
    for run in runs:
        for name, value in run.scores.items():
            if (match := _AT.fullmatch(name)) and value is not None:
                found.setdefault(int(match[1]), []).append(value)
    return dict(sorted(found.items()))


def _cell(values: Sequence[float]) -> tuple[str, str]:
    """Return mean and range over seeds as texts."""
    if not values:
        return "–", ""
    low, high = accuracy(min(values)), accuracy(max(values))
    return accuracy(sum(values) / len(values)), "" if low == high else f"{low}–{high}"


def _explained(record: StudyRecord, names: Sequence[str], kind: str) -> list[Explained]:
    """Return one finding of a kind for each arm that has any: its first seed's."""
    found = []
    for k, name in enumerate(names):
        findings = [f for run in record.finished(name) for f in run.findings if f.kind == kind]
        if findings:
            found.append(Explained(arm_label(record, name), colour(k), findings[0]))
    return found


def _flow(record: StudyRecord, names: Sequence[str]) -> dict[str, Any] | None:
    """Return gradients through time, as a chart and as a table."""
    series = _explained(record, names, FLOW)
    if not series:
        return None
    back = series[0].finding.arrays["back"]
    # At the end itself it is 1 by definition.
    shown = sorted({int(k) for k in np.geomspace(2, len(back), _STEPS_SHOWN).round() - 1})
    rows = [
        (one.label, when, [_share(float(one.finding.arrays[when][k])) for k in shown])
        for one in series
        for when in ("before", "after")
    ]
    who = ", ".join(one.label for one in series)
    return {
        "title": series[0].finding.title,
        "caption": series[0].finding.caption,
        "series": series,
        "chart": Markup(flow_svg(series, f"gradient by steps back in time: {who}")),
        "heads": [f"{back[k]:g}" for k in shown],
        "rows": rows,
    }


def _share(value: float) -> str:
    """Return a gradient's share of that at the end; the smallest are rounding."""
    return f"{value:.2g}" if value >= 1e-20 else "< 1e-20"


def _paths(record: StudyRecord, names: Sequence[str]) -> dict[str, Any] | None:
    """Return paths of hidden states, a panel for each arm, and how far apart they end."""
    series = _explained(record, names, STATES)
    if not series:
        return None
    panels = [
        {
            "label": one.label,
            "caption": one.finding.caption,
            "chart": Markup(paths_svg(one.finding, f"paths of the hidden state: {one.label}")),
        }
        for one in series
    ]
    return {
        "title": series[0].finding.title,
        "caption": series[0].finding.caption,
        "panels": panels,
        "rows": [(one.label, *_spread(one.finding)) for one in series],
    }


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

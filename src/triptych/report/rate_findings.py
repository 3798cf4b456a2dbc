"""The loss against the learning rate, as a figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from triptych.records import Finding
from triptych.report.charts import Hover, by_label, draw
from triptych.report.drawing import Cell, Explained, Figure, Group, Key, Panel, Table
from triptych.report.wording import figure


def draw_rates(series: Sequence[Explained]) -> Figure:
    """Return the loss by learning rate: a line for each arm, and the rate that it was given."""
    who = ", ".join(one.label for one in series)
    rates = sorted({rate for one in series for rate, _ in _tried(one.finding)})
    rows = [((f"{rate:g}",), [_cell(one.finding, rate) for one in series]) for rate in rates]
    table = Table(f"Table of learning rates: {who}", ("rate", *(one.label for one in series)), rows)
    chart = Markup(_svg(series, f"validation loss by learning rate: {who}"))
    taken = "; ".join(f"{one.label} {one.finding.arrays['taken']:g}" for one in series)
    first = series[0].finding
    caption = f"{first.caption} Taken: {taken}."
    keys = [Key(one.label, one.colour) for one in series]
    return Figure(first.title, caption, [Group([Panel(chart)], "pair", table=table)], keys)


def _tried(finding: Finding) -> list[tuple[float, float]]:
    arrays = finding.arrays
    return list(zip(arrays["rates"].tolist(), arrays["losses"].tolist(), strict=True))


def _cell(finding: Finding, rate: float) -> Cell:
    tried = dict(_tried(finding))
    if rate not in tried:
        return Cell("–")
    taken = "taken" if rate == float(finding.arrays["taken"]) else ""
    return Cell("diverged" if math.isnan(tried[rate]) else figure(tried[rate]), taken)


def _svg(series: Sequence[Explained], description: str) -> str:
    points: list[dict[str, Any]] = [
        {"a": one.label, "r": rate, "v": loss, "n": rate == float(one.finding.arrays["taken"])}
        for one in series
        for rate, loss in _tried(one.finding)
        if not math.isnan(loss)
    ]
    rates = sorted({point["r"] for point in points}) or [1.0]
    x = {"type": "log", "domain": [rates[0] / 1.2, rates[-1] * 1.2], "nice": False}
    encoding: dict[str, Any] = {
        "x": {"field": "r", "type": "quantitative", "title": "learning rate", "scale": x,
              "axis": {"values": rates, "format": "~g", "grid": False}},
        "y": {"field": "v", "type": "quantitative", "title": None, "scale": {"zero": False},
              "axis": {"format": "~g", "minExtent": 30}},
        "color": by_label(series),
    }  # fmt: skip
    size = {"condition": {"test": "datum.n", "value": 180}, "value": 40}
    spec = {
        "data": {"values": points},
        "height": 240,
        "encoding": encoding,
        "layer": [
            {"mark": {"type": "line", "strokeWidth": 1.5}},
            {"mark": {"type": "circle", "opacity": 1}, "encoding": {"size": size}},
        ],
    }
    return draw(spec, description, Hover("r", "rate", "v", "figure"))

"""Curves as Vega-Lite specs, drawn to static SVG when the page is built.

Vega-Lite keeps a chart as data, and its SVG needs no script to be read. Colours are CSS
variables, so that one drawing serves light and dark.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from triptych.records import RunRecord
from triptych.report.wording import visible

VEGA_LITE = "5.20"
COLOURS = 8
_POINTS = 100
_INK, _GRID = "var(--muted)", "var(--line)"


@dataclass(frozen=True)
class Series:
    """One arm's runs in a chart: its place among the colours, and the runs."""

    label: str
    colour: str
    runs: Sequence[RunRecord]


def colour(place: int) -> str:
    """Return the CSS variable of the place-th colour, counted from 0."""
    return f"var(--c{place % COLOURS + 1})"


def thinned(count: int) -> list[int]:
    """Return at most about a hundred row numbers out of `count`, the last always among them.

    Examples
    --------
    >>> thinned(3), len(thinned(1000)) <= 102, thinned(1000)[-1]
    ([0, 1, 2], True, 999)
    """
    step = max(1, math.ceil(count / _POINTS))
    return sorted({*range(0, count, step), *([count - 1] if count else [])})


def _points(series: Sequence[Series], metric: str) -> Iterator[dict[str, Any]]:
    for one in series:
        for run in one.runs:
            for k in thinned(len(run.curve)):
                row = run.curve[k]
                for split in ("train", "test"):
                    value = row.get(f"{split}_{metric}")
                    # A logarithmic axis has no place for 0.
                    if value is not None and (metric != "loss" or value > 0):
                        yield {
                            "e": row["epoch"],
                            "v": float(f"{value:.5g}"),
                            "a": one.label,
                            "s": split,
                            "r": run.seed,
                        }


def curve_svg(series: Sequence[Series], metric: str, description: str) -> str:
    """Return the curves of one metric as an SVG element.

    Parameters
    ----------
    series : sequence of Series
    metric : {"loss", "accuracy"}
        Loss is drawn on a logarithmic axis.
    description : str
        What a screen reader says of it.
    """
    # Here, because it costs 60 ms and `triptych --help` does not need it.
    import vl_convert

    svg: str = vl_convert.vegalite_to_svg(_spec(series, metric), vl_version=VEGA_LITE)
    return _responsive(svg, description)


def _spec(series: Sequence[Series], metric: str) -> dict[str, Any]:
    scale = {"type": "log"} if metric == "loss" else {"zero": False}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": 340,
        "height": 210,
        "background": "transparent",
        "data": {"values": list(_points(series, metric))},
        "mark": {"type": "line", "strokeWidth": 1.7, "opacity": 0.85},
        "encoding": {
            "x": {"field": "e", "type": "quantitative", "title": "epoch"},
            "y": {"field": "v", "type": "quantitative", "title": metric, "scale": scale},
            "color": {
                "field": "a",
                "type": "nominal",
                "legend": None,
                "scale": {
                    "domain": [one.label for one in series],
                    "range": [one.colour for one in series],
                },
            },
            "strokeDash": {
                "field": "s",
                "type": "nominal",
                "legend": None,
                "scale": {"domain": ["test", "train"], "range": [[1, 0], [4, 3]]},
            },
            "detail": {"field": "r"},
        },
        "config": {
            "font": "system-ui, sans-serif",
            "view": {"stroke": None},
            "axis": {
                "labelColor": _INK,
                "titleColor": _INK,
                "gridColor": _GRID,
                "domainColor": _GRID,
                "tickColor": _GRID,
                "labelFontSize": 12,
                "titleFontSize": 12,
                "titleFontWeight": "normal",
                "tickCount": 5,
            },
        },
    }


def _responsive(svg: str, description: str) -> str:
    """Let the drawing take the width it is given, and name it for those who cannot see it."""
    from markupsafe import escape

    head, rest = svg.split(">", 1)
    head = re.sub(r' (width|height|xmlns:xlink|class)="[^"]*"', "", head)
    # Vega names every data mark for screen readers, value by value; the table says it better.
    rest = re.sub(r' (aria-[a-z]+|role|class|id)="[^"]*"', "", rest)
    rest = re.sub(r' clip-path="[^"]*"', "", rest)
    return f'{head} role="img" aria-label="{escape(visible(description))}">{rest}'

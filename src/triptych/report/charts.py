"""Curves as Vega-Lite specs, drawn to static SVG when the page is built.

Vega-Lite keeps a chart as data, and its SVG needs no script to be read. Colours are CSS
variables, so that one drawing serves light and dark.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from triptych.records import FINISHED, RunRecord
from triptych.report.wording import visible

VEGA_LITE = "5.20"
COLOURS = 8
SPLITS = ("test", "train")
_POINTS = 60
_EPOCHS_TICKED = 8
_INK, _GRID = "var(--muted)", "var(--line)"
# Wide enough to stand out on both sides of a mean line drawn over it.
_MEAN, _COVERED = 2.0, 5.5


@dataclass(frozen=True)
class Series:
    """One arm's runs in a chart: its place among the colours, and the runs.

    A reference `is_level`: it has no epochs, and its mean test score is drawn from end to end.
    """

    label: str
    colour: str
    runs: Sequence[RunRecord]
    is_level: bool = False


Line = dict[float, float]
"""Values by epoch."""


def colour(place: int) -> str:
    """Return the CSS variable of the place-th colour, counted from 0."""
    return f"var(--c{place % COLOURS + 1})"


def thinned(count: int) -> list[int]:
    """Return at most about sixty row numbers out of `count`, the last always among them.

    Examples
    --------
    >>> thinned(3), len(thinned(1000)) <= 61, thinned(1000)[-1]
    ([0, 1, 2], True, 999)
    """
    step = max(1, math.ceil(count / _POINTS))
    return sorted({*range(0, count, step), *([count - 1] if count else [])})


def log_ticks(low: float, high: float) -> list[float]:
    """Return at most seven round numbers from `low` to `high`, both above 0.

    Examples
    --------
    >>> log_ticks(0.04, 0.8), log_ticks(3e-5, 1.2)
    ([0.05, 0.1, 0.2, 0.3, 0.5], [0.0001, 0.001, 0.01, 0.1, 1.0])
    >>> log_ticks(0.35, 0.75)
    [0.35, 0.4, 0.45, 0.5, 0.6, 0.7]
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = [("1", "1.2", "1.4", "1.6", "1.8", "2", "2.5", "3", "3.5", "4", "4.5", "5", *"6789")]
    steps += [tuple("123456789"), ("1", "2", "3", "5"), ("1", "2", "5"), ("1",)]
    inside = []
    for step in steps:
        ticks = [float(f"{m}e{d}") for d in decades for m in step]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) <= 7:
            return inside
    return inside[:: math.ceil(len(inside) / 7)]


def _line(run: RunRecord, name: str) -> Line:
    found = {}
    for k in thinned(len(run.curve)):
        value = run.curve[k].get(name)
        # A logarithmic axis has no place for 0, and no axis for infinity.
        if value is None or not math.isfinite(value) or (value <= 0 and name.endswith("loss")):
            continue
        found[run.curve[k]["epoch"]] = float(f"{value:.5g}")
    return found


def _levels(one: Series, split: str, metric: str, ends: Sequence[float]) -> dict[int, Line]:
    """Return a reference's lines by seed: the score of its test rows, from end to end."""
    name = f"{split}_{metric}"
    if split != "test":
        return {}
    lines = {run.seed: list(_line(run, name).values()) for run in one.runs}
    return {seed: dict.fromkeys(ends, line[-1]) for seed, line in lines.items() if line}


def _mean(lines: Sequence[Line]) -> Line:
    """Return the mean at the epochs that all lines have."""
    shared = set.intersection(*(set(line) for line in lines)) if lines else set()
    return {e: sum(line[e] for line in lines) / len(lines) for e in sorted(shared)}


def _points(line: Line, one: Series, split: str, run: str) -> Iterator[dict[str, Any]]:
    for epoch, value in line.items():
        yield {"e": epoch, "v": value, "a": one.label, "s": split, "r": run}


def _ends(series: Sequence[Series]) -> list[float]:
    """Return the first and the last epoch of those that have any."""
    epochs = [
        row["epoch"] for one in series if not one.is_level for r in one.runs for row in r.curve
    ]
    return [min(epochs), max(epochs)] if epochs else [0, 1]


def _same(one: Mapping[str, Line], other: Mapping[str, Line]) -> bool:
    """Whether two arms' means agree to one part in a hundred, so that one hides the other."""
    return any(one.values()) and all(
        one[s].keys() == other[s].keys()
        and all(abs(one[s][e] - v) <= 0.01 * abs(v) for e, v in other[s].items())
        for s in SPLITS
    )


def curve_svg(series: Sequence[Series], metric: str, description: str) -> str:
    """Return the curves of one metric as an SVG element.

    Parameters
    ----------
    series : sequence of Series
    metric : {"loss", "accuracy", "r2"}
        Loss is drawn on a logarithmic axis.
    description : str
        What a screen reader says of it.
    """
    return draw(_spec(series, metric), description)


def draw(spec: dict[str, Any], description: str) -> str:
    """Return a Vega-Lite spec as an SVG element, in the look of all charts.

    Parameters
    ----------
    spec : dict
        Its data, marks and encoding; the size may differ from that of most charts.
    description : str
        What a screen reader says of it.
    """
    # Here, because it costs 60 ms and `triptych --help` does not need it.
    import vl_convert

    whole = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": 380,
        "height": 240,
        "autosize": {"type": "fit", "contains": "padding"},
        "background": "transparent",
        "config": _LOOK,
        **spec,
    }
    svg: str = vl_convert.vegalite_to_svg(whole, vl_version=VEGA_LITE)
    return _responsive(svg, description)


def shows_covered(svg: str) -> bool:
    """Whether a drawing has a broad line, behind another arm's that it agrees with."""
    return f'stroke-width="{_COVERED}"' in svg


def _spec(series: Sequence[Series], metric: str) -> dict[str, Any]:
    seeds: list[dict[str, Any]] = []
    means: list[dict[str, Line]] = []
    ends = _ends(series)
    for one in series:
        mean: dict[str, Line] = {}
        for split in SPLITS:
            if one.is_level:
                lines = _levels(one, split, metric, ends)
            else:
                lines = {run.seed: _line(run, f"{split}_{metric}") for run in one.runs}
            for seed, line in lines.items() if not one.is_level else ():
                seeds += _points(line, one, split, str(seed))
            whole = [lines.get(run.seed, {}) for run in one.runs if run.status == FINISHED]
            mean[split] = _mean([line for line in whole if line])
        means.append(mean)
    # Levels that nearly agree stand clear of each other.
    covered = [
        not one.is_level and any(_same(mean, m) for m in means[k + 1 :])
        for k, (one, mean) in enumerate(zip(series, means, strict=True))
    ]
    over = [
        {**point, "w": _COVERED if hidden else _MEAN}
        for one, mean, hidden in zip(series, means, covered, strict=True)
        for split in SPLITS
        for point in _points(mean[split], one, split, "mean")
    ]
    thin = {"type": "line", "strokeWidth": 0.8, "opacity": 0.5}
    width = {"field": "w", "type": "quantitative", "scale": None, "legend": None}
    return {
        "encoding": _encoding(series, metric, [point["v"] for point in (*seeds, *over)], ends),
        "layer": [
            {"data": {"values": seeds}, "mark": thin},
            {"data": {"values": over}, "mark": "line", "encoding": {"strokeWidth": width}},
        ],
    }


def _encoding(
    series: Sequence[Series], metric: str, values: Sequence[float], ends: Sequence[float]
) -> dict[str, Any]:
    names, colours = [one.label for one in series], [one.colour for one in series]
    epochs: dict[str, Any] = {"tickMinStep": 1, "format": ",d"}
    if ends[1] - ends[0] <= _EPOCHS_TICKED:
        # Left to itself, Vega halves the steps of a short axis, and rounds what it writes there.
        epochs["values"] = list(range(int(ends[0]), int(ends[1]) + 1))
    dashes = {"domain": list(SPLITS), "range": [[1, 0], [4, 3]]}
    return {
        "x": {
            "field": "e",
            "type": "quantitative",
            "title": "epoch",
            "scale": {"nice": False, "zero": False},
            "axis": epochs,
        },
        "y": {"field": "v", "type": "quantitative", "title": None, **_height(metric, values)},
        "color": {
            "field": "a",
            "type": "nominal",
            "legend": None,
            "scale": {"domain": names, "range": colours},
        },
        "strokeDash": {"field": "s", "type": "nominal", "legend": None, "scale": dashes},
        "detail": {"field": "r"},
    }


def _height(metric: str, values: Sequence[float]) -> dict[str, Any]:
    """Return scale and axis of the upright direction."""
    # One width of labels, so that the charts of a pair are of one size.
    axis: dict[str, Any] = {"minExtent": 46, "maxExtent": 46, "format": "~g"}
    low, high = (min(values), max(values)) if values else (0.1, 1.0)
    if metric == "loss":
        low, high = low / 1.15, high * 1.15
        axis["values"] = log_ticks(low, high) or [low, high]
        return {"scale": {"type": "log", "domain": [low, high], "nice": False}, "axis": axis}
    if low == high:
        low -= 0.05
    return {"scale": {"domain": [low, high], "nice": True, "zero": False}, "axis": axis}


_LOOK = {
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
}


def _responsive(svg: str, description: str) -> str:
    """Let the drawing take the width it is given, and name it for those who cannot see it."""
    from markupsafe import escape

    head, rest = svg.split(">", 1)
    head = re.sub(r' (width|height|xmlns:xlink|class)="[^"]*"', "", head)
    # Vega names every data mark for screen readers, value by value; the table says it better.
    # Without ids and clips, several drawings on one page cannot meet.
    rest = re.sub(r' (aria-[a-z]+|role|class|id|clip-path)="[^"]*"', "", rest)
    # The page's own font is inherited; what is hidden has nothing to say.
    rest = re.sub(r' font-family="[^"]*"|<path [^>]*display="none"/>', "", rest)
    # A tenth of a pixel is finer than any screen.
    rest = re.sub(
        r' d="[^"]*"|translate\([^)]*\)', lambda d: re.sub(r"(\.\d)\d+", r"\1", d[0]), rest
    )
    return f'{head} role="img" aria-label="{escape(visible(description))}">{rest}'

"""Curves of training as Vega-Lite specs: each arm's mean, its band over seeds, and its seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from triptych.records import FINISHED, RunRecord
from triptych.report.charts import ON_DEMAND, Hover, by_label, draw, log_ticks

SPLITS = ("test", "train")
_POINTS = 60
_EPOCHS_TICKED = 8
# Wide enough to stand out on both sides of a mean line drawn over it.
_MEAN, _COVERED = 2.0, 5.5
_DASHES = {
    "field": "s",
    "type": "nominal",
    "legend": None,
    "scale": {"domain": list(SPLITS), "range": [[1, 0], [4, 3]]},
}


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


def thinned(count: int) -> list[int]:
    """Return at most about sixty row numbers out of `count`, the last always among them.

    Examples
    --------
    >>> thinned(3), len(thinned(1000)) <= 61, thinned(1000)[-1]
    ([0, 1, 2], True, 999)
    """
    step = max(1, math.ceil(count / _POINTS))
    return sorted({*range(0, count, step), *([count - 1] if count else [])})


def curve_chart(series: Sequence[Series], metric: str, description: str) -> str:
    """Return the curves of one metric as HTML: a picture, and what makes it answer.

    Parameters
    ----------
    series : sequence of Series
    metric : {"loss", "accuracy", "r2"}
        Loss is drawn on a logarithmic axis.
    description : str
        What a screen reader says of it.
    """
    hover = Hover("e", "epoch", "v", "figure" if metric == "loss" else "decimals", split="s")
    return draw(_spec(series, metric), description, hover)


def shows_covered(chart: str) -> bool:
    """Whether a drawing has a broad line, behind another arm's that it agrees with."""
    return f'stroke-width="{_COVERED}"' in chart


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def _line(run: RunRecord, name: str) -> Line:
    found = {}
    for k in thinned(len(run.curve)):
        value = run.curve[k].get(name)
        # A logarithmic axis has no place for 0, and no axis for infinity.
        if value is None or not math.isfinite(value) or (value <= 0 and name.endswith("loss")):
            continue
        found[run.curve[k]["epoch"]] = _rounded(value)
    return found


def _lines(one: Series, split: str, metric: str, ends: Sequence[float]) -> dict[int, Line]:
    """Return an arm's lines by seed; a reference's is the score of its test rows, end to end."""
    if one.is_level and split != "test":
        return {}
    lines = {run.seed: _line(run, f"{split}_{metric}") for run in one.runs}
    if not one.is_level:
        return lines
    lasts = {seed: list(line.values()) for seed, line in lines.items() if line}
    return {seed: dict.fromkeys(ends, values[-1]) for seed, values in lasts.items()}


@dataclass(frozen=True)
class _Band:
    """One arm's mean at the epochs that its finished runs share, and its ends over them."""

    mean: Line
    low: Line
    high: Line


def _band(lines: Sequence[Line]) -> _Band:
    shared = sorted(set.intersection(*(set(line) for line in lines))) if lines else []
    at = {e: [line[e] for line in lines] for e in shared}
    return _Band(
        {e: _rounded(sum(values) / len(values)) for e, values in at.items()},
        {e: min(values) for e, values in at.items()},
        {e: max(values) for e, values in at.items()},
    )


def _ends(series: Sequence[Series]) -> list[float]:
    """Return the first and the last epoch of those that have any."""
    epochs = [
        row["epoch"] for one in series if not one.is_level for r in one.runs for row in r.curve
    ]
    return [min(epochs), max(epochs)] if epochs else [0, 1]


def _same(one: Mapping[str, _Band], other: Mapping[str, _Band]) -> bool:
    """Whether two arms' means agree to one part in a hundred, so that one hides the other."""
    means = {s: one[s].mean for s in SPLITS}, {s: other[s].mean for s in SPLITS}
    return any(means[0].values()) and all(
        means[0][s].keys() == means[1][s].keys()
        and all(abs(means[0][s][e] - v) <= 0.01 * abs(v) for e, v in means[1][s].items())
        for s in SPLITS
    )


def _spec(series: Sequence[Series], metric: str) -> dict[str, Any]:
    """Return the chart: means and bands as its own data, single seeds in layers beside them.

    A line is one row, whose epochs and values are lists: a tenth of what a row a point takes.
    """
    ends = _ends(series)
    lines = [{s: _lines(one, s, metric, ends) for s in SPLITS} for one in series]
    bands = [
        {s: _band(_finished(one, found[s])) for s in SPLITS}
        for one, found in zip(series, lines, strict=True)
    ]
    means = [
        _mean_row(one, split, band[split], _COVERED if _is_covered(k, series, bands) else _MEAN)
        for k, (one, band) in enumerate(zip(series, bands, strict=True))
        for split in SPLITS
        if band[split].mean
    ]
    seeds: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for one, found, band in zip(series, lines, bands, strict=True):
        for split in SPLITS if not one.is_level else ():
            seeds[bool(band[split].mean)] += _seed_rows(one, split, found[split])
    values = [
        v for row in (*means, *seeds[True], *seeds[False]) for v in (*row["v"], *row.get("lo", ()))
    ]
    heights = _heights(metric, values)
    return {
        "data": {"values": means},
        "transform": [{"flatten": ["e", "v", "lo", "hi"]}],
        "encoding": _encoding(series, ends),
        "layer": [*_of_means(means, heights[0]), *_of_seeds(seeds, heights[0])],
        "usermeta": {"other": _other(metric, heights, ends)},
    }


def _finished(one: Series, lines: Mapping[int, Line]) -> list[Line]:
    """Return the lines of runs that count: those that diverged are in no mean."""
    found = [lines.get(run.seed, {}) for run in one.runs if run.status == FINISHED]
    return [line for line in found if line]


def _is_covered(place: int, series: Sequence[Series], bands: Sequence[Mapping[str, _Band]]) -> bool:
    """Whether a later arm is drawn over this one. Levels that nearly agree stand clear."""
    return not series[place].is_level and any(
        _same(bands[place], later) for later in bands[place + 1 :]
    )


def _mean_row(one: Series, split: str, band: _Band, width: float) -> dict[str, Any]:
    low, high = (band.mean, band.mean) if one.is_level else (band.low, band.high)
    return {
        "a": one.label, "s": split, "w": width, "level": one.is_level, "band": low != high,
        "e": list(band.mean), "v": list(band.mean.values()),
        "lo": list(low.values()), "hi": list(high.values()),
    }  # fmt: skip


def _seed_rows(one: Series, split: str, lines: Mapping[int, Line]) -> list[dict[str, Any]]:
    return [
        {"a": one.label, "s": split, "r": seed, "e": list(line), "v": list(line.values())}
        for seed, line in lines.items()
        if line
    ]


def _encoding(series: Sequence[Series], ends: Sequence[float]) -> dict[str, Any]:
    """Return what all layers share: epochs from left to right, an arm's colour."""
    epochs: dict[str, Any] = {"tickMinStep": 1, "format": ",d"}
    if ends[1] - ends[0] <= _EPOCHS_TICKED:
        # Left to itself, Vega halves the steps of a short axis, and rounds what it writes there.
        epochs["values"] = list(range(int(ends[0]), int(ends[1]) + 1))
    return {
        "x": {"field": "e", "type": "quantitative", "title": "epoch", "axis": epochs,
              "scale": {"nice": False, "zero": False}},
        "color": by_label(series),
    }  # fmt: skip


def _of_means(rows: Sequence[dict[str, Any]], height: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the layers of each arm's band over seeds, and of its mean on top."""
    y = {"type": "quantitative", "title": None, **height}
    width = {"field": "w", "type": "quantitative", "scale": None, "legend": None}
    band = {
        "transform": [{"filter": "datum.band"}],
        "mark": {"type": "area", "opacity": 0.15},
        "encoding": {"y": {"field": "lo", **y}, "y2": {"field": "hi"}, "detail": {"field": "s"}},
    }
    mean = {
        "mark": "line",
        "encoding": {"y": {"field": "v", **y}, "strokeWidth": width, "strokeDash": _DASHES},
    }
    return [band, mean] if any(row["band"] for row in rows) else [mean]


def _of_seeds(
    seeds: Mapping[bool, list[dict[str, Any]]], height: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the layers of single seeds: on demand where there is a mean, else always."""
    y = {"field": "v", "type": "quantitative", "title": None, **height}
    layer = {
        "transform": [{"flatten": ["e", "v"]}],
        "mark": {"type": "line", "strokeWidth": 0.9, "opacity": 0.65},
        "encoding": {"y": y, "strokeDash": _DASHES, "detail": {"field": "r"}},
    }
    found = [{"data": {"values": seeds[False]}, **layer}] if seeds[False] else []
    if seeds[True]:
        found.append({"name": ON_DEMAND, "data": {"values": seeds[True]}, **layer})
    return found


def _heights(metric: str, values: Sequence[float]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return scale and axis of the upright direction: the usual one, and the other."""
    # One width of labels, so that the charts of a pair are of one size.
    axis: dict[str, Any] = {"minExtent": 46, "maxExtent": 46, "format": "~g"}
    low, high = (min(values), max(values)) if values else (0.1, 1.0)
    if low == high:
        low -= 0.05 * abs(low) or 0.05
    linear = {"scale": {"domain": [low, high], "nice": True, "zero": False}, "axis": axis}
    if metric != "loss":
        return linear, {}
    low, high = low / 1.15, high * 1.15
    ticks = {**axis, "values": log_ticks(low, high) or [low, high]}
    scale = {"type": "log", "domain": [low, high], "nice": False}
    return {"scale": scale, "axis": ticks}, linear


def _other(
    metric: str, heights: Sequence[dict[str, Any]], ends: Sequence[float]
) -> dict[str, dict[str, Any]]:
    """Return what a reader may switch: each axis that has another scale, and how it is called."""
    found: dict[str, dict[str, Any]] = {}
    if metric == "loss":
        found["y"] = {"says": "logarithmic loss", "on": True, "to": heights[1]}
    if ends[0] > 0 and 4 * ends[0] <= ends[1]:
        scale = {"type": "log", "domain": list(ends), "nice": False}
        axis = {"format": ",d", "values": log_ticks(*ends)}
        to = {"scale": scale, "axis": axis}
        found["x"] = {"says": "logarithmic epochs", "on": False, "to": to}
    return found

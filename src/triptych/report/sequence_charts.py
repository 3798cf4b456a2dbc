"""Charts of recurrent networks: accuracy by length, gradients through time, hidden states."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from triptych.records import Finding
from triptych.report.charts import Hover, by_label, draw, log_ticks
from triptych.report.drawing import Explained

_DIGIT_COLOURS = 10
# What a float32 weight of size 1 still feels is 1e-7; far below, one vanished line is like another.
_FLOW_FLOOR = 1e-12
_MUTED = "var(--muted)"


@dataclass(frozen=True)
class Reach:
    """One arm's accuracies at each length, over seeds."""

    label: str
    colour: str
    at: Mapping[int, Sequence[float]]

    def mean(self, length: int) -> float:
        """Return the mean over seeds."""
        return sum(self.at[length]) / len(self.at[length])


def lengths_chart(series: Sequence[Reach], description: str) -> str:
    """Return accuracy by length: a line for each arm, a band from the worst seed to the best."""
    points = [
        {"a": one.label, "t": t, "v": one.mean(t), "lo": min(v), "hi": max(v), "w": width}
        for one, width in zip(series, _widths(series), strict=True)
        for t, v in one.at.items()
    ]
    lengths = [t for one in series for t in one.at]
    x = {
        "field": "t",
        "type": "quantitative",
        "title": "T, digits of the palindrome",
        "scale": {"type": "log", "domain": [min(lengths), max(lengths)], "nice": False},
        "axis": {"values": _decades(min(lengths), max(lengths)), "format": "~s"},
    }
    y = {
        "field": "v",
        "type": "quantitative",
        "title": None,
        "scale": {"domain": [0, 1]},
        "axis": {"minExtent": 30, "format": "~g"},
    }
    line = {"field": "w", "type": "quantitative", "scale": None, "legend": None}
    spec = {
        "data": {"values": points},
        "encoding": {"x": x, "color": by_label(series)},
        "layer": [
            {
                "mark": {"type": "area", "opacity": 0.18},
                "encoding": {"y": {**y, "field": "lo"}, "y2": {"field": "hi"}},
            },
            {"mark": "line", "encoding": {"y": y, "strokeWidth": line}},
        ],
    }
    return draw(spec, description, Hover("t", "T =", "v", "decimals"))


def _widths(series: Sequence[Reach]) -> list[float]:
    """Return how broad each line must be to stand out from behind later ones that agree with it."""
    return [
        2 + 3 * sum(_same(one, other) for other in series[k + 1 :]) for k, one in enumerate(series)
    ]


def _same(one: Reach, other: Reach) -> bool:
    shared = one.at.keys() & other.at.keys()
    return bool(shared) and all(abs(one.mean(t) - other.mean(t)) <= 0.01 for t in shared)


def _decades(low: int, high: int) -> list[int]:
    powers = (10**k for k in range(10))
    return [low, *(p for p in powers if 2 * low <= p <= high)]


def flow_chart(series: Sequence[Explained], description: str) -> str:
    """Return gradients by steps back: dashed before training, solid after; on a logarithm."""
    points = [point for one in series for point in _flow_points(one)]
    values = [point["v"] for point in points] or [1.0]
    low, high = min(min(values), 0.1) / 2, max(values) * 2
    y = {
        "field": "v",
        "type": "quantitative",
        "title": None,
        "scale": {"type": "log", "domain": [low, high], "nice": False},
        "axis": {"minExtent": 46, "format": "~g", "values": log_ticks(low, high)},
    }
    dashes = {"domain": ["after", "before"], "range": [[1, 0], [4, 3]]}
    spec = {
        "data": {"values": points},
        "mark": {"type": "line", "strokeWidth": 1.6},
        "encoding": {
            "x": {"field": "s", "type": "quantitative", "title": "steps back from the end"},
            "y": y,
            "color": by_label(series),
            "strokeDash": {"field": "w", "type": "nominal", "legend": None, "scale": dashes},
        },
    }
    return draw(spec, description, Hover("s", "steps back:", "v", "figure", split="w"))


def _flow_points(one: Explained) -> Iterator[dict[str, Any]]:
    arrays = one.finding.arrays
    for when in ("before", "after"):
        for step, share in zip(arrays["back"].tolist(), arrays[when].tolist(), strict=True):
            if math.isfinite(share) and share > _FLOW_FLOOR:
                yield {"a": one.label, "s": step, "v": float(f"{share:.4g}"), "w": when}


def paths_svg(finding: Finding, description: str) -> str:
    """Return paths of the hidden state: faint until the last steps, each end with its class."""
    paths = finding.arrays["paths"].tolist()
    digits = [f"{label:g}" for label in finding.arrays["labels"].tolist()]
    late = int(finding.arrays["late"])
    ends = [
        {"x": path[-1][0], "y": path[-1][1], "d": digit}
        for path, digit in zip(paths, digits, strict=True)
    ]
    names = sorted(set(digits), key=float)
    colours = [f"var(--c{k % _DIGIT_COLOURS + 1})" for k in range(len(names))]
    scale = {"domain": names, "range": colours}
    bare = {"type": "quantitative", "axis": None, "scale": {"zero": False}}
    place = {
        "x": {"field": "x", **bare},
        "y": {"field": "y", **bare},
        "color": {"field": "d", "type": "nominal", "legend": None, "scale": scale},
    }
    line = {**place, "order": {"field": "t"}}
    early = [path[: len(path) - late + 1] for path in paths]
    last = [path[len(path) - late :] for path in paths]
    thin, strong = {"strokeWidth": 0.6, "opacity": 0.4}, {"strokeWidth": 1.8}
    text = {"type": "text", "fontSize": 13, "fontWeight": "bold", "dy": -7}
    spec = {
        "width": 220,
        "height": 200,
        "layer": [
            {"data": _joined(early, digits), "mark": {"type": "line", **thin}, "encoding": line},
            {"data": _joined(last, digits), "mark": {"type": "line", **strong}, "encoding": line},
            {
                "data": {"values": ends},
                "mark": text,
                "encoding": {**place, "text": {"field": "d", "type": "nominal"}},
            },
        ],
    }
    return draw(spec, description)


def _joined(paths: Sequence[Sequence[Sequence[float]]], digits: Sequence[str]) -> dict[str, Any]:
    """Return paths as data, those of one class in one line with gaps: half as large a drawing."""
    values: list[dict[str, Any]] = []
    for path, digit in zip(paths, digits, strict=True):
        # A point without a place breaks the line.
        for x, y in (*path, (None, None)):
            values.append({"x": x, "y": y, "d": digit, "t": len(values)})
    return {"values": values}

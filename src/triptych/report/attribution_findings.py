"""What single predictions are made of, as figures: pixels of pictures, columns of a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from triptych.contracts import Array
from triptych.records import Finding
from triptych.report.drawing import Cell, Explained, Figure, Group, Panel, Table
from triptych.report.pictures import layers
from triptych.report.wording import figure, signed

_RED, _BLUE = (224, 32, 24), (30, 90, 224)


def draw_attributions(series: Sequence[Explained]) -> Figure:
    """Return pictures with what adds to each prediction over them, or a table of columns by row."""
    groups = [
        Group(list(_pictures(one.finding)), "tiles", one.label)
        if "pictures" in one.finding.arrays
        else Group(label=one.label, table=_columns(one))
        for one in series
    ]
    first = series[0].finding
    return Figure(first.title, first.caption, groups)


def _pictures(finding: Finding) -> Iterator[Panel]:
    arrays, labels = finding.arrays, finding.labels
    for picture, toward, against, predicted, plain, true, told in zip(
        arrays["pictures"], arrays["toward"], arrays["against"], arrays["predicted"].tolist(),
        arrays["plain"].tolist(), labels["true"], labels["predicted"], strict=True,
    ):  # fmt: skip
        label = true if true == told else f"{true}, predicted as {told}"
        drawing = layers((picture, _tint(toward, against)), f"{label}: pixels that add to it")
        yield Panel(drawing, label, f"{predicted:.2f}, of an even grey {plain:.2f}")


def _tint(toward: Array, against: Array) -> Array:
    """Return red where a pixel adds to a prediction, blue where it takes from it, (h, w, 4)."""
    tint = np.zeros((*toward.shape, 4), np.uint8)
    adds = toward >= against
    tint[adds, :3], tint[~adds, :3] = _RED, _BLUE
    tint[..., 3] = (0.8 * np.maximum(toward, against)).astype(np.uint8)
    return tint


def _columns(one: Explained) -> Table:
    arrays, labels = one.finding.arrays, one.finding.labels
    (of,) = labels["of"]
    shares_RK, values_RK = arrays["shares"], arrays["values"]
    count = shares_RK.shape[1]
    largest = float(np.abs(shares_RK).max(initial=0.0)) or 1.0
    rows = [
        (
            (name,),
            [
                Cell(
                    _share(share, of),
                    labels["texts"][r * count + k] or figure(value),
                    # A root, so that small shares are still to be seen.
                    math.sqrt(abs(share) / largest),
                    wrong=share < 0,
                )
                for r, (share, value) in enumerate(
                    zip(shares_RK[:, k].tolist(), values_RK[:, k].tolist(), strict=True)
                )
            ],
        )
        for k, name in enumerate(labels["features"])
    ]
    if np.abs(arrays["others"]).max(initial=0.0) > 0:
        others = [Cell(_share(value, of)) for value in arrays["others"].tolist()]
        rows.append((("all other columns",), others))
    for name, part in (("mean row", "plain"), ("this row", "predicted")):
        cells = [Cell(_told(value, of)) for value in arrays[part].tolist()]
        rows.append(((f"{of}, {name}",), cells))
    return Table(f"What made predictions: {one.label}", ("column", *labels["rows"]), rows)


def _share(value: float, of: str) -> str:
    """Return what a column adds: in points where a probability is shared out."""
    return signed(value, "share" if of == "probability" else of)


def _told(value: float, of: str) -> str:
    return f"{value:.3f}" if of == "probability" else figure(value)

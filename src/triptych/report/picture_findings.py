"""Findings that are pictures: the plane divided, filters, feature maps, what is covered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from markupsafe import Markup

from triptych.contracts import Array
from triptych.records import Finding
from triptych.report.drawing import Explained, Figure, Group, Key, Panel
from triptych.report.pictures import address, image, layers, sheet
from triptych.report.wording import accuracy, figure, visible

# The colours of the page's charts, at a strength that can be seen on white and on black.
_TINTS = np.array(
    [
        (58, 134, 226), (232, 118, 45), (45, 160, 92), (178, 95, 192),
        (176, 142, 20), (30, 150, 160), (210, 70, 110), (110, 116, 215),
    ],
    np.uint8,
)  # fmt: skip
_RED = (224, 32, 24)
_COLUMNS = 8


def draw_boundary(series: Sequence[Explained]) -> Figure:
    """Return the plane as a network divided it, a panel for each look."""
    first = series[0].finding
    names = dict.fromkeys(name for one in series for name in one.finding.labels["classes"])
    keys = [Key(f"class {name}", _colour(k)) for k, name in enumerate(names)]
    groups = [Group(list(_planes(one)), "panels", _axes(one)) for one in series]
    return Figure(first.title, first.caption, groups, keys)


def _colour(label: int) -> str:
    return f"var(--c{label % len(_TINTS) + 1})"


def _axes(one: Explained) -> str:
    (x0, y0), (x1, y1) = (one.finding.arrays[name].tolist() for name in ("low", "high"))
    across, up = (f"{figure(a)} to {figure(b)}".replace("-", "−") for a, b in ((x0, x1), (y0, y1)))
    first, second = one.finding.labels["features"]
    return f"{one.label}: {first} {across} from left to right, {second} {up} upwards"


def _planes(one: Explained) -> Iterator[Panel]:
    arrays = one.finding.arrays
    for epoch, right, predicted, sure in zip(
        arrays["epochs"].tolist(), arrays["right"].tolist(), arrays["predicted"], arrays["sure"],
        strict=True,
    ):  # fmt: skip
        when = f"epoch {epoch:,.0f}" if epoch else "before training"
        yield Panel(
            _plane(predicted, sure, one.finding, f"decision boundary, {when}: {one.label}"),
            when,
            f"{accuracy(right)} right",
        )


def _plane(predicted: Array, sure: Array, finding: Finding, description: str) -> Markup:
    """Return one look: classes as colours, how sure the network is as their strength, the rows."""
    pixels = np.zeros((*predicted.shape, 4), np.uint8)
    pixels[..., :3] = _TINTS[predicted % len(_TINTS)]
    # In steps, which compress better and cannot be told from none.
    pixels[..., 3] = 16 + (sure // 8).astype(np.uint8) * 4
    dots = "".join(_dots(finding))
    return Markup(
        '<svg class="plane" viewBox="0 0 100 100" role="img" aria-label="{}"><image href="{}" '
        'width="100" height="100" preserveAspectRatio="none"/>{}</svg>'
    ).format(visible(description), address(pixels), Markup(dots))


def _dots(finding: Finding) -> Iterator[str]:
    """Give the rows of each class as one path of lines without length, whose ends are round."""
    points, labels = finding.arrays["points"], finding.arrays["labels"]
    for label in np.unique(labels):
        places = 100 * points[labels == label]
        marks = "".join(f"M{x:.1f} {100 - y:.1f}h0" for x, y in places.tolist())
        yield f'<path d="{marks}" style="stroke: {_colour(int(label))}"/>'


def draw_filters(series: Sequence[Explained]) -> Figure:
    """Return the first layer's weights as pictures, a sheet for each arm."""
    groups = []
    for one in series:
        found = one.finding.arrays["filters"]
        about = f"{len(found)} filters of the first layer: {one.label}"
        (reading,) = one.finding.labels["reading"]
        panel = Panel(image(sheet(found, _COLUMNS), about), note=reading)
        groups.append(Group([panel], "sheet", one.label))
    return Figure(series[0].finding.title, series[0].finding.caption, groups)


def draw_maps(series: Sequence[Explained]) -> Figure:
    """Return a picture and what blocks of each network make of it."""
    groups = []
    for one in series:
        arrays, labels = one.finding.arrays, one.finding.labels
        name = f"a test picture: {labels['true'][0]}"
        panels = [Panel(image(arrays["picture"], name), note=name)]
        for k, block in enumerate(labels["blocks"]):
            maps = arrays[f"block_{k}"]
            drawing = image(sheet(maps, _COLUMNS // 2), f"{len(maps)} maps, {block}")
            panels.append(Panel(drawing, note=block))
        groups.append(Group(panels, "panels", one.label))
    return Figure(series[0].finding.title, series[0].finding.caption, groups)


def draw_occlusion(series: Sequence[Explained]) -> Figure:
    """Return pictures with what their class rests on over them."""
    groups = [Group(list(_covered(one.finding)), "tiles", one.label) for one in series]
    return Figure(series[0].finding.title, series[0].finding.caption, groups)


def _covered(finding: Finding) -> Iterator[Panel]:
    arrays, labels = finding.arrays, finding.labels
    for picture, falls, before, lowest, true, predicted in zip(
        arrays["pictures"], arrays["falls"], arrays["predicted"].tolist(),
        arrays["lowest"].tolist(), labels["true"], labels["predicted"], strict=True,
    ):  # fmt: skip
        red = np.zeros((*falls.shape, 4), np.uint8)
        red[..., :3] = _RED
        red[..., 3] = (0.8 * falls).astype(np.uint8)
        label = true if true == predicted else f"{true}, predicted as {predicted}"
        drawing = layers((picture, red), f"{label}: where covering it counts")
        yield Panel(drawing, label, f"{before:.2f}, at worst {lowest:.2f}")

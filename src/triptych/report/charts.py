"""Vega-Lite specs as charts: drawn to SVG when the page is built, and again by a reader who asks.

Vega-Lite keeps a chart as data, and its SVG needs no script to be read. Colours are CSS
variables, so that one drawing serves light and dark. A chart with a `Hover` carries its spec, and
`page.js` draws it anew where values are pointed at, seeds are shown, arms hidden or axes changed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from triptych.report.wording import visible

VEGA_LITE = "6.4"
COLOURS = 8
ON_DEMAND = "seeds"
"""The name of a layer that is drawn only when a reader asks for it."""
PLOT = 'class="plot"'
"""What a page holds where one of its charts carries its spec."""
_INK, _GRID = "var(--muted)", "var(--line)"


class Labelled(Protocol):
    """A series."""

    @property
    def label(self) -> str:
        """Its name in the legend."""

    @property
    def colour(self) -> str:
        """Its colour in CSS."""


@dataclass(frozen=True)
class Hover:
    """What a chart says of itself when it is pointed at: its own data, along one of its axes.

    Attributes
    ----------
    at : str
        The field along that axis. A row may hold a list of it, and of each field below.
    says : str
        What stands before its values, such as ``"epoch"``.
    value : str
        The field that is read there.
    show : {"decimals", "figure"}
        Three decimals, or three significant digits.
    axis : {"x", "y"}
    by : str
        The field that tells series apart, those of the legend.
    split : str, optional
        The field that tells columns apart, such as test and training.
    low, high : str
        Fields of the ends over seeds, where there are any.
    """

    at: str
    says: str
    value: str
    show: Literal["decimals", "figure"]
    axis: Literal["x", "y"] = "x"
    by: str = "a"
    split: str = ""
    low: str = "lo"
    high: str = "hi"


def colour(place: int) -> str:
    """Return the CSS variable of the place-th colour, counted from 0."""
    return f"var(--c{place % COLOURS + 1})"


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


def by_label(series: Sequence[Labelled]) -> dict[str, Any]:
    """Return the encoding that gives each series its colour, by the field ``a``."""
    scale = {"domain": [one.label for one in series], "range": [one.colour for one in series]}
    return {"field": "a", "type": "nominal", "legend": None, "scale": scale}


def draw(spec: dict[str, Any], description: str, hover: Hover | None = None) -> str:
    """Return a Vega-Lite spec as HTML, in the look of all charts.

    Parameters
    ----------
    spec : dict
        Its data, marks and encoding; the size may differ from that of most charts. What a reader
        may switch stands in its ``usermeta`` as ``other``: by ``x`` or ``y`` what it ``says``,
        whether it is ``on``, and the scale and axis to change ``to``.
    description : str
        What a screen reader says of it.
    hover : Hover, optional
        What it says when it is pointed at; its own data are those at the top of the spec.

    Returns
    -------
    str
        An SVG element; with `hover` within one that holds the spec, too.
    """
    # Here, because it costs 60 ms and `triptych --help` does not need it.
    import vl_convert

    whole = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": 380,
        "height": 240,
        "autosize": {"type": "fit", "contains": "padding"},
        "background": "transparent",
        "config": _LOOK,
        **spec,
    }
    shown = whole
    if "layer" in whole:
        layers = [layer for layer in whole["layer"] if layer.get("name") != ON_DEMAND]
        shown = {**whole, "layer": layers}
    svg: str = vl_convert.vegalite_to_svg(shown, vl_version=VEGA_LITE)
    picture = _responsive(svg, description)
    return picture if hover is None else _with_spec(picture, whole, hover)


def _with_spec(picture: str, whole: dict[str, Any], hover: Hover) -> str:
    whole["usermeta"] = {**whole.get("usermeta", {}), "hover": asdict(hover)}
    text = json.dumps(whole, separators=(",", ":"), allow_nan=False)
    # Nothing in it can end the element that it stands in.
    data = text.replace("<", r"\u003c")
    return f'<div {PLOT}>{picture}<script type="application/json">{data}</script></div>'


_LOOK = {
    "aria": False,  # a table says the values better than a name for every mark
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
    # Without ids and clips, several drawings on one page cannot meet.
    rest = re.sub(r' (aria-[a-z]+|role|class|id|clip-path)="[^"]*"', "", rest)
    # The page's own font is inherited; what is hidden has nothing to say.
    rest = re.sub(r' font-family="[^"]*"|<path [^>]*display="none"/>', "", rest)
    # A tenth of a pixel is finer than any screen.
    rest = re.sub(
        r' d="[^"]*"|translate\([^)]*\)', lambda d: re.sub(r"(\.\d)\d+", r"\1", d[0]), rest
    )
    return f'{head} role="img" aria-label="{escape(visible(description))}">{rest}'

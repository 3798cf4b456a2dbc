"""What a figure on the page is made of, whatever it shows; `drawing.html` lays any of them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from triptych.records import Finding

Texts = Sequence[str]


@dataclass(frozen=True)
class Explained:
    """One arm's finding."""

    label: str
    colour: str
    finding: Finding


@dataclass(frozen=True)
class Key:
    """A line of a legend: of a colour, or plain, or dashed."""

    label: str
    colour: str = ""
    dashed: bool = False


@dataclass(frozen=True)
class Panel:
    """One drawing, what stands above it, and what beneath."""

    drawing: Markup
    label: str = ""
    note: str = ""


@dataclass(frozen=True)
class Cell:
    """A text, and a smaller one beneath; on a tint from 0 to 1, of what is right or wrong."""

    text: str
    beneath: str = ""
    tint: float = 0.0
    wrong: bool = False


@dataclass(frozen=True)
class Table:
    """Figures in rows, each with its heads, some of which are texts.

    Attributes
    ----------
    name : str
        For those who cannot see it.
    heads : sequence of str
        Of all columns.
    rows : sequence of (heads, cells)
        The first of the row's heads names it; the others are texts.
    folded : str
        What opens it; empty: it is open.
    tinted : bool
        Whether it is read by the tints of its cells, so that they stand close together.
    upright : bool
        Whether the heads of columns run from top to bottom, so that many fit.
    """

    name: str
    heads: Texts
    rows: Sequence[tuple[Texts, Sequence[Cell]]]
    folded: str = ""
    tinted: bool = False
    upright: bool = False


@dataclass(frozen=True)
class Group:
    """What a figure shows of one arm, or of all at once.

    Attributes
    ----------
    label : str
        The arm; empty where panels name theirs.
    panels : sequence of Panel
    layout : {"pair", "broad", "panels", "tiles", "sheet", "beside"}
        A pair is a chart and its table side by side; a broad chart or a sheet stands above it;
        panels and tiles, which are small, stand in rows; tiles may stand beside their table.
    table : Table, optional
    beside : Table, optional
        A second one, that stands beside the first.
    """

    panels: Sequence[Panel] = ()
    layout: Literal["pair", "broad", "panels", "tiles", "sheet", "beside"] = "panels"
    label: str = ""
    table: Table | None = None
    beside: Table | None = None


@dataclass(frozen=True)
class Figure:
    """A figure: how to read it stands beneath it."""

    title: str
    caption: str
    groups: Sequence[Group]
    keys: Sequence[Key] = ()

    @property
    def size(self) -> int:
        """About how many bytes of the page it takes: those of its drawings."""
        return sum(len(panel.drawing) for group in self.groups for panel in group.panels)

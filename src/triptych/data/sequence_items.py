"""One sequence on its way from a file to a network that was trained on others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Item:
    """One sequence as a file holds it.

    Attributes
    ----------
    line : int
        Where it begins.
    place : str
        How it is called: by its id in a table, else by its line.
    steps : list of str, or Array
        Symbols (T,), or vectors (T, D).
    label : str or None
        None where it was not asked for.
    group : str
        The cell of the column or field that was asked for; empty without one.
    """

    line: int
    place: str
    steps: Any
    label: str | None
    group: str = ""

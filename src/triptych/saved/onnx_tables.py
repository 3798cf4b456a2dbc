"""How a table's cells become inputs, as an ONNX graph: an input for each column, by its name.

N rows, I inputs of one column.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from triptych.data.table_columns import PreparedColumn
from triptych.saved.onnx_graph import ML, Graph

_FROM = 719_468  # days from the first of March in year 0 to 1970
_CYCLE, _CENTURY, _FOUR_YEARS, _YEAR = 146_097, 36_524, 1_460, 365  # days


def add_columns(graph: Graph, columns: Sequence[PreparedColumn]) -> tuple[str, tuple[str, ...]]:
    """Add an input (N, 1) for each column; return what the network reads (N, I), and notes.

    Numbers are double, NaN where a cell is empty; dates are days from 1970, double; texts are
    strings, empty where a cell is.
    """
    parts, notes = [], []
    for column in columns:
        kind = "string" if column.kind == "text" else "double"
        name = graph.input(column.name, kind, ["batch", 1])
        if column.kind == "text":
            parts.append(_words(graph, name, column))
        else:
            parts.append(_number(graph, name, column))
        if column.kind == "date":
            parts.append(_cycles(graph, name, timed=column.timed))
            notes.append(
                f"input {name!r} takes dates as days from 1970-01-01, a time as part of one"
            )
        if column.kind != "text" and column.fill is None:
            notes.append(f"input {name!r} must hold no NaN: empty cells were refused in training")
    return graph.add("Concat", *parts, axis=1), tuple(notes)


def _number(graph: Graph, x: str, column: PreparedColumn) -> str:
    if column.fill is not None:
        fill = graph.constant(column.fill, "float64")
        x = graph.add("Where", graph.add("IsNaN", x), fill, x)
    mean, deviation = np.array(column.mean), np.array(column.deviation)
    # In double: in float32 there is no second between today's time stamps.
    return graph.cast(graph.scaled(x, mean, deviation, "float64"), "float")


def _words(graph: Graph, x: str, column: PreparedColumn) -> str:
    """Return one-hot texts (N, I): what has no input of its own shares the last, or is all 0."""
    width = len(column.inputs)
    none = width  # one more place, which is cut off again
    known = {w: k for k, (w, s) in enumerate(zip(column.words, column.seen, strict=True)) if s}
    known[""] = none  # an empty cell
    places = graph.add(
        "LabelEncoder", x, domain=ML,
        keys_strings=list(known), values_int64s=list(known.values()),
        default_int64=len(column.words) if column.shared else none,
    )  # fmt: skip
    values = graph.constant([0.0, 1.0], "float32")
    hot = graph.add("OneHot", places, graph.constant(width + 1, "int64"), values, axis=-1)
    flat = graph.add("Flatten", hot, axis=1)
    ends = (graph.constant([k], "int64") for k in (0, width, 1))
    return graph.add("Slice", flat, *ends)


def _cycles(graph: Graph, x: str, *, timed: bool) -> str:
    """Return months, weekdays and times of day as points on circles; see `triptych.data.dates`."""
    known = graph.add("Not", graph.add("IsNaN", x))
    there = graph.add("Where", known, x, graph.constant(0.0, "float64"))
    whole = graph.add("Floor", there)
    days = graph.cast(whole, "int64")
    week = graph.constant(7, "int64")
    # Before 1970 days are negative; this is a multiple of 7 that makes them positive.
    shifted = graph.add("Add", days, graph.constant(3 + 7 * 200_000, "int64"))
    turns = [
        _turn(graph, _month(graph, days), 12.0),
        _turn(graph, graph.add("Mod", shifted, week), 7.0),
    ]
    if timed:
        turns.append(graph.cast(graph.add("Sub", there, whole), "float"))
    parts = []
    for turn in turns:
        angle = graph.add("Mul", turn, graph.constant(2 * math.pi, "float32"))
        parts += [graph.add("Sin", angle), graph.add("Cos", angle)]
    points = graph.add("Concat", *parts, axis=1)
    return graph.add("Mul", points, graph.cast(known, "float"))


def _turn(graph: Graph, count: str, whole: float) -> str:
    return graph.add("Div", graph.cast(count, "float"), graph.constant(whole, "float32"))


def _month(graph: Graph, days: str) -> str:
    """Return the month, 0 for January, of days from 1970, int64 (Hinnant, 2013).

    The year begins in March, so that the day that some years have is the last.
    """

    def whole(value: str, by: int) -> str:
        return graph.add("Div", value, graph.constant(by, "int64"))

    def times(value: str, by: int) -> str:
        return graph.add("Mul", value, graph.constant(by, "int64"))

    day = graph.add("Add", days, graph.constant(_FROM, "int64"))
    in_cycle = graph.add("Mod", day, graph.constant(_CYCLE, "int64"))
    leap = graph.add("Sub", in_cycle, whole(in_cycle, _FOUR_YEARS))
    leap = graph.add("Add", leap, whole(in_cycle, _CENTURY))
    year = whole(graph.add("Sub", leap, whole(in_cycle, _CYCLE - 1)), _YEAR)
    before = graph.add("Add", times(year, _YEAR), whole(year, 4))
    before = graph.add("Sub", before, whole(year, 100))
    in_year = graph.add("Sub", in_cycle, before)
    month = whole(graph.add("Add", times(in_year, 5), graph.constant(2, "int64")), 153)
    from_january = graph.add("Add", month, graph.constant(2, "int64"))
    return graph.add("Mod", from_january, graph.constant(12, "int64"))

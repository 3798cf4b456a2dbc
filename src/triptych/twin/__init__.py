"""Engines, or a learner's own layer, side by side with ours, step by step."""

from triptych.twin.compare import (
    ENGINES,
    TOLERANCE,
    TwinReport,
    TwinRow,
    TwinSpec,
    compare_engines,
)
from triptych.twin.functions import load_functions
from triptych.twin.judge import Departure
from triptych.twin.mine import MineReport, compare_mine
from triptych.twin.show import mine_lines, twin_lines, twin_table

__all__ = [
    "ENGINES",
    "TOLERANCE",
    "Departure",
    "MineReport",
    "TwinReport",
    "TwinRow",
    "TwinSpec",
    "compare_engines",
    "compare_mine",
    "load_functions",
    "mine_lines",
    "twin_lines",
    "twin_table",
]

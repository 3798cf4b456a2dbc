"""Engines, or a learner's own layer, side by side with ours, step by step."""

from triptych.twin.compare import TOLERANCE, TwinReport, TwinRow, TwinSpec, compare_engines
from triptych.twin.mine import Departure, MineReport, compare_mine, load_functions
from triptych.twin.show import mine_lines, twin_lines, twin_table

__all__ = [
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

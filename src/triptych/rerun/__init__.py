"""Recorded runs beside each other, and done again."""

from triptych.rerun.again import Again, Repeat
from triptych.rerun.compare import (
    Difference,
    RunComparison,
    ScoreDifference,
    TensorDifference,
    compare_runs,
)

__all__ = [
    "Again",
    "Difference",
    "Repeat",
    "RunComparison",
    "ScoreDifference",
    "TensorDifference",
    "compare_runs",
]

"""A first network on data of one's own, beside simple models: `triptych train`."""

from triptych.baseline.options import TrainOptions
from triptych.baseline.outcome import Line, held_out
from triptych.baseline.plans import Plan, make_plan
from triptych.baseline.results import TrainResult, execute, finish, train

__all__ = [
    "Line",
    "Plan",
    "TrainOptions",
    "TrainResult",
    "execute",
    "finish",
    "held_out",
    "make_plan",
    "train",
]

"""What the parts hand to each other: data sets, states, the protocols of networks and learners."""

from triptych.contracts.data import (
    Array,
    Dataset,
    FloatArray,
    IntArray,
    Preparation,
    Prepared,
    Split,
    Standardization,
    Weights,
    lengths_of,
)
from triptych.contracts.networks import (
    Backward,
    Learner,
    NonFiniteStep,
    NumpyNetwork,
    Scores,
)
from triptych.contracts.states import State, named

__all__ = [
    "Array",
    "Backward",
    "Dataset",
    "FloatArray",
    "IntArray",
    "Learner",
    "NonFiniteStep",
    "NumpyNetwork",
    "Preparation",
    "Prepared",
    "Scores",
    "Split",
    "Standardization",
    "State",
    "Weights",
    "lengths_of",
    "named",
]

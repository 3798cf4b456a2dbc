"""What the parts hand to each other: data sets, states, the protocols of networks and learners."""

from triptych.contracts.data import (
    Array,
    Dataset,
    FloatArray,
    IntArray,
    Origin,
    Preparation,
    Prepared,
    Split,
    Standardization,
    Weights,
    latest,
    lengths_of,
)
from triptych.contracts.networks import (
    Backward,
    Learner,
    NonFiniteStep,
    NumpyNetwork,
    Scores,
)
from triptych.contracts.numbers import is_number
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
    "Origin",
    "Preparation",
    "Prepared",
    "Scores",
    "Split",
    "Standardization",
    "State",
    "Weights",
    "is_number",
    "latest",
    "lengths_of",
    "named",
]

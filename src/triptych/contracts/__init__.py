"""What the parts hand to each other: data sets, and the protocols of networks and learners."""

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
    "Weights",
    "latest",
    "lengths_of",
]

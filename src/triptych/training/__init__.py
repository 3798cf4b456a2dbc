"""Network and batches to events: the only loop, with optimisers, schedules and learners.

`triptych.training.torch_learner` is imported only where a torch network is trained.
"""

from triptych.training.compiled_learner import CompiledLearner, CompiledTogether, Kernels
from triptych.training.events import (
    Diverged,
    Evaluation,
    Event,
    Finished,
    Notice,
    Pause,
    Progress,
    RateFound,
)
from triptych.training.jobs import Job, Rows, split_rows
from triptych.training.loop import Orders, train, train_together
from triptych.training.memory import is_out_of_memory, memory_told
from triptych.training.numpy_learner import NumpyLearner
from triptych.training.rates import find_rate, train_found
from triptych.training.references import fit_reference
from triptych.training.schedules import factors
from triptych.training.scores import class_step
from triptych.training.temperature import cross_entropy, fit_temperature
from triptych.training.weighting import weighted

__all__ = [
    "CompiledLearner",
    "CompiledTogether",
    "Diverged",
    "Evaluation",
    "Event",
    "Finished",
    "Job",
    "Kernels",
    "Notice",
    "NumpyLearner",
    "Orders",
    "Pause",
    "Progress",
    "RateFound",
    "Rows",
    "class_step",
    "cross_entropy",
    "factors",
    "find_rate",
    "fit_reference",
    "fit_temperature",
    "is_out_of_memory",
    "memory_told",
    "split_rows",
    "train",
    "train_found",
    "train_together",
    "weighted",
]

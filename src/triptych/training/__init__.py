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
)
from triptych.training.jobs import Job, Rows, split_rows
from triptych.training.loop import Orders, train, train_together
from triptych.training.numpy_learner import NumpyLearner
from triptych.training.references import fit_reference
from triptych.training.schedules import factors
from triptych.training.scores import class_step

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
    "Rows",
    "class_step",
    "factors",
    "fit_reference",
    "split_rows",
    "train",
    "train_together",
]

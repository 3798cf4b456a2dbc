"""Network and batches to events: the only loop, with optimisers, schedules and learners.

`triptych.training.torch_learner` is imported only where a torch network is trained.
"""

from triptych.training.compiled_learner import CompiledLearner
from triptych.training.events import Evaluation, Event, Finished, Notice, Progress
from triptych.training.loop import Rows, split_rows, train
from triptych.training.numpy_learner import NumpyLearner
from triptych.training.schedules import factors

__all__ = [
    "CompiledLearner",
    "Evaluation",
    "Event",
    "Finished",
    "Notice",
    "NumpyLearner",
    "Progress",
    "Rows",
    "factors",
    "split_rows",
    "train",
]

"""Trained networks as files: kept, read, exported, used on other rows."""

from triptych.saved.evaluation import Evaluation, evaluate_file
from triptych.saved.making import model_of_run
from triptych.saved.model import Model, load
from triptych.saved.prediction import Predictions, Remarks, predict_file
from triptych.saved.sklearn_networks import from_sklearn, mlp_model, named_classes, origin

__all__ = [
    "Evaluation",
    "Model",
    "Predictions",
    "Remarks",
    "evaluate_file",
    "from_sklearn",
    "load",
    "mlp_model",
    "model_of_run",
    "named_classes",
    "origin",
    "predict_file",
]

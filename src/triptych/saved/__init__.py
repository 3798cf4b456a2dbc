"""Trained networks as files: kept, read, exported, used on other rows."""

from triptych.saved.making import model_of_run
from triptych.saved.model import Model, load
from triptych.saved.sklearn_networks import from_sklearn, mlp_model, named_classes, origin

__all__ = ["Model", "from_sklearn", "load", "mlp_model", "model_of_run", "named_classes", "origin"]

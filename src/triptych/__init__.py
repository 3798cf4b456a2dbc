"""Triptych trains, compares and explains MLP, CNN and RNN, and puts claims about them to the test.

Estimators, with scikit-learn's interface
    `MLPClassifier`, `MLPRegressor`, `CNNClassifier` for pictures, `RNNClassifier` for sequences,
    which `read_sequences` reads from files.

Studies
    `run` runs one and returns a `StudyResult`; `read_result` reads one from its folder.
    `find_study` finds one that ships, `read_study` and `parse_study` read a study file; each gives
    a `StudySpec`, whose parts are in `triptych.spec`. `Setting` says where runs are made.

Data of your own
    `train` trains a network that fits them beside simple models, and returns a `TrainResult`.

Models
    `load` reads a model's file as a `Model`; `predict_file` and `evaluate_file` use one on a table,
    pictures or sequences of one's own.

Names are loaded when they are first used: ``import triptych`` loads neither PyTorch nor
scikit-learn. ``docs/python.md`` shows all of it by examples.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from triptych.api import run
    from triptych.baseline import TrainResult, train
    from triptych.data.sequences import read_sequences
    from triptych.estimators import CNNClassifier, MLPClassifier, MLPRegressor, RNNClassifier
    from triptych.runner import Setting, StudyResult, read_result
    from triptych.saved import Model, evaluate_file, load, predict_file
    from triptych.spec import StudySpec, parse_study, read_study
    from triptych.studies import find_study

_HOMES = {
    "CNNClassifier": "estimators",
    "MLPClassifier": "estimators",
    "MLPRegressor": "estimators",
    "Model": "saved",
    "RNNClassifier": "estimators",
    "Setting": "runner",
    "StudyResult": "runner",
    "StudySpec": "spec",
    "TrainResult": "baseline",
    "evaluate_file": "saved",
    "find_study": "studies",
    "load": "saved",
    "parse_study": "spec",
    "predict_file": "saved",
    "read_result": "runner",
    "read_sequences": "data.sequences",
    "read_study": "spec",
    "run": "api",
    "train": "baseline",
}

__all__ = [
    "CNNClassifier",
    "MLPClassifier",
    "MLPRegressor",
    "Model",
    "RNNClassifier",
    "Setting",
    "StudyResult",
    "StudySpec",
    "TrainResult",
    "evaluate_file",
    "find_study",
    "load",
    "parse_study",
    "predict_file",
    "read_result",
    "read_sequences",
    "read_study",
    "run",
    "train",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"triptych.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'triptych' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

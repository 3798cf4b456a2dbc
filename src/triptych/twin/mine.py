"""A learner's own forward or backward in place of ours, and the first place where it departs."""

from __future__ import annotations

import importlib.util
import inspect
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from triptych.chance import stream, stream_seed
from triptych.contracts import Array, Backward, FloatArray
from triptych.data import load
from triptych.errors import SpecError
from triptych.models import MLPNumpy, initial_weights
from triptych.models.layers_numpy import DenseBackward
from triptych.models.losses_numpy import LossBackward
from triptych.models.mlp_numpy import Layers
from triptych.spec import nearest
from triptych.training import NumpyLearner
from triptych.twin.compare import TwinSpec, batches_of, named_step
from triptych.twin.diagnosis import agrees, diagnose

Functions = dict[str, Callable[..., Any]]

SIGNATURES = {
    "dense_forward": "dense_forward(x, w, b) -> y",
    "dense_backward": "dense_backward(dy, x, w, b) -> (dx, dw, db)",
    "activation_forward": "activation_forward(x) -> y",
    "activation_backward": "activation_backward(dy, x) -> dx",
    "loss_forward": "loss_forward(z, y) -> mean loss over the batch",
    "loss_backward": "loss_backward(z, y) -> dz",
}


def load_functions(path: Path, activation: str) -> Functions:
    """Return the functions of a learner's file that stand in for ours.

    Parameters
    ----------
    path : Path
        A Python file; it is run.
    activation : str
        The network's, whose name may stand for ``activation`` (``relu_backward``).

    Raises
    ------
    SpecError
        If the file cannot be run, or has none of the functions.
    """
    module = _run(path)
    names = {name.replace("activation", activation): name for name in SIGNATURES}
    names |= {name: name for name in SIGNATURES}
    found: Functions = {}
    for name, value in inspect.getmembers(module, inspect.isfunction):
        if name in names:
            found[names[name]] = value
        elif name.endswith(("_forward", "_backward")) and not name.startswith("_"):
            raise SpecError(f"{path}: no layer here has {name!r}.{nearest(name, names)}")
    if not found:
        known = "; ".join(SIGNATURES.values())
        raise SpecError(f"{path}: has none of the functions that can stand in for ours: {known}.")
    return found


def _run(path: Path) -> ModuleType:
    if not path.is_file():
        raise SpecError(f"{path}: no such file.")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise SpecError(f"{path}: must be a Python file, with a name that ends in .py.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise SpecError(f"{path}: {_raised(error, path)}.") from error
    return module


def _raised(error: Exception, path: Path) -> str:
    """Return what was raised, and at which line of the learner's file."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    at = getattr(error, "lineno", None) or (lines[-1] if lines else None)
    where = f" in line {at}" if at else ""
    return f"{type(error).__name__}{where}: {error}"


@dataclass(frozen=True)
class Departure:
    """The first tensor that is not ours.

    Attributes
    ----------
    step, layer : int
        Both counted from 1; layer 0 is the loss.
    function, tensor : str
        Which of the learner's functions, and which of the things it returned.
    what : str
        How it differs, in words.
    """

    step: int
    layer: int
    function: str
    tensor: str
    what: str


@dataclass(frozen=True)
class MineReport:
    """What came of a learner's functions.

    Attributes
    ----------
    functions : tuple of str
    steps : int
        Taken until the end, or until the departure.
    departure : Departure or None
    """

    functions: tuple[str, ...]
    steps: int
    departure: Departure | None


class _Departed(Exception):
    """Carries the departure out of the network's own code."""

    def __init__(self, departure: Departure) -> None:
        super().__init__(departure.what)
        self.departure = departure


def compare_mine(spec: TwinSpec, path: Path) -> MineReport:
    """Train with a learner's functions in place of ours, until one returns something else.

    Each call is made of both, with the same arguments; so what is named is where it starts, not
    what follows from it.

    Parameters
    ----------
    spec : TwinSpec
    path : Path
        See `load_functions`.
    """
    functions = load_functions(path, spec.network.activation)
    data = load(spec.data, spec.seed)
    weights = initial_weights(spec.network, data, stream(spec.seed, "weights"))
    seed = stream_seed(spec.seed, "dropout")
    network = MLPNumpy(spec.network, weights, spec.train.loss, seed)
    judge = _Judge(network.functions, functions, len(spec.network.hidden) + 1, path)
    network.functions = Layers(judge.dense, judge.activation, judge.loss)
    learner = NumpyLearner(network, data.train, spec.train, data.standardization)
    size = min(spec.train.batch_size or len(data.train), len(data.train))
    lr = np.array([spec.train.optimizer.lr])
    for step, batch in enumerate(batches_of(spec, len(data.train), size), start=1):
        judge.start(step)
        try:
            with named_step("numpy", step):
                learner.fit(batch, len(batch), lr)
        except _Departed as departed:
            return MineReport(tuple(functions), step, departed.departure)
    return MineReport(tuple(functions), spec.steps, None)


class _Judge:
    """Our layers, which call the learner's beside them and compare."""

    def __init__(self, ours: Layers, mine: Functions, depth: int, path: Path) -> None:
        self.ours, self.mine, self.depth, self.path = ours, mine, depth, path
        self.step = self.layer = 0

    def start(self, step: int) -> None:
        """Begin a step: the next dense layer is the first."""
        self.step, self.layer = step, 0

    def dense(
        self, x: FloatArray, w: FloatArray, b: FloatArray
    ) -> tuple[FloatArray, DenseBackward]:
        """Stand in for `triptych.models.layers_numpy.dense`."""
        self.layer += 1
        layer = self.layer
        y, backward = self.ours.dense(x, w, b)
        y = self._check("dense_forward", layer, {"y": y}, (x, w, b), len(x), {
            "lacks its bias": x @ w,
        })["y"]  # fmt: skip

        def judged(dy: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
            dx, dw, db = backward(dy)
            tensors = {"dx": dx, "dw": dw, "db": db}
            found = self._check("dense_backward", layer, tensors, (dy, x, w, b), len(x))
            return found["dx"], found["dw"], found["db"]

        return y, judged

    def activation(self, x: FloatArray) -> tuple[FloatArray, Backward]:
        """Stand in for an activation of `triptych.models.layers_numpy`."""
        layer = self.layer
        y, backward = self.ours.activation(x)
        y = self._check("activation_forward", layer, {"y": y}, (x,), len(x))["y"]

        def judged(dy: FloatArray) -> FloatArray:
            missing = {"is dy itself: the activation's slope is missing": dy}
            tensors = {"dx": backward(dy)}
            return self._check("activation_backward", layer, tensors, (dy, x), len(x), missing)[
                "dx"
            ]

        return y, judged

    def loss(self, z: FloatArray, y: Array, share: FloatArray) -> tuple[float, LossBackward]:
        """Stand in for a loss of `triptych.models.losses_numpy`."""
        value, backward = self.ours.loss(z, y, share)
        tensors = {"the loss": np.array(value)}
        found = self._check("loss_forward", 0, tensors, (z, y), len(z))["the loss"]

        def judged() -> FloatArray:
            dz = backward()
            guesses = {}
            if y.ndim == 1:
                hot = (y[:, None] == np.arange(z.shape[1])) * share[:, None]
                guesses["is softmax(z) alone: 1 is not subtracted at the right class"] = dz + hot
                guesses["is softmax(z) alone, and not divided by the batch"] = (dz + hot) / share[
                    :, None
                ]
            return self._check("loss_backward", 0, {"dz": dz}, (z, y), len(z), guesses)["dz"]

        return float(found), judged

    def _check(
        self,
        function: str,
        layer: int,
        ours: Mapping[str, FloatArray],
        arguments: tuple[Array, ...],
        batch: int,
        guesses: Mapping[str, FloatArray] | None = None,
    ) -> dict[str, FloatArray]:
        """Return what the learner's function does, or ours where there is none."""
        if function not in self.mine:
            return dict(ours)
        whole = Departure(self.step, layer, function, "", "")
        try:
            # Copies, so that a function that writes to its arguments does not spoil ours.
            found = self.mine[function](*(a.copy() for a in arguments))
        except Exception as error:
            raise _Departed(replace(whole, what=f"raised {_raised(error, self.path)}")) from error
        parts = found if len(ours) > 1 else (found,)
        if not isinstance(parts, tuple | list) or len(parts) != len(ours):
            what = f"must return ({', '.join(ours)}), returned {_kind(found)}"
            raise _Departed(replace(whole, what=what))
        for (name, right), part in zip(ours.items(), parts, strict=True):
            if not agrees(part, right):
                what = diagnose(part, right, batch, guesses)
                raise _Departed(replace(whole, tensor=name, what=what))
        return {
            name: np.asarray(part, dtype=np.float64) for name, part in zip(ours, parts, strict=True)
        }


def _kind(value: object) -> str:
    if isinstance(value, tuple | list):
        return f"{len(value)} things"
    return f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else repr(value)

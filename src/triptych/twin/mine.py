"""A learner's own forward or backward in place of ours, and the first place where it departs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from triptych.chance import stream, stream_seed
from triptych.contracts import Dataset, FloatArray, NumpyNetwork
from triptych.errors import SpecError
from triptych.models import CNNNumpy, MLPNumpy, RNNNumpy, initial_weights
from triptych.models.cnn_layers_numpy import EPS, conv2d, deviations
from triptych.models.cnn_numpy import CNNLayers
from triptych.models.mlp_numpy import Layers
from triptych.models.rnn_numpy import RNNLayers
from triptych.runner import load_for
from triptych.spec import CNNSpec, MLPSpec, PalindromeSpec, RNNSpec
from triptych.training import NumpyLearner
from triptych.twin.compare import TwinSpec, batches_of, named_step
from triptych.twin.functions import Functions, load_functions
from triptych.twin.judge import (
    CNN_PLACES,
    MLP_PLACES,
    RNN_PLACES,
    Departed,
    Departure,
    Guesses,
    Judge,
)


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


def compare_mine(spec: TwinSpec, path: Path) -> MineReport:
    """Train with a learner's functions in place of ours, until one returns something else.

    Each call is made of both, with the same arguments; so what is named is where it starts, not
    what follows from it.

    Parameters
    ----------
    spec : TwinSpec
    path : Path
        See `triptych.twin.functions.load_functions`.

    Raises
    ------
    SpecError
        If the file cannot be used, or sequences are of several lengths: then a function of the
        learner's would have to know where each ends.
    """
    if isinstance(spec.data, PalindromeSpec) and spec.data.shortest is not None:
        raise SpecError("shortest: functions of your own take sequences of one length only.")
    activation = spec.network.activation if isinstance(spec.network, MLPSpec) else "relu"
    functions = load_functions(path, activation, spec.network.kind)
    data = load_for(spec.arm(), spec.seed, None)
    network, judge = _judged(spec, data, functions, path)
    learner = NumpyLearner(network, data.train, spec.train, data.standardization)
    lr = np.array([spec.train.optimizer.lr])
    for step, batch in enumerate(batches_of(spec, len(data.train)), start=1):
        judge.start(step)
        try:
            with named_step("numpy", step):
                learner.fit(batch, len(batch), lr)
        except Departed as departed:
            return MineReport(tuple(functions), step, departed.departure)
    return MineReport(tuple(functions), spec.steps, None)


def _judged(
    spec: TwinSpec, data: Dataset, functions: Functions, path: Path
) -> tuple[NumpyNetwork, Judge]:
    """Return the network with a judge in each of its layers."""
    weights = initial_weights(spec.network, data, stream(spec.seed, "weights"))
    if isinstance(spec.network, CNNSpec):
        judge = Judge(functions, path, CNN_PLACES)
        cnn, layers = CNNNumpy(spec.network, weights), CNNLayers()
        cnn.functions = CNNLayers(
            conv=judge.weighted("conv", layers.conv, _conv_mistakes, _conv_back_mistakes),
            norm=judge.weighted("norm", layers.norm, _norm_mistakes, _norm_back_mistakes),
            activation=judge.activation(layers.activation),
            pool=judge.pool(layers.pool),
            dense=judge.weighted("dense", layers.dense),
            loss=judge.loss(layers.loss),
        )
        return cnn, judge
    if isinstance(spec.network, RNNSpec):
        judge = Judge(functions, path, RNN_PLACES)
        rnn, parts = RNNNumpy(spec.network, weights), RNNLayers()
        rnn.functions = RNNLayers(
            judge.elman(parts.elman),
            judge.weighted("dense", parts.dense),
            judge.loss(parts.loss),
        )
        return rnn, judge
    judge = Judge(functions, path, MLP_PLACES)
    mlp = MLPNumpy(spec.network, weights, spec.train.loss, stream_seed(spec.seed, "dropout"))
    ours = mlp.functions
    mlp.functions = Layers(
        judge.weighted("dense", ours.dense),
        judge.activation(ours.activation),
        judge.loss(ours.loss),
    )
    return mlp, judge


def _conv_mistakes(x: FloatArray, w: FloatArray, b: FloatArray) -> Guesses:
    return {"has its kernels turned by half a turn": conv2d(x, w[:, :, ::-1, ::-1], b)[0]}


def _conv_back_mistakes(dy: FloatArray, x: FloatArray, w: FloatArray, b: FloatArray) -> Guesses:
    turned = w[:, :, ::-1, ::-1]
    return {"has kernels that are not turned by half a turn": conv2d(x, turned, b)[1](dy)[0]}


def _norm_mistakes(x: FloatArray, w: FloatArray, b: FloatArray) -> Guesses:
    centred, scale = deviations(x)
    count = x.size // len(w)
    var = np.maximum(1 / scale**2 - EPS, 1e-300)  # a channel may be all alike
    w, b = w[:, None, None], b[:, None, None]
    return {
        "divides by the variance, not by its root": centred * scale**2 * w + b,
        "takes the variance with one less than its terms": (
            centred / np.sqrt(var * (count / (count - 1)) + EPS) * w + b
        ),
        "lacks eps, which is added to the variance": centred / np.sqrt(var) * w + b,
    }


def _norm_back_mistakes(dy: FloatArray, x: FloatArray, w: FloatArray, b: FloatArray) -> Guesses:
    _, scale = deviations(x)
    return {"takes mean and variance for constants": w[:, None, None] * scale * dy}

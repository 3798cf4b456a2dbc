"""First weights of every network, drawn in NumPy so that all engines start from the same ones.

Every weight and bias is uniform in ``±1/sqrt(fan_in)``, which is what ``torch.nn.Linear`` and
``torch.nn.Conv2d`` draw by default; the paper's code leaves it to them.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from triptych.contracts import Array, Weights
from triptych.spec import CNNSpec, MLPSpec, RNNSpec

# tanh(g h + u) has two stable points while |u| < sqrt(g (g - 1)) - artanh(sqrt(1 - 1 / g)): 1.3 for
# 3, so that a unit keeps its sign whatever smaller inputs come.
LATCH_GAIN = 3.0


def uniform_fan_in(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> Array:
    """Return float64 of `shape`, uniform in ``±1/sqrt(fan_in)``."""
    bound = 1.0 / math.sqrt(fan_in)
    return rng.uniform(-bound, bound, size=shape)


def mlp_weights(spec: MLPSpec, inputs: int, classes: int, rng: np.random.Generator) -> Weights:
    """Return ``w1 (I, H), b1 (H,), w2, b2, ...`` in order."""
    weights: Weights = {}
    sizes = (inputs, *spec.hidden, classes)
    for layer, (fan_in, out) in enumerate(pairwise(sizes), start=1):
        weights[f"w{layer}"] = uniform_fan_in(rng, (fan_in, out), fan_in)
        weights[f"b{layer}"] = uniform_fan_in(rng, (out,), fan_in)
    return weights


def cnn_weights(spec: CNNSpec, inputs: int, classes: int, rng: np.random.Generator) -> Weights:
    """Return ``convK.weight (O, I, 3, 3)``, ``convK.bias``, ``normK.*``, ``head.*`` in order.

    BatchNorm starts as the identity: weight 1, bias 0, running mean 0, running variance 1.
    """
    weights: Weights = {}
    channels = inputs
    for layer, out in enumerate(spec.channels, start=1):
        weights[f"conv{layer}.weight"] = uniform_fan_in(rng, (out, channels, 3, 3), channels * 9)
        weights[f"conv{layer}.bias"] = uniform_fan_in(rng, (out,), channels * 9)
        weights[f"norm{layer}.weight"] = np.ones(out)
        weights[f"norm{layer}.bias"] = np.zeros(out)
        weights[f"norm{layer}.running_mean"] = np.zeros(out)
        weights[f"norm{layer}.running_var"] = np.ones(out)
        channels = out
    weights["head.weight"] = uniform_fan_in(rng, (classes, channels), channels)
    weights["head.bias"] = uniform_fan_in(rng, (classes,), channels)
    return weights


def whitened_weights(spec: CNNSpec, inputs: int, classes: int, rng: np.random.Generator) -> Weights:
    """Return ``whiten.weight (8 I, I, 2, 2)``, ``convK.weight``, ``normK.*``, ``head.weight``.

    The whitening filters are 0 until training computes them. The first kernels of a convolution
    pass their input on (Jordan, 2024); the head has unit variance, and is divided by its inputs.
    """
    channels = 8 * inputs
    weights: Weights = {"whiten.weight": np.zeros((channels, inputs, 2, 2))}
    for layer, out in enumerate(spec.channels, start=1):
        kernels = uniform_fan_in(rng, (out, channels, 3, 3), channels * 9)
        same = np.arange(min(out, channels))
        kernels[: len(same)] = 0.0
        kernels[same, same, 1, 1] = 1.0
        weights[f"conv{layer}.weight"] = kernels
        weights[f"norm{layer}.bias"] = np.zeros(out)
        weights[f"norm{layer}.running_mean"] = np.zeros(out)
        weights[f"norm{layer}.running_var"] = np.ones(out)
        channels = out
    weights["head.weight"] = rng.uniform(-math.sqrt(3), math.sqrt(3), size=(classes, channels))
    return weights


def rnn_weights(spec: RNNSpec, inputs: int, classes: int, rng: np.random.Generator) -> Weights:
    """Return the first weights of a recurrent network.

    Parameters
    ----------
    spec : RNNSpec
    inputs : int
        V: symbols, or features of a step.
    classes : int
    rng : numpy.random.Generator

    Returns
    -------
    Weights
        Of a vanilla network ``wx (V, H), bx, wh (H, H), bh, wy (H, C), by`` in order; of others
        what `triptych.models.rnn_torch.CellsTorch` takes, as uniform as PyTorch draws them.
    """
    if not spec.is_vanilla:
        return _cell_weights(spec, inputs, classes, rng)
    weights: Weights = {}
    hidden = spec.hidden
    for name, fan_in, out in (("x", inputs, hidden), ("h", hidden, hidden), ("y", hidden, classes)):
        weights[f"w{name}"] = uniform_fan_in(rng, (fan_in, out), fan_in)
        weights[f"b{name}"] = uniform_fan_in(rng, (out,), fan_in)
    if spec.init == "latch":
        weights["wh"] = LATCH_GAIN * np.eye(hidden)
        weights["bx"], weights["bh"] = np.zeros(hidden), np.zeros(hidden)
    return weights


def _cell_weights(spec: RNNSpec, inputs: int, classes: int, rng: np.random.Generator) -> Weights:
    weights: Weights = {}
    hidden, gates = spec.hidden, spec.gates
    directions = ("", "_reverse") if spec.bidirectional else ("",)
    for layer in range(spec.layers):
        for direction in directions:
            end = f"_l{layer}{direction}"
            for name, width in (("ih", inputs), ("hh", hidden)):
                shape = (gates * hidden, width)
                weights[f"cells.weight_{name}{end}"] = uniform_fan_in(rng, shape, hidden)
            for name in ("ih", "hh"):
                weights[f"cells.bias_{name}{end}"] = uniform_fan_in(rng, (gates * hidden,), hidden)
        inputs = hidden * len(directions)
    weights["wy"] = uniform_fan_in(rng, (inputs, classes), inputs)
    weights["by"] = uniform_fan_in(rng, (classes,), inputs)
    return weights

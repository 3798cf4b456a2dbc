"""What a trained network hands to its loss, and the slope of that by its inputs.

From weights alone, which all engines share, so that a network is explained in the same way
whatever trained it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

import numpy as np

from triptych.contracts import Backward, FloatArray, Weights
from triptych.errors import SpecError
from triptych.models.mlp_numpy import MLPNumpy
from triptych.spec import CNNSpec, MLPSpec, NetworkSpec, RNNSpec

Forward = Callable[[FloatArray], tuple[FloatArray, Backward]]
"""Maps inputs (B, ...) to outputs (B, O), and to what maps a slope by these to one by inputs."""


def create_forward(spec: NetworkSpec, weights: Weights) -> Forward:
    """Return a network in eval mode, whose outputs come with their own backward.

    An MLP is computed in NumPy in float64, a CNN in PyTorch in float32.

    Parameters
    ----------
    spec : NetworkSpec
    weights : Weights
        As a learner's `weights` gives them.

    Returns
    -------
    callable
        From standardised inputs (B, ...), rows of any shape for an MLP, to outputs (B, O), float64,
        and a backward from (B, O) to (B, ...), float64.

    Raises
    ------
    SpecError
        For an RNN: symbols have no slope.
    """
    match spec:
        case MLPSpec():
            network = MLPNumpy(spec, {name: w.astype("float64") for name, w in weights.items()})
            return _flattened(network)
        case CNNSpec():
            return _with_autograd(spec, weights)
        case RNNSpec():
            raise SpecError("slopes by the inputs: of 'mlp' and 'cnn' only, got 'rnn'.")
        case _:
            assert_never(spec)


def _flattened(network: MLPNumpy) -> Forward:
    def forward(x: FloatArray) -> tuple[FloatArray, Backward]:
        outputs, backward = network.outputs_and_backward(x.reshape(len(x), -1).astype("float64"))
        return outputs, lambda dy: backward(dy).reshape(x.shape)

    return forward


def _with_autograd(spec: CNNSpec, weights: Weights) -> Forward:
    import torch

    from triptych.models import create_torch

    network = create_torch(spec, {name: w.astype(np.float32) for name, w in weights.items()})
    network.eval().requires_grad_(requires_grad=False)

    def forward(x: FloatArray) -> tuple[FloatArray, Backward]:
        inputs = torch.from_numpy(x.astype(np.float32)).requires_grad_()
        outputs = network(inputs)

        def backward(dy: FloatArray) -> FloatArray:
            slope = torch.from_numpy(dy.astype(np.float32))
            (dx,) = torch.autograd.grad(outputs, inputs, slope)
            found: FloatArray = dx.numpy().astype(np.float64)
            return found

        return outputs.detach().numpy().astype(np.float64), backward

    return forward

"""From a spec to a network: one file per architecture and engine.

`create_torch` and the torch classes are imported only when asked for, so that a study of NumPy
networks never loads PyTorch.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, assert_never

import numpy as np

from triptych.contracts import Dataset, FloatArray, Weights
from triptych.models.cnn_numpy import CNNNumpy
from triptych.models.costs import Cost, cost, cost_on
from triptych.models.initial import cnn_weights, mlp_weights, rnn_weights, whitened_weights
from triptych.models.mlp_numpy import MLPNumpy
from triptych.models.rnn_numpy import RNNNumpy
from triptych.models.shapes import weight_shapes
from triptych.models.slopes import create_forward
from triptych.models.widths import scale_to, scaled, widths
from triptych.spec import CNNSpec, MLPSpec, NetworkSpec, RNNSpec

if TYPE_CHECKING:
    import torch

__all__ = [
    "CNNNumpy",
    "Cost",
    "MLPNumpy",
    "RNNNumpy",
    "block_outputs",
    "cost",
    "cost_on",
    "create_forward",
    "create_torch",
    "initial_weights",
    "scale_to",
    "scaled",
    "weight_shapes",
    "widths",
]


def initial_weights(spec: NetworkSpec, data: Dataset, rng: np.random.Generator) -> Weights:
    """Return the first weights of `spec` for the samples and classes of `data`, float64."""
    classes = data.outputs
    match spec:
        case MLPSpec():
            return mlp_weights(spec, math.prod(data.sample_shape), classes, rng)
        case CNNSpec():
            draw = cnn_weights if spec.design == "vgg" else whitened_weights
            return draw(spec, data.sample_shape[0], classes, rng)
        case RNNSpec():
            return rnn_weights(spec, data.step_inputs, classes, rng)
        case _:
            assert_never(spec)


def create_torch(
    spec: NetworkSpec, weights: Weights, dropout_seed: int = 0, device: str = "cpu"
) -> torch.nn.Module:
    """Return the PyTorch network of `spec` with a copy of `weights`, in their dtype.

    Parameters
    ----------
    spec : NetworkSpec
    weights : Weights
        As `initial_weights` gives them, cast to the dtype to train in.
    dropout_seed : int
        Keys the dropout masks, see `triptych.chance.dropout_mask`.
    device : str
        A torch device.
    """
    from triptych.models.cnn_torch import CNNTorch
    from triptych.models.mlp_torch import MLPTorch
    from triptych.models.rnn_torch import CellsTorch, RNNTorch
    from triptych.models.whitened_torch import WhitenedTorch

    network: torch.nn.Module
    match spec:
        case MLPSpec():
            network = MLPTorch(spec, weights, dropout_seed)
        case CNNSpec():
            design = CNNTorch if spec.design == "vgg" else WhitenedTorch
            network = design(spec, weights)
        case RNNSpec():
            network = (RNNTorch if spec.is_vanilla else CellsTorch)(spec, weights)
        case _:
            assert_never(spec)
    return network.to(device)


def block_outputs(spec: CNNSpec, weights: Weights, x: FloatArray) -> list[FloatArray]:
    """Return what each block of a CNN makes of pictures, in eval mode: (B, K, h, w) each.

    Parameters
    ----------
    spec : CNNSpec
    weights : Weights
    x : FloatArray, shape (B, C, H, W), float32
        Inputs: standardised.
    """
    weights = {name: w.astype(np.float32) for name, w in weights.items()}
    if spec.design == "vgg":
        return list(CNNNumpy(spec, weights).blocks(x))
    import torch

    from triptych.models.whitened_torch import WhitenedTorch

    with torch.inference_mode():
        network = WhitenedTorch(spec, weights).eval()
        return [block.numpy() for block in network.blocks(torch.from_numpy(x))]

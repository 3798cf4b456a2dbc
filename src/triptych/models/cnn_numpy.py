"""The paper's convolutional network in NumPy: the reference that PyTorch's is held to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from triptych.contracts import Array, FloatArray, Weights
from triptych.models.cnn_layers_numpy import (
    Conv,
    Norm,
    Pool,
    batch_norm,
    conv2d,
    fixed_norm,
    max_pool,
    mean_pixels,
    track,
)
from triptych.models.initial import cnn_weights
from triptych.models.layers_numpy import Activation, Dense, dense, identity, relu
from triptych.models.losses_numpy import Loss, shares, softmax_cross_entropy
from triptych.spec import CNNSpec

# Maps the gradient of a block's output to that of its input, and those of its weights.
BlockBackward = Callable[[FloatArray], tuple[FloatArray, Weights]]

_POOL = (3, 2, 1)  # size, stride and padding: windows overlap by a row and a column


@dataclass(frozen=True)
class CNNLayers:
    """The functions that a network is made of; another one may stand in for each."""

    conv: Conv = conv2d
    norm: Norm = batch_norm
    activation: Activation = relu
    pool: Pool = max_pool
    dense: Dense = dense
    loss: Loss = softmax_cross_entropy


class CNNNumpy:
    """Convolutions 3x3 with BatchNorm and ReLU, overlapping max pooling, one linear layer.

    What pixels are left after the last block are averaged, so that pictures of any size fit the
    same head.

    Parameters
    ----------
    spec : CNNSpec
    weights : Weights
        ``conv1.weight (O, C, 3, 3), conv1.bias (O,), norm1.weight, ...``, see
        `triptych.models.initial.cnn_weights`; kept, not copied.

    Attributes
    ----------
    weights : Weights
        The arrays it computes with. A step changes those of `trainable` in place,
        `loss_and_grads` the others: the running mean and variance of each BatchNorm.
    functions : CNNLayers
        What it computes with.
    """

    reads: Literal["pictures"] = "pictures"
    min_batch = 2  # of which BatchNorm can take a variance, whatever the size of the picture

    def __init__(self, spec: CNNSpec, weights: Weights) -> None:
        self.spec = spec
        self.weights = weights
        self.functions = CNNLayers()
        self.layers = range(1, len(spec.channels) + 1)

    @classmethod
    def create(cls, spec: CNNSpec, inputs: int, classes: int, rng: np.random.Generator) -> CNNNumpy:
        """Return a network with first weights drawn from `rng`, float64."""
        return cls(spec, cnn_weights(spec, inputs, classes, rng))

    @property
    def trainable(self) -> Weights:
        """The weights that have a gradient: all but the running statistics."""
        return {name: w for name, w in self.weights.items() if ".running_" not in name}

    def blocks(self, x: FloatArray) -> Iterator[FloatArray]:
        """Give what each block makes of pictures (B, C, H, W) in eval mode."""
        out = x
        for k in self.layers:
            out, _ = self.functions.conv(out, *self._pair(f"conv{k}"))
            out = fixed_norm(out, *self._pair(f"norm{k}"), *self._running(k))
            out, _ = self.functions.activation(out)
            if k in self.spec.pool_after:
                out, _ = self.functions.pool(out, *_POOL)
            yield out

    def outputs(self, x: FloatArray) -> FloatArray:
        """Return logits (B, O) in eval mode for pictures x (B, C, H, W)."""
        out = x
        for block in self.blocks(x):
            out = block
        w_OI, b_O = self._pair("head")
        logits, _ = self.functions.dense(mean_pixels(out)[0], w_OI.T, b_O)
        return logits

    def loss(self, outputs: FloatArray, y: Array, weight: FloatArray | None = None) -> float:
        """Return the mean loss of logits (B, O) for classes (B,)."""
        return self.functions.loss(outputs, y, shares(len(outputs), weight, outputs.dtype))[0]

    def loss_and_grads(
        self, x: FloatArray, y: Array, weight: FloatArray | None = None, step: int = 0
    ) -> tuple[float, Weights]:
        """Return the mean loss in train mode and its gradients, named like the trainable weights.

        The running statistics take in those of the batch.

        Parameters
        ----------
        x : FloatArray, shape (B, C, H, W)
        y : Array, shape (B,)
            Classes.
        weight : FloatArray, shape (B,), optional
            How much each row counts in the loss; BatchNorm counts all alike.
        step : int
            Not used: nothing is dropped.
        """
        out = x
        backwards: list[BlockBackward] = []
        for k in self.layers:
            out, block_backward = self._block(k, out)
            backwards.append(block_backward)
        out, head_backward = self._head(out)
        backwards.append(head_backward)
        loss, loss_backward = self.functions.loss(out, y, shares(len(y), weight, out.dtype))
        gradient = loss_backward()
        grads: Weights = {}
        for backward in reversed(backwards):
            gradient, found = backward(gradient)
            grads |= found
        return loss, {name: grads[name] for name in self.trainable}

    def _block(self, k: int, x_BCHW: FloatArray) -> tuple[FloatArray, BlockBackward]:
        """Return what block `k` makes of `x` in train mode, and its backward."""
        out, conv_backward = self.functions.conv(x_BCHW, *self._pair(f"conv{k}"))
        track(out, *self._running(k))
        out, norm_backward = self.functions.norm(out, *self._pair(f"norm{k}"))
        out, slope = self.functions.activation(out)
        pools = k in self.spec.pool_after
        out, pool_backward = self.functions.pool(out, *_POOL) if pools else identity(out)

        def backward(dy: FloatArray) -> tuple[FloatArray, Weights]:
            dy, dw_norm, db_norm = norm_backward(slope(pool_backward(dy)))
            dx, dw_conv, db_conv = conv_backward(dy)
            conv = {f"conv{k}.weight": dw_conv, f"conv{k}.bias": db_conv}
            return dx, {**conv, f"norm{k}.weight": dw_norm, f"norm{k}.bias": db_norm}

        return out, backward

    def _head(self, x_BCHW: FloatArray) -> tuple[FloatArray, BlockBackward]:
        """Return the logits (B, O), and their backward."""
        w_OI, b_O = self._pair("head")
        mean_BI, spread = mean_pixels(x_BCHW)
        logits_BO, dense_backward = self.functions.dense(mean_BI, w_OI.T, b_O)

        def backward(dy_BO: FloatArray) -> tuple[FloatArray, Weights]:
            dx_BI, dw_IO, db_O = dense_backward(dy_BO)
            return spread(dx_BI), {"head.weight": dw_IO.T, "head.bias": db_O}

        return logits_BO, backward

    def _pair(self, layer: str) -> tuple[Array, Array]:
        return self.weights[f"{layer}.weight"], self.weights[f"{layer}.bias"]

    def _running(self, k: int) -> tuple[Array, Array]:
        return self.weights[f"norm{k}.running_mean"], self.weights[f"norm{k}.running_var"]

    def products(self, sample_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of one picture's forward pass."""
        height, width = sample_shape[1:]
        count = 0
        for k in self.layers:
            count += self.weights[f"conv{k}.weight"].size * height * width
            if k in self.spec.pool_after:
                height, width = (height + 1) // 2, (width + 1) // 2
        return count + int(self.weights["head.weight"].size)

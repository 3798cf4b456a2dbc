"""The multilayer perceptron in NumPy, written to be read.

Every layer's forward returns its output and its own backward; there is no cache to go stale and
no autograd. B batch, I/O in/out of a layer, C classes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from triptych.contracts import Array, Backward, FloatArray, IntArray, Weights
from triptych.models.initial import mlp_weights
from triptych.spec import MLPSpec

DenseBackward = Callable[[FloatArray], tuple[FloatArray, FloatArray, FloatArray]]


def dense(x_BI: FloatArray, w_IO: FloatArray, b_O: FloatArray) -> tuple[FloatArray, DenseBackward]:
    """Return ``x w + b`` and its backward, which maps dy to (dx, dw, db)."""

    def backward(dy_BO: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        return dy_BO @ w_IO.T, x_BI.T @ dy_BO, dy_BO.sum(axis=0)

    return x_BI @ w_IO + b_O, backward


def relu(x_BI: FloatArray) -> tuple[FloatArray, Backward]:
    """Return ``max(x, 0)`` and its backward; the slope at 0 is 0, as in PyTorch."""
    y_BI = np.maximum(x_BI, 0)

    def backward(dy_BI: FloatArray) -> FloatArray:
        return dy_BI * (y_BI > 0)

    return y_BI, backward


def dropout(
    x_BI: FloatArray, probability: float, rng: np.random.Generator
) -> tuple[FloatArray, Backward]:
    """Zero each unit with `probability` and scale the rest so that the mean stays.

    Srivastava et al. (2014), "inverted": nothing is left to do in eval mode.
    """
    keep_BI = (rng.random(x_BI.shape) >= probability).astype(x_BI.dtype) / (1 - probability)

    def backward(dy_BI: FloatArray) -> FloatArray:
        return dy_BI * keep_BI

    return x_BI * keep_BI, backward


def softmax_cross_entropy(z_BC: FloatArray, y_B: IntArray) -> tuple[float, Callable[[], Array]]:
    """Return the mean of ``-log softmax(z)[y]`` over the batch, and its backward to z."""
    # Shifting by the maximum changes nothing but keeps exp from overflowing.
    shifted_BC = z_BC - z_BC.max(axis=1, keepdims=True)
    log_sum_B = np.log(np.exp(shifted_BC).sum(axis=1))
    rows = np.arange(len(y_B))
    loss = float((log_sum_B - shifted_BC[rows, y_B]).mean())

    def backward() -> Array:
        dz_BC: Array = np.exp(shifted_BC - log_sum_B[:, None])
        dz_BC[rows, y_B] -= 1
        dz_BC /= len(y_B)
        return dz_BC

    return loss, backward


class MLPNumpy:
    """A multilayer perceptron with ReLU between its linear layers and logits out.

    Parameters
    ----------
    spec : MLPSpec
    weights : Weights
        ``w1 (I, H), b1 (H,), ...``, see `triptych.models.initial.mlp_weights`; kept, not copied.

    Attributes
    ----------
    weights : Weights
        The arrays it computes with; a step changes them in place.
    """

    def __init__(self, spec: MLPSpec, weights: Weights) -> None:
        self.spec = spec
        self.weights = weights
        self.layers = range(1, len(spec.hidden) + 2)

    @classmethod
    def create(cls, spec: MLPSpec, inputs: int, classes: int, rng: np.random.Generator) -> MLPNumpy:
        """Return a network with first weights drawn from `rng`, float64."""
        return cls(spec, mlp_weights(spec, inputs, classes, rng))

    def logits(self, x: FloatArray) -> FloatArray:
        """Return the output in eval mode, shape (B, C), for x of shape (B, I)."""
        out = x
        for k in self.layers:
            out, _ = dense(out, self.weights[f"w{k}"], self.weights[f"b{k}"])
            if k != self.layers[-1]:
                out, _ = relu(out)
        return out

    def loss_and_grads(
        self, x: FloatArray, y: IntArray, rng: np.random.Generator | None = None
    ) -> tuple[float, Weights]:
        """Return the mean loss in train mode and its gradients, named like the weights.

        Parameters
        ----------
        x : FloatArray, shape (B, I)
        y : IntArray, shape (B,)
        rng : numpy.random.Generator, optional
            Draws the dropout masks; needed where the spec has dropout.
        """
        out = x
        dense_backwards: list[DenseBackward] = []
        between: list[list[Backward]] = []
        for k in self.layers:
            out, dense_backward = dense(out, self.weights[f"w{k}"], self.weights[f"b{k}"])
            dense_backwards.append(dense_backward)
            if k != self.layers[-1]:
                out, backwards = self._activate(out, rng)
                between.append(backwards)
        loss, loss_backward = softmax_cross_entropy(out, y)
        gradient = loss_backward()
        grads: Weights = {}
        for k in reversed(self.layers):
            gradient, dw_IO, db_O = dense_backwards[k - 1](gradient)
            grads[f"w{k}"], grads[f"b{k}"] = dw_IO, db_O
            if k > 1:
                for backward in reversed(between[k - 2]):
                    gradient = backward(gradient)
        return loss, {name: grads[name] for name in self.weights}

    def _activate(
        self, x: FloatArray, rng: np.random.Generator | None
    ) -> tuple[FloatArray, list[Backward]]:
        out, relu_backward = relu(x)
        if not self.spec.dropout:
            return out, [relu_backward]
        if rng is None:
            raise ValueError("loss_and_grads needs rng where the network has dropout.")
        out, dropout_backward = dropout(out, self.spec.dropout, rng)
        return out, [relu_backward, dropout_backward]

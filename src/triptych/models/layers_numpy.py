"""The layers of a multilayer perceptron in NumPy, written to be read.

Every layer's forward returns its output and its own backward; there is no cache to go stale and
no autograd. B batch, I/O in/out of a layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import erf

from triptych.contracts import Backward, FloatArray

DenseBackward = Callable[[FloatArray], tuple[FloatArray, FloatArray, FloatArray]]
Dense = Callable[[FloatArray, FloatArray, FloatArray], tuple[FloatArray, DenseBackward]]
Activation = Callable[[FloatArray], tuple[FloatArray, Backward]]


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


def tanh(x_BI: FloatArray) -> tuple[FloatArray, Backward]:
    """Return ``tanh(x)`` and its backward."""
    y_BI = np.tanh(x_BI)

    def backward(dy_BI: FloatArray) -> FloatArray:
        out: FloatArray = dy_BI * (1 - y_BI * y_BI)
        return out

    return y_BI, backward


def logistic(x_BI: FloatArray) -> tuple[FloatArray, Backward]:
    """Return ``1 / (1 + exp(-x))`` and its backward."""
    y_BI = sigmoid(x_BI)

    def backward(dy_BI: FloatArray) -> FloatArray:
        return dy_BI * (y_BI - y_BI * y_BI)

    return y_BI, backward


def identity(x_BI: FloatArray) -> tuple[FloatArray, Backward]:
    """Return `x` itself and its backward."""
    return x_BI, lambda dy_BI: dy_BI


def gelu(x_BI: FloatArray) -> tuple[FloatArray, Backward]:
    """Return ``x Phi(x)``, Phi the normal distribution's, and its backward.

    Hendrycks and Gimpel (2016), not the approximation by tanh.
    """
    phi_BI = 0.5 + 0.5 * erf(x_BI * math.sqrt(0.5))

    def backward(dy_BI: FloatArray) -> FloatArray:
        density_BI = np.exp(-0.5 * x_BI * x_BI) * (1 / math.sqrt(2 * math.pi))
        out: FloatArray = dy_BI * (phi_BI + x_BI * density_BI)
        return out

    return x_BI * phi_BI, backward


ACTIVATIONS: dict[str, Activation] = {
    "relu": relu, "tanh": tanh, "logistic": logistic, "identity": identity, "gelu": gelu,
}  # fmt: skip


def sigmoid(x: FloatArray) -> FloatArray:
    """Return ``1 / (1 + exp(-x))``, without overflow on either side."""
    small = np.exp(-np.abs(x))
    out: FloatArray = np.where(x >= 0, 1, small) / (1 + small)
    return out


def drop(x_BI: FloatArray, mask_BI: FloatArray) -> tuple[FloatArray, Backward]:
    """Return ``x mask`` and its backward.

    Srivastava et al. (2014), "inverted": the mask's mean is 1, so that nothing is left to do in
    eval mode; see `triptych.chance.dropout_mask`.
    """
    keep_BI = mask_BI.astype(x_BI.dtype)

    def backward(dy_BI: FloatArray) -> FloatArray:
        return dy_BI * keep_BI

    return x_BI * keep_BI, backward

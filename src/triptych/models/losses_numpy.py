"""The losses in NumPy: each returns its value and its backward to the network's outputs.

B batch, O outputs. `share_B` is how much each row counts, with a sum of 1, so that every loss is a
mean over the batch, weighted or not.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import xlogy

from triptych.contracts import Array, FloatArray, IntArray
from triptych.models.layers_numpy import sigmoid

LossBackward = Callable[[], FloatArray]
Loss = Callable[[FloatArray, Array, FloatArray], tuple[float, LossBackward]]


def softmax_cross_entropy(
    z_BO: FloatArray, y_B: IntArray, share_B: FloatArray
) -> tuple[float, LossBackward]:
    """Return the mean of ``-log softmax(z)[y]`` for classes `y`, and its backward."""
    # Shifting by the maximum changes nothing but keeps exp from overflowing.
    shifted_BO = z_BO - z_BO.max(axis=1, keepdims=True)
    log_sum_B = np.log(np.exp(shifted_BO).sum(axis=1))
    rows = np.arange(len(y_B))
    loss = float(share_B @ (log_sum_B - shifted_BO[rows, y_B]))

    def backward() -> FloatArray:
        dz_BO: FloatArray = np.exp(shifted_BO - log_sum_B[:, None])
        dz_BO[rows, y_B] -= 1
        dz_BO *= share_B[:, None]
        return dz_BO

    return loss, backward


def sigmoid_cross_entropy(
    z_BO: FloatArray, t_BO: FloatArray, share_B: FloatArray
) -> tuple[float, LossBackward]:
    """Return the mean of ``-t log s(z) - (1 - t) log(1 - s(z))``, summed over outputs."""
    loss = float(share_B @ (np.logaddexp(0, z_BO) - z_BO * t_BO).sum(axis=1))
    return loss, lambda: share_B[:, None] * (sigmoid(z_BO) - t_BO)


def squared_error(
    z_BO: FloatArray, t_BO: FloatArray, share_B: FloatArray
) -> tuple[float, LossBackward]:
    """Return the mean of half the squared error, summed over outputs."""
    error_BO = z_BO - t_BO
    loss = float(share_B @ (0.5 * error_BO * error_BO).sum(axis=1))
    return loss, lambda: share_B[:, None] * error_BO


def poisson(z_BO: FloatArray, t_BO: FloatArray, share_B: FloatArray) -> tuple[float, LossBackward]:
    """Return the mean of half the Poisson deviance of ``exp(z)``, summed over outputs."""
    rate_BO = np.exp(z_BO)
    # t log(t / rate), which is 0 where t is.
    deviance_BO = xlogy(t_BO, t_BO) - t_BO * z_BO - t_BO + rate_BO
    return float(share_B @ deviance_BO.sum(axis=1)), lambda: share_B[:, None] * (rate_BO - t_BO)


LOSSES: dict[str, Loss] = {
    "softmax": softmax_cross_entropy,
    "sigmoid": sigmoid_cross_entropy,
    "squared": squared_error,
    "poisson": poisson,
}


def shares(rows: int, weight_B: FloatArray | None, dtype: np.dtype) -> FloatArray:
    """Return how much each row counts, with a sum of 1; all 0 where the weights' sum is."""
    if weight_B is None:
        return np.full(rows, 1 / rows, dtype)
    total = weight_B.sum()
    return (weight_B / total if total else np.zeros(rows)).astype(dtype)

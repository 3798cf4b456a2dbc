"""What every kernel that takes steps is told, and reads and leaves flat: settings and weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from triptych.contracts import Array, FloatArray, IntArray
from triptych.spec import OptimizerSpec

Params = Sequence[tuple[Array, Array]]  # per layer the weight (in, out) and the bias (out,)

OPTIMIZERS = {"sgd": 0, "momentum": 1, "nesterov": 2, "adam": 3, "adamw": 4, "rmsprop": 5}


class Bad(NamedTuple):
    """Where training stopped: index of the step in this call, its loss and gradient norm."""

    step: int
    loss: float
    norm: float


@dataclass
class State:
    """An optimiser's moments, flat (P,), or (K, P) for many runs; changed in place."""

    first: Array
    second: Array


def no_moments(count: int, runs: int | None, dtype: str) -> State:
    """Return the moments of `count` weights before the first step, of `runs` networks if given."""
    shape = (count,) if runs is None else (runs, count)
    return State(np.zeros(shape, dtype), np.zeros(shape, dtype))


def writable(array: Any, dtype: Any) -> Array:
    """Return a contiguous array that may be written to: for another kind Numba compiles anew."""
    return np.require(array, dtype, ["C", "W"])


def aligned(count: int, dtype: Any) -> Array:
    """Return an uninitialised array on a 64-byte border, where a register is stored at once."""
    size = np.dtype(dtype).itemsize
    raw = np.empty(count + 64 // size, dtype)
    start = (-raw.ctypes.data % 64) // size
    return raw[start : start + count]


def check_order(order: IntArray, rows: int) -> None:
    """Raise IndexError where `order` names rows that there are not; kernels do not look."""
    # As unsigned numbers those below 0 are large, so one comparison finds both.
    if order.size and order.view(f"u{order.itemsize}").max() >= rows:
        raise IndexError(f"order must name rows 0 to {rows - 1}")


def check_classes(y_N: IntArray, classes: int) -> None:
    """Raise ValueError where a class is none of `classes`; kernels do not look."""
    if len(y_N) and not 0 <= y_N.min() <= y_N.max() < classes:
        raise ValueError(f"classes must lie in 0 to {classes - 1}")


def epoch_of(order: IntArray, epoch: int | None, batch_size: int, steps: int) -> int:
    """Return the places of `order` that make an epoch.

    Raises
    ------
    ValueError
        If `steps` is not the number of batches in `order`.
    """
    epoch = min(epoch or len(order), len(order)) or 1
    whole, rest = divmod(len(order), epoch)
    if steps != whole * math.ceil(epoch / batch_size) + math.ceil(rest / batch_size):
        raise ValueError("there must be one learning rate per batch")
    return epoch


def hyper_of(o: OptimizerSpec, l2: float, l2_scale: str, clip_norm: float | None) -> FloatArray:
    """Return the settings of a step in the places that `steps` names."""
    return np.array([
        o.beta1, o.beta2, o.alpha, o.eps, o.momentum, o.weight_decay, l2, clip_norm or 0.0,
        o.epsilon_hat, l2_scale == "rows",
    ], np.float64)  # fmt: skip


def flatten(params: Params) -> Array:
    """Return all weights in one array: per layer the weight row by row, then the bias."""
    return np.concatenate([a.ravel() for layer in params for a in layer])


def put_back(theta_P: Array, params: Params) -> None:
    """Set the weights to what `flatten` made of them, and a kernel changed."""
    start = 0
    for layer in params:
        for a in layer:
            a[...] = theta_P[start : start + a.size].reshape(a.shape)
            start += a.size


def stopped(losses_S: FloatArray, taken: int, norm: float) -> Bad | None:
    """Return the step at which a kernel stopped, its loss made NaN; None where it took all."""
    if taken == len(losses_S):
        return None
    bad = Bad(int(taken), float(losses_S[taken]), float(norm))
    losses_S[taken] = np.nan
    return bad

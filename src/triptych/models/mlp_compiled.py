"""The multilayer perceptron compiled by Numba: many optimiser steps in one call.

The equations, their order and their semantics are those of `mlp_numpy` and of the optimisers in
`triptych.training.optimizers`: exact sequential steps, one batch after the other. What is gone is
the price of a call: a step of a 2-20-2 network takes about a tenth of a microsecond and a half, not
tens of them. Sums run in another order than BLAS's, so weights agree to rounding, not to the bit.

Kernels are compiled for a dtype once and kept on disk, so that a second process starts at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from triptych.contracts import Array, FloatArray, IntArray, NonFiniteStep, Weights
from triptych.spec import OptimizerSpec

# Sums may be reordered, so that they vectorise. NaN and infinity keep their meaning: finding
# them is part of the contract.
_FAST = {"reassoc", "contract", "nsz", "arcp"}
_SGD, _MOMENTUM, _NESTEROV, _RMSPROP, _ADAM, _ADAMW = range(6)
_CODES = {
    "sgd": _SGD, "momentum": _MOMENTUM, "nesterov": _NESTEROV,
    "rmsprop": _RMSPROP, "adam": _ADAM, "adamw": _ADAMW,
}  # fmt: skip
_LANES = 8


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    # Python's rule that a division by zero raises would put a test, and a scalar loop, around
    # every division; NumPy's gives an infinity, which the check of each step finds.
    options: dict[str, Any] = {"fastmath": _FAST, "error_model": "numpy"}
    kernel: Callable[..., Any]
    try:
        kernel = njit(cache=True, **options)(function)
    except RuntimeError:
        # Neither the package's folder nor the user's cache can be written: compile each time.
        kernel = njit(**options)(function)
    return kernel


@_compiled
def _softmax(z_C: Array, label: int) -> float:
    """Turn logits into dloss/dlogits of one row, in place; return its loss."""
    top = z_C[0]
    for c in range(1, len(z_C)):
        top = max(top, z_C[c])
    right = z_C[label] - top
    total = 0.0
    for c in range(len(z_C)):
        z_C[c] = math.exp(z_C[c] - top)
        total += z_C[c]
    for c in range(len(z_C)):
        z_C[c] /= total
    z_C[label] -= 1.0
    loss: float = math.log(total) - right
    return loss


@_compiled
def _single(w1, b1, w2, b2, x_NI, y_N, order, lrs, losses):  # type: ignore[no-untyped-def]
    """One hidden layer, one row a step, plain SGD: the paper's case.

    w1 (I, H), w2 (C, H): H padded with zeros to whole SIMD registers, which stay zero. The squared
    norm of the gradient of one row has a closed form, so no gradient is ever stored.
    """
    inputs, hidden = w1.shape
    a_H, d_H = np.empty_like(b1), np.empty_like(b1)
    z_C = np.empty_like(b2)
    for step in range(len(order)):
        n = order[step]
        lr = lrs[step]
        for h in range(hidden):
            a_H[h] = b1[h]
        for i in range(inputs):
            for h in range(hidden):
                a_H[h] += x_NI[n, i] * w1[i, h]
        for h in range(hidden):
            a_H[h] = max(a_H[h], 0.0) if a_H[h] == a_H[h] else a_H[h]
        for c in range(len(b2)):
            total = 0.0
            for h in range(hidden):
                total += a_H[h] * w2[c, h]
            z_C[c] = total + b2[c]
        loss = _softmax(z_C, y_N[n])
        for h in range(hidden):
            d_H[h] = 0.0
        dz_square = 0.0
        for c in range(len(b2)):
            dz_square += z_C[c] * z_C[c]
            for h in range(hidden):
                d_H[h] += z_C[c] * w2[c, h]
        d_square, a_square, x_square = 0.0, 1.0, 1.0
        for h in range(hidden):
            d_H[h] = d_H[h] if a_H[h] > 0.0 else 0.0
            d_square += d_H[h] * d_H[h]
            a_square += a_H[h] * a_H[h]
        for i in range(inputs):
            x_square += x_NI[n, i] * x_NI[n, i]
        square = dz_square * a_square + d_square * x_square
        if not (math.isfinite(loss) and math.isfinite(square)):
            return step, loss, math.sqrt(square)
        losses[step] = loss
        for c in range(len(b2)):
            pace = lr * z_C[c]
            b2[c] -= pace
            for h in range(hidden):
                w2[c, h] -= pace * a_H[h]
        for h in range(hidden):
            d_H[h] *= lr
            b1[h] -= d_H[h]
        for i in range(inputs):
            for h in range(hidden):
                w1[i, h] -= x_NI[n, i] * d_H[h]
    return -1, 0.0, 0.0


@_compiled
def _row(sizes, p, g, acts, grads, x_I, label, share):  # type: ignore[no-untyped-def]
    """Forward and backward of one row; add its share of the gradient to g; return its loss."""
    last = len(sizes) - 1
    for i in range(sizes[0]):
        acts[0, i] = x_I[i]
    at = 0
    for k in range(last):
        fan_in, out = sizes[k], sizes[k + 1]
        bias = at + fan_in * out
        for j in range(out):
            acts[k + 1, j] = p[bias + j]
        for i in range(fan_in):
            a = acts[k, i]
            for j in range(out):
                acts[k + 1, j] += a * p[at + i * out + j]
        if k < last - 1:
            for j in range(out):
                v = acts[k + 1, j]
                acts[k + 1, j] = max(v, 0.0) if v == v else v
        at = bias + out
    z_C = acts[last, : sizes[last]]
    loss = _softmax(z_C, label)
    for j in range(sizes[last]):
        grads[last, j] = z_C[j] * share
    for k in range(last - 1, -1, -1):
        fan_in, out = sizes[k], sizes[k + 1]
        at -= (fan_in + 1) * out
        for j in range(out):
            g[at + fan_in * out + j] += grads[k + 1, j]
        for i in range(fan_in):
            a = acts[k, i]
            total = 0.0
            for j in range(out):
                g[at + i * out + j] += a * grads[k + 1, j]
                total += grads[k + 1, j] * p[at + i * out + j]
            grads[k, i] = total if a > 0.0 else 0.0
    return loss


@_compiled
def _update(code, hyper, p, g, first, second, lr, t):  # type: ignore[no-untyped-def]
    """Take one optimiser step over the flat parameters; see `OptimizerSpec` for the names."""
    momentum, beta1, beta2, alpha, eps, decay = hyper
    slow, fast = 1.0 - beta1**t, math.sqrt(1.0 - beta2**t)
    for k in range(len(p)):
        d = g[k]
        if code == _ADAMW:
            p[k] *= 1.0 - lr * decay
        else:
            d += decay * p[k]
        if code == _SGD:
            p[k] -= lr * d
        elif code == _MOMENTUM or code == _NESTEROV:
            first[k] = momentum * first[k] + d
            p[k] -= lr * (d + momentum * first[k] if code == _NESTEROV else first[k])
        elif code == _RMSPROP:
            second[k] = alpha * second[k] + (1.0 - alpha) * d * d
            p[k] -= lr * d / (math.sqrt(second[k]) + eps)
        else:
            first[k] += (1.0 - beta1) * (d - first[k])
            second[k] = beta2 * second[k] + (1.0 - beta2) * d * d
            p[k] -= lr / slow * first[k] / (math.sqrt(second[k]) / fast + eps)


@_compiled
def _batches(sizes, p, g, state, x_NI, y_N, order, batch, lrs, rule, losses):  # type: ignore[no-untyped-def]
    """Any number of layers, any batch size, any optimiser; rule: (code, hyper, clip norm, t)."""
    code, hyper, clip, t = rule
    first, second = state
    acts = np.empty((len(sizes), sizes.max()), p.dtype)
    grads = np.empty_like(acts)
    for step in range(len(lrs)):
        start, stop = step * batch, min((step + 1) * batch, len(order))
        g[:] = 0.0
        loss = 0.0
        share = 1.0 / (stop - start)
        for r in range(start, stop):
            loss += _row(sizes, p, g, acts, grads, x_NI[order[r]], y_N[order[r]], share) * share
        square = 0.0
        for k in range(len(g)):
            square += g[k] * g[k]
        norm = math.sqrt(square)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            return step, loss, norm
        losses[step] = loss
        if norm > clip:
            for k in range(len(g)):
                g[k] *= clip / (norm + 1e-6)
        _update(code, hyper, p, g, first, second, lrs[step], t + step + 1)
    return -1, 0.0, 0.0


@dataclass
class MLPCompiled:
    """Trains the weights of an MLP with ReLU and softmax cross-entropy, many steps a call.

    Parameters
    ----------
    weights : Weights
        ``w1 (I, H), b1 (H,), ...``, all of one dtype; changed in place by `fit`.
    optimizer : OptimizerSpec
    clip_norm : float, optional
        As in `triptych.spec.TrainSpec`.
    """

    weights: Weights
    optimizer: OptimizerSpec
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        matrices = [w for w in self.weights.values() if w.ndim == 2]
        self.sizes = np.array([matrices[0].shape[0], *(w.shape[1] for w in matrices)])
        count = sum(w.size for w in self.weights.values())
        self.dtype = matrices[0].dtype
        self.state = (np.zeros(count, self.dtype), np.zeros(count, self.dtype))
        self.steps = 0
        plain = self.optimizer.name == "sgd" and not self.optimizer.weight_decay
        self.lean = plain and self.clip_norm is None and len(matrices) == 2

    def fit(
        self, x: FloatArray, y: IntArray, order: IntArray, batch_size: int, lrs: FloatArray
    ) -> FloatArray:
        """Take one step per batch of consecutive rows of `order`; return the mean loss of each.

        Parameters
        ----------
        x, y : shape (N, I) in the weights' dtype, and (N,) int64
        order : shape (n,)
        batch_size : int
        lrs : shape (ceil(n / batch_size),)

        Raises
        ------
        NonFiniteStep
            If a loss or gradient is not finite; the weights are those before that step.
        """
        losses = np.empty(len(lrs))
        run = self._fit_single if self.lean and batch_size == 1 else self._fit_batches
        bad, loss, norm = run(x, y, order, batch_size, lrs, losses)  # type: ignore[no-untyped-call]
        self.steps += len(lrs)
        if bad >= 0:
            raise NonFiniteStep(bad, loss, norm)
        return losses

    def _fit_single(self, x, y, order, _, lrs, losses):  # type: ignore[no-untyped-def]
        w1, b1, w2, b2 = self.weights.values()
        room = -len(b1) % _LANES
        packed = (
            np.pad(w1, ((0, 0), (0, room))), np.pad(b1, (0, room)),
            np.pad(w2.T, ((0, 0), (0, room))), b2.copy(),
        )  # fmt: skip
        ended = _single(*packed, x, y, order, lrs, losses)
        for old, new in zip((w1, b1, w2.T, b2), packed, strict=True):
            old[...] = new[..., : old.shape[-1]]
        return ended

    def _fit_batches(self, x, y, order, batch_size, lrs, losses):  # type: ignore[no-untyped-def]
        o = self.optimizer
        p = np.concatenate([w.ravel() for w in self.weights.values()])
        hyper = (o.momentum, o.beta1, o.beta2, o.alpha, o.eps, o.weight_decay)
        clip = math.inf if self.clip_norm is None else self.clip_norm
        rule = (_CODES[o.name], hyper, clip, self.steps)
        ended = _batches(
            self.sizes, p, np.empty_like(p), self.state, x, y, order, batch_size, lrs, rule, losses
        )
        start = 0
        for w in self.weights.values():
            w[...] = p[start : start + w.size].reshape(w.shape)
            start += w.size
        return ended

"""The kernel that trains any MLP: any sizes, batch, activation, loss and optimiser.

Sizes and choices are run-time arguments, so that it is compiled once for each float type and never
again: the work is in the matrix products, where constants would gain nothing. Weights, gradient
and moments are flat: per layer the weight (in, out) row by row, then the bias.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from triptych.models.compiled.caching import SOURCE, helper, kernel
from triptych.models.compiled.chance import drop, dropout_key
from triptych.models.compiled.functions import SOFTMAX, activate, softmax_loss, target_loss
from triptych.models.compiled.products import (
    SUMS,
    add_rows,
    multiply,
    multiply_back,
    weight_slope,
)

SGD, MOMENTUM, NESTEROV, ADAM, ADAMW, RMSPROP = range(6)
# Places in `hyper`.
BETA1, BETA2, ALPHA, EPS, MU, DECAY, L2, CLIP, EPS_HAT, L2_BY_ROWS = range(10)


@helper(fastmath=SUMS)
def sum_squares(g_P: Any) -> float:
    """Return the sum of squares, in float64."""
    total = 0.0
    for p in range(len(g_P)):
        g = np.float64(g_P[p])
        total += g * g
    return total


@helper()
def update(
    theta_P: Any,
    g_P: Any,
    first_P: Any,
    second_P: Any,
    kind: int,
    lr: float,
    scale: float,
    t: int,
    hyper: Any,
) -> None:
    """Take step number `t` (from 1) with PyTorch's definitions; `scale` is that of clipping."""
    real = theta_P.dtype.type
    one, zero = real(1), real(0)
    rate, factor, mu, eps = real(lr), real(scale), real(hyper[MU]), real(hyper[EPS])
    coupled = zero if kind == ADAMW else real(hyper[DECAY])
    if scale != 1.0 or coupled != zero:
        for p in range(len(theta_P)):
            g_P[p] = factor * g_P[p] + coupled * theta_P[p]
    if kind == SGD:
        for p in range(len(theta_P)):
            theta_P[p] -= rate * g_P[p]
    elif kind == MOMENTUM:
        for p in range(len(theta_P)):
            first_P[p] = mu * first_P[p] + g_P[p]
            theta_P[p] -= rate * first_P[p]
    elif kind == NESTEROV:
        for p in range(len(theta_P)):
            first_P[p] = mu * first_P[p] + g_P[p]
            theta_P[p] -= rate * (g_P[p] + mu * first_P[p])
    elif kind == RMSPROP:
        alpha, rest = real(hyper[ALPHA]), real(1 - hyper[ALPHA])
        for p in range(len(theta_P)):
            second_P[p] = alpha * second_P[p] + rest * g_P[p] * g_P[p]
            theta_P[p] -= rate * g_P[p] / (np.sqrt(second_P[p]) + eps)
    else:
        keep = real(1 - lr * hyper[DECAY]) if kind == ADAMW else one
        rest_1, beta_2, rest_2 = real(1 - hyper[BETA1]), real(hyper[BETA2]), real(1 - hyper[BETA2])
        step = real(lr / (1 - hyper[BETA1] ** t))
        root = real(1 / math.sqrt(1 - hyper[BETA2] ** t))
        if hyper[EPS_HAT] > 0:
            eps *= root
        for p in range(len(theta_P)):
            g = g_P[p]
            first_P[p] += rest_1 * (g - first_P[p])
            second_P[p] = beta_2 * second_P[p] + rest_2 * g * g
            theta_P[p] = keep * theta_P[p] - step * first_P[p] / (np.sqrt(second_P[p]) * root + eps)


@helper()
def shares(order_B: Any, weight_N: Any, out_B: Any) -> float:
    """Set each row's share of the mean, and return the rows, or the sum of their weights."""
    total = float(len(order_B))
    if len(weight_N):
        total = 0.0
        for r in range(len(order_B)):
            total += weight_N[order_B[r]]
    for r in range(len(order_B)):
        weight = weight_N[order_B[r]] if len(weight_N) else 1.0
        out_B[r] = weight / total if total > 0 else 0.0
    return total


@helper()
def add_l2(sizes: Any, theta_P: Any, g_P: Any, l2: float) -> float:
    """Add the penalty's slope to the gradient of the weights; return the penalty."""
    total, at = 0.0, 0
    rate = theta_P.dtype.type(l2)
    for k in range(len(sizes) - 1):
        end = at + sizes[k] * sizes[k + 1]
        total += sum_squares(theta_P[at:end])
        for p in range(at, end):
            g_P[p] += rate * theta_P[p]
        at = end + sizes[k + 1]
    return 0.5 * l2 * total


@helper()
def loss_and_slopes(  # type: ignore[no-untyped-def]
    sizes, theta_P, g_P, x_NI, y_N, t_NO, weight_N, order_B, activation, loss_kind, dropout_L, seed,
    step, work,
):  # fmt: skip
    """Set the gradient of one batch; return its loss without penalty, and its weight.

    `work` holds for every layer the outputs and the slopes of the whole batch.
    """
    batch, last = len(order_B), len(sizes) - 2
    share_B = work[:batch]
    total = shares(order_B, weight_N, share_B)
    a_at = batch
    a_BI = work[a_at : a_at + batch * sizes[0]].reshape(batch, sizes[0])
    for r in range(batch):
        a_BI[r] = x_NI[order_B[r]]
    at = 0
    for k in range(last + 1):
        n_i, n_o = sizes[k], sizes[k + 1]
        w_IO = theta_P[at : at + n_i * n_o].reshape(n_i, n_o)
        b_O = theta_P[at + n_i * n_o : at + n_i * n_o + n_o]
        at += (n_i + 1) * n_o
        z_at = a_at + 2 * batch * n_i
        slope_at = z_at + batch * n_o
        a_BI = work[a_at : a_at + batch * n_i].reshape(batch, n_i)
        z_BO = work[z_at:slope_at].reshape(batch, n_o)
        multiply(a_BI, w_IO, z_BO)
        a_at = z_at
        if k < last:
            slope_BO = work[slope_at : slope_at + batch * n_o].reshape(batch, n_o)
            activate(z_BO, b_O, slope_BO, activation)
            if dropout_L[k] > 0.0:
                key = dropout_key(seed, step, k)
                drop(
                    work[z_at:slope_at], work[slope_at : slope_at + batch * n_o], key, dropout_L[k]
                )
        else:
            for r in range(batch):
                for j in range(n_o):
                    z_BO[r, j] += b_O[j]
    if loss_kind == SOFTMAX:
        loss = softmax_loss(z_BO, y_N[order_B], share_B)
    else:
        loss = target_loss(z_BO, t_NO[order_B], share_B, loss_kind)
    for k in range(last, -1, -1):
        n_i, n_o = sizes[k], sizes[k + 1]
        at -= (n_i + 1) * n_o
        d_BO = work[a_at : a_at + batch * n_o].reshape(batch, n_o)
        a_at -= 2 * batch * n_i
        a_BI = work[a_at : a_at + batch * n_i].reshape(batch, n_i)
        weight_slope(a_BI, d_BO, g_P[at : at + n_i * n_o].reshape(n_i, n_o))
        add_rows(d_BO, g_P[at + n_i * n_o : at + n_i * n_o + n_o])
        if k > 0:  # the layer's outputs are no longer needed; their slopes take the place
            multiply_back(d_BO, theta_P[at : at + n_i * n_o].reshape(n_i, n_o), a_BI)
            for e in range(batch * n_i):
                work[a_at + e] *= work[a_at + batch * n_i + e]
    return loss, total


@helper()
def add_penalty(sizes: Any, theta_P: Any, g_P: Any, hyper: Any, total: float) -> float:
    """Add the slope of the L2 penalty of a batch that weighs `total`; return the penalty."""
    if hyper[L2] <= 0.0:
        return 0.0
    l2 = hyper[L2]
    if hyper[L2_BY_ROWS] > 0.0:
        l2 = l2 / total if total > 0 else 0.0
    penalty: float = add_l2(sizes, theta_P, g_P, l2)
    return penalty


@helper()
def clip_scale(norm: float, hyper: Any) -> float:
    """Return what a gradient of this norm is multiplied by, as torch's clip_grad_norm_."""
    return min(1.0, hyper[CLIP] / (norm + 1e-6)) if hyper[CLIP] > 0.0 else 1.0


@cache
def make_steps() -> Any:
    """Return the kernel that takes one step per learning rate.

    It stops before a step whose loss or gradient is not finite, and returns the steps taken and the
    gradient's norm at the last batch looked at. No batch crosses the border between two stretches
    of `epoch` places of `order`.
    """
    source = SOURCE

    @kernel()
    def steps(  # type: ignore[no-untyped-def]
        sizes, theta_P, first_P, second_P, g_P, x_NI, y_N, t_NO, weight_N, order, batch, epoch,
        lrs_S, first_step, kinds, hyper, dropout_L, seed, work, losses_S, penalties_S,
    ):  # fmt: skip
        assert source >= 0  # captured, see `caching.SOURCE`
        activation, loss_kind, optimizer = kinds
        norm = 0.0
        per_epoch = (epoch + batch - 1) // batch
        for s in range(len(lrs_S)):
            start = s // per_epoch * epoch + s % per_epoch * batch
            stop = min(start + batch, (s // per_epoch + 1) * epoch, len(order))
            loss, total = loss_and_slopes(
                sizes, theta_P, g_P, x_NI, y_N, t_NO, weight_N, order[start:stop], activation,
                loss_kind, dropout_L, seed, first_step + s, work,
            )  # fmt: skip
            penalties_S[s] = add_penalty(sizes, theta_P, g_P, hyper, total)
            loss += penalties_S[s]
            losses_S[s] = loss
            norm = math.sqrt(sum_squares(g_P))
            if not (math.isfinite(loss) and math.isfinite(norm)):
                return s, norm
            update(
                theta_P, g_P, first_P, second_P, optimizer, lrs_S[s], clip_scale(norm, hyper),
                first_step + s + 1, hyper,
            )  # fmt: skip
        return len(lrs_S), norm

    return steps

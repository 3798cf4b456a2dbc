"""The kernels of the recurrent network: one takes steps, one only reads sequences.

Weights, gradient and moments are flat, ``wx, bx, wh, bh, wy, by``; B rows, V symbols or features, H
units, S units with their padding, C classes. See `elman_time` for what is done along time.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from triptych.models.compiled.blocks import add_packed, add_product
from triptych.models.compiled.caching import SOURCE, helper, inlined, kernel
from triptych.models.compiled.elman_time import (
    backward,
    drive,
    fill_cell,
    forward,
    pack,
    sort_by_length,
    tanh_of,
    up,
)
from triptych.models.compiled.functions import softmax_loss
from triptych.models.compiled.steps import add_penalty, clip_scale, shares, sum_squares, update
from triptych.models.compiled.vectors import v_exp

# Rows whose states are taken along together in evaluation: with the weights, in the nearest cache.
TOGETHER = 64


class Work(NamedTuple):
    """Space for one batch, see `elman_time`; the padding of weights is 0."""

    cell: Any
    wh_turned: Any
    wy: Any
    wy_turned: Any
    x: Any
    h: Any
    last: Any
    z: Any
    dh: Any
    dz: Any
    dwx: Any
    dwh: Any
    dwy: Any


@helper()
def softmax_rows(z_BC: Any, p_BC: Any) -> None:
    """Turn logits into probabilities, and set `p_BC` to them as well."""
    for r in range(z_BC.shape[0]):
        top = z_BC[r, 0]
        for c in range(1, z_BC.shape[1]):
            top = z_BC[r, c] if z_BC[r, c] > top else top
        total = z_BC.dtype.type(0)
        for c in range(z_BC.shape[1]):
            z_BC[r, c] = v_exp(z_BC[r, c] - top)
            total += z_BC[r, c]
        for c in range(z_BC.shape[1]):
            z_BC[r, c] /= total
            p_BC[r, c] = z_BC[r, c]


@helper()
def softmax_back(p_BC: Any, dp_BC: Any) -> None:
    """Turn slopes by probabilities into slopes by logits."""
    for r in range(p_BC.shape[0]):
        total = p_BC.dtype.type(0)
        for c in range(p_BC.shape[1]):
            total += dp_BC[r, c] * p_BC[r, c]
        for c in range(p_BC.shape[1]):
            dp_BC[r, c] = p_BC[r, c] * (dp_BC[r, c] - total)


@helper()
def last_states(length_N: Any, rows_B: Any, h: Any, stride: int, last: Any) -> None:
    """Gather the state of each row where its sequence ends."""
    apart = up(len(rows_B), 4) * stride
    for r in range(len(rows_B)):
        h0 = length_N[rows_B[r]] * apart + r * stride
        for j in range(stride):
            last[r * stride + j] = h[h0 + j]


@inlined()
def loss_of(z_BC: Any, y_N: Any, rows_B: Any, weight_N: Any, softmaxed: Any) -> tuple[float, float]:
    """Return the loss and the batch's weight; turn logits into slopes."""
    y_B, share_B = np.empty(len(rows_B), np.int64), np.empty(len(rows_B), z_BC.dtype)
    for r in range(len(rows_B)):
        y_B[r] = y_N[rows_B[r]]
    total = shares(rows_B, weight_N, share_B)
    if not softmaxed:
        return softmax_loss(z_BC, y_B, share_B), total
    p_BC = np.empty(z_BC.shape, z_BC.dtype)
    softmax_rows(z_BC, p_BC)
    loss = softmax_loss(z_BC, y_B, share_B)
    softmax_back(p_BC, z_BC)
    return loss, total


@inlined()
def from_readout(
    wy_HC: Any, by_C: Any, y_N: Any, rows_B: Any, weight_N: Any, softmaxed: Any, g_P: Any,
    stride: int, work: Work,
) -> tuple[float, float]:  # fmt: skip
    """Return the loss and the batch's weight; set the readout's gradient.

    The last states are replaced by the slopes by them.
    """
    batch, (hidden, classes) = len(rows_B), wy_HC.shape
    wide = up(classes, 128 // by_C.itemsize)
    z, last = work.z, work.last
    pack(wy_HC, up(hidden, 4), work.wy)
    pack(wy_HC.T, up(classes, 4), work.wy_turned)
    z[:] = 0
    z_BC = z[: batch * wide].reshape(batch, wide)[:, :classes]
    for r in range(batch):
        for c in range(classes):
            z_BC[r, c] = by_C[c]
    add_packed(last, 0, stride, batch, up(hidden, 4), work.wy, wide, z, 0)
    loss, total = loss_of(z_BC, y_N, rows_B, weight_N, softmaxed)
    work.dwy[:] = 0
    add_product(last, 0, stride, z, 0, wide, up(batch, 4), work.dwy, 0)
    by = hidden * classes
    for i in range(hidden):
        for c in range(classes):
            g_P[i * classes + c] = work.dwy[i * wide + c]
    g_P[by : by + classes] = 0
    for r in range(batch):
        for c in range(classes):
            g_P[by + c] += z_BC[r, c]
    last[:] = 0
    add_packed(z, 0, wide, batch, up(classes, 4), work.wy_turned, stride, last, 0)
    return loss, total


@helper()
def unpack_gradients(sizes: Any, symbols: Any, stride: int, dwx: Any, dwh: Any, g_P: Any) -> None:
    """Set the gradients of ``wx, bx, wh, bh`` from those that `backward` has set."""
    inputs, hidden = sizes[0], sizes[1]
    bx, wh = inputs * hidden, (inputs + 1) * hidden
    bh = wh + hidden * hidden
    g_P[bx:wh] = 0
    for v in range(inputs):
        for j in range(hidden):
            g_P[v * hidden + j] = dwx[v * stride + j]
            if symbols:  # each step has had one symbol, so the bias has had them all
                g_P[bx + j] += dwx[v * stride + j]
    for j in range(hidden):
        if not symbols:
            g_P[bx + j] = dwx[inputs * stride + j]
        g_P[bh + j] = g_P[bx + j]
    for i in range(hidden):
        for j in range(hidden):
            g_P[wh + i * hidden + j] = dwh[i * stride + j]


@inlined()
def loss_and_grads(  # type: ignore[no-untyped-def]
    sizes, theta_P, g_P, data, y_N, weight_N, order_B, alive_T, softmaxed, work
):
    """Set the gradient of one batch; return its loss without penalty, and its weight."""
    inputs, hidden, classes = sizes[0], sizes[1], sizes[3]
    stride, batch = up(hidden, 128 // theta_P.itemsize), len(order_B)
    wh, bh = (inputs + 1) * hidden, (inputs + 1 + hidden) * hidden
    wy = bh + hidden
    wh_HH = theta_P[wh:bh].reshape(hidden, hidden)
    fill_cell(
        work.cell, theta_P[: inputs * hidden].reshape(inputs, hidden),
        theta_P[inputs * hidden : wh], wh_HH, theta_P[bh:wy], stride,
    )  # fmt: skip
    pack(wh_HH.T, up(hidden, 4), work.wh_turned)
    rows_B = np.empty(batch, np.int64)
    steps = sort_by_length(data.length_N, order_B, rows_B, alive_T)
    forward(data, rows_B, alive_T, steps, work.cell, work.x, hidden, stride, work.h)
    last_states(data.length_N, rows_B, work.h, stride, work.last)
    loss, total = from_readout(
        theta_P[wy : wy + hidden * classes].reshape(hidden, classes),
        theta_P[wy + hidden * classes :], y_N, rows_B, weight_N, softmaxed, g_P[wy:], stride, work,
    )  # fmt: skip
    backward(
        data, rows_B, alive_T, steps, work.wh_turned, work.x, hidden, stride, work.h, work.last,
        work.dh, work.dz, work.dwx, work.dwh,
    )  # fmt: skip
    unpack_gradients(sizes, data.x_NTV.shape[2] == 0, stride, work.dwx, work.dwh, g_P)
    return loss, total


@cache
def make_elman_steps() -> Any:
    """Return the kernel that takes one step per learning rate, as `steps.make_steps`."""
    source = SOURCE

    @kernel()
    def elman_steps(  # type: ignore[no-untyped-def]
        sizes, theta_P, first_P, second_P, g_P, data, y_N, weight_N, order, batch, epoch, lrs_S,
        first_step, softmaxed, optimizer, hyper, alive_T, work, losses_S, penalties_S,
    ):  # fmt: skip
        assert source >= 0  # captured, see `caching.SOURCE`
        norm = 0.0
        per_epoch = (epoch + batch - 1) // batch
        for s in range(len(lrs_S)):
            start = s // per_epoch * epoch + s % per_epoch * batch
            stop = min(start + batch, (s // per_epoch + 1) * epoch, len(order))
            loss, total = loss_and_grads(
                sizes, theta_P, g_P, data, y_N, weight_N, order[start:stop], alive_T, softmaxed,
                work,
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

    return elman_steps


@cache
def make_advance() -> Any:
    """Return the kernel that takes states along sequences, and keeps only the last."""
    source = SOURCE

    @kernel()
    def advance(wx_VH, bx_H, wh_HH, bh_H, cell, data, h, x, z):  # type: ignore[no-untyped-def]
        assert source >= 0
        hidden = len(bh_H)
        stride = up(hidden, 128 // wh_HH.itemsize)
        fill_cell(cell, wx_VH, bx_H, wh_HH, bh_H, stride)
        for first in range(0, len(data.length_N), TOGETHER):
            rows_B = np.arange(first, min(first + TOGETHER, len(data.length_N)))
            alive, h0 = len(rows_B), first * stride
            for t in range(data.length_N[first]):
                while data.length_N[rows_B[alive - 1]] <= t:  # sorted, the longest first
                    alive -= 1
                drive(data, t, rows_B[:alive], cell, x, stride, z, 0)
                add_packed(h, h0, stride, alive, up(hidden, 4), cell.wh, stride, z, 0)
                tanh_of(z, 0, h, h0, alive * stride)

    return advance

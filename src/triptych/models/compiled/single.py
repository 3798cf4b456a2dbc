"""Plain SGD, one row a step: one hidden layer, one logit (or two, of which the margin counts).

Softmax over two classes is one logistic of the margin ``z1 - z0``, so both cases share a kernel.
Packed weights `theta`: rows of P = hidden units padded to whole registers: I rows of the first
layer, its bias, one row per output, and then the output biases.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from triptych.models.compiled.caching import SOURCE, helper, kernel
from triptych.models.compiled.vectors import (
    rows_affine,
    rows_down,
    rows_load,
    rows_store,
    v_div,
    v_dot,
    v_exp,
    v_fma,
    v_fnma,
    v_load,
    v_logistic,
    v_mul,
    v_relu,
    v_softplus,
    v_store,
    v_sub,
    v_tanh,
    v_where_positive,
)

RELU, TANH, LOGISTIC, IDENTITY, GELU = range(5)


@cache
def make_single(inputs: int, padded: int, outputs: int, activation: int) -> Any:
    """Return the kernel for these sizes; the constants are part of Numba's cache key.

    It takes packed weights, 1 for real and 0 for padded units (P,), inputs (N, I), signs (N,), rows
    (S,), learning rates (S,), and sets the margins (S,).
    """
    source = SOURCE
    b1_row, w2_row, b2_at = inputs, inputs + 1, (inputs + 1 + outputs) * padded
    last_row = w2_row + outputs - 1

    @kernel()
    def sgd(theta, real_P, x_NI, sign_N, order_S, lrs_S, margins_S):  # type: ignore[no-untyped-def]
        assert source >= 0  # captured, see `caching.SOURCE`
        w1 = rows_load(theta, 0, inputs, padded)
        b1 = v_load(theta, b1_row * padded, padded)
        w20 = v_load(theta, w2_row * padded, padded)
        w21 = v_load(theta, last_row * padded, padded)
        b20, b21 = theta[b2_at], theta[b2_at + outputs - 1]
        real = v_load(real_P, 0, padded)
        x = x_NI.reshape(-1)
        one = theta.dtype.type(1)
        for s in range(len(order_S)):
            row = order_S[s]
            at = row * inputs
            sign = sign_N[row]
            d = v_sub(w21, w20) if outputs == 2 else w21
            d_bias = b21 - b20 if outputs == 2 else b21
            pre = rows_affine(w1, x, at, b1)
            if activation == RELU:
                h = v_relu(pre)
            elif activation == TANH:
                h = v_tanh(pre)
            elif activation == LOGISTIC:
                h = v_mul(v_logistic(pre), real)  # units of the padding must stay 0
            else:
                h = pre
            margin = sign * (v_dot(h, d) + d_bias)
            margins_S[s] = margin  # its softplus is the loss, taken for many steps at once
            # loss slope by the margin logit, times the learning rate
            g = v_div(sign * lrs_S[s], one + v_exp(-margin))
            slope = v_mul(d, g)
            if activation == RELU:
                slope = v_where_positive(h, slope)
            elif activation == TANH:
                slope = v_mul(slope, v_fnma(h, h, one))
            elif activation == LOGISTIC:
                slope = v_mul(slope, v_fnma(h, h, h))
            w1 = rows_down(w1, x, at, slope)
            b1 = v_sub(b1, slope)
            w21 = v_fnma(g, h, w21)
            b21 = b21 - g
            if outputs == 2:
                w20 = v_fma(g, h, w20)
                b20 = b20 + g
        rows_store(theta, 0, w1)
        v_store(theta, b1_row * padded, b1)
        v_store(theta, w2_row * padded, w20)
        v_store(theta, last_row * padded, w21)
        theta[b2_at] = b20
        theta[b2_at + outputs - 1] = b21

    return sgd


@cache
def make_softplus() -> Any:
    """Return the kernel that turns margins into losses, and tells whether all are finite.

    A margin of -inf is not, though its loss would be 0: the logits overflowed.
    """
    source = SOURCE

    @kernel()
    def softplus(margins, losses):  # type: ignore[no-untyped-def]
        assert source >= 0
        for s in range(len(margins)):
            losses[s] = v_softplus(margins[s])
        return zero_times(margins) == 0.0

    return softplus


@cache
def make_softplus_rows() -> Any:
    """Return the kernel of `make_softplus` for the runs of a group.

    It marks the runs for which one of the first `count` margins of (width, block) is not finite,
    and turns the last of those into as many losses (K, L) as there is room for, from a run on.
    """
    source = SOURCE

    @kernel()
    def softplus(margins, losses, finite, first, runs, count):  # type: ignore[no-untyped-def]
        assert source >= 0
        for lane in range(runs):
            if zero_times(margins[lane, :count]) != 0.0:
                finite[first + lane] = False
            losses_L = losses[first + lane]
            last_L = margins[lane, count - len(losses_L) : count]
            for s in range(len(losses_L)):
                losses_L[s] = v_softplus(last_L[s])

    return softplus


@helper(fastmath={"reassoc"})
def zero_times(margins):  # type: ignore[no-untyped-def]
    """Return 0 where all are finite, else NaN; a sum in any order, so that it is vectorised."""
    total = 0.0
    for s in range(len(margins)):
        total += 0.0 * margins[s]
    return total

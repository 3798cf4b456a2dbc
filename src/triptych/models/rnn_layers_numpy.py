"""The recurrent layer in NumPy, written to be read: forward in time, and back through it.

B batch, T time, V symbols or features, H hidden.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from triptych.contracts import Array, FloatArray, lengths_of


class ElmanGrads(NamedTuple):
    """Gradients of the weights of `elman`, and of the loss along time.

    Attributes
    ----------
    dwx, dbx, dwh, dbh
        Shaped as the weights.
    dh_TBH : FloatArray, shape (T + 1, B, H)
        Of each hidden state, the first one included: how much of the error arrives there.
    """

    dwx: FloatArray
    dbx: FloatArray
    dwh: FloatArray
    dbh: FloatArray
    dh_TBH: FloatArray


ElmanBackward = Callable[[FloatArray], ElmanGrads]
Elman = Callable[
    [Array, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    tuple[FloatArray, ElmanBackward],
]


def elman(
    x: Array,
    h_BH: FloatArray,
    wx_VH: FloatArray,
    bx_H: FloatArray,
    wh_HH: FloatArray,
    bh_H: FloatArray,
) -> tuple[FloatArray, ElmanBackward]:
    """Return all hidden states of ``h_t = tanh(x_t Wx + bx + h_{t-1} Wh + bh)`` and the backward.

    Parameters
    ----------
    x : Array
        Symbols (B, T), or vectors (B, T, V); past the end of a sequence as
        `triptych.contracts.lengths_of` says. There the state stays as it is.
    h_BH : FloatArray
        The state before the first step.
    wx_VH, bx_H, wh_HH, bh_H : FloatArray

    Returns
    -------
    h_TBH : FloatArray, shape (T + 1, B, H)
        From the state before the first step to that after the last.
    backward : callable
        Maps the gradient (B, H) of the last state to `ElmanGrads`: backpropagation through time
        (Werbos, 1990).
    """
    length_B = lengths_of(x)
    steps = int(length_B.max(initial=0))
    h_TBH = np.empty((steps + 1, *h_BH.shape), wh_HH.dtype)
    h_TBH[0] = h_BH
    for t in range(steps):
        in_BV = x[:, t]
        alive_B1 = (t < length_B)[:, None]
        # Past the end a symbol looks up any row, and a vector is 0; neither is read.
        drive_BH = wx_VH[in_BV] if x.ndim == 2 else np.where(alive_B1, in_BV, 0) @ wx_VH
        new_BH = np.tanh(drive_BH + bx_H + h_TBH[t] @ wh_HH + bh_H)
        h_TBH[t + 1] = np.where(alive_B1, new_BH, h_TBH[t])

    def backward(dh_BH: FloatArray) -> ElmanGrads:
        dwx, dwh = np.zeros_like(wx_VH), np.zeros_like(wh_HH)
        db = np.zeros_like(bh_H)
        dh_TBH = np.zeros_like(h_TBH)
        dh_TBH[steps] = dh_BH
        for t in reversed(range(steps)):
            alive_B1 = (t < length_B)[:, None]
            # The slope of tanh, from its value.
            dz_BH = np.where(alive_B1, dh_TBH[t + 1] * (1 - h_TBH[t + 1] ** 2), 0)
            dwh += h_TBH[t].T @ dz_BH
            db += dz_BH.sum(axis=0)
            if x.ndim == 2:
                np.add.at(dwx, x[:, t], dz_BH)
            else:
                dwx += np.where(alive_B1, x[:, t], 0).T @ dz_BH
            dh_TBH[t] = np.where(alive_B1, dz_BH @ wh_HH.T, dh_TBH[t + 1])
        return ElmanGrads(dwx, db, dwh, db.copy(), dh_TBH)

    return h_TBH, backward


def softmax(z_BC: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
    """Return the probabilities of logits (B, C), and the backward to them."""
    p_BC = np.exp(z_BC - z_BC.max(axis=1, keepdims=True))
    p_BC /= p_BC.sum(axis=1, keepdims=True)

    def backward(dp_BC: FloatArray) -> FloatArray:
        out: FloatArray = p_BC * (dp_BC - (dp_BC * p_BC).sum(axis=1, keepdims=True))
        return out

    return p_BC, backward

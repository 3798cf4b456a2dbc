"""What usual mistakes make of the recurrent layer's states and gradients.

B batch, T time, V symbols, H hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from triptych.contracts import Array, FloatArray

# By what is said of the tensor that is found so.
Mistakes = Mapping[str, FloatArray]

# From the gradients of z = x Wx + bx + h Wh + bh and of tanh(z) to that of h.
Onward = Callable[[FloatArray, FloatArray], FloatArray]

_SLOPE = "is what comes without the slope of tanh, 1 - h^2"
_SLOPE_OF_VALUE = "takes the slope of tanh at h, 1 - tanh(h)^2: h is its value already, so 1 - h^2"
_SLOPE_OF_SUM = "takes 1 - z^2 for the slope of tanh: that is 1 - h^2, by its value"
_NOT_PASSED = "is that of the last step alone: the gradient is not passed on to the steps before"
_NOT_TRANSPOSED = "is what comes where the gradient is passed on through Wh, not its transpose"
_WITHOUT_WH = "is what comes where the gradient is passed on without Wh"
_WITHOUT_SLOPE = "is what comes where the gradient is passed on without the slope of tanh"
_FIRST = "is that of the first step alone: overwritten, not summed over time?"
_FIRST_IS_0 = (
    "is 0 everywhere: never computed, or overwritten down to the first step, before which h is 0?"
)


def one_hot(x_BT: Array, wx_VH: FloatArray) -> FloatArray:
    """Return symbols (B, T) as vectors (B, T, V), or vectors as they are."""
    if x_BT.ndim == 3:
        return x_BT
    return np.eye(len(wx_VH), dtype=wx_VH.dtype)[x_BT]


def mistakes_forward(
    x_BTV: FloatArray,
    h_TBH: FloatArray,
    wx_VH: FloatArray,
    bx_H: FloatArray,
    wh_HH: FloatArray,
    bh_H: FloatArray,
) -> Mistakes:
    """Return what usual mistakes make of the states (T + 1, B, H), of which `h_TBH` are right."""
    drive_TBH = np.moveaxis(x_BTV @ wx_VH, 1, 0)
    first_BH = h_TBH[0]

    def states(cell: Callable[[FloatArray, FloatArray], FloatArray]) -> FloatArray:
        found = [first_BH]
        for drive_BH in drive_TBH:
            found.append(cell(drive_BH, found[-1]))
        return np.stack(found)

    b_H = bx_H + bh_H
    return {
        "lacks the state before the first step": h_TBH[1:],
        "is the last state alone; all are needed, from before the first step on": h_TBH[-1],
        "has the batch first; time comes first": np.moveaxis(h_TBH, 1, 0),
        "is not carried on: each step starts from the first state": states(
            lambda drive, _: np.tanh(drive + b_H + first_BH @ wh_HH)
        ),
        "is not carried on: Wh and its bias are missing": states(
            lambda drive, _: np.tanh(drive + bx_H)
        ),
        "lacks bx": states(lambda drive, h: np.tanh(drive + h @ wh_HH + bh_H)),
        "lacks bh": states(lambda drive, h: np.tanh(drive + h @ wh_HH + bx_H)),
        "lacks both biases": states(lambda drive, h: np.tanh(drive + h @ wh_HH)),
        "lacks its tanh": states(lambda drive, h: drive + h @ wh_HH + b_H),
        "is carried on through Wh transposed, not through Wh": states(
            lambda drive, h: np.tanh(drive + h @ wh_HH.T + b_H)
        ),
        "is carried on without Wh": states(lambda drive, h: np.tanh(drive + h + b_H)),
    }


def mistakes_back(  # noqa: PLR0913, PLR0917 (what a learner's function is called with)
    tensor: str,
    dh_BH: FloatArray,
    x_BTV: FloatArray,
    h_TBH: FloatArray,
    wx_VH: FloatArray,
    bx_H: FloatArray,
    wh_HH: FloatArray,
    bh_H: FloatArray,
) -> Mistakes:
    """Return what usual mistakes make of one gradient: ``"dwx"``, ``"dbx"``, ``"dwh"``, ``"dbh"``.

    `dh_BH` is the gradient of the last state.
    """
    old_TBH, new_TBH = h_TBH[:-1], h_TBH[1:]
    slope_TBH = 1 - new_TBH**2
    z_TBH = np.moveaxis(x_BTV @ wx_VH, 1, 0) + bx_H + old_TBH @ wh_HH + bh_H

    def whole(slope_TBH: FloatArray, onward: Onward) -> FloatArray:
        dz_TBH = _through_time(dh_BH, slope_TBH, onward)
        out: FloatArray = _terms(tensor, dz_TBH, x_BTV, old_TBH).sum(axis=0)
        return out

    def right(dz_BH: FloatArray, _: FloatArray) -> FloatArray:
        out: FloatArray = dz_BH @ wh_HH.T
        return out

    dz_TBH = _through_time(dh_BH, slope_TBH, right)
    terms = _terms(tensor, dz_TBH, x_BTV, old_TBH)
    steps = len(terms)
    found = {
        _SLOPE: whole(np.ones_like(new_TBH), right),
        _SLOPE_OF_VALUE: whole(1 - np.tanh(new_TBH) ** 2, right),
        _SLOPE_OF_SUM: whole(1 - z_TBH**2, right),
        _NOT_PASSED: terms[-1],
        _NOT_TRANSPOSED: whole(slope_TBH, lambda dz, _: dz @ wh_HH),
        _WITHOUT_WH: whole(slope_TBH, lambda dz, _: dz),
        _WITHOUT_SLOPE: whole(slope_TBH, lambda _, dh: dh @ wh_HH.T),
        "has a sum over time that leaves out the last step": terms[:-1].sum(axis=0),
        "has a sum over time that leaves out the first step": terms[1:].sum(axis=0),
        _FIRST if terms[0].any() else _FIRST_IS_0: terms[0],
        "has a term for each step: not summed over time?": terms,
        f"is 1/{steps} of what it should be: a mean over {steps} steps?": terms.mean(axis=0),
    }
    if tensor == "dwh":
        late = _terms(tensor, dz_TBH, x_BTV, new_TBH).sum(axis=0)
        found["takes the state after each step, not the one before it"] = late
    return found


def _through_time(dh_BH: FloatArray, slope_TBH: FloatArray, onward: Onward) -> FloatArray:
    """Return the gradient (T, B, H) of what tanh is taken of."""
    dz_TBH = np.empty_like(slope_TBH)
    for t in reversed(range(len(dz_TBH))):
        dz_TBH[t] = dh_BH * slope_TBH[t]
        dh_BH = onward(dz_TBH[t], dh_BH)
    return dz_TBH


def _terms(tensor: str, dz_TBH: FloatArray, x_BTV: FloatArray, state_TBH: FloatArray) -> FloatArray:
    """Return what each step adds to a weight's gradient, time first."""
    out: FloatArray
    if tensor.startswith("db"):
        out = dz_TBH.sum(axis=1)
    else:
        read_TBX = np.moveaxis(x_BTV, 1, 0) if tensor == "dwx" else state_TBH
        out = read_TBX.swapaxes(1, 2) @ dz_TBH
    return out

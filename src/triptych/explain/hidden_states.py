"""Where the hidden state goes while a sequence is read, on the axes along which it varies most."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from triptych.contracts import FloatArray, IntArray, Split
from triptych.explain.networks import Recurrent
from triptych.records import Finding

STATES = "hidden states"
_EACH = 2
_EARLY, _LATE = 12, 10

Plane = Callable[[FloatArray], FloatArray]
"""Maps states (..., H) to points (..., 2)."""


def hidden_states(network: Recurrent, strings: Split) -> Finding:
    """Return paths of the hidden state, two for each class.

    Parameters
    ----------
    network : Recurrent
    strings : Split
        Sequences of one length, with their classes.

    Returns
    -------
    Finding
        With ``paths (K, P, 2)``, their classes ``labels (K,)``, the steps ``times (P,)`` at which
        they are seen: ever fewer, then all of the last ``late ()``; and the shares ``explained
        (2,)`` of all variance that the two axes have.
    """
    rows = _some_of_each(strings.y)
    h_TBH = network.states(strings.x[rows])[0]
    plane, explained = _principal_plane(h_TBH.reshape(-1, h_TBH.shape[-1]))
    steps = len(h_TBH) - 1
    late = min(_LATE, steps)
    early = np.geomspace(1, max(1, steps - late), _EARLY).round() - 1
    times = np.unique([*early, *range(steps - late + 1, steps + 1)]).astype(np.int64)
    paths_BPD = plane(h_TBH[times]).swapaxes(0, 1)
    return Finding(
        kind=STATES,
        title="Where the hidden state goes",
        caption=(
            f"The hidden state while {steps} digits are read, {_EACH} strings of each first digit, "
            f"on the two axes along which it varies most; strong lines are the last {late} steps. "
            "Ten ends apart are ten stable states: the network still knows the first digit. A ring "
            "that is walked round is a clock: what it shows can be read right at one length only."
        ),
        arrays={
            "paths": paths_BPD,
            "labels": strings.y[rows].astype(float),
            "times": times.astype(float),
            "late": np.array(float(late)),
            "explained": explained,
        },
    )


def _some_of_each(labels: IntArray) -> IntArray:
    """Return the rows of the first few strings of each class."""
    found = [np.flatnonzero(labels == label)[:_EACH] for label in np.unique(labels)]
    return np.concatenate(found)


def _principal_plane(states_NH: FloatArray) -> tuple[Plane, FloatArray]:
    """Return the projection onto the first two principal axes, and their shares of the variance."""
    mean_H = states_NH.mean(axis=0)
    _, sizes, axes = np.linalg.svd(states_NH - mean_H, full_matrices=False)
    axes_H2 = np.zeros((states_NH.shape[1], 2))
    axes_H2[:, : len(axes[:2])] = axes[:2].T
    # An axis may point either way; the largest part of each is made positive, on every machine.
    largest = np.abs(axes_H2).argmax(axis=0)
    axes_H2 *= np.where(axes_H2[largest, [0, 1]] < 0, -1.0, 1.0)
    whole = float((sizes**2).sum()) or 1.0
    shares = np.zeros(2)
    shares[: len(sizes[:2])] = sizes[:2] ** 2 / whole
    return lambda states: (states - mean_H) @ axes_H2, shares

"""How much of the error arrives how many steps back in time, before training and after."""

from __future__ import annotations

import numpy as np

from triptych.contracts import FloatArray, Split
from triptych.explain.networks import Recurrent
from triptych.records import Finding

FLOW = "gradient flow"
_POINTS = 60
# Below it nothing is told apart from 0; a logarithm needs some floor.
_FLOOR = 1e-30


def gradient_flow(before: Recurrent, after: Recurrent, strings: Split) -> Finding:
    """Return the size of the gradient at each hidden state, as a share of that at the last.

    Parameters
    ----------
    before, after : Recurrent
        With the first weights, and with those it was trained to.
    strings : Split
        Sequences of one length, with their classes.

    Returns
    -------
    Finding
        With ``back (S,)``, steps back from the end, and the shares there ``before`` and ``after``:
        geometric means over the strings.
    """
    one, two = (_shares(network, strings) for network in (before, after))
    steps = len(one) - 1
    kept = np.unique(np.linspace(0, steps, min(steps + 1, _POINTS)).round().astype(np.int64))
    return Finding(
        kind=FLOW,
        title="How far the error reaches back",
        caption=(
            f"The gradient of the loss at the hidden state so many steps before the end of {steps} "
            "steps, as a share of that at the end: a mean over strings. Where a line falls, "
            "learning cannot see what stood so far back. A network that holds something lets "
            "small changes die out too: it falls back into one of its stable states."
        ),
        arrays={"back": kept.astype(float), "before": one[kept], "after": two[kept]},
    )


def _shares(network: Recurrent, strings: Split) -> FloatArray:
    """Return the shares (T + 1,), the last state's first."""
    norms_TB = np.linalg.norm(network.state_gradients(strings.x, strings.y), axis=2)[::-1]
    logs_TB = np.log(np.maximum(norms_TB, _FLOOR))
    # A mean of norms would be that of the few strings that the network gets wrong.
    shares: FloatArray = np.exp((logs_TB - logs_TB[0]).mean(axis=1))
    return shares

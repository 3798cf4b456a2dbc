"""Probabilities that are right as often as they say: outputs divided by one number.

Guo, Pleiss, Sun and Weinberger, 2017, "On Calibration of Modern Neural Networks". It changes no
prediction, only how sure the network is of it.
"""

from __future__ import annotations

import numpy as np

from triptych.contracts import FloatArray, IntArray

# Logarithms between which the temperature is looked for.
_LEAST, _MOST = np.log(0.02), np.log(50.0)
_HALVINGS = 50
# The deviation of a temperature's logarithm before any row is seen: rows that are all told rightly
# would else ask for a temperature of 0, which makes the loss of the first mistake infinite.
_USUAL = 0.5


def fit_temperature(outputs: FloatArray, y: IntArray) -> float:
    """Return the temperature that makes some rows most likely, those that no step was taken on.

    The most likely one a posteriori, where its logarithm is normally distributed around 0 before.

    Parameters
    ----------
    outputs : FloatArray, shape (N, C)
        Logits.
    y : IntArray, shape (N,)
    """
    z_NC = outputs.astype(np.float64)
    told_N = z_NC[np.arange(len(y)), y]
    low, high = _LEAST, _MOST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _slope(z_NC, told_N, middle) > 0:
            high = middle
        else:
            low = middle
    return float(np.exp((low + high) / 2))


def _slope(z_NC: FloatArray, told_N: FloatArray, log_t: float) -> float:
    """Return the slope, by the temperature's logarithm, of what is made least.

    That is the loss of all rows, convex in ``1 / t``, and how unusual the temperature is.
    """
    beta = np.exp(-log_t)
    p_NC = np.exp(beta * (z_NC - z_NC.max(axis=1, keepdims=True)))
    p_NC /= p_NC.sum(axis=1, keepdims=True)
    rows = beta * float((told_N - (p_NC * z_NC).sum(axis=1)).sum())
    return float(rows) + float(log_t) / _USUAL**2


def cross_entropy(outputs: FloatArray, y: IntArray, temperature: float = 1.0) -> float:
    """Return the mean of ``-log softmax(outputs / temperature)[y]``."""
    z_NC = outputs.astype(np.float64) / temperature
    z_NC -= z_NC.max(axis=1, keepdims=True)
    losses_N = np.log(np.exp(z_NC).sum(axis=1)) - z_NC[np.arange(len(y)), y]
    return float(losses_N.mean())

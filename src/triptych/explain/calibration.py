"""Whether a network is right as often as it says."""

from __future__ import annotations

import numpy as np

from triptych.explain.judged import Judged
from triptych.records import Finding

CALIBRATION = "calibration"
# As in Guo, Pleiss, Sun and Weinberger, 2017, "On Calibration of Modern Neural Networks".
_BINS = 15


def calibration(judged: Judged) -> Finding:
    """Return how often a network is right, by how sure it is.

    Returns
    -------
    Finding
        Of each of the bins that hold rows ``confidence (B,)``, the mean of the highest
        probability, ``accuracy (B,)`` and ``share (B,)`` of all rows; ``error``, the expected
        calibration error, the mean over rows of the distance between the two; and ``chance``,
        what it would be on as many rows of a network that is right as often as it says.
    """
    confidence_N = judged.shares.max(axis=1)
    right_N = (judged.predicted == judged.y).astype(float)
    bin_N = np.minimum((confidence_N * _BINS).astype(np.int64), _BINS - 1)
    count_B = np.bincount(bin_N, minlength=_BINS)
    there = np.flatnonzero(count_B)
    count_B = count_B[there]
    confidence_B = np.bincount(bin_N, confidence_N, minlength=_BINS)[there] / count_B
    accuracy_B = np.bincount(bin_N, right_N, minlength=_BINS)[there] / count_B
    share_B = count_B / len(bin_N)
    error = float(share_B @ np.abs(accuracy_B - confidence_B))
    # The mean distance of a share of n rows from p, of what is nearly Gaussian.
    spread_B = np.sqrt(2 / np.pi * confidence_B * (1 - confidence_B) / count_B)
    chance = float(share_B @ spread_B)
    return Finding(
        kind=CALIBRATION,
        title="Is it right as often as it says?",
        caption=(
            f"Test rows in {_BINS} equal bins of confidence, which is the probability of the class "
            "that is predicted. On the diagonal a network that is 70 % sure is right in 70 % of "
            "cases; below it, it is too sure of itself. The expected calibration error (ECE) is "
            "the mean distance from the diagonal over rows."
        ),
        arrays={
            "confidence": confidence_B,
            "accuracy": accuracy_B,
            "share": share_B,
            "error": np.array(error),
            "chance": np.array(chance),
        },
    )

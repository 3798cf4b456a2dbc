"""Whether a network is right as often as it says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from triptych.contracts import Array
from triptych.explain.judged import Judged
from triptych.records import Finding

CALIBRATION = "calibration"
# As in Guo, Pleiss, Sun and Weinberger, 2017, "On Calibration of Modern Neural Networks".
_BINS = 15
_CAPTION = (
    f"Test rows in {_BINS} equal bins of confidence, which is the probability of the class that "
    "is predicted. On the diagonal a network that is 70 % sure is right in 70 % of cases; below "
    "it, it is too sure of itself. The expected calibration error (ECE) is the mean distance from "
    "the diagonal over rows."
)
_TEMPERED = (
    " Outputs were divided by a temperature, which was fitted to rows that no step was taken on."
)


@dataclass(frozen=True)
class Tempered:
    """By what outputs were divided, and what test rows were told without that."""

    temperature: float
    before: Judged


def calibration(judged: Judged, tempered: Tempered | None = None) -> Finding:
    """Return how often a network is right, by how sure it is.

    Parameters
    ----------
    judged : Judged
        With the probabilities that the network gives.
    tempered : Tempered, optional
        Where its outputs were divided by a temperature.

    Returns
    -------
    Finding
        Of each of the bins that hold rows ``confidence (B,)``, the mean of the highest
        probability, ``accuracy (B,)`` and ``share (B,)`` of all rows; ``error``, the expected
        calibration error, the mean over rows of the distance between the two; and ``chance``,
        what it would be on as many rows of a network that is right as often as it says. With a
        temperature also that, and ``errors`` and ``losses`` before and after, (2,).
    """
    arrays = _bins(judged)
    caption = _CAPTION
    if tempered is not None:
        errors = [float(_bins(tempered.before)["error"]), float(arrays["error"])]
        losses = [float(one.losses.mean()) for one in (tempered.before, judged)]
        arrays |= {
            "temperature": np.array(tempered.temperature),
            "errors": np.array(errors),
            "losses": np.array(losses),
        }
        caption += _TEMPERED
    return Finding(CALIBRATION, "Is it right as often as it says?", caption, arrays)


def _bins(judged: Judged) -> dict[str, Array]:
    """Return the figures of the bins, see `calibration`."""
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
    return {
        "confidence": confidence_B,
        "accuracy": accuracy_B,
        "share": share_B,
        "error": np.array(error),
        "chance": np.array(chance),
    }

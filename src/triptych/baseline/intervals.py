"""Intervals of held-out scores."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from triptych.records import RunRecord

_NORMAL = 1.959964  # of 95 %, two-sided


def score_interval(
    runs: Sequence[RunRecord], metric: str, *, same_rows: bool = False
) -> tuple[float, float] | None:
    """Return a 95 % interval of an arm's mean score; None where there is nothing to tell it from.

    Over splits: Student's t with the variance of Nadeau and Bengio, 2003 ("Inference for the
    Generalization Error"), ``(1/S + test rows / training rows) s^2``, as splits share rows. Of one
    split, or where all come out alike: for an accuracy, Wilson's interval by its held-out rows.
    Where every seed has the same held-out rows, how seeds differ says nothing of other rows: then
    it is Wilson's too, or none.

    Parameters
    ----------
    runs : sequence of RunRecord
        Finished ones.
    metric : str
        A score.
    same_rows : bool
        Whether all runs have the same held-out rows, as along time.
    """
    values = [value for run in runs if (value := run.scores.get(metric)) is not None]
    if not values:
        return None
    mean = statistics.fmean(values)
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    if spread > 0 and not same_rows:
        # Here, because SciPy takes a while to load.
        from scipy.special import stdtrit

        share = 1 / len(values) + runs[0].test_rows / runs[0].train_rows
        reach = float(stdtrit(len(values) - 1, 0.975)) * spread * math.sqrt(share)
        low, high = mean - reach, mean + reach
        return (max(0.0, low), min(1.0, high)) if "accuracy" in metric else (low, min(1.0, high))
    if metric != "test_accuracy":
        return None
    # Here, because SciPy takes a while to load.
    from triptych.saved.intervals import wilson

    found = wilson(mean * runs[0].test_rows, runs[0].test_rows)
    return found.low, found.high


def difference_by_chance(one: float, other: float, rows: int) -> float:
    """Return how far apart two accuracies may be by chance, on as many rows: 1.96 standard errors.

    As if each had been judged by rows of its own; those of one set differ less.
    """
    return _NORMAL * math.sqrt((one * (1 - one) + other * (1 - other)) / rows)

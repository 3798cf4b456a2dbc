"""Evaluations as the flat rows that the metrics file holds."""

from __future__ import annotations

import math

from triptych.records import LEARNING_RATE, TEMPERATURE
from triptych.training import Evaluation, Finished

# What a row has of every run, and what says where in a training it stands.
_ALWAYS = ("loss", "accuracy")
_PLACE = ("epoch", "step", "lr", "seconds")


def evaluation_row(evaluation: Evaluation) -> dict[str, float]:
    """Return an evaluation as the flat row that the metrics file holds."""
    row = {
        "epoch": evaluation.epoch,
        "step": evaluation.step,
        "lr": evaluation.lr,
        "seconds": evaluation.seconds,
    }
    for split in ("train", "test", "validation"):
        scores = getattr(evaluation, split)
        if scores is not None:
            row |= {
                f"{split}_{name}": value
                for name, value in vars(scores).items()
                if name in _ALWAYS or not math.isnan(value)
            }
    if evaluation.test_views_accuracy is not None:
        row["test_views_accuracy"] = evaluation.test_views_accuracy
    row |= {f"test_accuracy_at({t})": value for t, value in evaluation.probes.items()}
    return row


def final_scores(end: Finished, rate: float | None) -> dict[str, float | None]:
    """Return the scores that a run ends with, and what was found on the way there.

    Parameters
    ----------
    end : Finished
    rate : float or None
        The learning rate, where one was found.
    """
    row = evaluation_row(end.evaluation)
    scores: dict[str, float | None] = {k: v for k, v in row.items() if k not in _PLACE}
    found = {LEARNING_RATE: rate, TEMPERATURE: end.temperature}
    return scores | {name: value for name, value in found.items() if value is not None}

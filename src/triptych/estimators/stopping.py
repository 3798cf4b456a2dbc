"""When training stops and which weights it ends with: scikit-learn's rules, and the best epoch."""

from __future__ import annotations

from typing import Any

import numpy as np

_HISTORY = ("loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_")


def forget(estimator: Any) -> None:
    """Drop all that earlier trainings left, before new first weights."""
    for name in (*_HISTORY, "_best", "_moments"):
        vars(estimator).pop(name, None)


def prepare(estimator: Any, *, incremental: bool) -> None:
    """Make the records that a training adds to, and the best weights that it may come back to.

    What is there already is kept. Where a warm start changes the solver from ``"lbfgs"`` or turns
    early stopping on or off, the records of the new kind start empty; scikit-learn raises an
    AttributeError or a TypeError there.
    """
    e = estimator
    if not hasattr(e, "loss_curve_"):
        e.loss_curve_ = []
    if not hasattr(e, "best_loss_") or (e.best_loss_ is None) != e.early_stopping:
        e._no_improvement_count = 0
        e.validation_scores_ = [] if e.early_stopping else None
        e.best_validation_score_ = -np.inf if e.early_stopping else None
        e.best_loss_ = None if e.early_stopping else np.inf
        vars(e).pop("_best", None)
    # Calls of partial_fit see other rows each time, so that their losses cannot be compared.
    if incremental or not (e.early_stopping or e.keep_best):
        vars(e).pop("_best", None)
    elif not hasattr(e, "_best"):
        e._best = np.inf, e._weights()


def judge(estimator: Any, held: Any) -> None:
    """Count the epochs without improvement, and keep the weights of the best one.

    Parameters
    ----------
    estimator : BaseNetwork
        With the weights and the loss of the epoch.
    held : rows with `x`, `y` and `weight`, or None
        Those that early stopping judges by.
    """
    e = estimator
    loss = e.loss_curve_[-1]
    if held is None:
        worse = loss > e.best_loss_ - e.tol
        e.best_loss_ = min(e.best_loss_, loss)
        # Not by best_loss_, whose epoch may have been one with keep_best off.
        best = hasattr(e, "_best") and loss < e._best[0]
    else:
        score = e._score(held.x, held.y, held.weight)
        e.validation_scores_.append(score)
        say(e, f"Validation score: {score:f}")
        worse = score < e.best_validation_score_ + e.tol
        best = score > e.best_validation_score_
        if best:
            e.best_validation_score_ = score
    e._no_improvement_count = e._no_improvement_count + 1 if worse else 0
    if best:
        e._best = loss, e._weights()


def put_back_best(estimator: Any) -> None:
    """Give the estimator the best weights, where they were kept."""
    if hasattr(estimator, "_best"):
        estimator._take_weights(estimator._best[1])


def say(estimator: Any, text: str) -> None:
    """Print `text` where the estimator is verbose."""
    if estimator.verbose:
        print(text)  # noqa: T201

"""A validation set of the user's own, in place of rows set aside."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.validation import _check_sample_weight

from triptych.contracts import Array, Split
from triptych.estimators.parameters import check_labels


class Held(NamedTuple):
    """What `fit` was given as ``X_val``, ``y_val`` and ``sample_weight_val``."""

    x: Any
    y: Any
    sample_weight: Any = None


def held_of(estimator: Any, x: Any, y: Any, sample_weight: Any = None) -> Held | None:
    """Return the validation set that `fit` was given; None where there is none.

    Raises
    ------
    ValueError
        If half of it is missing, or nothing would look at it.
    """
    given = {"X_val": x, "y_val": y, "sample_weight_val": sample_weight}
    there = [name for name, value in given.items() if value is not None]
    if not there:
        return None
    for name in ("X_val", "y_val"):
        if given[name] is None:
            raise ValueError(f"{there[0]} is provided, but {name} was not provided.")
    if not estimator.early_stopping:
        raise ValueError(
            "X_val and y_val are passed to fit while early_stopping is False. Set "
            "early_stopping=True, or leave them out."
        )
    if getattr(estimator, "solver", "") == "lbfgs":
        raise ValueError("X_val and y_val need a stochastic solver; 'lbfgs' is not.")
    return Held(x, y, sample_weight)


def checked(estimator: Any, held: Held) -> Split:
    """Return a validation set as `BaseNetwork._score` takes it, or raise what scikit-learn raises.

    Parameters
    ----------
    estimator : BaseNetwork
        That knows its features and its classes.
    held : Held

    Raises
    ------
    ValueError
    """
    x = estimator._checked(held.x)
    y = _classes(estimator, held.y) if is_classifier(estimator) else _numbers(held.y)
    check_consistent_length(x, y)
    if len(y) < 2:
        raise ValueError(f"The validation set is too small: X_val needs 2 rows, got {len(y)}.")
    weight = held.sample_weight
    return Split(x, y, None if weight is None else _check_sample_weight(weight, x))


def _numbers(y: Any) -> Array:
    numbers: Array = check_array(y, ensure_2d=False, dtype="numeric", input_name="y_val")
    return numbers


def _classes(estimator: Any, y: Any) -> Array:
    check_labels(y)
    labels = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] > 1:  # several labels at once
        return labels
    labels = np.asarray(column_or_1d(labels))
    unknown = sorted(set(labels.tolist()) - set(estimator.classes_.tolist()), key=str)
    if unknown:
        raise ValueError(
            f"y_val has classes that y has not: {unknown}. `self.classes_` has "
            f"{estimator.classes_}."
        )
    return labels

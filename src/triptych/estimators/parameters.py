"""The parameters of the estimators: their limits, and what an MLP's ask of the engines."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import compute_class_weight, compute_sample_weight
from sklearn.utils._param_validation import Interval, Options, StrOptions

from triptych.contracts import Array, FloatArray
from triptych.spec import MLPSpec, OptimizerSpec, TrainSpec

STOCHASTIC = ("sgd", "adam", "adamw", "rmsprop")

# Those of scikit-learn's own estimators, and below them what is new.
CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions({"identity", "logistic", "tanh", "relu", "gelu"})],
    "solver": [StrOptions({"lbfgs", *STOCHASTIC})],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [
        Interval(Integral, 1, None, closed="left"),
        Options(Real, {np.inf}),
    ],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "dropout": [Interval(Real, 0, 0.99, closed="both")],  # as MLPSpec
    "engine": [StrOptions({"auto", "numpy", "compiled", "torch"})],
    "device": [StrOptions({"auto", "cpu", "cuda"})],
    "keep_best": ["boolean"],
    "progress": ["boolean"],
}


def hidden_sizes(value: Any) -> tuple[int, ...]:
    """Return ``hidden_layer_sizes`` as a tuple.

    Raises
    ------
    ValueError
        If a layer would have no unit, in scikit-learn's words.
    """
    sizes = list(value) if hasattr(value, "__iter__") else [value]
    if np.any(np.array(sizes) <= 0):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return tuple(int(size) for size in sizes)


def network_spec(estimator: Any) -> MLPSpec:
    """Return an estimator's network, with the layers that its weights have.

    Not those of ``hidden_layer_sizes``, which may have been set anew since the last fit.
    """
    return MLPSpec(
        hidden=tuple(len(b) for b in estimator.intercepts_[:-1]),
        activation=estimator.activation,
        dropout=float(estimator.dropout),
    )


def train_spec(estimator: Any, loss: str, batch_size: int, dtype: str) -> TrainSpec:
    """Return the training that an estimator's parameters describe; its rates are told it later."""
    name = estimator.solver
    if name == "sgd" and estimator.momentum > 0:
        name = "nesterov" if estimator.nesterovs_momentum else "momentum"
    decoupled = name == "adamw"  # its decay is no part of the loss
    optimizer = OptimizerSpec(
        name=name,
        weight_decay=float(estimator.alpha) if decoupled else 0.0,
        momentum=float(estimator.momentum),
        beta1=float(estimator.beta_1),
        beta2=float(estimator.beta_2),
        eps=float(estimator.epsilon),
        epsilon_hat=name == "adam",  # as scikit-learn's; AdamW is PyTorch's
    )
    return TrainSpec(
        batch_size=batch_size,
        dtype=dtype,  # type: ignore[arg-type]
        loss=loss,  # type: ignore[arg-type]
        l2=0.0 if decoupled else float(estimator.alpha),
        l2_scale="rows",
        optimizer=optimizer,
    )


def targets_of(estimator: Any, y: Array, dtype: Any) -> Array:
    """Return targets as the losses take them: classes (N,) for softmax, else floats (N, O)."""
    if estimator.out_activation_ == "softmax":
        classes: Array = y.argmax(axis=1).astype(np.int64)
        return classes
    targets: Array = y.astype(dtype)
    return targets


def check_labels(y: Any) -> None:
    """Raise where a label is missing, naming which.

    Raises
    ------
    ValueError
    """
    # As an array of strings, a list with a NaN would hold the string "nan".
    labels = y if isinstance(y, list | tuple) else np.asarray(y)
    if isinstance(labels, np.ndarray) and (labels.ndim != 1 or labels.dtype.kind not in "fO"):
        return
    for place, label in enumerate(labels):
        if label is None or (isinstance(label, float) and np.isnan(label)):
            raise ValueError(
                f"Input y contains NaN: y[{place}] is missing. Give it a class, or leave it out."
            )


def check_classes(estimator: Any, classes: Array) -> None:
    """Raise where rows have other classes than those the estimator knows, in scikit-learn's words.

    Raises
    ------
    ValueError
    """
    known = estimator.classes_
    if estimator.warm_start:
        if set(classes) != set(known):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {known}, `y` has {classes}"
            )
    elif len(np.setdiff1d(classes, known, assume_unique=True)):
        raise ValueError(
            f"`y` has classes not in `self.classes_`. `self.classes_` has {known}. "
            f"'y' has {classes}."
        )


def refuse_balanced(estimator: Any) -> None:
    """Raise where ``partial_fit`` cannot know what balances the classes.

    Raises
    ------
    ValueError
    """
    if estimator.class_weight == "balanced":
        raise ValueError(
            "class_weight 'balanced' is not supported for partial_fit: it needs to know how "
            "often each class will occur. Give the weights as a dict."
        )


def class_weights(estimator: Any, y: Array, sample_weight: FloatArray | None) -> FloatArray | None:
    """Return what each row counts by its class; None where classes have no weights.

    Parameters
    ----------
    estimator : MLPClassifier or CNNClassifier
    y : Array, shape (N,) or (N, O)
        As the estimator encodes it.
    sample_weight : FloatArray, shape (N,), optional
        ``"balanced"`` balances the sums of these, so that a row of weight 2 is two rows.

    Raises
    ------
    ValueError
        If a weight is of no class, in scikit-learn's words.
    """
    given = estimator.class_weight
    if given is None:
        return None
    labels = estimator._labels(y)
    if labels.ndim > 1 or isinstance(given, list):
        each: FloatArray = compute_sample_weight(given, labels)
        return each
    known = estimator.classes_
    places = np.searchsorted(known, labels)
    if isinstance(given, str):  # "balanced"
        counts = np.bincount(places, sample_weight, len(known)).astype(np.float64)
        there = counts > 0
        weights = np.zeros(len(known))
        weights[there] = counts.sum() / (there.sum() * counts[there])
    else:
        # Of the classes that are known, since a batch of partial_fit may lack some.
        weights = compute_class_weight(given, classes=known, y=labels)
    of_rows: FloatArray = weights[places]
    return of_rows

"""Models from scikit-learn's networks, and whatever else has their attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from triptych.contracts import Array, Standardization
from triptych.errors import SpecError
from triptych.saved.model import Label, Model
from triptych.spec import MLPSpec

# What scikit-learn calls the activation of the last layer, by the loss that goes with it.
_LOSSES = {"softmax": "softmax", "logistic": "sigmoid", "identity": "squared", "exp": "poisson"}


def from_sklearn(
    fitted: Any,
    *,
    classes: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Model:
    """Return a network that scikit-learn has trained as a model.

    Parameters
    ----------
    fitted : MLPClassifier, MLPRegressor or Pipeline
        A fitted estimator of scikit-learn's or of Triptych's; or a pipeline of a `StandardScaler`
        and one of them.
    classes : sequence of str, optional
        Names of the classes, in the order of ``classes_``; absent: the classes as texts. What
        `Model.predict` returns are the classes themselves, unless they are named here.
    features : sequence of str, optional
        Names of the columns; absent: ``feature_names_in_``, where there are such.
    facts : mapping, optional
        Kept in the model; values of JSON.

    Raises
    ------
    SpecError
        If it is another estimator, is not fitted, or tells several labels at once.
    """
    scaler, network = _parts(fitted)
    if hasattr(network, "to_model"):
        model: Model = network.to_model()
        model = model if classes is None else replace(model, classes=tuple(classes), labels=None)
    else:
        model = mlp_model(network, classes)
    if scaler is not None and model.standardization is not None:
        raise SpecError(
            "from_sklearn: the network scales its samples itself; leave out the scaler."
        )
    return replace(
        model,
        standardization=model.standardization if scaler is None else scaler,
        facts={**model.facts, **_features(fitted, features), **(facts or {})},
    )


def _parts(fitted: Any) -> tuple[Standardization | None, Any]:
    """Return what scales the columns, if anything, and the network."""
    steps = getattr(fitted, "steps", None)
    if steps is None:
        return None, fitted
    found = [step for _, step in steps if step not in (None, "passthrough")]
    if len(found) == 1:
        return None, found[0]
    if len(found) != 2 or type(found[0]).__name__ != "StandardScaler":
        names = ", ".join(type(step).__name__ for step in found)
        raise SpecError(f"from_sklearn: a pipeline of StandardScaler and a network, got {names}.")
    return _scaling(found[0]), found[1]


def _scaling(scaler: Any) -> Standardization:
    if not hasattr(scaler, "n_features_in_"):
        raise SpecError("from_sklearn: the StandardScaler is not fitted. Call fit first.")
    count = scaler.n_features_in_
    # None where it was asked not to centre, or not to scale.
    mean = np.zeros(count) if not scaler.with_mean else np.asarray(scaler.mean_, np.float64)
    std = np.ones(count) if scaler.scale_ is None else np.asarray(scaler.scale_, np.float64)
    return Standardization(mean, std)


def mlp_model(fitted: Any, classes: Sequence[str] | None = None) -> Model:
    """Return the model of a network with the attributes of scikit-learn's MLPs.

    Parameters
    ----------
    fitted : MLPClassifier or MLPRegressor
    classes : sequence of str, optional
        See `from_sklearn`.

    Raises
    ------
    SpecError
        See `from_sklearn`.
    """
    kind = type(fitted).__name__
    if not hasattr(fitted, "hidden_layer_sizes"):
        raise SpecError(f"from_sklearn: takes MLPClassifier or MLPRegressor, got {kind}.")
    if not hasattr(fitted, "coefs_"):
        raise SpecError(f"from_sklearn: the {kind} is not fitted. Call fit first.")
    known = getattr(fitted, "classes_", None)
    if fitted.out_activation_ == "logistic" and fitted.n_outputs_ > 1:
        raise SpecError(f"from_sklearn: the {kind} tells several labels at once; models tell one.")
    names, labels = named_classes(known, classes)
    dtype = np.result_type(*fitted.coefs_).name
    weights: dict[str, Array] = {}
    for k, (w, b) in enumerate(zip(fitted.coefs_, fitted.intercepts_, strict=True), start=1):
        weights[f"w{k}"], weights[f"b{k}"] = np.array(w, dtype), np.array(b, dtype)
    return Model(
        network=MLPSpec(
            hidden=tuple(len(b) for b in fitted.intercepts_[:-1]),
            activation=fitted.activation,
            dropout=float(getattr(fitted, "dropout", 0.0)),
        ),
        loss=_LOSSES[fitted.out_activation_],
        dtype=dtype,
        weights=weights,
        sample_shape=(fitted.n_features_in_,),
        n_outputs=fitted.n_outputs_,
        classes=names,
        labels=labels,
        facts=origin(fitted),
    )


def origin(fitted: Any) -> dict[str, Any]:
    """Return the facts that a fitted estimator tells by itself: what it is, and its columns."""
    kind = type(fitted)
    return {"made_by": f"{kind.__module__.split('.')[0]} {kind.__name__}", **_features(fitted)}


def _features(fitted: Any, names: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the names of columns as a fact, where there are such."""
    found = getattr(fitted, "feature_names_in_", None) if names is None else names
    # As `triptych.contracts.Dataset` has them: a column, and the text that it stands for.
    return {} if found is None else {"features": [[str(name), ""] for name in found]}


def named_classes(
    known: Array | None, names: Sequence[str] | None = None
) -> tuple[tuple[str, ...], tuple[Label, ...] | None]:
    """Return the names of classes, and the classes themselves where these are no texts.

    Parameters
    ----------
    known : Array, optional
        The classes; absent where numbers are told.
    names : sequence of str, optional
        What they are to be called; then they are called nothing else.

    Raises
    ------
    SpecError
        If a class is of a kind that no file can hold.
    """
    if known is None:
        return (), None
    if names is not None:
        return tuple(names), None
    labels = tuple(known.tolist())
    for label in labels:
        if not isinstance(label, str | int | float):
            raise SpecError(f"classes: texts and numbers can be kept, got {label!r}.")
    if all(isinstance(label, str) for label in labels):
        return labels, None
    return tuple(map(str, labels)), labels

"""The parameters of `RNNClassifier`: their limits, and the specs that they describe."""

from __future__ import annotations

import math
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval, StrOptions

from triptych.estimators.parameters import CONSTRAINTS
from triptych.spec import RNNSpec, TrainSpec, structure

_REPORT: dict[str, Any] = {
    "batch_size": 128,
    "clip_norm": 10.0,
    "optimizer": {"name": "rmsprop", "lr": 0.001},
}
RECIPES: dict[str, dict[str, Any]] = {
    "logits": _REPORT,
    "paper": _REPORT,
    "lengths": dict(TrainSpec.named[1]["lengths"]),
}
_SHARED = (
    "batch_size", "max_iter", "shuffle", "random_state", "tol", "verbose", "warm_start",
    "early_stopping", "validation_fraction", "n_iter_no_change", "engine", "device", "keep_best",
    "progress",
)  # fmt: skip
# The limits are those of the specs.
SEQUENCE_CONSTRAINTS: dict[str, list[Any]] = {
    **{name: CONSTRAINTS[name] for name in _SHARED},
    "cell": [StrOptions({"elman", "lstm", "gru"})],
    "hidden": [Interval(Integral, 1, 65_536, closed="both")],
    "layers": [Interval(Integral, 1, 64, closed="both")],
    "bidirectional": ["boolean"],
    "recipe": [StrOptions(set(RECIPES))],
    "init": [StrOptions({"uniform", "latch"})],
    "symbols": ["array-like", str, None],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither"), None],
    # Infinity: no limit.
    "clip_norm": [Interval(Real, 0, None, closed="right"), None],
    "class_weight": [StrOptions({"balanced"}), dict, None],
    "dtype": [StrOptions({"auto", "float32", "float64"})],
}


def sequence_network(estimator: Any) -> RNNSpec:
    """Return the network that an estimator's parameters describe.

    Raises
    ------
    ValueError
        If its first weights are of another network.
    """
    e = estimator
    spec = RNNSpec(
        cell=e.cell,
        hidden=int(e.hidden),
        layers=int(e.layers),
        bidirectional=bool(e.bidirectional),
        output="softmax" if e.recipe == "paper" else "logits",
    )
    if e.init == "latch" and not spec.is_vanilla:
        _refuse("init", "'uniform'", e, "'latch'")
    return replace(spec, init=e.init)


def _refuse(parameter: str, allowed: str, estimator: Any, got: str) -> None:
    """Raise where a parameter does not go with the network, naming what stands against it."""
    e = estimator
    others = {"cell": e.cell != "elman", "layers": e.layers > 1, "bidirectional": e.bidirectional}
    against = next((name for name, is_so in others.items() if is_so), "device")
    raise ValueError(
        f"The '{parameter}' parameter of {type(e).__name__} must be {allowed} with "
        f"{against}={getattr(e, against)!r}. Got {got} instead."
    )


def sequence_training(estimator: Any, batch_size: int, dtype: str) -> TrainSpec:
    """Return the training that an estimator's parameters describe.

    Parameters
    ----------
    estimator : RNNClassifier
    batch_size : int
    dtype : {"float32", "float64"}
    """
    e = estimator
    settings = {**RECIPES[e.recipe], "epochs": int(e.max_iter), "batch_size": batch_size}
    if e.clip_norm is not None:
        settings["clip_norm"] = None if math.isinf(e.clip_norm) else float(e.clip_norm)
    return structure(TrainSpec, {**settings, "dtype": dtype}, type(e).__name__)


def engine_of(estimator: Any, network: RNNSpec) -> str:
    """Return the engine that `estimator` asks for.

    Raises
    ------
    ValueError
        If it lacks what the parameters ask for.
    """
    engine: str = estimator.engine
    if engine in ("numpy", "compiled") and (not network.is_vanilla or estimator.device == "cuda"):
        _refuse("engine", "'torch' or 'auto'", estimator, repr(engine))
    return engine

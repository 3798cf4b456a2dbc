"""The parameters of `CNNClassifier`: their limits, and the specs that they describe."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval, StrOptions

from triptych.estimators.parameters import CONSTRAINTS
from triptych.spec import AugmentSpec, CNNSpec, OptimizerSpec, TrainSpec

PRESETS, RECIPES = tuple(CNNSpec.named[1]), ("fast",)
_SHARED = (
    "max_iter", "shuffle", "random_state", "tol", "verbose", "warm_start", "early_stopping",
    "validation_fraction", "n_iter_no_change", "device", "keep_best", "progress",
)  # fmt: skip
# The limits are those of the specs.
PICTURE_CONSTRAINTS: dict[str, list[Any]] = {
    **{name: CONSTRAINTS[name] for name in _SHARED},
    "preset": [StrOptions(set(PRESETS)), CNNSpec],
    "recipe": [StrOptions(set(RECIPES)), None],
    "picture_shape": [tuple, list, None],
    "channels": [StrOptions({"auto", "first", "last"})],
    # BatchNorm has no statistics of one row.
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 2, None, closed="left")],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither"), None],
    "flip": ["boolean"],
    "translate": [Interval(Integral, 0, 64, closed="both")],
    "cutout": [Interval(Integral, 0, 1024, closed="both")],
    "label_smoothing": [Interval(Real, 0, 0.99, closed="both"), None],
    "class_weight": [StrOptions({"balanced"}), dict, None],
    "engine": [StrOptions({"auto", "numpy", "torch"})],
    "dtype": [StrOptions({"auto", "float32", "float64"})],
}


def picture_network(estimator: Any) -> CNNSpec:
    """Return the network that `preset` names, or is."""
    preset = estimator.preset
    return CNNSpec.from_name(preset) if isinstance(preset, str) else preset


def picture_training(
    estimator: Any, batch_size: int, dtype: str, *, incremental: bool, resumed: bool
) -> TrainSpec:
    """Return the training that an estimator's parameters describe.

    Parameters
    ----------
    estimator : CNNClassifier
    batch_size : int
    dtype : {"float32", "float64"}
    incremental : bool
        Whether this is one epoch of many, whose number is not known: the rate stays as it is.
    resumed : bool
        Whether the network has been trained before.
    """
    e = estimator
    changes: dict[str, Any] = {
        "epochs": int(e.max_iter),
        "batch_size": batch_size,
        "dtype": dtype,
        "augment": AugmentSpec(flip=bool(e.flip), translate=int(e.translate), cutout=int(e.cutout)),
    }
    if e.label_smoothing is not None:
        changes["label_smoothing"] = float(e.label_smoothing)
    if e.recipe is None:
        return TrainSpec(optimizer=OptimizerSpec(name="adam", lr=0.001), **changes)
    if incremental or resumed or e.early_stopping or e.keep_best:
        # Losses and scores of pictures of different sizes cannot be compared, and a network that
        # has seen them at their own size need not begin with small ones.
        changes["resolutions"] = ()
    if incremental:
        changes["schedule"] = {"name": "constant"}
    return TrainSpec.from_name(e.recipe, **changes)


def engine_of(estimator: Any, network: CNNSpec, spec: TrainSpec) -> str:
    """Return the engine that `estimator` asks for.

    Raises
    ------
    ValueError
        If the numpy engine lacks what its parameters ask for.
    """
    engine: str = estimator.engine
    varied = [name for name in ("flip", "translate", "cutout") if getattr(estimator, name)]
    others = {"optimizer": "recipe", "augment": "".join(varied[:1])}
    lacks = [others.get(name, name) for name in spec.for_pictures()]
    if network.design != "vgg":
        lacks.append("preset")
    if estimator.device == "cuda":
        lacks.append("device")
    if engine == "numpy" and lacks:
        raise ValueError(
            f"The 'engine' parameter of {type(estimator).__name__} must be 'torch' or 'auto' with "
            f"{lacks[0]}={getattr(estimator, lacks[0])!r}. Got 'numpy' instead."
        )
    return engine

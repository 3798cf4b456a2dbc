"""What a model's parts have to do with each other; made in Python or read from a file alike."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from triptych.contracts import Standardization
from triptych.data.picture_preparation import PicturePreparation
from triptych.data.sequence_preparation import SequencePreparation
from triptych.data.table_preparation import TablePreparation
from triptych.errors import SpecError
from triptych.models import weight_shapes
from triptych.spec import CNNSpec, MLPSpec, NetworkSpec

if TYPE_CHECKING:
    from triptych.saved.model import Model

LOSSES = ("softmax", "sigmoid", "squared", "poisson")


def check_model(model: Model) -> None:
    """Refuse a model whose parts do not fit each other.

    Raises
    ------
    SpecError
    """
    _check_settings(model)
    check_shape(model.network, model.sample_shape, model.n_outputs, model.symbols)
    _check_classes(model)
    _check_scales(model)
    _check_preparation(model)
    shapes = weight_shapes(model.network, model.sample_shape, model.n_outputs, model.symbols)
    found = {name: w.shape for name, w in model.weights.items()}
    if found != shapes:
        wrong = next(n for n in (*shapes, *found) if shapes.get(n) != found.get(n))
        raise SpecError(
            f"weights: {wrong!r} must have shape {shapes.get(wrong)}, got {found.get(wrong)}."
        )


def check_dtype(dtype: str) -> None:
    """Refuse a dtype that no network computes in.

    Raises
    ------
    SpecError
    """
    if dtype not in ("float32", "float64"):
        raise SpecError(f"dtype: must be float32 or float64, got {dtype[:80]!r}.")


def _check_settings(model: Model) -> None:
    check_dtype(model.dtype)
    if model.loss not in LOSSES:
        raise SpecError(f"loss: must be one of {', '.join(LOSSES)}, got {model.loss[:80]!r}.")
    if model.loss != "softmax" and not isinstance(model.network, MLPSpec):
        raise SpecError(f"loss: {model.loss!r} needs an MLP, got {model.network.kind!r}.")
    if not (math.isfinite(model.temperature) and model.temperature > 0):
        raise SpecError(f"temperature: must be above 0, got {model.temperature}.")
    for name, w in model.weights.items():
        if w.dtype != model.dtype:
            raise SpecError(f"weights: {name!r} must be {model.dtype}, got {w.dtype}.")


def check_shape(
    network: NetworkSpec, shape: tuple[int, ...], outputs: int, symbols: int | None
) -> None:
    """Refuse samples that a network does not read, before anything is computed from their shape.

    Raises
    ------
    SpecError
    """
    axes = {"rows": (1, 2, 3), "pictures": (3,), "sequences": (1, 2)}[network.reads]
    if len(shape) not in axes or min(shape) < 1 or outputs < 1:
        raise SpecError(f"sample_shape: kind {network.kind!r} does not read {shape}.")
    needs = network.reads == "sequences" and len(shape) == 1
    if needs != (symbols is not None):
        raise SpecError(f"symbols: are those of sequences (T,), got {symbols} and {shape}.")
    if isinstance(network, CNNSpec) and network.design == "whitened" and min(shape[1:]) < 2:
        raise SpecError(f"sample_shape: 'whitened' reads 2 x 2 pixels or more, got {shape}.")


def _check_classes(model: Model) -> None:
    names, outputs = model.classes, model.n_outputs
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise SpecError("classes: must be texts, each there once.")
    fits = {
        "softmax": len(names) == outputs > 1,
        "sigmoid": len(names) == (2 if outputs == 1 else outputs),
    }.get(model.loss, len(names) in (0, 2 if outputs == 1 else outputs))
    if not fits:
        raise SpecError(
            f"classes: loss {model.loss!r} with {outputs} outputs does not tell {len(names)}."
        )
    labels = model.labels
    if labels is None:
        return
    kinds = {type(label) for label in labels}
    if len(labels) != len(names) or len(kinds) != 1 or kinds - {str, int, float, bool}:
        raise SpecError("labels: must be of one kind, one for each class.")


def _check_preparation(model: Model) -> None:
    """Refuse a preparation that makes of rows what the network does not read."""
    prepared, shape, symbols = model.preparation, model.sample_shape, model.symbols
    if isinstance(prepared, TablePreparation):
        fits = shape == (len(prepared.features),)
    elif isinstance(prepared, PicturePreparation):
        fits = shape == (prepared.channels, *prepared.size)
    elif isinstance(prepared, SequencePreparation):
        vectors = () if prepared.symbols else (len(prepared.features),)
        reads = model.network.reads == "sequences"
        fits = reads and symbols == prepared.symbols and shape[1:] == vectors
    else:
        return
    if not fits:
        raise SpecError(
            f"preparation: of {prepared.kind}, does not make what the network reads, {shape}."
        )
    if prepared.classes != model.classes:
        raise SpecError("classes: must be those of the preparation.")


def _check_scales(model: Model) -> None:
    for name, shape in (("standardization", model.sample_shape), ("target", (model.n_outputs,))):
        scale: Standardization | None = getattr(model, name)
        if scale is None:
            continue
        found = np.broadcast_shapes(scale.mean.shape, scale.std.shape)
        try:
            fits = len(found) <= len(shape) and np.broadcast_shapes(found, shape) == shape
        except ValueError:
            fits = False
        good = np.isfinite(scale.mean).all() and np.isfinite(scale.std).all()
        if not fits or not good or not (scale.std > 0).all():
            raise SpecError(f"{name}: must be finite, with std above 0, for shape {shape}.")
    if model.target is not None and model.classes:
        raise SpecError("target: is of numbers, and the model tells classes.")
    if model.standardization is not None and model.symbols is not None:
        raise SpecError("standardization: symbols have none.")

"""A model's header: what `Model` is but for its weights, as plain values, read back strictly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from triptych.contracts import Preparation, Standardization
from triptych.data import preparation_of
from triptych.errors import SpecError
from triptych.spec import NetworkSpec, nearest, plain, structure_one

if TYPE_CHECKING:
    from triptych.saved.model import Model

FORMAT = 1
KEYS = (
    "format", "network", "loss", "dtype", "sample_shape", "outputs", "symbols", "standardization",
    "preparation", "classes", "labels", "target", "temperature", "facts",
)  # fmt: skip


def header_of(model: Model) -> dict[str, Any]:
    """Return the header of a model's file: values that JSON can hold, by the names in `KEYS`."""
    return {
        "format": FORMAT,
        "network": plain(model.network),
        "loss": model.loss,
        "dtype": model.dtype,
        "sample_shape": list(model.sample_shape),
        "outputs": model.n_outputs,
        "symbols": model.symbols,
        "standardization": _plain_scale(model.standardization),
        "preparation": None if model.preparation is None else model.preparation.as_dict(),
        "classes": list(model.classes),
        "labels": None if model.labels is None else list(model.labels),
        "target": _plain_scale(model.target),
        "temperature": model.temperature,
        "facts": dict(model.facts),
    }


def _plain_scale(scale: Standardization | None) -> dict[str, Any] | None:
    if scale is None:
        return None
    mean, std = np.broadcast_arrays(scale.mean, scale.std)
    # In float64, which holds every float32 exactly.
    return {
        "shape": list(mean.shape),
        "mean": mean.astype(np.float64).ravel().tolist(),
        "std": std.astype(np.float64).ravel().tolist(),
    }


def fields_of(header: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a `Model`, but for its weights, from its header.

    What the fields have to do with each other is for `Model` to check.

    Raises
    ------
    SpecError, UnsafeFileError
        If a key is unknown or missing, or its value is of another kind.
    """
    for key in header:
        if key not in KEYS:
            raise SpecError(f"{key[:80]!r}: unknown key.{nearest(key[:80], KEYS)}")
    if missing := [key for key in KEYS if key not in header]:
        raise SpecError(f"{missing[0]}: is missing")
    if type(header["format"]) is not int or header["format"] != FORMAT:
        raise SpecError(
            f"format: {str(header['format'])[:80]!r} is unknown; this version reads {FORMAT}"
        )
    network = _table(header, "network")
    return {
        "network": structure_one(NetworkSpec, network, "network"),
        "loss": _text(header, "loss"),
        "dtype": _text(header, "dtype"),
        "sample_shape": tuple(
            _count(size, "sample_shape") for size in _list(header, "sample_shape")
        ),
        "n_outputs": _count(header["outputs"], "outputs"),
        "symbols": None if header["symbols"] is None else _count(header["symbols"], "symbols"),
        "standardization": _scale(header, "standardization"),
        "preparation": _preparation(header),
        "classes": tuple(_list(header, "classes")),
        "labels": None if header["labels"] is None else tuple(_list(header, "labels")),
        "target": _scale(header, "target"),
        "temperature": _number(header["temperature"], "temperature"),
        "facts": _table(header, "facts"),
    }


def _preparation(header: Mapping[str, Any]) -> Preparation | None:
    if header["preparation"] is None:
        return None
    return preparation_of(_table(header, "preparation"))


def _scale(header: Mapping[str, Any], key: str) -> Standardization | None:
    if header[key] is None:
        return None
    table = _table(header, key)
    if table.keys() != {"shape", "mean", "std"}:
        raise SpecError(f"{key}: needs shape, mean and std, and no more")
    shape = tuple(_count(size, key) for size in _list(table, "shape"))
    mean, std = ([_number(v, f"{key}.{n}") for v in _list(table, n)] for n in ("mean", "std"))
    if not len(mean) == len(std) == math.prod(shape):
        raise SpecError(f"{key}: {len(mean)} and {len(std)} numbers do not fill shape {shape}")
    return Standardization(np.array(mean).reshape(shape), np.array(std).reshape(shape))


def _table(header: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = header[key]
    if not isinstance(value, dict):
        raise SpecError(f"{key}: must be a table, got {str(value)[:80]!r}")
    return value


def _list(header: Mapping[str, Any], key: str) -> list[Any]:
    value = header[key]
    if not isinstance(value, list):
        raise SpecError(f"{key}: must be a list, got {str(value)[:80]!r}")
    return value


def _text(header: Mapping[str, Any], key: str) -> str:
    value = header[key]
    if not isinstance(value, str):
        raise SpecError(f"{key}: must be a text, got {str(value)[:80]!r}")
    return value


def _count(value: object, key: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 2**31:
        raise SpecError(f"{key}: must hold whole numbers from 1 on, got {str(value)[:80]!r}")
    return value


def _number(value: object, key: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise SpecError(f"{key}: must hold numbers, got {str(value)[:80]!r}")
    try:
        return float(value)
    except OverflowError:
        raise SpecError(f"{key}: {str(value)[:80]} is past the largest number") from None

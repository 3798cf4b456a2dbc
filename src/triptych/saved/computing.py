"""What a saved network computes: on any engine, batch by batch, so that memory stays small."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

from triptych.contracts import Array, FloatArray, Learner, Split, lengths_of
from triptych.engines import choose_device, create_cnn, create_mlp, create_rnn
from triptych.errors import DataError, NumericsError, SpecError
from triptych.models import cost
from triptych.spec import CNNSpec, MLPSpec, TrainSpec

if TYPE_CHECKING:
    from triptych.saved.model import Model

ENGINES = ("auto", "numpy", "compiled", "torch")
# Numbers of a batch that lie between two layers: 64 MB in float32. NumPy's convolutions hold nine
# times their input, and cut batches further by themselves.
_VALUES_AT_ONCE = 2**24
_MOST_ROWS = 65_536
# Seconds before the first row, and of a floating-point operation then; on a 2-core AVX-512 CPU
# (docs/log.md, "which engine reads a model"). NumPy has no start.
_TORCH_START, _NUMBA_START = 1.05, 0.5
_CONVOLVED = {"numpy": 4e-11, "torch": 1e-11}
_STEPPED = {"numpy": 4e-11, "compiled": 1e-11}


def compute(model: Model, x: Array, engine: str, device: str) -> FloatArray:
    """Return what the network of `model` hands to its loss, (N, O), in its dtype.

    Raises
    ------
    DataError
        If `x` is not shaped as the network reads it, or holds symbols that it does not know.
    NumericsError
        If an output is not finite.
    SpecError
        If the engine cannot compute the network.
    """
    x = _checked(model, x)
    if engine == "auto":
        engine = choose(model, x, device)
    standardization = model.standardization
    if standardization is not None and x.dtype.kind == "f":
        learner = _learner(model, engine, device, scales=False)
    else:
        learner = _learner(model, engine, device, scales=standardization is not None)
    size = _rows_at_once(model, x)
    out_NO = np.empty((len(x), model.n_outputs), model.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(x), size):
            part = x[start : start + size]
            if standardization is not None and part.dtype.kind == "f":
                # In float64: in float32 there is no second between today's time stamps.
                part = standardization(part, "float64").astype(model.dtype)
            out_NO[start : start + size] = learner.outputs(part)
    _check_finite(out_NO)
    return out_NO


def _check_finite(out_NO: FloatArray) -> None:
    wrong = np.flatnonzero(~np.isfinite(out_NO).all(axis=1))
    if len(wrong):
        raise NumericsError(
            f"row {wrong[0] + 1}: the network's output is not finite, as of {len(wrong):,} of "
            f"{len(out_NO):,} rows. Are there numbers far beyond those that it was trained on?"
        )


def _checked(model: Model, x: Array) -> Array:
    """Return samples in a dtype that every engine takes, or raise."""
    shape, free = model.sample_shape, model.network.reads == "sequences"
    # The length of a sequence is its own.
    fits = x.ndim == len(shape) + 1 and x.shape[1 + free :] == shape[free:]
    if not fits:
        wanted = ", ".join(["n", *(["steps"] if free else []), *map(str, shape[free:])])
        raise DataError(f"x: must have the shape ({wanted}) that the network reads, got {x.shape}.")
    if x.dtype.kind not in "fiub":
        raise DataError(f"x: must hold numbers, got dtype {x.dtype}.")
    if free and len(shape) == 1:
        return _checked_symbols(model, x)
    if x.dtype == np.uint8 and model.standardization is not None:
        return x  # pictures stay so until they are scaled
    return x if x.dtype in (np.float32, np.float64) else x.astype(np.float64)


def _checked_symbols(model: Model, x: Array) -> Array:
    if x.dtype.kind not in "iu":
        raise DataError(f"x: must hold symbols as integers, got dtype {x.dtype}.")
    if x.size and x.max() >= (model.symbols or 0):
        raise DataError(f"x: symbols are 0 to {(model.symbols or 0) - 1}, got {x.max()}.")
    if len(x) and not (x.dtype.kind == "u" or lengths_of(x).all()):
        raise DataError("x: a sequence is empty.")
    return x if x.dtype in (np.uint8, np.int8, np.int16, np.int32, np.int64) else x.astype(np.int64)


def choose(model: Model, x: Array, device: str) -> str:
    """Return the engine that would take the least time to compute the outputs of `x`."""
    network = model.network
    if device != "cpu" and choose_device(device, "torch") == "cuda":
        return "torch"
    if isinstance(network, MLPSpec):
        return "numpy"  # products are the same on each, and nothing loads faster
    if isinstance(network, CNNSpec):
        if network.design != "vgg":
            return "torch"
        starts, each = {"numpy": 0.0, "torch": _start("torch", _TORCH_START)}, _CONVOLVED
    elif not network.is_vanilla:
        return "torch"
    else:
        starts, each = {"numpy": 0.0, "compiled": _start("numba", _NUMBA_START)}, _STEPPED
    work = len(x) * cost(network, tuple(x.shape[1:]), model.n_outputs, model.symbols).flops
    return min(starts, key=lambda name: starts[name] + work * each[name])


def _start(library: str, seconds: float) -> float:
    return 0.0 if library in sys.modules else seconds


def _learner(model: Model, engine: str, device: str, *, scales: bool) -> Learner:
    """Return what computes the network, made once for each way of computing it."""
    device = choose_device(device, engine)
    key = (engine, device, scales)
    if key not in model.learners:
        model.learners[key] = _created(model, engine, device, scales=scales)
    return model.learners[key]


def _created(model: Model, engine: str, device: str, *, scales: bool) -> Learner:
    network = model.network
    if engine not in ENGINES:
        raise SpecError(f"engine: must be one of {', '.join(ENGINES)}, got {engine!r}.")
    if isinstance(network, CNNSpec) and (
        engine == "compiled" or (engine == "numpy" and network.design != "vgg")
    ):
        raise SpecError(
            f"engine: '{engine}' computes no CNN of design '{network.design}'. Use 'torch'."
        )
    spec = TrainSpec(loss=model.loss, dtype=model.dtype)  # type: ignore[arg-type] # checked there
    symbols = model.network.reads == "sequences" and len(model.sample_shape) == 1
    none = np.zeros((0, *model.sample_shape), np.int8 if symbols else model.dtype)
    args = (spec, engine, model.weights, Split(none, np.zeros(0, np.int64)))
    scale = model.standardization if scales else None
    if isinstance(network, MLPSpec):
        return create_mlp(network, *args, device=device, standardization=scale)
    if isinstance(network, CNNSpec):
        return create_cnn(network, *args, device=device, standardization=scale)
    return create_rnn(network, *args, device=device, standardization=scale)


def _rows_at_once(model: Model, x: Array) -> int:
    """Return how many rows a batch may have, by the widest of what lies between layers."""
    network, inputs = model.network, int(np.prod(x.shape[1:]))
    if isinstance(network, MLPSpec):
        values = max(inputs, model.n_outputs, *network.hidden, 1)
    elif isinstance(network, CNNSpec):
        values = max(x.shape[1] * 8, *network.channels) * x.shape[2] * x.shape[3]
    else:
        width = x.shape[2] if x.ndim == 3 else model.symbols or 1
        each = width + network.gates * network.hidden * (2 if network.bidirectional else 1)
        values = max(1, x.shape[1]) * each
    return max(1, min(_MOST_ROWS, _VALUES_AT_ONCE // values))

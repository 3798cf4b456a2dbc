"""What a saved network computes: on any engine, batch by batch, so that memory stays small."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
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
# Seconds before the first row, and of a floating-point operation then, on one thread of a 2-core
# AVX-512 CPU (benchmarks/model_engines.py). Numba loads in half a second, but the first time on a
# machine its kernels are compiled, for half a minute.
_STARTS = {"numpy": 0.0, "compiled": 3.0, "torch": 1.05}
_CONVOLVED = {"numpy": 1.6e-10, "torch": 4e-11}
_STEPPED = {"numpy": 5e-11, "compiled": 1e-11}


@dataclass
class Engines:
    """What has computed a model so far.

    Attributes
    ----------
    learners : dict
        By engine, device, and whether they scale samples themselves.
    work : float
        Floating-point operations that were asked for.
    """

    learners: dict[tuple[str, str, bool], Learner] = field(default_factory=dict)
    work: float = 0.0


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
        engine = _chosen(model, x, device)
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
    # The length of a sequence is its own, unless each step has a scale of its own.
    free = free and not _scales_steps(model)
    fits = x.ndim == len(shape) + 1 and x.shape[1 + free :] == shape[free:]
    if not fits:
        wanted = ", ".join(["n", *(["steps"] if free else []), *map(str, shape[free:])])
        raise DataError(f"x: must have the shape ({wanted}) that the network reads, got {x.shape}.")
    if x.dtype.kind not in "fiub":
        raise DataError(f"x: must hold numbers, got dtype {x.dtype}.")
    if model.symbols is not None:
        return _checked_symbols(model, x)
    if x.dtype == np.uint8 and model.standardization is not None:
        return x  # pictures stay so until they are scaled
    return x if x.dtype in (np.float32, np.float64) else x.astype(np.float64)


def _scales_steps(model: Model) -> bool:
    """Whether places of a picture were laid out as steps, see `triptych.data.arrange`."""
    scale = model.standardization
    return scale is not None and scale.mean.ndim == 2 and len(scale.mean) > 1


def _checked_symbols(model: Model, x: Array) -> Array:
    if x.dtype.kind not in "iu":
        raise DataError(f"x: must hold symbols as integers, got dtype {x.dtype}.")
    if x.size and x.max() >= (model.symbols or 0):
        raise DataError(f"x: symbols are 0 to {(model.symbols or 0) - 1}, got {x.max()}.")
    if len(x) and not (x.dtype.kind == "u" or lengths_of(x).all()):
        raise DataError("x: a sequence is empty.")
    return x if x.dtype in (np.uint8, np.int8, np.int16, np.int32, np.int64) else x.astype(np.int64)


def _chosen(model: Model, x: Array, device: str) -> str:
    """Return the engine that computes `x`, by all that the model has been asked for.

    An engine that must be started first is, once it would have paid for what there was so far: rows
    may come a few at a time, and nobody says how many there will be.
    """
    if device != "cpu" and choose_device(device, "torch") == "cuda":
        return "torch"
    network = model.network
    if isinstance(network, MLPSpec):
        return "numpy"  # products are the same on each, and nothing loads faster
    if isinstance(network, CNNSpec):
        each = _CONVOLVED if network.design == "vgg" else {}
    else:
        each = _STEPPED if network.is_vanilla else {}
    if not each:
        return "torch"
    model.engines.work += len(x) * _flops(model, x)
    started = {"numpy", *(name for name, *_ in model.engines.learners)}
    started |= {"torch"} & sys.modules.keys()
    return min(
        each,
        key=lambda name: model.engines.work * each[name] + (name not in started) * _STARTS[name],
    )


def _flops(model: Model, x: Array) -> int:
    shape = tuple(x.shape[1:])
    return cost(model.network, shape, model.n_outputs, model.symbols).flops


def _learner(model: Model, engine: str, device: str, *, scales: bool) -> Learner:
    """Return what computes the network, made once for each way of computing it."""
    device = choose_device(device, engine)
    key = (engine, device, scales)
    if key not in model.engines.learners:
        model.engines.learners[key] = _created(model, engine, device, scales=scales)
    return model.engines.learners[key]


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
    # A learner is bound to rows, and could not tell the width of none; nobody learns from this one.
    # Of a sequence a step is enough: how long those of the training were is only said.
    steps = (1,) if network.reads == "sequences" and not _scales_steps(model) else ()
    shape = (*steps, *model.sample_shape[len(steps) :])
    row = np.zeros((1, *shape), np.int8 if model.symbols is not None else model.dtype)
    args = (spec, engine, model.weights, Split(row, np.zeros(1, np.int64)))
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

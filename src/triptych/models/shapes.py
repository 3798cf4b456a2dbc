"""Which weights a network has, by name and shape: what `triptych.models.initial` draws, undrawn."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import assert_never

from triptych.spec import CNNSpec, MLPSpec, NetworkSpec, RNNSpec

Shapes = dict[str, tuple[int, ...]]


def weight_shapes(
    spec: NetworkSpec, sample_shape: tuple[int, ...], outputs: int, symbols: int | None = None
) -> Shapes:
    """Return the shape of every weight of `spec`, in the order of `initial_weights`.

    Parameters
    ----------
    spec : NetworkSpec
    sample_shape : tuple of int
        As `triptych.models.cost` takes it.
    outputs : int
    symbols : int, optional
        That sequences are made of; absent: as many as outputs.

    Examples
    --------
    >>> weight_shapes(MLPSpec(hidden=(20,)), (2,), 3)
    {'w1': (2, 20), 'b1': (20,), 'w2': (20, 3), 'b2': (3,)}
    """
    match spec:
        case MLPSpec():
            return _mlp(spec, math.prod(sample_shape), outputs)
        case CNNSpec():
            design = _vgg if spec.design == "vgg" else _whitened
            return design(spec, sample_shape[0], outputs)
        case RNNSpec():
            inputs = sample_shape[1] if len(sample_shape) == 2 else symbols or outputs
            return (_elman if spec.is_vanilla else _cells)(spec, inputs, outputs)
        case _:
            assert_never(spec)


def _mlp(spec: MLPSpec, inputs: int, outputs: int) -> Shapes:
    shapes: Shapes = {}
    for layer, (fan_in, out) in enumerate(pairwise((inputs, *spec.hidden, outputs)), start=1):
        shapes[f"w{layer}"], shapes[f"b{layer}"] = (fan_in, out), (out,)
    return shapes


def _vgg(spec: CNNSpec, channels: int, outputs: int) -> Shapes:
    shapes: Shapes = {}
    for layer, out in enumerate(spec.channels, start=1):
        shapes[f"conv{layer}.weight"] = (out, channels, 3, 3)
        norm = ("weight", "bias", "running_mean", "running_var")
        shapes |= dict.fromkeys([f"conv{layer}.bias", *(f"norm{layer}.{s}" for s in norm)], (out,))
        channels = out
    return {**shapes, "head.weight": (outputs, channels), "head.bias": (outputs,)}


def _whitened(spec: CNNSpec, inputs: int, outputs: int) -> Shapes:
    channels = 8 * inputs
    shapes: Shapes = {"whiten.weight": (channels, inputs, 2, 2)}
    for layer, out in enumerate(spec.channels, start=1):
        shapes[f"conv{layer}.weight"] = (out, channels, 3, 3)
        norm = ("bias", "running_mean", "running_var")
        shapes |= dict.fromkeys([f"norm{layer}.{s}" for s in norm], (out,))
        channels = out
    return {**shapes, "head.weight": (outputs, channels)}


def _elman(spec: RNNSpec, inputs: int, outputs: int) -> Shapes:
    h = spec.hidden
    return {
        "wx": (inputs, h), "bx": (h,), "wh": (h, h), "bh": (h,), "wy": (h, outputs),
        "by": (outputs,),
    }  # fmt: skip


def _cells(spec: RNNSpec, inputs: int, outputs: int) -> Shapes:
    shapes: Shapes = {}
    directions = ("", "_reverse") if spec.bidirectional else ("",)
    gates, hidden = spec.gates * spec.hidden, spec.hidden
    for layer in range(spec.layers):
        for direction in directions:
            end = f"_l{layer}{direction}"
            shapes[f"cells.weight_ih{end}"] = (gates, inputs)
            shapes[f"cells.weight_hh{end}"] = (gates, hidden)
            shapes |= {f"cells.bias_ih{end}": (gates,), f"cells.bias_hh{end}": (gates,)}
        inputs = hidden * len(directions)
    return {**shapes, "wy": (inputs, outputs), "by": (outputs,)}

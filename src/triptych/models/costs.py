"""What a network costs: parameters, and floating-point operations of one sample's forward pass.

Only matrix products and convolutions are counted, a multiplication and an addition as two
operations, as PyTorch's ``FlopCounterMode`` does. Forward and backward together take about three
times as much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, assert_never

from triptych.spec import CNNSpec, CustomSpec, MLPSpec, RNNSpec, TrainedSpec


@dataclass(frozen=True)
class Cost:
    """Trainable parameters, and FLOPs of the forward pass of one sample; 0 if not known."""

    parameters: int
    flops: int


def cost(
    spec: TrainedSpec, sample_shape: tuple[int, ...], classes: int, symbols: int | None = None
) -> Cost:
    """Return what `spec` costs on samples of `sample_shape`.

    Parameters
    ----------
    spec : TrainedSpec
        One of kind ``"custom"`` says itself what it costs, once a study was run.
    sample_shape : tuple of int
        ``(I,)``, or ``(C, H, W)`` for pictures, or for an RNN ``(T,)`` symbols or ``(T, V)``.
    classes : int
    symbols : int, optional
        See `triptych.contracts.Dataset`.

    Examples
    --------
    >>> cost(MLPSpec(hidden=(20,)), (2,), 2)
    Cost(parameters=102, flops=160)
    """
    match spec:
        case MLPSpec():
            return _mlp(spec, math.prod(sample_shape), classes)
        case CNNSpec():
            return _cnn(spec, sample_shape, classes)
        case RNNSpec():
            inputs = sample_shape[1] if len(sample_shape) == 2 else symbols or classes
            return _rnn(spec, sample_shape[0], inputs, classes)
        case CustomSpec():
            return Cost(spec.parameters, spec.flops)
        case _:
            assert_never(spec)


class Samples(Protocol):
    """What a network's costs depend on; a `triptych.contracts.Dataset` tells it."""

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample, without the rows."""

    @property
    def outputs(self) -> int:
        """How many outputs a network has that learns it."""

    @property
    def symbols(self) -> int | None:
        """How many symbols sequences are made of; None: as many as outputs."""


def cost_on(spec: TrainedSpec, data: Samples) -> Cost:
    """Return what `spec` costs on the samples of `data`."""
    return cost(spec, data.sample_shape, data.outputs, data.symbols)


def _mlp(spec: MLPSpec, inputs: int, classes: int) -> Cost:
    sizes = (inputs, *spec.hidden, classes)
    pairs = list(pairwise(sizes))
    return Cost(sum((i + 1) * o for i, o in pairs), sum(2 * i * o for i, o in pairs))


def _cnn(spec: CNNSpec, sample_shape: tuple[int, ...], classes: int) -> Cost:
    channels, height, width = sample_shape
    if spec.design == "whitened":
        return _whitened(spec, sample_shape, classes)
    parameters = flops = 0
    for layer, out in enumerate(spec.channels, start=1):
        parameters += (channels * 9 + 1) * out + 2 * out  # convolution, then BatchNorm's pair
        flops += 2 * channels * 9 * out * height * width
        channels = out
        if layer in spec.pool_after:
            height, width = (height + 1) // 2, (width + 1) // 2  # window 3, stride 2, padding 1
    return Cost(parameters + (channels + 1) * classes, flops + 2 * channels * classes)


def _whitened(spec: CNNSpec, sample_shape: tuple[int, ...], classes: int) -> Cost:
    inputs, height, width = sample_shape
    height, width, channels = height - 1, width - 1, 8 * inputs
    parameters, flops = 0, 2 * inputs * 4 * channels * height * width
    for layer, out in enumerate(spec.channels, start=1):
        parameters += channels * 9 * out + out
        flops += 2 * channels * 9 * out * height * width
        channels = out
        if layer in spec.pool_after and min(height, width) >= 2:
            height, width = height // 2, width // 2
    return Cost(parameters + channels * classes, flops + 2 * channels * classes)


def _rnn(spec: RNNSpec, steps: int, inputs: int, classes: int) -> Cost:
    hidden, gates = spec.hidden, spec.gates
    directions = 2 if spec.bidirectional else 1
    parameters = flops = 0
    for _ in range(spec.layers):
        parameters += directions * gates * hidden * (inputs + hidden + 2)
        flops += directions * 2 * steps * gates * hidden * (inputs + hidden)
        inputs = directions * hidden
    return Cost(parameters + (inputs + 1) * classes, flops + 2 * inputs * classes)

"""The three networks as ONNX graphs, in float32, of any number of rows and of steps.

N rows, O outputs, I inputs, C channels, H hidden, T steps, V features of a step or symbols,
D directions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from triptych.contracts import Array, Weights
from triptych.saved.onnx_graph import Graph
from triptych.spec import CNNSpec, MLPSpec, RNNSpec

if TYPE_CHECKING:
    from triptych.saved.model import Model

_ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}
# Where ONNX has which of PyTorch's gates: input, output, forget, cell; and update, reset, new.
_GATES = {"elman": (0,), "lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}
_OPS = {"elman": "RNN", "lstm": "LSTM", "gru": "GRU"}
_EPS = 1e-5  # of every BatchNorm


def add_network(graph: Graph, model: Model, x: str) -> str:
    """Add the network of `model`, and return the name of its outputs (N, O).

    Parameters
    ----------
    graph : Graph
    model : Model
    x : str
        What the network reads: float32, scaled; or symbols, int64.
    """
    spec, weights = model.network, model.weights
    match spec:
        case MLPSpec():
            return _mlp(graph, spec, weights, x)
        case CNNSpec():
            if spec.design == "vgg":
                return _vgg(graph, spec, weights, x)
            return _whitened(graph, spec, weights, x, model.sample_shape)
        case RNNSpec():
            return _rnn(graph, spec, weights, x, model.symbols)
        case _:
            assert_never(spec)


def _activated(graph: Graph, x: str, activation: str) -> str:
    if activation == "identity":
        return x
    if activation == "gelu":  # an operator of its own only in newer versions of ONNX
        erf = graph.add("Erf", graph.add("Mul", x, graph.constant(math.sqrt(0.5), "float32")))
        twice = graph.add("Mul", x, graph.add("Add", erf, graph.constant(1.0, "float32")))
        return graph.add("Mul", twice, graph.constant(0.5, "float32"))
    return graph.add(_ACTIVATIONS[activation], x)


def _dense(graph: Graph, x: str, w_IO: Array, b_O: Array) -> str:
    return graph.add("Gemm", x, graph.constant(w_IO, "float32"), graph.constant(b_O, "float32"))


def _mlp(graph: Graph, spec: MLPSpec, weights: Weights, x: str) -> str:
    out = graph.add("Flatten", x, axis=1)
    last = len(spec.hidden) + 1
    for k in range(1, last + 1):
        out = _dense(graph, out, weights[f"w{k}"], weights[f"b{k}"])
        if k < last:
            out = _activated(graph, out, spec.activation)
    return out


def _convolved(graph: Graph, x: str, *arrays: Array, pad: int) -> str:
    named = [graph.constant(array, "float32") for array in arrays]
    edge = arrays[0].shape[2]
    return graph.add("Conv", x, *named, kernel_shape=[edge, edge], pads=[pad] * 4)


def _normalised(graph: Graph, x: str, weights: Weights, layer: int) -> str:
    of = {name: weights.get(f"norm{layer}.{name}") for name in ("weight", "bias")}
    shift = weights[f"norm{layer}.bias"]
    scale = np.ones_like(shift) if of["weight"] is None else of["weight"]
    statistics = (weights[f"norm{layer}.running_{name}"] for name in ("mean", "var"))
    named = [graph.constant(array, "float32") for array in (scale, shift, *statistics)]
    return graph.add("BatchNormalization", x, *named, epsilon=_EPS)


def _vgg(graph: Graph, spec: CNNSpec, weights: Weights, x: str) -> str:
    out = x
    for k in range(1, len(spec.channels) + 1):
        out = _convolved(graph, out, weights[f"conv{k}.weight"], weights[f"conv{k}.bias"], pad=1)
        out = graph.add("Relu", _normalised(graph, out, weights, k))
        if k in spec.pool_after:
            out = graph.add("MaxPool", out, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    mean = graph.add("Flatten", graph.add("GlobalAveragePool", out), axis=1)
    return _dense(graph, mean, weights["head.weight"].T, weights["head.bias"])


def _whitened(graph: Graph, spec: CNNSpec, weights: Weights, x: str, shape: tuple[int, ...]) -> str:
    height, width = shape[1] - 1, shape[2] - 1
    out = _activated(graph, _convolved(graph, x, weights["whiten.weight"], pad=0), "gelu")
    for k in range(1, len(spec.channels) + 1):
        out = _convolved(graph, out, weights[f"conv{k}.weight"], pad=1)
        # What has come down to a line of pixels is left as it is.
        if k in spec.pool_after and min(height, width) >= 2:
            out = graph.add("MaxPool", out, kernel_shape=[2, 2], strides=[2, 2])
            height, width = height // 2, width // 2
        out = _activated(graph, _normalised(graph, out, weights, k), "gelu")
    most = graph.add("Flatten", graph.add("GlobalMaxPool", out), axis=1)
    head_OC = weights["head.weight"].astype(np.float64)
    return graph.add("MatMul", most, graph.constant(head_OC.T / head_OC.shape[1], "float32"))


def _rnn(graph: Graph, spec: RNNSpec, weights: Weights, x: str, symbols: int | None) -> str:
    steps, length_N = _steps(graph, x, symbols)
    out = graph.add("Transpose", steps, perm=[1, 0, 2])
    last = out
    for layer, arrays in enumerate(_layers(spec, weights), start=1):
        named = [graph.constant(array, "float32") for array in arrays]
        direction = "bidirectional" if spec.bidirectional else "forward"
        # As PyTorch has it: the reset gate is applied after the product.
        extra: dict[str, Any] = {"linear_before_reset": 1} if spec.cell == "gru" else {}
        states, last = graph.add_many(
            _OPS[spec.cell], [out, *named, length_N], 2,
            hidden_size=spec.hidden, direction=direction, **extra,
        )  # fmt: skip
        if layer < spec.layers:  # (T, D, N, H) to (T, N, D H)
            beside = graph.add("Transpose", states, perm=[0, 2, 1, 3])
            out = graph.add("Reshape", beside, graph.constant([0, 0, -1], "int64"))
    beside = graph.add("Transpose", last, perm=[1, 0, 2])  # (D, N, H) to (N, D H)
    read = graph.add("Reshape", beside, graph.constant([0, -1], "int64"))
    logits = _dense(graph, read, weights["wy"], weights["by"])
    return graph.add("Softmax", logits, axis=1) if spec.output == "softmax" else logits


def _steps(graph: Graph, x: str, symbols: int | None) -> tuple[str, str]:
    """Return vectors (N, T, V), 0 past the end, and the steps of each sequence (N,), int32."""
    axis = graph.constant([1], "int64")
    if symbols is not None:
        zero = graph.constant(0, "int64")
        there_NT = graph.add("Not", graph.add("Less", x, zero))
        # A place below 0 would count from the other end.
        known, hot = graph.add("Max", x, zero), graph.constant([0.0, 1.0], "float32")
        vectors = graph.add("OneHot", known, graph.constant(symbols, "int64"), hot, axis=-1)
    else:
        first = graph.add("Gather", x, graph.constant(0, "int64"), axis=2)
        past_NT = graph.add("IsNaN", first)
        there_NT = graph.add("Not", past_NT)
        past_NT1 = graph.add("Unsqueeze", past_NT, graph.constant([2], "int64"))
        vectors = graph.add("Where", past_NT1, graph.constant(0.0, "float32"), x)
    counts = graph.cast(there_NT, "int32")
    return vectors, graph.add("ReduceSum", counts, axis, keepdims=0)


def _layers(spec: RNNSpec, weights: Weights) -> list[tuple[Array, Array, Array]]:
    """Return ``W (D, G H, V), R (D, G H, H), B (D, 2 G H)`` of each layer, in ONNX's order."""
    if spec.is_vanilla:
        both = np.concatenate([weights["bx"], weights["bh"]])
        return [(weights["wx"].T[None], weights["wh"].T[None], both[None])]
    ends = ("", "_reverse") if spec.bidirectional else ("",)
    layers = []
    for layer in range(spec.layers):
        parts = [
            [_reordered(spec, weights[f"cells.{name}_l{layer}{end}"]) for end in ends]
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]
        w, r, b_in, b_state = (np.stack(part) for part in parts)
        layers.append((w, r, np.concatenate([b_in, b_state], axis=1)))
    return layers


def _reordered(spec: RNNSpec, stacked: Array) -> Array:
    gates: Sequence[Array] = np.split(stacked, spec.gates)
    return np.concatenate([gates[k] for k in _GATES[spec.cell]])

"""A small model of every architecture, with weights that are drawn, and samples for it."""

from __future__ import annotations

import math

import numpy as np

from triptych.contracts import Standardization
from triptych.data.table_columns import PreparedColumn, PreparedTarget
from triptych.data.table_preparation import TablePreparation
from triptych.models import weight_shapes
from triptych.saved import Model
from triptych.spec import CNNSpec, MLPSpec, RNNSpec

NAMES = ("cat", "dog", "cow", "<b>hen</b>")
LONGEST = 7


def made(network, sample_shape, n_outputs, *, dtype="float64", symbols=None, **fields) -> Model:
    """Return a model whose outputs are of about 1 in size."""
    rng = np.random.default_rng(7)
    weights = {}
    for name, shape in weight_shapes(network, sample_shape, n_outputs, symbols).items():
        if name.endswith("running_var"):
            w = rng.uniform(0.5, 2.0, shape)
        else:
            # Matrices (I, O) of the MLP have their inputs first, all others last.
            fan_in = shape[0] if name[0] == "w" and len(shape) == 2 else math.prod(shape[1:])
            w = rng.normal(size=shape) / math.sqrt(fan_in)
        weights[name] = w.astype(dtype)
    fields.setdefault("loss", "softmax")
    if fields["loss"] in ("softmax", "sigmoid"):
        fields.setdefault("classes", NAMES[: 2 if n_outputs == 1 else n_outputs])
    return Model(
        network=network, dtype=dtype, weights=weights, sample_shape=sample_shape,
        n_outputs=n_outputs, symbols=symbols, **fields,
    )  # fmt: skip


def of_channels(count: int) -> Standardization:
    values = np.arange(1.0, count + 1).reshape(-1, 1, 1)
    return Standardization(100 + 10 * values, 40 + values)


NUMBERS = Standardization(np.array([300.0, -2.0]), np.array([50.0, 0.25]))
VECTORS = Standardization(np.array([1.0, -1.0]), np.array([2.0, 0.5]))

SPECS = {
    "mlp relu": (MLPSpec(hidden=(9, 5)), (6,), 3, {}),
    "mlp tanh": (MLPSpec(hidden=(9,), activation="tanh"), (6,), 3, {"temperature": 1.7}),
    "mlp gelu": (MLPSpec(hidden=(9,), activation="gelu"), (6,), 2, {}),
    "mlp logistic": (MLPSpec(hidden=(9,), activation="logistic"), (6,), 3, {}),
    "mlp linear": (MLPSpec(hidden=(9,), activation="identity"), (6,), 3, {}),
    "mlp without hidden": (MLPSpec(hidden=()), (6,), 3, {}),
    "mlp two classes": (MLPSpec(hidden=(9,)), (6,), 1, {"loss": "sigmoid", "temperature": 0.8}),
    "mlp one of several": (MLPSpec(hidden=(9,)), (6,), 3, {"loss": "sigmoid"}),
    "mlp numbers": (MLPSpec(hidden=(9,)), (6,), 2, {"loss": "squared", "target": NUMBERS}),
    "mlp counts": (MLPSpec(hidden=(9,)), (6,), 2, {"loss": "poisson"}),
    "mlp scaled": (
        MLPSpec(hidden=(9,)), (2,), 3, {"standardization": VECTORS, "labels": (3, 5, 8)}
    ),
    "mlp pictures": (MLPSpec(hidden=(9,)), (2, 5, 4), 3, {"standardization": of_channels(2)}),
    "cnn vgg": (
        CNNSpec(channels=(4, 6), pool_after=(1,)), (2, 9, 7), 3, {"standardization": of_channels(2)}
    ),
    "cnn vgg line": (CNNSpec(channels=(4,), pool_after=(1,)), (1, 1, 6), 3, {}),
    "cnn whitened": (
        CNNSpec(design="whitened", channels=(4, 6, 5), pool_after=(1, 2, 3)), (3, 9, 7), 4,
        {"standardization": of_channels(3), "temperature": 0.5},
    ),
    "rnn symbols": (RNNSpec(hidden=5), (LONGEST,), 3, {"symbols": 6}),
    "rnn vectors": (RNNSpec(hidden=5), (LONGEST, 2), 3, {"standardization": VECTORS}),
    "rnn two softmaxes": (
        RNNSpec(hidden=5, output="softmax"), (LONGEST,), 3, {"symbols": 6, "temperature": 2.0}
    ),
    "elman layers": (RNNSpec(hidden=5, layers=3), (LONGEST, 2), 3, {}),
    "elman both ways": (RNNSpec(hidden=5, bidirectional=True), (LONGEST,), 3, {"symbols": 4}),
    "lstm": (RNNSpec(cell="lstm", hidden=5), (LONGEST, 2), 3, {"standardization": VECTORS}),
    "lstm layers both ways": (
        RNNSpec(cell="lstm", hidden=5, layers=2, bidirectional=True), (LONGEST, 2), 3, {}
    ),
    "gru": (RNNSpec(cell="gru", hidden=5), (LONGEST,), 3, {"symbols": 6}),
    "gru layers both ways": (
        RNNSpec(cell="gru", hidden=5, layers=2, bidirectional=True), (LONGEST, 2), 3, {}
    ),
}  # fmt: skip


def model_of(name: str, dtype: str = "float64", **fields) -> Model:
    network, shape, outputs, own = SPECS[name]
    return made(network, shape, outputs, dtype=dtype, **{**own, **fields})


def samples_of(model: Model, count: int = 12, longest: int = LONGEST):
    """Return samples; sequences of all lengths from 1 to `longest`, and longer than in training."""
    rng = np.random.default_rng(count)
    shape = model.sample_shape
    if model.network.reads != "sequences":
        if len(shape) == 3 and model.standardization is not None:
            return rng.integers(0, 256, (count, *shape), dtype=np.uint8)
        return rng.normal(size=(count, *shape))
    lengths = 1 + np.arange(count) % longest
    past = np.arange(longest) >= lengths[:, None]
    if model.symbols is not None:
        x = rng.integers(0, model.symbols, (count, longest)).astype(np.int8)
        x[past] = -1
        return x
    x = rng.normal(size=(count, longest, shape[1]))
    x[past] = np.nan
    return x


TABLE = TablePreparation(
    columns=(
        PreparedColumn("age", "number", 41.5, 12.0, fill=40.0),
        PreparedColumn("=cmd()", "text", words=("a\x1b[31m", "b"), seen=(True, True), shared=True),
        PreparedColumn("[red]day", "date", 19_000.0, 400.0, fill=19_000.0, timed=True),
    ),
    told=PreparedTarget("kind", "text", NAMES[:3]),
    fills=True,
)
INPUTS = 1 + 3 + 7


def of_columns(**fields) -> Model:
    """Return a model of a table's columns, some of whose names are hostile."""
    fields = {"preparation": TABLE, "dtype": "float32", **fields}
    return made(MLPSpec(hidden=(20, 10)), (INPUTS,), 3, **fields)

"""The network that fits some data, and how it is trained: defaults, by their size alone.

What was tried, and beside what: docs/log.md, "a baseline on tables"; ``benchmarks/baseline.py``.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from triptych.contracts import Dataset
from triptych.spec import CNNSpec, MLPSpec, NetworkSpec, RNNSpec, TrainSpec

WEIGHT: Literal["root"] = "root"
"""How rare classes weigh where classes are skewed, in references too."""
TABLE_ENGINE = "compiled"
"""What trains the MLP of a table: quickest over several seeds and a search, once it is loaded."""
# Training rows that training scores are computed on; more say nothing further.
_JUDGED = 2_000
# Rows from which more units and steps pay; steps of fewer rows; how often an MLP is judged.
_MANY, _STEPS, _EVALUATIONS = 10_000, 1_000, 8


def network_for(data: Dataset) -> tuple[NetworkSpec, TrainSpec]:
    """Return the network that fits a data set, and how it is trained.

    Parameters
    ----------
    data : Dataset
    """
    fitting = {"pictures": picture_network, "sequences": sequence_network}
    return fitting.get(data.kind, table_network)(data)


def label_of(network: NetworkSpec) -> str:
    """Return how tables call a network."""
    match network:
        case MLPSpec(hidden=hidden):
            return f"MLP, {'-'.join(map(str, hidden))} units"
        case CNNSpec(channels=channels):
            return f"CNN, {'-'.join(map(str, channels))} channels"
        case RNNSpec(cell=cell, hidden=units):
            return f"{'RNN' if cell == 'elman' else cell.upper()}, {units} units"


def table_network(data: Dataset) -> tuple[MLPSpec, TrainSpec]:
    """Return the MLP for a table, and how it is trained.

    Parameters
    ----------
    data : Dataset
        Its kind is ``"table"``.
    """
    rows = data.rows
    hidden = (64, 32) if rows < _MANY else (128, 64)
    batch = 16 if rows < 300 else 32 if rows < 1_200 else 64 if rows < _MANY else 128
    steps = _STEPS if rows < _MANY else 3 * _STEPS
    epochs = max(8, min(200, math.ceil(steps * batch / rows)))
    changes: dict[str, Any] = {}
    if not data.classes:
        changes = {"loss": "squared", "calibration": None}
    train = TrainSpec.from_name(
        "table", epochs=epochs, batch_size=batch, eval_every=max(1, epochs // _EVALUATIONS),
        **_shared(data), **changes,
    )  # fmt: skip
    return MLPSpec(hidden=hidden), train


def picture_network(data: Dataset) -> tuple[CNNSpec, TrainSpec]:
    """Return the CNN for pictures, and how it is trained.

    Parameters
    ----------
    data : Dataset
        Its kind is ``"pictures"``.
    """
    rows, edge = data.rows, min(data.sample_shape[1:])
    # As many halvings as leave 4 pixels.
    blocks = max(1, min(4, round(math.log2(max(edge, 8) / 4))))
    channels = tuple(16 * 2**k for k in range(blocks + 1))[:4]
    network = CNNSpec(channels=channels, pool_after=tuple(range(1, blocks + 1)))
    batch = 32 if rows < 5_000 else 128
    epochs = max(5, min(40, math.ceil(1000 * batch / rows)))
    train = TrainSpec.from_name(
        "table", epochs=epochs, batch_size=batch, patience=max(3, epochs // 4), eval_every=1,
        search={"low": 0.0003, "high": 0.03, "rates": 4, "steps": 40}, **_shared(data),
    )  # fmt: skip
    return network, train


def sequence_network(data: Dataset) -> tuple[RNNSpec, TrainSpec]:
    """Return the recurrent network for sequences, and how it is trained.

    Parameters
    ----------
    data : Dataset
        Its kind is ``"sequences"``.
    """
    batch = 32 if data.rows < 2_000 else 64
    epochs = max(5, min(60, math.ceil(1000 * batch / data.rows)))
    train = TrainSpec.from_name(
        "table", epochs=epochs, batch_size=batch, patience=max(3, epochs // 4), eval_every=1,
        clip_norm=1.0, search={"low": 0.001, "high": 0.03, "rates": 4, "steps": 40},
        **_shared(data),
    )  # fmt: skip
    return RNNSpec(cell="gru", hidden=64), train


def _shared(data: Dataset) -> dict[str, Any]:
    """Return what follows from rows and classes, whatever the network."""
    found: dict[str, Any] = {}
    if data.rows > _JUDGED:
        found["judged_rows"] = _JUDGED
    if is_skewed(data):
        found["class_weight"] = WEIGHT
    return found


def is_skewed(data: Dataset) -> bool:
    """Whether one of the classes is so rare that it is to weigh more.

    Where the rarest has less than a fifth of the rows that it would have if all had as many.
    """
    if not data.classes:
        return False
    counts = np.bincount(data.train.y, minlength=len(data.classes))
    return bool(counts.min() < _RARE * counts.mean())


_RARE = 0.2

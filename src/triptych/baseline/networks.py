"""The network that fits some data, and how it is trained: defaults, by their size alone.

What was tried, and beside what: docs/log.md, "a baseline on tables"; ``benchmarks/baseline.py``.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from triptych.contracts import Dataset
from triptych.spec import CNNSpec, MLPSpec, NetworkSpec, RNNSpec, TrainSpec

NETWORK = "network"
"""The name of the network's arm."""
WEIGHT: Literal["root"] = "root"
"""How rare classes weigh where classes are skewed, in references too."""
TABLE_ENGINE: Literal["compiled"] = "compiled"
"""What trains the MLP of a table: quickest over several seeds and a search, once it is loaded."""
# Training rows that training scores are computed on; more say nothing further.
_JUDGED = 2_000
# Rows from which more units and steps pay; and how often an MLP is judged.
_MANY, _EVALUATIONS = 10_000, 8


def network_for(data: Dataset) -> tuple[NetworkSpec, TrainSpec]:
    """Return the network that fits a data set, and how it is trained.

    Parameters
    ----------
    data : Dataset
    """
    if data.kind == "pictures":
        return picture_network(data)
    return sequence_network(data) if data.kind == "sequences" else table_network(data)


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
    many = rows >= _MANY
    batch = 16 if rows < 300 else 32 if rows < 1_200 else 128 if many else 64
    steps, fewest = (3_000, 16) if many else (1_000, 8)
    epochs = max(fewest, min(200, math.ceil(steps * batch / rows)))
    changes: dict[str, Any] = {}
    if many:  # what is best for a short training is too much for a long one
        changes["search"] = {"low": 0.002, "high": 0.02}
    if not data.classes:
        changes |= {"loss": "squared", "calibration": None}
    train = TrainSpec.from_name(
        "table", epochs=epochs, batch_size=batch, eval_every=math.ceil(epochs / _EVALUATIONS),
        # Decay makes up for rows that there are not.
        optimizer={"weight_decay": float(f"{min(0.5, 500 / rows):.2g}")},
        **_shared(data), **changes,
    )  # fmt: skip
    return MLPSpec(hidden=(128, 64) if many else (64, 32)), train


def picture_network(data: Dataset) -> tuple[CNNSpec, TrainSpec]:
    """Return the CNN for pictures, and how it is trained.

    Parameters
    ----------
    data : Dataset
        Its kind is ``"pictures"``.
    """
    rows, edge = data.rows, min(data.sample_shape[1:])
    blocks = 2 if edge < 24 else 3 if edge < 48 else 4
    first = 32 if edge < 48 else 16
    channels = tuple(min(128, first * 2**k) for k in range(blocks))
    network = CNNSpec(channels=channels, pool_after=tuple(range(1, blocks + 1)))
    batch = 32 if rows < 5_000 else 128
    epochs = max(5, min(40, math.ceil(800 * batch / rows)))
    train = TrainSpec.from_name(
        "table", epochs=epochs, batch_size=batch, eval_every=math.ceil(epochs / 20), patience=20,
        search={"low": 0.001, "high": 0.03, "rates": 4, "steps": 40},
        optimizer={"weight_decay": 0.05}, **_shared(data),
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
    epochs = max(5, min(60, math.ceil(1_000 * batch / data.rows)))
    train = TrainSpec.from_name(
        "table", epochs=epochs, batch_size=batch, eval_every=math.ceil(epochs / 20), patience=20,
        search={"low": 0.001, "high": 0.03, "rates": 4, "steps": 40}, clip_norm=1.0,
        optimizer={"weight_decay": 0.05}, **_shared(data),
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

"""Models from what has been trained: a run of an arm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from triptych.contracts import Dataset, Weights
from triptych.data.row_digests import row_digest
from triptych.errors import SpecError
from triptych.saved.model import Model
from triptych.spec import ArmSpec, NetworkSpec, RNNSpec


def model_of_run(
    arm: ArmSpec,
    data: Dataset,
    weights: Weights,
    facts: Mapping[str, Any] | None = None,
    temperature: float = 1.0,
) -> Model:
    """Return the network of a run as a model.

    Parameters
    ----------
    arm : ArmSpec
    data : Dataset
        That it was trained on, laid out for the network.
    weights : Weights
        That the run ended with.
    facts : mapping, optional
        Laid over what `data` tells by itself: its name, rows, fingerprint, columns and notes.
    temperature : float

    Raises
    ------
    SpecError
        If its places were scrambled, or rows that a file holds are not what the network reads.
    """
    network, train = arm.trained
    if not isinstance(network, NetworkSpec):
        raise SpecError(f"network: kind '{network.kind}' is code, which no model's file holds.")
    if arm.scrambled:
        raise SpecError("scrambled: other rows are not scrambled alike, so no model can be kept.")
    if data.preparation is not None and data.arranged:
        raise SpecError(
            f"network: kind '{network.kind}' reads {data.name} {data.arranged}, and a model reads "
            "rows as they are prepared. Use the kind that does."
        )
    symbols = isinstance(network, RNNSpec) and len(data.sample_shape) == 1
    own = {
        "data": data.name,
        "fingerprint": data.fingerprint,
        "train_rows": data.rows,
        "test_rows": len(data.test),
        # By which `evaluate_file` knows these rows again.
        "row_digests": {
            name: f"{row_digest(split.x, split.y):032x}"
            for name, split in (("train", data.train), ("test", data.test))
        },
        "notes": list(data.notes),
        "features": [list(pair) for pair in data.features],
    }
    return Model(
        network=network,
        loss=train.loss,
        dtype=train.dtype,
        weights={name: np.array(w, train.dtype) for name, w in weights.items()},
        sample_shape=data.sample_shape,
        n_outputs=data.outputs,
        symbols=data.step_inputs if symbols else None,
        standardization=data.standardization if not symbols else None,
        preparation=data.preparation,
        classes=data.classes,
        target=data.target,
        temperature=temperature,
        facts={**own, **(facts or {})},
    )

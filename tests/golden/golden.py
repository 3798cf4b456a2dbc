"""Losses of the first 20 steps of each network, kept so that a refactor cannot move them.

python tests/golden/golden.py      # write them anew, after a change that is meant to move them
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from triptych.chance import stream
from triptych.data import load
from triptych.engines import create_learner
from triptych.spec import (
    ArmSpec,
    CNNSpec,
    DigitsSpec,
    MLPSpec,
    OptimizerSpec,
    PalindromeSpec,
    RNNSpec,
    ToySpec,
    TrainSpec,
)

FILE = Path(__file__).with_name("losses.json")
ADAM = OptimizerSpec(name="adam", lr=0.01)
DOUBLE = TrainSpec(batch_size=16, dtype="float64", optimizer=ADAM)
ARMS = {
    "mlp-numpy": ("numpy", ToySpec(source="moons"), MLPSpec(hidden=(20,)), DOUBLE),
    "mlp-torch": ("torch", ToySpec(source="moons"), MLPSpec(hidden=(20,)), DOUBLE),
    "mlp-dropout": ("numpy", DigitsSpec(), MLPSpec(hidden=(30, 20), dropout=0.5), DOUBLE),
    "cnn": ("torch", DigitsSpec(), CNNSpec(channels=(8, 8, 16), pool_after=(1, 3)), DOUBLE),
    "cnn-numpy": ("numpy", DigitsSpec(), CNNSpec(channels=(8, 8, 16), pool_after=(1, 3)), DOUBLE),
    "rnn": (
        "torch",
        PalindromeSpec(length=7, train_size=400, test_size=10),
        RNNSpec(hidden=16, output="softmax"),
        TrainSpec(batch_size=16, dtype="float64", clip_norm=1.0, optimizer=ADAM),
    ),
}


def losses(name: str) -> list[float]:
    """Return the losses of 20 steps of one arm, seed 0."""
    engine, data_spec, network, train = ARMS[name]
    arm = ArmSpec(data=data_spec, network=network, train=train)
    data = load(data_spec, 0)
    learner = create_learner(arm, engine, data, 0, "cpu")
    order = stream(0, "order").permutation(len(data.train))[: 20 * 16]
    return learner.fit(order, 16, np.full(20, train.optimizer.lr)).tolist()


if __name__ == "__main__":
    FILE.write_text(json.dumps({name: losses(name) for name in ARMS}, indent=1) + "\n")

"""What checkpoints cost: the share of a training's time that goes there, at the default rhythm.

    python benchmarks/checkpoints.py [--seconds 40] [--folder DIR] [--only CNN]

Each arm is trained for so long, with everything that a run does, into a folder on the disk that
counts. Told are the seconds that writing checkpoints took, of all; how many there were, of how
many bytes; and, for runs too short for any, what the pauses cost.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import ClassVar

import numpy as np

from triptych.records import StudyFolder
from triptych.records.disk import CHECKPOINT_FILES
from triptych.runner import RunTold, Setting, execute_runs, keeper
from triptych.runner.keeping import Rhythm
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

ADAM = OptimizerSpec(name="adam", lr=1e-3)
_FOR_EVER = 1_000_000  # the most that settings take
ARMS = {
    "MLP 2-20-2, one row a step, compiled": (
        ArmSpec(data=ToySpec(source="moons"), network=MLPSpec(hidden=(20,)), engine="compiled",
                train=TrainSpec(epochs=_FOR_EVER, batch_size=1, eval_every=1000)), 1),
    "the same, 100 seeds together": (
        ArmSpec(data=ToySpec(source="moons"), network=MLPSpec(hidden=(20,)), engine="compiled",
                train=TrainSpec(epochs=_FOR_EVER, batch_size=1, eval_every=100)), 100),
    "MLP 64-1000-1000-10, Adam, torch": (
        ArmSpec(data=DigitsSpec(), network=MLPSpec(hidden=(1000, 1000)), engine="torch",
                train=TrainSpec(epochs=_FOR_EVER, batch_size=32, optimizer=ADAM)), 1),
    "the paper's CNN on digits, Adam": (
        ArmSpec(data=DigitsSpec(), network=CNNSpec(), engine="torch",
                train=TrainSpec(epochs=_FOR_EVER, batch_size=32, optimizer=ADAM)), 1),
    "RNN, T = 19, hidden 128, compiled": (
        ArmSpec(data=PalindromeSpec(length=19, train_size=8000, test_size=1000),
                network=RNNSpec(), engine="compiled",
                train=TrainSpec(epochs=_FOR_EVER, batch_size=128, optimizer=ADAM)), 1),
}  # fmt: skip


class Counted(Rhythm):
    """Counts what writing takes."""

    took_all: ClassVar[list[float]] = []

    def wrote(self, seconds: float) -> None:
        """Note what one took."""
        self.took_all.append(seconds)
        super().wrote(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--only", default="", help="arms with this in their names")
    asked = parser.parse_args()
    assert keeper.Rhythm is Rhythm
    keeper.Rhythm = Counted
    for name, (arm, seeds) in ARMS.items():
        if asked.only not in name:
            continue
        with tempfile.TemporaryDirectory(dir=asked.folder) as path:
            folder = StudyFolder(Path(path) / "study")
            Counted.took_all = []
            started = 0.0
            for event in execute_runs("arm", arm, range(seeds), folder, Setting(device="cpu")):
                started = started or time.monotonic()
                if time.monotonic() - started > asked.seconds and isinstance(event, RunTold):
                    break
            whole, took = time.monotonic() - started, Counted.took_all
            files = [p for n in CHECKPOINT_FILES for p in folder.path.rglob(n)]
            size = int(np.mean([p.stat().st_size for p in files])) if files else 0
        print(
            f"{name:38} {len(took):3} checkpoints of {seeds:3} x {size / 1e6:7.3f} MB, "
            f"{np.mean(took) if took else 0:6.3f} s each: "
            f"{sum(took) / whole:6.2%} of {whole:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()

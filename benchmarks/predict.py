"""How long it takes to predict a large CSV, from process start to the last line written.

    python benchmarks/predict.py [--rows 1000000] [--columns 10] [--classes 3] [--runs 3]

Prints, beside the bar: wall and processor seconds and peak memory of ``triptych predict``, output
included; of ``triptych evaluate`` on the same rows; and, in one process, what reading, the network
and writing take of it. The network is an MLP of 128-64 units with drawn weights.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from triptych.data import load, read_prepared
from triptych.models import initial_weights
from triptych.saved import Model, Predictions, model_of_run
from triptych.saved.prediction import outputs_of
from triptych.saved.prediction_text import Writer
from triptych.spec import ArmSpec, MLPSpec, TableSpec, TrainSpec
from whole_process import timed

BAR = 20.0
_SMALL = 2_000


def write_table(path: Path, rows: int, columns: int, classes: int) -> None:
    """Write a CSV of numbers with six digits, and a class."""
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        file.write(",".join([*(f"x{k}" for k in range(columns)), "kind"]) + "\n")
        for start in range(0, rows, 50_000):
            count = min(50_000, rows - start)
            y = rng.integers(classes, size=count)
            x = rng.normal(size=(count, columns)) + y[:, None]
            form = ",".join(["%.6g"] * columns) + ",c%d"
            lines = [form % (*row, kind) for row, kind in zip(x.tolist(), y.tolist(), strict=True)]
            file.write("\n".join(lines) + "\n")


def make_model(path: Path, classes: int) -> Model:
    """Return a model of a table, with weights that are drawn."""
    spec = TableSpec(path=str(path), target="kind")
    data = load(spec, 0)
    arm = ArmSpec(data=spec, network=MLPSpec(hidden=(128, 64)), train=TrainSpec(epochs=1))
    assert len(data.classes) == classes
    return model_of_run(arm, data, initial_weights(arm.network, data, np.random.default_rng(1)))


@contextmanager
def adding(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Add the time that is spent within."""
    started = time.perf_counter()
    yield
    seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - started


def parts(model: Model, path: Path, out: Path) -> dict[str, float]:
    """Return the seconds that each part of a prediction takes."""
    seconds: dict[str, float] = {}
    writer = Writer(model)
    rows = read_prepared(model.preparation, path)
    with out.open("w") as file:
        while True:
            with adding(seconds, "reading and preparing"):
                some = next(rows, None)
            if some is None:
                return seconds
            with adding(seconds, "the network"):
                outputs = outputs_of(model, some.x)
                told = Predictions(some.places, model.told(outputs), model.shares(outputs))
            with adding(seconds, "writing"):
                file.write(writer.text(told))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--classes", type=int, default=3)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small, large = folder / "small.csv", folder / "large.csv"
        write_table(small, _SMALL, asked.columns, asked.classes)
        write_table(large, asked.rows, asked.columns, asked.classes)
        model = make_model(small, asked.classes)
        model.save(folder / "m.safetensors")
        size = large.stat().st_size / 1e6
        print(
            f"{asked.rows:,} rows x {asked.columns} columns, {size:.0f} MB, {asked.classes} classes"
        )
        commands = {
            "predict": ["--out", str(folder / "p.csv")],
            "evaluate": ["--json"],
        }
        for command, options in commands.items():
            taken = [
                timed(command, str(folder / "m.safetensors"), str(large), *options)
                for _ in range(asked.runs)
            ]
            wall = statistics.median(one.wall for one in taken)
            cpu = statistics.median(one.processor for one in taken)
            walls, peaks = [one.wall for one in taken], [one.memory for one in taken]
            bar = f"; the bar is {BAR:g} s" if command == "predict" else ""
            print(
                f"{command}: {wall:.1f} s ({min(walls):.1f} to {max(walls):.1f}), {cpu:.1f} s of a "
                f"processor, {max(peaks):.0f} MB{bar}"
            )
        for what, seconds in parts(model, large, folder / "q.csv").items():
            print(f"  {what}: {seconds:.1f} s")


if __name__ == "__main__":
    main()

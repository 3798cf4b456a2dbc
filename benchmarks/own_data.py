"""How long ``triptych train`` takes on data of one's own, from process start, beside the bars.

    python benchmarks/own_data.py [--rows 100000] [--columns 30] [--runs 3] [--only iris]

Prints wall and processor seconds and peak memory of ``triptych train iris.csv`` from an empty
folder, of the same when it is finished; and of a made up table of classes: numbers, two columns of
texts, and empty cells.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_iris, make_classification

from whole_process import Taken, timed

IRIS_BAR, TABLE_BAR, MEMORY_BAR = 5.0, 60.0, 1500.0


def write_iris(path: Path) -> None:
    """Write the 150 flowers as a CSV."""
    iris = load_iris()
    lines = ["sepal length,sepal width,petal length,petal width,species"]
    for x, y in zip(iris.data.tolist(), iris.target, strict=True):
        lines.append(",".join([*map(str, x), str(iris.target_names[y])]))
    path.write_text("\n".join(lines) + "\n")


def write_table(path: Path, rows: int, columns: int) -> None:
    """Write a table of numbers and two columns of texts, with a cell in a thousand empty."""
    rng = np.random.default_rng(0)
    x, y = make_classification(
        rows, columns - 2, n_informative=12, n_redundant=6, n_classes=3, n_clusters_per_class=3,
        class_sep=1.2, random_state=0,
    )  # fmt: skip
    empty = rng.random(x.shape) < 0.001
    words = np.array(["north", "south", "east", "west", "none"])
    texts = words[rng.integers(5, size=(rows, 2))]
    with path.open("w") as file:
        names = [f"c{k}" for k in range(columns - 2)]
        file.write(",".join([*names, "region", "side", "target"]) + "\n")
        for numbers, gone, text, label in zip(x, empty, texts, y, strict=True):
            cells = ["" if no else f"{value:.5f}" for value, no in zip(numbers, gone, strict=True)]
            file.write(",".join([*cells, *text, f"kind {label}"]) + "\n")


def show(what: str, taken: list[Taken], bar: str) -> None:
    """Print what a command took."""
    walls = [one.wall for one in taken]
    cpu = statistics.median(one.processor for one in taken)
    memory = max(one.memory for one in taken)
    print(f"{what}: {statistics.median(walls):.2f} s ({min(walls):.2f} to {max(walls):.2f}), "
          f"{cpu:.2f} s of a processor, {memory:.0f} MB; the bar is {bar}", flush=True)  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=30)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=("iris", "table"))
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load "
          f"{os.getloadavg()[0]:.1f}")  # fmt: skip
    home = Path(tempfile.mkdtemp())
    try:
        if options.only != "table":
            iris, out = home / "iris.csv", home / "out"
            write_iris(iris)
            os.utime(iris, (0, 0))
            ask = ("train", str(iris), "--target", "species", "--out", str(out))
            found = []
            for _ in range(options.runs):
                shutil.rmtree(out, ignore_errors=True)
                found.append(timed(*ask))
            show("iris, from an empty folder", found, f"{IRIS_BAR:g} s")
            show("iris, finished", [timed(*ask) for _ in range(options.runs)], "none")
        if options.only != "iris":
            table = home / "table.csv"
            write_table(table, options.rows, options.columns)
            asked = ("--target", "target", "--missing", "fill", "--out", str(home / "table"))
            taken = timed("train", str(table), *asked)
            show(f"{options.rows:,} rows, {options.columns} columns", [taken],
                 f"{TABLE_BAR:g} s, {MEMORY_BAR:g} MB")  # fmt: skip
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()

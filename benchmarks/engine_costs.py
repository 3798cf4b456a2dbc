"""What a step costs on each engine, and the model that ``engine = "auto"`` chooses by.

    python benchmarks/engine_costs.py

Trains MLPs of many shapes for a fraction of a second each, fits the costs of
`triptych.engines.choice.EngineCost` to what they took (non-negative least squares on relative
errors), prints them as they stand there, and says how often the choice was right, and how much
slower the chosen engine was than the best where it was not.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import time

import numpy as np
import torch
from scipy.optimize import nnls

from triptych.contracts import Split
from triptych.engines import create_mlp
from triptych.engines.choice import COSTS, EngineCost
from triptych.models.initial import mlp_weights
from triptych.spec import MLPSpec, OptimizerSpec, TrainSpec
from triptych.training.blas import SHARED_FROM

ENGINES = ("numpy", "compiled", "torch")
SHAPES = [(2, 20, 2), (8, 32, 3), (30, 100, 2), (64, 100, 50, 10), (100, 512, 10),
          (784, 256, 128, 10), (3072, 100, 50, 10), (784, 1024, 1024, 10)]  # fmt: skip
BATCHES = (1, 8, 32, 200, 1000)
_IMPORT = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"


def measure(sizes: tuple[int, ...], batch: int, engine: str, optimizer: str) -> float:
    """Return the median seconds of a step."""
    rng = np.random.default_rng(0)
    network = MLPSpec(hidden=sizes[1:-1])
    train = TrainSpec(batch_size=batch, optimizer=OptimizerSpec(name=optimizer, lr=1e-4))
    rows = max(batch, 1000)
    split = Split(rng.normal(size=(rows, sizes[0])).astype("float32"),
                  rng.integers(0, sizes[-1], rows))  # fmt: skip
    weights = mlp_weights(network, sizes[0], sizes[-1], rng)
    learner = create_mlp(network, train, engine, weights, split)
    large = 6 * batch * sum(w.size for w in weights.values()) >= SHARED_FROM
    torch.set_num_threads((os.cpu_count() or 1) if large else 1)
    count, times = 1, []
    while len(times) < 5:
        order = np.resize(rng.permutation(rows), count * batch)
        started = time.perf_counter()
        learner.fit(order, batch, np.full(count, 1e-4))
        taken = time.perf_counter() - started
        if taken < 0.02 and not times:
            count = max(count + 1, int(count * min(20, 0.03 / max(taken, 1e-6))))
            continue
        times.append(taken / count)
    return statistics.median(times)


def features(sizes: tuple[int, ...], batch: int) -> np.ndarray:
    """Return what the fitted costs of a step are multiplied by, one step's worth each."""
    units = np.eye(5)
    costs = [EngineCost(0.0, *row).seconds(sizes, batch, 1) for row in units]
    return np.array(costs)


def loading(statement: str) -> float:
    """Return the seconds that a new process takes to load something."""
    command = [sys.executable, "-c", _IMPORT.format(statement)]
    times = [
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    return statistics.median(times)


def main() -> None:
    cases = list(itertools.product(SHAPES, BATCHES, ("sgd", "adam")))
    found = {e: [measure(s, b, e, o) for s, b, o in cases] for e in ENGINES}
    print("microseconds a step (numpy, compiled, torch)")
    for k, (sizes, batch, optimizer) in enumerate(cases):
        figures = "  ".join(f"{found[e][k] * 1e6:10.1f}" for e in ENGINES)
        print(f"  {'-'.join(map(str, sizes)):>20}, batch {batch:>4}, {optimizer:>4}: {figures}")
    base = "import numpy, scipy.special, sklearn.datasets"
    start = {
        "numpy": 0.0,
        "compiled": loading(f"{base}; import triptych.models.compiled") - loading(base),
        "torch": loading(f"{base}; import torch") - loading(base),
    }
    matrix = np.array([features(s, b) for s, b, _ in cases])
    fitted = {}
    for engine in ENGINES:
        y = np.array(found[engine])
        row, _ = nnls(matrix / y[:, None], np.ones(len(y)))
        fitted[engine] = EngineCost(round(start[engine], 2), *(float(f"{v:.2g}") for v in row))
        error = np.median(np.abs(matrix @ row / y - 1))
        print(f'    "{engine}": {fitted[engine]},  # median error {error:.0%}')
    for name, costs in (("fitted now", fitted), ("as they stand", COSTS)):
        lost = []
        for k, (sizes, batch, _) in enumerate(cases):
            guess = min(ENGINES, key=lambda e: costs[e].seconds(sizes, batch, 1) - costs[e].start)
            lost.append(found[guess][k] / min(found[e][k] for e in ENGINES))
        right = sum(ratio < 1.05 for ratio in lost)
        print(f"{name}: within 5 % of the best engine in {right} of {len(lost)} cases; at worst "
              f"{max(lost):.2f} times its time")  # fmt: skip


if __name__ == "__main__":
    main()

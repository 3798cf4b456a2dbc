"""The paper's 2-20-2 network on moons, one row a step: engines and peers in one run.

    python benchmarks/mlp_toys.py [--epochs 1500]

Every engine starts from the same weights and sees the same rows in the same order, float64. The
compiled engine takes all epochs; the others take a few and are scaled up, which is said beside the
figure. The weights of the compiled and the NumPy engine are compared after the epochs both took.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from triptych.contracts import Dataset, stream
from triptych.data import load
from triptych.engines import create_learner
from triptych.spec import ArmSpec, MLPSpec, ToySpec, TrainSpec

ROWS = 800
ARM = ArmSpec(
    data=ToySpec(source="moons"),
    network=MLPSpec(hidden=(20,)),
    train=TrainSpec(epochs=1500, batch_size=1, dtype="float64"),
)


def orders(epochs: int) -> np.ndarray:
    """Return the rows of `epochs` epochs, one permutation after the other."""
    rng = stream(0, "order")
    return np.concatenate([rng.permutation(ROWS) for _ in range(epochs)])


def seconds(work: Callable[[], object]) -> float:
    """Return the wall seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def engine(name: str, data: Dataset, epochs: int) -> tuple[float, dict[str, np.ndarray]]:
    """Return the seconds of `epochs` epochs of one of Triptych's engines, and its weights."""
    learner = create_learner(ARM, name, data, 0, "cpu")
    order = orders(epochs)
    lrs = np.full(len(order), ARM.train.optimizer.lr)
    return seconds(lambda: learner.fit(order, 1, lrs)), learner.weights()


def plain_torch(data: Dataset, epochs: int) -> None:
    """Train as the paper's listing does: DataLoader, nn.Linear, optim.SGD."""
    rows = torch.utils.data.TensorDataset(
        torch.from_numpy(data.train.x), torch.from_numpy(data.train.y)
    )
    loader = torch.utils.data.DataLoader(rows, batch_size=1, shuffle=True)
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 20), torch.nn.ReLU(), torch.nn.Linear(20, 2)
    ).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loss_function = torch.nn.CrossEntropyLoss()
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            loss_function(model(x), y).backward()
            optimizer.step()


def scikit_learn(data: Dataset, epochs: int) -> None:
    """Train scikit-learn's network with the same settings."""
    model = MLPClassifier(
        (20,), solver="sgd", alpha=0.0, batch_size=1, learning_rate_init=0.01, momentum=0.0,
        max_iter=epochs, tol=0.0, n_iter_no_change=epochs + 1, random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(data.train.x, data.train.y)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=1500)
    epochs = parser.parse_args().epochs
    data = load(ARM.data, 0)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    start = seconds(lambda: create_learner(ARM, "compiled", data, 0, "cpu"))
    print(f"compiling, or loading what was compiled: {start:.2f} s")
    compiled = min(engine("compiled", data, epochs)[0] for _ in range(5))
    print(f"{epochs} epochs of {ROWS} steps, seconds:")
    print(f"  {'compiled':28} {compiled:9.3f}")
    peers = {
        "NumPy engine": (20, lambda e: engine("numpy", data, e)[0]),
        "PyTorch engine": (4, lambda e: engine("torch", data, e)[0]),
        "plain PyTorch, DataLoader": (4, lambda e: seconds(lambda: plain_torch(data, e))),
        "scikit-learn": (4, lambda e: seconds(lambda: scikit_learn(data, e))),
    }
    for name, (few, measure) in peers.items():
        measure(1)
        whole = measure(few) * epochs / few
        print(f"  {name:28} {whole:9.1f}  {whole / compiled:7.0f} times (from {few} epochs)")
    ours, theirs = (engine(name, data, 20)[1] for name in ("compiled", "numpy"))
    worst = max(float(np.abs(ours[k] - theirs[k]).max()) for k in ours)
    print(f"largest difference to NumPy's weights after 20 epochs: {worst:.1e}")
    if worst > 1e-9:
        raise SystemExit("the engines differ")


if __name__ == "__main__":
    main()

"""What a vanilla recurrent network that holds one symbol for ever cannot do, beside LSTM and GRU.

    python benchmarks/rnn_limits.py            # both tasks, three seeds, a markdown table
    python benchmarks/rnn_limits.py copy --gaps 10 50 --seconds 10

copy    Five symbols out of eight are read, then T blanks, then which of the five is asked for. By
        chance 1/8 is right.
adding  T steps of two numbers, one uniform from 0 to 1, the other marks two steps: is the sum of
        the two marked numbers above 1? By chance 1/2 is right.

Every network has 64 units, batches of 64 of 12,800 sequences, Adam (Elman at 0.003, LSTM and GRU at
0.01), clipping at 1, and so many seconds of training steps on one thread. What is told is the test
accuracy where the training loss was least: mean over seeds, and range. Nothing else should run
meanwhile.
"""

from __future__ import annotations

import argparse
import statistics

import numpy as np
import torch

from triptych.chance import stream, stream_seed
from triptych.contracts import Dataset, Split
from triptych.engines import create_orders
from triptych.models import create_torch, initial_weights
from triptych.spec import OptimizerSpec, RNNSpec, TrainSpec
from triptych.training import Evaluation, Job, split_rows, train
from triptych.training.torch_learner import TorchLearner

SYMBOLS, KEPT = 8, 5
BLANK = SYMBOLS
ROWS, TEST_ROWS = 12_800, 1000
GAPS = {"copy": (5, 20), "adding": (20, 50)}
NETWORKS = {
    "Elman, uniform": RNNSpec(hidden=64),
    "Elman, latch": RNNSpec(hidden=64, init="latch"),
    "LSTM": RNNSpec(hidden=64, cell="lstm"),
    "GRU": RNNSpec(hidden=64, cell="gru"),
}


def recipe(network: RNNSpec) -> TrainSpec:
    rate = 0.003 if network.cell == "elman" else 0.01
    return TrainSpec(
        epochs=1000,
        batch_size=64,
        clip_norm=1.0,
        judged_rows=1000,
        optimizer=OptimizerSpec(name="adam", lr=rate),
    )


def copy(rng: np.random.Generator, count: int, gap: int) -> Split:
    """Draw sequences (N, KEPT + gap + 1): symbols, blanks, and which symbol is asked for."""
    symbols = rng.integers(0, SYMBOLS, (count, KEPT))
    asked = rng.integers(0, KEPT, count)
    blanks = np.full((count, gap), BLANK)
    x = np.concatenate([symbols, blanks, (BLANK + 1 + asked)[:, None]], axis=1)
    return Split(x.astype(np.uint8), symbols[np.arange(count), asked].astype(np.int64))


def adding(rng: np.random.Generator, count: int, steps: int) -> Split:
    """Draw sequences (N, steps, 2): numbers, and marks at one step of each half."""
    x = np.zeros((count, steps, 2))
    x[:, :, 0] = rng.random((count, steps))
    rows = np.arange(count)
    first = rng.integers(0, steps // 2, count)
    second = rng.integers(steps // 2, steps, count)
    x[rows, first, 1] = x[rows, second, 1] = 1
    total = x[rows, first, 0] + x[rows, second, 0]
    return Split(x, (total > 1).astype(np.int64))


def dataset(task: str, gap: int, seed: int) -> Dataset:
    draw, classes = (copy, SYMBOLS) if task == "copy" else (adding, 2)
    rng = stream(seed, f"{task} {gap}")
    return Dataset(
        name=task,
        train=draw(rng, ROWS, gap),
        test=draw(rng, TEST_ROWS, gap),
        classes=tuple(map(str, range(classes))),
        kind="sequences",
        fingerprint="",
        symbols=BLANK + 1 + KEPT,
    )


def best_accuracy(network: RNNSpec, data: Dataset, seed: int, seconds: float) -> float:
    """Train for so many seconds; return the test accuracy where the training loss was least."""
    spec = recipe(network)
    weights = initial_weights(network, data, stream(seed, "weights"))
    weights = {name: w.astype(spec.dtype) for name, w in weights.items()}
    learner = TorchLearner(create_torch(network, weights), data.train, spec)
    rows = split_rows(spec, data.train, stream(seed, "validation"))
    job = Job(learner, data, rows, stream_seed(seed, "order"))
    found: list[Evaluation] = []
    for event in train(job, spec, create_orders("torch")):
        if isinstance(event, Evaluation):
            found.append(event)
            if event.seconds >= seconds:
                break
    return min(found, key=lambda e: e.train.loss).test.accuracy


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tasks", nargs="*", default=list(GAPS), metavar="copy|adding")
    parser.add_argument("--gaps", nargs="+", type=int, help="blanks, or steps of adding")
    parser.add_argument("--seconds", type=float, default=5.0, help="of training steps, each run")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| task | T | " + " | ".join(NETWORKS) + " |")
    print("|---|---|" + "---|" * len(NETWORKS))
    for task in options.tasks:
        for gap in options.gaps or GAPS[task]:
            cells = []
            for network in NETWORKS.values():
                values = [
                    best_accuracy(network, dataset(task, gap, seed), seed, options.seconds)
                    for seed in range(options.seeds)
                ]
                low, high = min(values), max(values)
                cells.append(f"{statistics.mean(values):.2f} ({low:.2f} to {high:.2f})")
            print(f"| {task} | {gap} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()

"""The recurrent network on a CPU: how long a training step takes, and how long to read.

    python benchmarks/rnn.py step     # the compiled engine beside torch.nn.RNN, Adam, clipping
    python benchmarks/rnn.py long     # seconds to read 20 strings of 1,000,000 digits

Times are the least of several takes, in float32; torch is given two threads, then one. Nothing else
should run meanwhile.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from triptych.models.compiled import ElmanPlan
from triptych.models.initial import rnn_weights
from triptych.spec import OptimizerSpec, RNNSpec

SYMBOLS = CLASSES = 10
# Batch, units, steps of each sequence.
SHAPES = [(32, 64, 200), (64, 64, 20), (128, 128, 19)]
CLIP = 1.0


def weights_of(hidden: int) -> list[np.ndarray]:
    drawn = rnn_weights(RNNSpec(hidden=hidden), SYMBOLS, CLASSES, np.random.default_rng(0))
    return [w.astype(np.float32) for w in drawn.values()]


def plan_of(hidden: int) -> ElmanPlan:
    return ElmanPlan(
        sizes=(SYMBOLS, hidden, CLASSES),
        output="logits",
        optimizer=OptimizerSpec(name="adam"),
        dtype="float32",
        clip_norm=CLIP,
    )


def pairs(weights: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(weights[::2], weights[1::2], strict=True))


def least(take: Callable[[], object], takes: int) -> float:
    """Return the seconds of the quickest of some takes, after one that does not count."""
    take()
    found = []
    for _ in range(takes):
        started = time.perf_counter()
        take()
        found.append(time.perf_counter() - started)
    return min(found)


def ours(batch: int, hidden: int, steps: int) -> float:
    """Return the seconds of a training step of the compiled engine."""
    rng = np.random.default_rng(1)
    batches = max(1, 400 // steps)
    x = rng.integers(0, SYMBOLS, (batch * batches, steps)).astype(np.uint8)
    y = rng.integers(0, CLASSES, len(x))
    plan, params = plan_of(hidden), pairs(weights_of(hidden))
    rows, state = plan.rows(x, y), plan.new_state()
    order, lrs = np.arange(len(x)), np.full(batches, 1e-3)
    return least(lambda: plan.fit(params, state, rows, order, batch, lrs), 30) / batches


def torchs(batch: int, hidden: int, steps: int, threads: int) -> float:
    """Return the seconds of a training step of torch.nn.RNN, with the inputs one-hot already."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(1)
    cell, head = nn.RNN(SYMBOLS, hidden, batch_first=True), nn.Linear(hidden, CLASSES)
    weights = [*cell.parameters(), *head.parameters()]
    adam = torch.optim.Adam(weights, lr=1e-3)
    symbols = torch.randint(SYMBOLS, (batch, steps), generator=generator)
    x = nn.functional.one_hot(symbols, SYMBOLS).float()
    y = torch.randint(CLASSES, (batch,), generator=generator)

    def step() -> None:
        adam.zero_grad()
        nn.functional.cross_entropy(head(cell(x)[0][:, -1]), y).backward()
        nn.utils.clip_grad_norm_(weights, CLIP)
        adam.step()

    return least(step, 30)


def step() -> None:
    for shape in SHAPES:
        batch, hidden, steps = shape
        mine, two, one = ours(*shape), torchs(*shape, 2), torchs(*shape, 1)
        print(
            f"batch {batch}, {hidden} units, {steps} steps: compiled {mine * 1e3:.3f} ms "
            f"({mine / steps * 1e6:.1f} us a time step); torch {two * 1e3:.2f} ms with 2 threads "
            f"({two / mine:.1f} x), {one * 1e3:.2f} ms with 1 ({one / mine:.1f} x)"
        )


def long() -> None:
    plan, params = plan_of(64), pairs(weights_of(64))
    x = np.random.default_rng(1).integers(0, SYMBOLS, (20, 1_000_000)).astype(np.uint8)
    plan.outputs(params, x[:, :10])  # compiles
    seconds = least(lambda: plan.outputs(params, x), 2)
    print(f"20 strings of 1,000,000 digits, 64 units: {seconds:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    whats = {"step": step, "long": long}
    parser.add_argument("what", choices=whats)
    whats[parser.parse_args().what]()


if __name__ == "__main__":
    main()

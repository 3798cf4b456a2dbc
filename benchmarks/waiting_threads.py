"""Milliseconds a step of three networks, by number of threads and how they wait.

    python benchmarks/waiting_threads.py [--busy N]

``--busy`` starts N processes that keep a core busy meanwhile. Each combination runs in a process of
its own, because OpenMP reads its settings once.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import time

import numpy as np


def spin() -> None:
    """Keep a core busy until killed."""
    while True:
        pass


def measure(threads: int) -> None:
    """Print the time of a step of each network, in this process."""
    import torch  # after triptych, which says how OpenMP's threads wait

    from triptych.contracts import Dataset, Split, Standardization
    from triptych.engines import create_learner
    from triptych.spec import (
        ArmSpec,
        Cifar10Spec,
        CNNSpec,
        MLPSpec,
        OptimizerSpec,
        PalindromeSpec,
        RNNSpec,
        TrainSpec,
    )

    torch.set_num_threads(threads)
    rng = np.random.default_rng(0)
    classes = tuple("0123456789")
    y = rng.integers(0, 10, 1600)
    pictures = Split(rng.integers(0, 256, (1600, 3, 32, 32)).astype(np.uint8), y)
    half = np.full((3, 1, 1), 128.0)
    noise = Dataset(
        "noise", pictures, pictures, classes, "pictures", "", Standardization(half, half)
    )
    digits = Split(rng.integers(0, 10, (1600, 18)).astype(np.uint8), y)
    strings = Dataset("strings", digits, digits, classes, "sequences", "")
    quarter = CNNSpec(channels=(16, 32, 64, 64, 128, 128, 128, 128))
    rms = OptimizerSpec(name="rmsprop", lr=1e-3)
    cases = {
        "MLP": (Cifar10Spec(), MLPSpec(hidden=(100, 50)), TrainSpec(batch_size=32), noise),
        "CNN": (Cifar10Spec(), quarter, TrainSpec(batch_size=32), noise),
        "RNN": (
            PalindromeSpec(length=19),
            RNNSpec(),
            TrainSpec(batch_size=128, optimizer=rms),
            strings,
        ),
    }
    for name, (source, network, train, data) in cases.items():
        arm = ArmSpec(data=source, network=network, train=train)
        learner = create_learner(arm, "torch", data, 0, "cpu")
        steps = 1600 // train.batch_size
        order, lrs = np.arange(steps * train.batch_size), np.full(steps, 1e-3)
        learner.fit(order, train.batch_size, lrs)
        started = time.perf_counter()
        learner.fit(order, train.batch_size, lrs)
        print(f"  {name} {(time.perf_counter() - started) / steps * 1e3:7.2f}", end="", flush=True)
    print()


def main() -> None:
    """Start the busy processes, then one process for each combination."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.threads:
        measure(options.threads)
        return
    busy = [multiprocessing.Process(target=spin, daemon=True) for _ in range(options.busy)]
    for process in busy:
        process.start()
    for threads in (1, 2):
        for policy in ("ACTIVE", "PASSIVE"):
            print(f"{threads} threads, {policy.lower()}, ms a step:", end="", flush=True)
            subprocess.run(
                [sys.executable, __file__, "--threads", str(threads)],
                env={**os.environ, "OMP_WAIT_POLICY": policy}, check=True,
            )  # fmt: skip
    for process in busy:
        process.kill()


if __name__ == "__main__":
    main()

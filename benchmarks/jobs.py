"""How much sooner a study is done with several jobs.

    python benchmarks/jobs.py [--jobs 2] [--seeds 6] [--epochs 20]

It makes the PyTorch arms of the paper's toy sets and of its palindromes, with one job and with
several, compares the weights, and prints the ratio of the times. Times include the start of the
processes, some two seconds each, which a longer study hardly notices.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from triptych.records import StudyFolder
from triptych.runner import Setting, execute_study
from triptych.spec import StudySpec
from triptych.studies import find_study

ARMS = ("moons_torch", "circles_torch", "classification_torch", "rnn5", "rnn12")


def create_study(seeds: int, epochs: int) -> StudySpec:
    study = find_study("paper")
    arms = {}
    for name in ARMS:
        train = replace(study.arms[name].train, epochs=epochs, eval_every=epochs)
        arms[name] = replace(study.arms[name], engine="torch", train=train, part="")
    return StudySpec(title="jobs", arms=arms, seeds=seeds)


def measure(study: StudySpec, jobs: int, path: Path) -> tuple[float, dict[str, str]]:
    start = time.perf_counter()
    for _ in execute_study(study, StudyFolder(path), Setting(device="cpu"), jobs):
        pass
    seconds = time.perf_counter() - start
    return seconds, {
        str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in path.rglob("weights.safetensors")
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    import torch  # noqa: F401 (one job would load it within its time, several in theirs)

    study = create_study(options.seeds, options.epochs)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; "
          f"{len(ARMS)} arms of {options.seeds} seeds, {options.epochs} epochs")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        one, bits = measure(study, 1, Path(folder) / "one")
        several, same = measure(study, options.jobs, Path(folder) / "several")
    print(
        f"1 job {one:.1f} s, {options.jobs} jobs {several:.1f} s: {one / several:.2f} times as fast"
    )
    print(f"weights of {len(bits)} runs: {'the same' if bits == same else 'NOT THE SAME'}")


if __name__ == "__main__":
    main()

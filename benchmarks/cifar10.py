"""CIFAR-10 on a CPU: seconds from process start, accuracy, memory, and where the time goes.

    python benchmarks/cifar10.py DATA_DIR small            # 0.84 within two minutes
    python benchmarks/cifar10.py DATA_DIR wide             # as accurate as airbench94_muon
    python benchmarks/cifar10.py DATA_DIR paper            # the report's network, both recipes
    python benchmarks/cifar10.py DATA_DIR digits           # CNNClassifier on the digits
    python benchmarks/cifar10.py DATA_DIR profile [ARM]    # share of the input, of each operation
    python benchmarks/cifar10.py DATA_DIR kernels          # convolutions beside PyTorch's

DATA_DIR holds cifar-10-batches-bin. ``--seeds`` says how many runs (default 3), each in a process
of its own; ``--epochs`` trains longer or shorter; ``--peer COMMAND`` times another program in the
same sitting, one run after each of ours, whose seed stands for ``{seed}`` in COMMAND. Means over
seeds; seconds are wall time of whole processes, data loading and evaluation included. Nothing else
should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from triptych.spec import ArmSpec, OptimizerSpec, TrainSpec
from triptych.studies import find_study

# What each network is to reach: plain accuracy, with test-time views, seconds.
BARS = {"small": (0.84, None, 120), "wide": (0.897, 0.908, 900), "paper_fast": (0.89, None, 2700)}


def arm_of(name: str, epochs: int | None = None) -> ArmSpec:
    """Return an arm of the shipped study, or the report's own recipe for its network."""
    arms = find_study("cifar10").arms
    if name == "paper_own":
        train = TrainSpec(
            epochs=epochs or 4, batch_size=32, judged_rows=5000,
            optimizer=OptimizerSpec(name="adam", lr=1e-4),
        )  # fmt: skip
        return replace(arms["paper_fast"], train=train)
    arm = arms[name]
    if epochs:
        arm = replace(arm, train=replace(arm.train, epochs=epochs, eval_every=epochs))
    return arm


def child(name: str, seed: int, epochs: int | None, data_dir: Path) -> None:
    """Train one run, as ``triptych run`` does, and print what came of it as JSON."""
    from triptych.records import StudyFolder
    from triptych.runner import RunEnded, Setting, execute_runs

    with tempfile.TemporaryDirectory() as folder:
        runs = execute_runs(
            name, arm_of(name, epochs), [seed], StudyFolder(Path(folder)), Setting(data_dir, "cpu")
        )
        for event in runs:
            if isinstance(event, RunEnded):
                record = event.record
                curve = [row["test_accuracy"] for row in record.curve]
                print(json.dumps({**record.scores, "seconds": record.seconds, "curve": curve}))


def timed(command: list[str]) -> tuple[float, float, str]:
    """Return wall seconds, peak memory in MB and the output of a command, which must succeed."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{shlex.join(command)} left with {process.returncode}")
    return time.perf_counter() - started, usage.ru_maxrss / 1000, output


def races(options: argparse.Namespace, name: str) -> list[dict[str, Any]]:
    """Run some seeds of an arm, each in its own process, and print them."""
    found = []
    for seed in range(options.seeds):
        command = [sys.executable, __file__, str(options.data_dir), "child", name, str(seed)]
        command += ["--epochs", str(options.epochs)] if options.epochs else []
        seconds, memory, output = timed(command)
        row = {"wall": seconds, "memory": memory, **json.loads(output.splitlines()[-1])}
        found.append(row)
        views = row.get("test_views_accuracy")
        print(
            f"{name}, seed {seed}: {row['test_accuracy']:.4f} plain"
            + (f", {views:.4f} with views" if views is not None else "")
            + f", train {row['train_accuracy']:.4f}; {seconds:.0f} s wall, of these"
            f" {row['seconds']:.0f} s in steps; peak {memory:.0f} MB",
            flush=True,
        )
        if options.peer:
            other = shlex.split(options.peer.replace("{seed}", str(seed)))
            peer, peer_memory, output = timed(other)
            last = output.strip().splitlines()[-1] if output.strip() else ""
            ratio = f"{peer / seconds:.2f} times ours"
            print(f"  peer: {peer:.0f} s ({ratio}), peak {peer_memory:.0f} MB; {last}", flush=True)
    return found


def race(options: argparse.Namespace, name: str) -> None:
    """Run some seeds of an arm and print their means beside what they are to reach."""
    rows = races(options, name)

    def mean(key: str) -> float:
        return statistics.mean(row.get(key) or float("nan") for row in rows)

    plain, views, most = BARS.get(name, (None, None, None))
    bar = (
        "" if plain is None else f" (to reach: {plain}{f' and {views}' if views else ''}, {most} s)"
    )
    print(
        f"{name}, mean of {len(rows)}: {mean('test_accuracy'):.4f} plain, "
        f"{mean('test_views_accuracy'):.4f} with views, {mean('wall'):.0f} s{bar}"
    )


def paper(options: argparse.Namespace) -> None:
    """Run the report's network with the fast recipe, and with its own for as many seconds."""
    rows = races(options, "paper_fast")
    options.peer, seconds = None, statistics.mean(row["seconds"] for row in rows)
    options.epochs = 1
    one = races(options, "paper_own")[0]
    options.epochs = max(1, round(seconds / one["seconds"]))
    print(f"its own recipe: {options.epochs} epochs take as long")
    for row in races(options, "paper_own"):
        print("test accuracy after each epoch:", " ".join(f"{a:.3f}" for a in row["curve"]))


def digits(options: argparse.Namespace) -> None:
    """Fit `CNNClassifier` on the digits, in processes of their own."""
    code = """
import numpy as np, sys
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from triptych import CNNClassifier
digits = load_digits()
seed = int(sys.argv[1])
x = digits.images.astype(np.uint8)
parts = train_test_split(x, digits.target, test_size=0.2, stratify=digits.target, random_state=seed)
print(CNNClassifier(random_state=seed).fit(parts[0], parts[2]).score(parts[1], parts[3]))
"""
    found = [timed([sys.executable, "-c", code, str(s)]) for s in range(options.seeds)]
    for seed, (seconds, memory, output) in enumerate(found):
        print(f"digits, seed {seed}: {float(output):.4f}; {seconds:.1f} s, peak {memory:.0f} MB")
    print(
        f"mean: {statistics.mean(float(o) for *_, o in found):.4f} (to reach: 0.99), "
        f"{statistics.mean(s for s, *_ in found):.1f} s (10)"
    )


def profile(options: argparse.Namespace) -> None:
    """Print what an epoch at each size spends on the input, and its most expensive operations."""
    import numpy as np
    import torch
    from torch.profiler import ProfilerActivity, record_function
    from torch.profiler import profile as torch_profile

    from triptych.data import load
    from triptych.engines import create_learner, use_threads
    from triptych.training.torch_learner import TorchLearner

    arm = arm_of(options.arm)
    arm = replace(arm, train=replace(arm.train, epochs=len(arm.train.resolutions)))
    data = load(arm.data, 0, options.data_dir)
    use_threads(arm, data, "torch")
    learner = create_learner(arm, "torch", data, 0, "cpu")
    assert isinstance(learner, TorchLearner)
    varied = learner._varied

    def named(rows: torch.Tensor) -> torch.Tensor:
        with record_function("input"):
            return varied(rows)

    learner._varied = named  # type: ignore[method-assign]
    size = arm.train.batch_size or len(data.train)
    steps, whole = 8, len(data.train) // size
    for epoch in range(arm.train.epochs):
        learner.optimizer.steps = epoch * whole
        order = np.arange(steps * size)
        learner.fit(order, size, np.full(steps, 0.01), len(data.train))  # warms up
        with torch_profile(activities=[ProfilerActivity.CPU]) as found:
            learner.fit(order, size, np.full(steps, 0.01), len(data.train))
        table = found.key_averages()
        total = sum(row.self_cpu_time_total for row in table)
        shown = next(row for row in table if row.key == "input").cpu_time_total
        assert learner.inputs is not None
        edge = learner.inputs.edge or min(data.sample_shape[1:])
        print(
            f"{options.arm} at {edge} pixels: {total / steps / 1e3:.0f} ms a step of {size}; "
            f"input {shown / total:.1%}"
        )
        top = sorted(table, key=lambda row: -row.self_cpu_time_total)[:8]
        print("  " + ", ".join(f"{r.key} {r.self_cpu_time_total / total:.0%}" for r in top))


def kernels(options: argparse.Namespace) -> None:
    """Print milliseconds of 3x3 convolutions beside PyTorch's, and of memory that is kept."""
    import torch
    from torch.nn import functional as F

    from triptych.engines.threads import keep_memory
    from triptych.models.conv_torch import Winograd

    wide = torch.randn(500, 64, 31, 31)
    fresh = least(lambda: F.relu(wide))
    keep_memory()
    kept = least(lambda: F.relu(wide))
    print(f"a ReLU of 123 MB: {fresh:.1f} ms as glibc has it, {kept:.1f} where memory is kept")
    print("batch 500, float32; milliseconds forward and backward, ours and PyTorch's")
    for edge, inputs, outputs in (
        (15, 32, 32), (15, 32, 128), (7, 128, 128), (15, 64, 256), (7, 256, 256), (16, 64, 128),
        (8, 256, 256), (4, 512, 512),
    ):  # fmt: skip
        x = torch.randn(500, inputs, edge, edge).contiguous(memory_format=torch.channels_last)
        x.requires_grad_()
        w = (torch.randn(outputs, inputs, 3, 3) * 0.05).requires_grad_()
        ours = best(lambda x=x, w=w: Winograd.apply(x, w, None), x, w)
        theirs = best(lambda x=x, w=w: F.conv2d(x, w, padding=1), x, w)
        ratio = sum(theirs) / sum(ours)
        print(
            f"{edge} x {edge}, {inputs} to {outputs} channels: {ours[0]:.1f} + {ours[1]:.1f}, "
            f"{theirs[0]:.1f} + {theirs[1]:.1f}: {ratio:.2f} times as fast"
        )


def least(call: Callable[[], Any]) -> float:
    """Return the least milliseconds of seven calls."""
    found = []
    for _ in range(7):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return min(found) * 1e3


def best(call: Callable[[], Any], *leaves: Any) -> tuple[float, float]:
    """Return the least milliseconds of seven calls, forward and backward."""
    import torch

    found = []
    for _ in range(7):
        start = time.perf_counter()
        y = call()
        middle = time.perf_counter()
        torch.autograd.grad(y, leaves, torch.ones_like(y))
        found.append((middle - start, time.perf_counter() - middle))
    return min(f for f, _ in found) * 1e3, min(b for _, b in found) * 1e3


def main() -> None:
    """Parse and call."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data_dir", type=Path)
    parser.add_argument(
        "what", choices=("small", "wide", "paper", "digits", "profile", "kernels", "child")
    )
    parser.add_argument("arm", nargs="?", default="small")
    parser.add_argument("seed", nargs="?", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--peer")
    options = parser.parse_args()
    match options.what:
        case "child":
            child(options.arm, options.seed, options.epochs, options.data_dir)
        case "small" | "wide":
            race(options, options.what)
        case other:
            {"paper": paper, "digits": digits, "profile": profile, "kernels": kernels}[other](
                options
            )


if __name__ == "__main__":
    main()

"""The recurrent network on a CPU: how long a training step takes, and how long to read.

    python benchmarks/rnn.py step     # the compiled engine beside torch.nn.RNN, Adam, clipping
    python benchmarks/rnn.py long     # seconds to read 20 strings of 1,000,000 digits
    python benchmarks/rnn.py seeds    # recipe "lengths", 100 seeds, judged up to T = 1,000,000
    python benchmarks/rnn.py peers    # the same seconds for nn.RNN, identity-ReLU RNN and nn.LSTM
    python benchmarks/rnn.py paper    # the report's T = 5, 12, 19 and ours, ten seeds

Times of steps are the least of several takes, in float32; torch is given two threads, then one.
Nothing else should run meanwhile. ``--seeds`` says how many where there are several.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from triptych.chance import stream, stream_seed
from triptych.data import load
from triptych.engines import create_learner, create_orders
from triptych.models.compiled import ElmanPlan
from triptych.models.initial import rnn_weights
from triptych.records import StudyFolder
from triptych.runner import RunEnded, Setting, execute_study
from triptych.spec import (
    ArmSpec,
    OptimizerSpec,
    PalindromeSpec,
    RNNSpec,
    StudySpec,
    TrainSpec,
)
from triptych.studies import find_study
from triptych.training import Finished, Job, split_rows, train

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


def headline(probes: Sequence[int], init: str = "uniform", longest: int = 20) -> ArmSpec:
    """Return the arm whose network is to remember: trained on at most `longest` digits."""
    few = init == "latch"
    size = 6_400 if few else 32_000
    return ArmSpec(
        data=PalindromeSpec(
            length=longest, shortest=3, train_size=size, test_size=2000, probes=tuple(probes)
        ),
        network=RNNSpec(hidden=64, init=init),
        train=TrainSpec.from_name("lengths", epochs=2 if few else 4, eval_every=2 if few else 4),
    )


def trained(arm: ArmSpec, seed: int) -> Finished:
    """Train one seed on this thread with the compiled engine."""
    data = load(arm.data, seed)
    learner = create_learner(arm, "compiled", data, seed, "cpu")
    rows = split_rows(arm.train, data.train, stream(seed, "validation"))
    job = Job(learner, data, rows, stream_seed(seed, "order"))
    *_, last = train(job, arm.train, create_orders("compiled"))
    assert isinstance(last, Finished)
    return last


def seeds(count: int) -> None:
    """Train the headline on many seeds, and its latch on few strings."""
    lengths = (20, 1000, 10_000, 1_000_000)
    for init, longest in (("uniform", 20), ("latch", 5)):
        found = []
        for seed in range(count):
            found.append(trained(headline(lengths, init, longest), seed))
            wrong = {t: a for t, a in found[-1].evaluation.probes.items() if a < 1}
            if wrong:
                print(f"  {init}, seed {seed}: not all right, {wrong}", flush=True)
        took = [one.seconds for one in found]
        right = {t: sum(one.evaluation.probes[t] == 1 for one in found) for t in lengths}
        print(
            f"{init} weights, T <= {longest}: median {statistics.median(took):.2f} s of training, "
            f"at most {max(took):.2f}; seeds of {count} with every string right: "
            + ", ".join(f"{n} at T = {t:,}" for t, n in right.items()),
            flush=True,
        )


def peers(count: int) -> None:
    """Give peers the seconds of the headline, and ten times as many, on one thread."""
    import torch

    torch.set_num_threads(1)
    lengths = (20, 100, 1000, 10_000)
    print(
        "| network | training | CPU seconds | " + " | ".join(f"T = {t:,}" for t in lengths) + " |"
    )
    print("|---|---|---|" + "---|" * len(lengths))

    def row(name: str, what: str, seconds: float, found: list[list[float]]) -> None:
        cells = " | ".join(
            f"{statistics.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"
            for values in zip(*found, strict=True)
        )
        print(f"| {name} | {what} | {seconds:.1f} | {cells} |", flush=True)

    runs = [trained(headline(lengths), seed) for seed in range(count)]
    ours = statistics.mean(run.seconds for run in runs)
    accuracies = [[run.evaluation.probes[t] for t in lengths] for run in runs]
    row("Elman, compiled", 'recipe "lengths"', ours, accuracies)
    for seconds in (ours, 10 * ours):
        for name, lr in (("nn.RNN", 3e-3), ("identity-ReLU RNN", 1e-3), ("nn.LSTM", 1e-2)):
            found = [torch_peer(name, lr, seconds, seed, lengths) for seed in range(count)]
            row(name, "T = 20", seconds, found)
    found = [torch_peer("nn.RNN", 3e-3, 5 * ours, s, lengths, fixed=False) for s in range(count)]
    row("nn.RNN", "T of 3 to 20", 5 * ours, found)


def torch_peer(
    name: str, lr: float, seconds: float, seed: int, lengths: Sequence[int], *, fixed: bool = True
) -> list[float]:
    """Return a PyTorch network's accuracy at each length, after so many CPU seconds."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    torch.manual_seed(seed)  # noqa: TID251 (its own initialisers take no generator)
    if name == "nn.LSTM":
        cell: nn.Module = nn.LSTM(SYMBOLS, 64, batch_first=True)
    else:
        kind = "relu" if name.startswith("identity") else "tanh"
        cell = nn.RNN(SYMBOLS, 64, batch_first=True, nonlinearity=kind)
    if name.startswith("identity"):  # Le, Jaitly and Hinton (2015)
        nn.init.eye_(cell.weight_hh_l0)
        nn.init.zeros_(cell.bias_hh_l0)
        nn.init.zeros_(cell.bias_ih_l0)
    head = nn.Linear(64, CLASSES)
    weights = [*cell.parameters(), *head.parameters()]
    adam = torch.optim.Adam(weights, lr=lr)

    def outputs(x: torch.Tensor) -> torch.Tensor:
        return head(cell(F.one_hot(x, SYMBOLS).float())[0][:, -1])

    started = time.process_time()
    while time.process_time() - started < seconds:
        steps = 19 if fixed else int(torch.randint(2, 20, ()))
        x = torch.randint(SYMBOLS, (64, steps))
        adam.zero_grad()
        F.cross_entropy(outputs(x), x[:, 0]).backward()  # a palindrome ends as it began
        nn.utils.clip_grad_norm_(weights, CLIP)
        adam.step()
    with torch.inference_mode():
        found = []
        for length in lengths:
            x = torch.randint(SYMBOLS, (300, length - 1))
            right = [outputs(part).argmax(1) == part[:, 0] for part in x.split(30)]
            found.append(float(torch.cat(right).float().mean()))
    return found


def paper(count: int) -> None:
    """Run the report's rows with its recipe and with ours, through the runner."""
    whole = find_study("paper", "full")
    names = ["rnn5", "rnn12", "rnn19"]
    arms = {name: replace(whole.arms[name], part="") for name in names}
    arms |= {"lengths": headline((5, 12, 19))}
    study = StudySpec(title="the report's rows", arms=arms, seeds=count)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        events = execute_study(study, StudyFolder(Path(folder)), Setting(device="cpu"))
        records = [event.record for event in events if isinstance(event, RunEnded)]
    took = time.perf_counter() - started
    for name in arms:
        mine = [record for record in records if record.arm == name]
        for metric in sorted(m for m in mine[0].scores if m.startswith("test_accuracy")):
            values = [record.scores[metric] for record in mine]
            seconds = statistics.mean(record.seconds for record in mine)
            print(
                f"{name}, {metric}: {statistics.mean(values):.3f} "
                f"({min(values):.3f} to {max(values):.3f}), {seconds:.1f} s in steps"
            )
    print(f"{len(records)} runs in {took:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    alone = {"step": step, "long": long}
    several = {"seeds": (seeds, 100), "peers": (peers, 5), "paper": (paper, 10)}
    parser.add_argument("what", choices=[*alone, *several])
    parser.add_argument("--seeds", type=int)
    options = parser.parse_args()
    if options.what in alone:
        alone[options.what]()
        return
    call, usual = several[options.what]
    call(options.seeds or usual)


if __name__ == "__main__":
    main()

"""Steps a second of seeds that are stacked, against one after the other, on the torch engine.

    python benchmarks/together.py [moons-1] [moons-100] [digits-mlp] [digits-cnn] [wider ...]

What ``engines/stacking.py`` decides by. For each network and K seeds: steps a second of all seeds
together, each by itself and stacked, and the gain; for MLPs also the gain of ``torch.func``, which
maps the network of one seed over all.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.nn import functional as F

from triptych.contracts import FloatArray, IntArray
from triptych.data import load
from triptych.engines import create_learner, create_orders
from triptych.models import cost_on
from triptych.models.mlp_torch import MLPTorch
from triptych.spec import (
    ArmSpec,
    CNNSpec,
    DataSpec,
    DigitsSpec,
    MLPSpec,
    NetworkSpec,
    OptimizerSpec,
    ToySpec,
    TrainSpec,
)
from triptych.training.torch_learner import TorchLearner
from triptych.training.torch_together import TorchTogether

MOONS, DIGITS = ToySpec(source="moons"), DigitsSpec()
ADAM = OptimizerSpec(name="adam", lr=1e-4)


def arm(data: DataSpec, network: NetworkSpec, batch_size: int) -> ArmSpec:
    train = TrainSpec(batch_size=batch_size, optimizer=ADAM)
    return ArmSpec(data=data, network=network, train=train, engine="torch")


ARMS = {
    "moons-1": arm(MOONS, MLPSpec(hidden=(20,)), 1),
    "moons-100": arm(MOONS, MLPSpec(hidden=(20,)), 100),
    "digits-mlp": arm(DIGITS, MLPSpec(hidden=(100,)), 32),
    "digits-cnn": arm(DIGITS, CNNSpec(channels=(8, 16, 16), pool_after=(1, 2)), 32),
    "mlp-200": arm(DIGITS, MLPSpec(hidden=(200,)), 32),
    "mlp-100-100": arm(DIGITS, MLPSpec(hidden=(100,)), 100),
    "mlp-300": arm(DIGITS, MLPSpec(hidden=(300, 50)), 32),
    "mlp-256": arm(DIGITS, MLPSpec(hidden=(256, 256)), 32),
    "mlp-256-200": arm(DIGITS, MLPSpec(hidden=(256, 256)), 200),
    "cnn-16-32": arm(DIGITS, CNNSpec(channels=(16, 32), pool_after=(1,)), 32),
    "cnn-24": arm(DIGITS, CNNSpec(channels=(24, 24, 24), pool_after=(1, 2)), 32),
    "cnn-128": arm(DIGITS, CNNSpec(channels=(8, 16, 16), pool_after=(1, 2)), 128),
    "cnn-deep": arm(DIGITS, CNNSpec(channels=(16, 16, 24, 24, 24, 24), pool_after=(2, 4)), 64),
}
SEEDS = (1, 4, 8, 30)


def rate(steps: int, take: Callable[[], object]) -> float:
    """Return steps a second: the most of three measurements, after one that does not count.

    Seconds are the processor's, of its one thread, so that other programs matter less.
    """
    take()
    times = []
    for _ in range(3):
        start = time.process_time()
        take()
        times.append(time.process_time() - start)
    return steps / min(times)


class Free(MLPTorch):
    """A network whose parameters need not be of the class that PyTorch checks for."""

    def get_parameter(self, target: str) -> Any:
        """Return it as it is."""
        return getattr(self, target)


def mapped(learners: list[TorchLearner], orders: IntArray, size: int) -> Callable[[], None]:
    """Return what takes the steps with ``torch.func`` (plain SGD, and nothing watched)."""
    networks = [one.network for one in learners]
    weights = [{n: p.detach().numpy() for n, p in net.named_parameters()} for net in networks]
    free = [Free(net.spec, w, 0) for net, w in zip(networks, weights, strict=True)]
    params, _ = stack_module_state(free)
    values = {name: p.detach() for name, p in params.items()}

    def loss(p: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(functional_call(free[0], p, (x,)), y)

    step = vmap(grad_and_value(loss))
    inputs = torch.stack([one._inputs(one.x_N) for one in learners])
    labels = torch.stack([one.y_N for one in learners])
    seeds = torch.arange(len(learners))[:, None]

    def take() -> None:
        for start in range(0, orders.shape[1], size):
            rows = torch.from_numpy(orders[:, start : start + size])
            grads, losses = step(values, inputs[seeds, rows], labels[seeds, rows])
            losses.tolist()
            for name, g in grads.items():
                values[name].sub_(g, alpha=1e-4)

    return take


def each(learners: list[TorchLearner], orders: IntArray, size: int, lrs: FloatArray) -> None:
    """Let learners take their steps one after the other."""
    for one, order in zip(learners, orders, strict=True):
        one.fit(order, size, lrs)


def measure(name: str, spec: ArmSpec) -> None:
    size = spec.train.batch_size
    data = [load(spec.data, seed) for seed in range(max(SEEDS))]
    work = 3 * size * cost_on(spec.network, data[0]).flops
    print(f"{name}: {work / 1e6:.3g} MFLOP a step")
    for k in SEEDS:
        learners = [create_learner(spec, "torch", data[seed], seed, "cpu") for seed in range(k)]
        steps = max(3, min(len(data[0].train) // size, int(3e7 / work) + 1, 60))
        orders = create_orders("torch")(range(k), 1, 1, len(data[0].train))[:, : steps * size]
        lrs = np.full(steps, 1e-4)
        together = TorchTogether()
        alone = rate(k * steps, partial(each, learners, orders, size, lrs))
        stacked = rate(k * steps, partial(together, learners, orders, size, lrs, None))
        line = (
            f"  K {k:>2}: {alone:6.0f} alone, {stacked:6.0f} stacked, {stacked / alone:5.2f} times"
        )
        if isinstance(spec.network, MLPSpec):
            func = rate(k * steps, mapped(learners, orders, size))
            line += f"; torch.func {func / alone:4.1f} times"
        print(line, flush=True)


def main() -> None:
    torch.set_num_threads(1)
    names = sys.argv[1:] or list(ARMS)
    for name in names:
        measure(name, ARMS[name])


if __name__ == "__main__":
    main()

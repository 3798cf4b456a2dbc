"""Which engine: by what a training would take on each, from measured costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from triptych.contracts import Dataset
from triptych.errors import SpecError
from triptych.spec import ArmSpec, MLPSpec, TrainSpec


@dataclass(frozen=True)
class EngineCost:
    """What an engine costs, as ``benchmarks/engine_costs.py`` fits it to measured trainings.

    Attributes
    ----------
    start : float
        Seconds before the first step of a process: loading, with kernels in their cache.
    step, layer : float
        Seconds of a step, and of each layer in it, before any arithmetic.
    flop, unit, weight : float
        Seconds a multiply-add of a product, a hidden or output value, an updated weight.
    """

    start: float
    step: float
    layer: float
    flop: float
    unit: float
    weight: float

    def seconds(self, sizes: tuple[int, ...], batch: int, steps: int) -> float:
        """Return the seconds of `steps` steps of `batch` rows."""
        products = sum(i * o for i, o in pairwise(sizes))
        a_step = (
            self.step
            + self.layer * (len(sizes) - 1)
            + self.flop * 3 * batch * products
            + self.unit * batch * sum(sizes[1:])
            + self.weight * (products + sum(sizes[1:]))
        )
        return self.start + steps * a_step


COSTS = {
    "numpy": EngineCost(0.0, 1e-5, 1e-5, 3e-11, 2e-9, 3e-9),
    "compiled": EngineCost(0.4, 5e-8, 5e-8, 3e-11, 1e-9, 3e-10),
    "torch": EngineCost(1.5, 8e-5, 3e-5, 2e-11, 1e-9, 1e-9),
}


def estimate(sizes: tuple[int, ...], batch: int, steps: int) -> dict[str, float]:
    """Return the seconds that each engine would take for an MLP on a CPU.

    Parameters
    ----------
    sizes : tuple of int
        Inputs, hidden layers, outputs.
    batch, steps : int
        Rows a step, and steps in all.
    """
    return {name: cost.seconds(sizes, batch, steps) for name, cost in COSTS.items()}


def choose_mlp_engine(
    network: MLPSpec, train: TrainSpec, rows: int, inputs: int, outputs: int, steps: int
) -> tuple[str, str]:
    """Return the engine that would take the least time, and how to call it in a table.

    Parameters
    ----------
    network : MLPSpec
    train : TrainSpec
    rows, inputs, outputs : int
        Of the data.
    steps : int
        In all.
    """
    batch = min(train.batch_size or rows, rows)
    guesses = estimate((inputs, *network.hidden, outputs), batch, steps)
    engine = min(guesses, key=lambda name: guesses[name])
    others = sorted((s, name) for name, s in guesses.items() if name != engine)
    against = ", ".join(f"{name} {_seconds(s)}" for s, name in others)
    return engine, f"{engine} (chosen: about {_seconds(guesses[engine])}; {against})"


def _seconds(value: float) -> str:
    digits = 1 - math.floor(math.log10(value)) if 0 < value < 10 else 0
    return f"{round(value, min(digits, 3)):g} s"


def choose_engine(arm: ArmSpec, data: Dataset) -> tuple[str, str]:
    """Return the engine that computes `arm`, and how to call it in a table."""
    if arm.engine != "auto":
        return arm.engine, arm.engine
    if not isinstance(arm.network, MLPSpec):
        return "torch", "torch (chosen: the only engine of this network)"
    rows = len(data.train)
    steps = arm.train.epochs * math.ceil(rows / min(arm.train.batch_size or rows, rows))
    inputs = math.prod(data.sample_shape)
    return choose_mlp_engine(arm.network, arm.train, rows, inputs, len(data.classes), steps)


def choose_device(asked: str, engine: str) -> str:
    """Return the device that `engine` computes on.

    Raises
    ------
    SpecError
        If a GPU was asked for and there is none.
    """
    if engine != "torch" or asked == "cpu":
        return "cpu"
    import torch

    if asked == "cuda" and not torch.cuda.is_available():
        raise SpecError("device: cuda is not available; use --device cpu.")
    return "cuda" if torch.cuda.is_available() else "cpu"

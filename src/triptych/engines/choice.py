"""Which engine: by what a training would take on each, from measured costs."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from triptych.contracts import Dataset
from triptych.errors import SpecError
from triptych.spec import (
    ArmSpec,
    CNNSpec,
    CustomSpec,
    MLPSpec,
    ReferenceSpec,
    RNNSpec,
    TrainSpec,
)
from triptych.training.blas import SHARED_FROM


@dataclass(frozen=True)
class DataShape:
    """What is asked of a data set before it is loaded: enough for its costs, and its engine.

    Attributes
    ----------
    rows : int
        To train on.
    sample_shape : tuple of int
    outputs : int
        Of a network that learns it.
    classes : int
        To tell apart; 0 where targets are numbers.
    symbols : int or None
        That sequences are made of, see `triptych.contracts.Dataset`.
    """

    rows: int
    sample_shape: tuple[int, ...]
    outputs: int
    classes: int
    symbols: int | None = None

    @classmethod
    def of(cls, data: Dataset) -> DataShape:
        """Return the shape of a data set that is loaded."""
        return cls(data.rows, data.sample_shape, data.outputs, len(data.classes), data.symbols)


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


# Of a 2-core AVX-512 CPU; elsewhere all of them scale alike, and the choice compares them.
COSTS = {
    "numpy": EngineCost(0.0, 2.6e-05, 1.2e-05, 1.3e-11, 4.8e-09, 1.7e-09),
    "compiled": EngineCost(0.32, 0.0, 0.0, 1.3e-11, 2.3e-09, 3.7e-10),
    "torch": EngineCost(1.05, 2.9e-04, 0.0, 1.8e-11, 4.2e-09, 9.4e-10),
}

# A step of 32 or 64 digits, one thread: 4.4 against 2.6 ms with channels (8, 16, 16), 38 against 10
# with (32, 64, 64), 96 against 39 with (64, 128, 256, 256).
_SLOWER = "torch (chosen: numpy's steps take about 2 to 4 times as long)"
# Floating-point operations of one time step of a batch; a call of a GPU takes about as long.
_GPU_PAYS = 1e8
_ALONE = "torch (chosen: the only engine of this network and training)"


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


def choose_mlp_engine(  # noqa: PLR0913 (what the time depends on)
    network: MLPSpec,
    train: TrainSpec,
    rows: int,
    inputs: int,
    outputs: int,
    steps: int,
    *,
    device: str = "cpu",
) -> tuple[str, str]:
    """Return the engine that would take the least time, and how to call it in a table.

    Where steps are large and a GPU may be used, that is torch.

    Parameters
    ----------
    network : MLPSpec
    train : TrainSpec
    rows, inputs, outputs : int
        Of the data.
    steps : int
        In all.
    device : {"auto", "cpu", "cuda"}
        What may compute it.
    """
    batch = min(train.batch_size or rows, rows)
    sizes = (inputs, *network.hidden, outputs)
    large = 6 * batch * sum(i * o for i, o in pairwise(sizes)) >= SHARED_FROM
    if large and choose_device(device, "torch") == "cuda":
        return "torch", "torch (chosen: a GPU takes steps as large as these)"
    guesses = estimate(sizes, batch, steps)
    engine = min(guesses, key=lambda name: guesses[name])
    others = sorted((s, name) for name, s in guesses.items() if name != engine)
    against = ", ".join(f"{name} {_seconds(s)}" for s, name in others)
    return engine, f"{engine} (chosen: about {_seconds(guesses[engine])}; {against})"


def _seconds(value: float) -> str:
    digits = 1 - math.floor(math.log10(value)) if 0 < value < 10 else 0
    return f"{round(value, min(digits, 3)):g} s"


def choose_cnn_engine(network: CNNSpec, train: TrainSpec) -> tuple[str, str]:
    """Return the engine that trains a CNN, and how to call it in a table."""
    alone = network.design != "vgg" or train.for_pictures()
    return "torch", _ALONE if alone else _SLOWER


def choose_rnn_engine(network: RNNSpec, train: TrainSpec, device: str = "cpu") -> tuple[str, str]:
    """Return the engine that trains a recurrent network, and how to call it in a table.

    Parameters
    ----------
    network : RNNSpec
    train : TrainSpec
    device : {"auto", "cpu", "cuda"}
        What may compute it. A GPU gains where the products of a step are large; small ones it
        waits for one after the other.
    """
    if not network.is_vanilla:
        return "torch", _ALONE
    if device == "cuda":
        return "torch", "torch (chosen: the engine that computes on a GPU)"
    large = 2 * (train.batch_size or 1) * network.hidden**2 >= _GPU_PAYS
    if large and choose_device(device, "torch") == "cuda":
        return "torch", "torch (chosen: a GPU takes steps as large as these)"
    return "compiled", "compiled (chosen: its steps take a fifth of the time of torch's)"


def choose_engine(arm: ArmSpec, data: Dataset | DataShape, device: str = "cpu") -> tuple[str, str]:
    """Return the engine that computes `arm`, and how to call it in a table."""
    if isinstance(arm.network, ReferenceSpec):
        return "scikit-learn", "scikit-learn"
    if arm.engine != "auto":
        return arm.engine, arm.engine
    network, train = arm.trained
    if isinstance(network, CustomSpec):
        return "torch", "torch"
    if isinstance(network, CNNSpec):
        return choose_cnn_engine(network, train)
    if isinstance(network, RNNSpec):
        return choose_rnn_engine(network, train, device)
    rows, inputs = data.rows, math.prod(data.sample_shape)
    steps = train.epochs * math.ceil(rows / min(train.batch_size or rows, rows))
    return choose_mlp_engine(network, train, rows, inputs, data.outputs, steps, device=device)


def choose_device(asked: str, engine: str) -> str:
    """Return the device that `engine` computes on.

    Raises
    ------
    SpecError
        If a GPU was asked for and there is none.
    """
    if engine != "torch" or asked == "cpu" or (asked == "auto" and not _may_have_gpu()):
        return "cpu"
    import torch

    if asked == "cuda" and not torch.cuda.is_available():
        raise SpecError("device: cuda is not available; use --device cpu, in Python device='cpu'.")
    return "cuda" if torch.cuda.is_available() else "cpu"


# What the drivers of NVIDIA and AMD make, and Windows' Linux has in place of them.
_GPU_DEVICES = ("/dev/nvidiactl", "/dev/nvmap", "/dev/kfd", "/dev/dxg")


def _may_have_gpu() -> bool:
    """Whether PyTorch need be asked for a GPU, which takes a second if it is not loaded yet."""
    if "torch" in sys.modules or sys.platform == "win32":
        return True
    return any(Path(device).exists() for device in _GPU_DEVICES)

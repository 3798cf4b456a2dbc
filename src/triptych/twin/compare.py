"""The engines side by side: the same first weights, the same batches, in float64."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from triptych.chance import orders, stream, stream_seed
from triptych.contracts import Dataset, FloatArray, IntArray, Learner, NonFiniteStep, Weights
from triptych.data import load
from triptych.engines import create_mlp
from triptych.errors import NumericsError, SpecError
from triptych.models import initial_weights
from triptych.spec import DigitsSpec, MLPSpec, OptimizerSpec, ToySpec, TrainSpec

# What the engines are held to: rounding alone stays thousands of times below it.
TOLERANCE = 1e-10
_SHOWN = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)


@dataclass(frozen=True, kw_only=True)
class TwinSpec:
    """What the twins are trained on.

    Attributes
    ----------
    data : ToySpec or DigitsSpec
    network : MLPSpec
    train : TrainSpec
        Its `dtype` is float64 in every case; its `epochs` are not used.
    steps : int
        Optimiser steps to compare.
    seed : int
        Of data, first weights, order and dropout.
    """

    data: ToySpec | DigitsSpec = field(default_factory=lambda: ToySpec(source="moons"))
    network: MLPSpec = field(default_factory=lambda: MLPSpec(hidden=(20,)))
    train: TrainSpec = field(default_factory=lambda: TrainSpec(batch_size=1))
    steps: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise SpecError(f"steps: {self.steps} not in [1, ...].")
        object.__setattr__(self, "train", replace(self.train, dtype="float64"))


@dataclass(frozen=True)
class TwinRow:
    """Where the engines stand after a step.

    Attributes
    ----------
    step : int
        Counted from 1.
    losses : dict of str to float
        Of the step's batch, by engine.
    gradient, weights : dict of str to float
        Largest absolute difference from the first engine's, over all tensors, by engine.
    """

    step: int
    losses: dict[str, float]
    gradient: dict[str, float]
    weights: dict[str, float]

    def loss(self, engine: str) -> float:
        """Return the absolute difference of an engine's loss from the first engine's."""
        return abs(self.losses[engine] - next(iter(self.losses.values())))

    def largest(self, engine: str) -> float:
        """Return the largest difference of any kind."""
        return max(self.loss(engine), self.gradient[engine], self.weights[engine])


@dataclass(frozen=True)
class FirstDifference:
    """Where an engine first differs from the first one, by however little.

    Attributes
    ----------
    step : int
    tensor : str
        ``"loss"``, or the gradient of a weight.
    ulps : float
        The difference, in units of the last place of the tensor's largest value.
    """

    step: int
    tensor: str
    ulps: float


@dataclass(frozen=True)
class TwinReport:
    """All steps of a comparison.

    Attributes
    ----------
    engines : tuple of str
        The first is what the others are compared with.
    rows : tuple of TwinRow
        One each step.
    first : dict of str to FirstDifference
        By engine; absent where it never differs.
    """

    spec: TwinSpec
    engines: tuple[str, ...]
    rows: tuple[TwinRow, ...]
    first: dict[str, FirstDifference]

    def largest(self, engine: str) -> float:
        """Return the largest difference over all steps."""
        return max(row.largest(engine) for row in self.rows)

    def agrees(self) -> bool:
        """Whether all engines stay within `TOLERANCE`."""
        return all(self.largest(engine) <= TOLERANCE for engine in self.engines[1:])

    def shown(self) -> tuple[TwinRow, ...]:
        """Return the rows that a table shows: few late, many early, and the last."""
        last = self.rows[-1].step
        return tuple(row for row in self.rows if row.step in _SHOWN or row.step == last)


def compare_engines(
    spec: TwinSpec, engines: tuple[str, ...] = ("numpy", "compiled", "torch")
) -> TwinReport:
    """Take the same steps on each engine and compare them after each.

    Parameters
    ----------
    spec : TwinSpec
    engines : tuple of str
        At least two; the first is what the others are compared with.

    Raises
    ------
    NumericsError
        If training leaves the finite numbers.
    """
    data = load(spec.data, spec.seed)
    twins = {name: _Twin(spec, data, name) for name in engines}
    size = min(spec.train.batch_size or len(data.train), len(data.train))
    rows: list[TwinRow] = []
    first: dict[str, FirstDifference] = {}
    for step, batch in enumerate(batches_of(spec, len(data.train), size), start=1):
        losses, grads, weights = {}, {}, {}
        for name, twin in twins.items():
            with named_step(name, step):
                losses[name], grads[name], weights[name] = twin.step(batch, step)
        ours = engines[0]
        rows.append(
            TwinRow(
                step,
                losses,
                {name: _largest(grads[ours], grads[name]) for name in engines},
                {name: _largest(weights[ours], weights[name]) for name in engines},
            )
        )
        for name in engines[1:]:
            if name not in first and rows[-1].largest(name) > 0:
                loss = rows[-1].loss(name) / np.spacing(abs(losses[ours]))
                first[name] = _first_difference(step, loss, grads[ours], grads[name])
    return TwinReport(spec, engines, tuple(rows), first)


@contextmanager
def named_step(engine: str, step: int) -> Iterator[None]:
    """Let an error of a single step say which one of the whole training it was."""
    try:
        yield
    except NonFiniteStep as error:
        raise NumericsError(
            f"step {step}, {engine}: loss {error.loss:.4g}, grad norm {error.grad_norm:.3g}. "
            "Try a smaller lr."
        ) from error


def batches_of(spec: TwinSpec, rows: int, size: int) -> list[IntArray]:
    """Return the rows of each step's batch, as training would take them."""
    found: list[IntArray] = []
    epoch = 1
    while len(found) < spec.steps:
        order = orders(stream_seed(spec.seed, "order"), epoch, 1, rows)
        found += [order[start : start + size] for start in range(0, rows, size)]
        epoch += 1
    return found[: spec.steps]


class _Twin:
    """One engine, with a second learner that tells the gradient without taking the step."""

    def __init__(self, spec: TwinSpec, data: Dataset, engine: str) -> None:
        # A step of plain SGD at a rate of 1 moves the weights by their gradient.
        probing = replace(spec.train, optimizer=OptimizerSpec(name="sgd"), clip_norm=None)
        self.learner = _learner(spec, spec.train, data, engine)
        self.probe = _learner(spec, probing, data, engine)
        self.lr = np.array([spec.train.optimizer.lr])

    def step(self, batch: IntArray, step: int) -> tuple[float, Weights, Weights]:
        """Take a step; return the loss and the gradient before it, and the weights after it."""
        before = self.learner.weights()
        self.probe.load(before)
        # Dropout masks depend on how many steps were taken.
        self.probe.load_moments({**self.probe.moments(), "steps": np.array(step - 1)})
        self.probe.fit(batch, len(batch), np.ones(1))
        moved = self.probe.weights()
        loss = self.learner.fit(batch, len(batch), self.lr)
        grads = {name: before[name] - moved[name] for name in before}
        return float(loss[0]), grads, self.learner.weights()


def _learner(spec: TwinSpec, train: TrainSpec, data: Dataset, engine: str) -> Learner:
    weights = initial_weights(spec.network, data, stream(spec.seed, "weights"))
    return create_mlp(
        spec.network, train, engine, weights, data.train, seed=spec.seed,
        standardization=data.standardization,
    )  # fmt: skip


def _largest(ours: Weights, theirs: Weights) -> float:
    return max(float(np.abs(ours[name] - theirs[name]).max()) for name in ours)


def _first_difference(step: int, loss: float, ours: Weights, theirs: Weights) -> FirstDifference:
    """Return what differs most, in units of its last place."""

    def ulps(a: FloatArray, b: FloatArray) -> float:
        return float(np.abs(a - b).max() / np.spacing(max(np.abs(a).max(), 1e-300)))

    found = {f"dW of layer {n[1:]}" if n[0] == "w" else f"db of layer {n[1:]}": n for n in ours}
    sizes = {"the loss": float(loss)}
    sizes |= {text: ulps(ours[name], theirs[name]) for text, name in found.items()}
    tensor = max(sizes, key=lambda name: sizes[name])
    return FirstDifference(step, tensor, sizes[tensor])

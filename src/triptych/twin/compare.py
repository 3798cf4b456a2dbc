"""The engines side by side: the same first weights, the same batches, in float64."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from triptych.chance import orders, stream_seed
from triptych.contracts import IntArray, NonFiniteStep
from triptych.errors import NumericsError, SpecError
from triptych.runner import load_for
from triptych.spec import (
    ArmSpec,
    CNNSpec,
    DigitsSpec,
    MLPSpec,
    PalindromeSpec,
    RNNSpec,
    ToySpec,
    TrainSpec,
)
from triptych.twin.differences import FirstDifference, first_difference, told
from triptych.twin.steps import Twin, apart, largest_difference, rounding

# What the engines are held to, by kind of network: rounding alone stays thousands of times below
# it. A CNN's sums are longer, and BatchNorm divides by what they give.
TOLERANCE = {"mlp": 1e-10, "cnn": 1e-9, "rnn": 1e-10}
ENGINES = {
    "mlp": ("numpy", "compiled", "torch"),
    "cnn": ("numpy", "torch"),
    "rnn": ("numpy", "compiled", "torch"),
}
_SHOWN = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)


@dataclass(frozen=True, kw_only=True)
class TwinSpec:
    """What the twins are trained on.

    Attributes
    ----------
    data : ToySpec, DigitsSpec or PalindromeSpec
        Laid out for the network, see `triptych.data.arrange`.
    network : MLPSpec, CNNSpec or RNNSpec
        An RNN is the vanilla one.
    train : TrainSpec
        Its `dtype` is float64 in every case; its `epochs` are not used.
    steps : int
        Optimiser steps to compare.
    seed : int
        Of data, first weights, order and dropout.
    """

    data: ToySpec | DigitsSpec | PalindromeSpec = field(
        default_factory=lambda: ToySpec(source="moons")
    )
    network: MLPSpec | CNNSpec | RNNSpec = field(default_factory=lambda: MLPSpec(hidden=(20,)))
    train: TrainSpec = field(default_factory=lambda: TrainSpec(batch_size=1))
    steps: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise SpecError(f"steps: {self.steps} not in [1, ...].")
        object.__setattr__(self, "train", replace(self.train, dtype="float64"))
        # The first engine says what it does not train: cells other than Elman's, for one.
        self.arm(ENGINES[self.network.kind][0])
        if isinstance(self.network, CNNSpec) and self.train.batch_size == 1:
            raise SpecError("train.batch_size: BatchNorm needs at least 2 rows, got 1.")

    def arm(self, engine: Any = "auto") -> ArmSpec:
        """Return what one engine trains; an error says what does not go together."""
        return ArmSpec(data=self.data, network=self.network, train=self.train, engine=engine)

    @property
    def tolerance(self) -> float:
        """What the engines are held to."""
        return TOLERANCE[self.network.kind]


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
    rounding : float
        Where an engine departs, how far the first one departs from itself if its first weights
        are changed in their last place: what rounding alone comes to in this training.
    apart : float
        Where an engine departs, the largest difference after a single step, if each begins with
        the first engine's weights; as a share of a tensor's largest value where that is above 1.
    """

    spec: TwinSpec
    engines: tuple[str, ...]
    rows: tuple[TwinRow, ...]
    first: dict[str, FirstDifference]
    rounding: float = 0.0
    apart: float = 0.0

    def largest(self, engine: str) -> float:
        """Return the largest difference over all steps."""
        return max(row.largest(engine) for row in self.rows)

    def agrees(self) -> bool:
        """Whether all engines stay within the tolerance, but for what rounding comes to."""
        stay = all(self.largest(engine) <= self.spec.tolerance for engine in self.engines[1:])
        return stay or self.only_rounds()

    def only_rounds(self) -> bool:
        """Whether rounding alone leaves the tolerance, while each single step stays within it."""
        return self.apart <= self.spec.tolerance < self.rounding

    def shown(self) -> tuple[TwinRow, ...]:
        """Return the rows that a table shows: few late, many early, and the last."""
        last = self.rows[-1].step
        return tuple(row for row in self.rows if row.step in _SHOWN or row.step == last)


def compare_engines(spec: TwinSpec, engines: tuple[str, ...] = ()) -> TwinReport:
    """Take the same steps on each engine and compare them after each.

    Parameters
    ----------
    spec : TwinSpec
    engines : tuple of str
        At least two; the first is what the others are compared with. Absent: all of `ENGINES`.

    Raises
    ------
    SpecError
        If an engine does not train such a network.
    NumericsError
        If training leaves the finite numbers.
    """
    engines = engines or ENGINES[spec.network.kind]
    data = load_for(spec.arm(), spec.seed, None)
    twins = {name: Twin(spec, data, name) for name in engines}
    rows: list[TwinRow] = []
    first: dict[str, FirstDifference] = {}
    for step, batch in enumerate(batches_of(spec, len(data.train)), start=1):
        losses, grads, weights = {}, {}, {}
        for name, twin in twins.items():
            with named_step(name, step):
                losses[name], grads[name], weights[name] = twin.step(batch, step)
        ours = engines[0]
        rows.append(
            TwinRow(
                step,
                losses,
                {name: largest_difference(grads[ours], grads[name]) for name in engines},
                {name: largest_difference(weights[ours], weights[name]) for name in engines},
            )
        )
        for name in engines[1:]:
            if name not in first and rows[-1].largest(name) > 0:
                loss = rows[-1].loss(name) / np.spacing(abs(losses[ours]))
                both = (told(grads[engine], weights[engine]) for engine in (ours, name))
                first[name] = first_difference(step, loss, *both)
    report = TwinReport(spec, engines, tuple(rows), first)
    if not report.agrees():
        batches = batches_of(spec, len(data.train))
        report = replace(
            report,
            rounding=rounding(spec, data, engines[0], batches),
            apart=apart(spec, data, engines, batches),
        )
    return report


@contextmanager
def named_step(engine: str, step: int) -> Iterator[None]:
    """Let an error of a single step say which one of the whole training it was."""
    try:
        yield
    except NonFiniteStep as error:
        raise NumericsError(
            f"step {step}, {engine}: loss {error.loss:.4g}, gradient norm {error.grad_norm:.3g}. "
            "Try a smaller lr."
        ) from error


def batches_of(spec: TwinSpec, rows: int) -> list[IntArray]:
    """Return the rows of each step's batch, as training would take them."""
    size = min(spec.train.batch_size or rows, rows)
    least = 2 if isinstance(spec.network, CNNSpec) else 1  # rows that BatchNorm needs
    found: list[IntArray] = []
    epoch = 1
    while len(found) < spec.steps:
        order = orders(stream_seed(spec.seed, "order"), epoch, 1, rows)
        found += [order[start : start + size] for start in range(0, rows - least + 1, size)]
        epoch += 1
    return found[: spec.steps]

"""One engine's steps, each with its gradient; and what rounding alone makes of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from triptych.contracts import Dataset, IntArray, Learner, Weights
from triptych.engines import create_learner
from triptych.models.cnn_layers_numpy import MOMENTUM
from triptych.spec import OptimizerSpec

if TYPE_CHECKING:
    from triptych.twin.compare import TwinSpec


class Twin:
    """One engine, with a second learner that tells the gradient without taking the step."""

    def __init__(self, spec: TwinSpec, data: Dataset, engine: str) -> None:
        # A step of plain SGD at a rate of 1 moves the weights by their gradient.
        probing = replace(spec.train, optimizer=OptimizerSpec(name="sgd"), clip_norm=None)
        self.learner = _learner(spec, data, engine)
        self.probe = _learner(replace(spec, train=probing), data, engine)
        self.lr = np.array([spec.train.optimizer.lr])
        moments = self.learner.moments()
        self.trainable = [name[6:] for name in moments if name.startswith("first/")]
        self.shifts: Weights = {}

    def step(self, batch: IntArray, step: int) -> tuple[float, Weights, Weights]:
        """Take a step; return the loss and the gradients before it, and the weights after it.

        Of the weights, a convolution's bias is left out where BatchNorm takes it away again: its
        gradient is nothing but rounding, of which Adam, that divides by its size, makes steps.
        """
        before = self.learner.weights()
        self.probe.load(before)
        # Dropout masks depend on how many steps were taken.
        self.probe.load_moments({**self.probe.moments(), "steps": np.array(step - 1)})
        self.probe.fit(batch, len(batch), np.ones(1))
        moved = self.probe.weights()
        loss = self.learner.fit(batch, len(batch), self.lr)
        after = self.learner.weights()
        for name in [name for name in after if name.endswith(".running_mean")]:
            bias = name.replace("norm", "conv").replace("running_mean", "bias")
            del after[bias]
            # The running mean holds the biases of all steps, as running means themselves.
            shift = self.shifts.get(name, np.zeros_like(before[bias]))
            self.shifts[name] = shift + MOMENTUM * (before[bias] - shift)
            after[name] -= self.shifts[name]
        grads = {name: before[name] - moved[name] for name in self.trainable}
        return float(loss[0]), grads, after


def _learner(spec: TwinSpec, data: Dataset, engine: str) -> Learner:
    return create_learner(spec.arm(engine), engine, data, spec.seed, "cpu")


def largest_difference(ours: Weights, theirs: Weights) -> float:
    """Return the largest absolute difference of two sets of tensors of the same names."""
    return max(float(np.abs(ours[name] - theirs[name]).max()) for name in ours)


def rounding(spec: TwinSpec, data: Dataset, engine: str, batches: Sequence[IntArray]) -> float:
    """Return how far an engine comes from itself by one last place of its first weights."""
    plain, nudged = (Twin(spec, data, engine) for _ in range(2))
    weights = plain.learner.weights()
    nudged.learner.load({name: np.nextafter(w, np.inf) for name, w in weights.items()})
    largest = 0.0
    for step, batch in enumerate(batches, start=1):
        (loss, *ours), (other, *theirs) = (twin.step(batch, step) for twin in (plain, nudged))
        found = (largest_difference(a, b) for a, b in zip(ours, theirs, strict=True))
        largest = max(largest, abs(loss - other), *found)
    return largest


def apart(
    spec: TwinSpec, data: Dataset, engines: tuple[str, ...], batches: Sequence[IntArray]
) -> float:
    """Return the largest difference after any step that all begin as the first engine does.

    Of a tensor with values above 1 it is their largest's share.
    """
    first, *others = (Twin(spec, data, name) for name in engines)
    largest = 0.0
    for step, batch in enumerate(batches, start=1):
        weights, moments = first.learner.weights(), first.learner.moments()
        loss, *ours = first.step(batch, step)
        for twin in others:
            twin.learner.load(weights)
            twin.learner.load_moments(moments)
            other, *theirs = twin.step(batch, step)
            found = [
                largest_difference({name: w[name]}, v) / max(1.0, float(np.abs(w[name]).max()))
                for w, v in zip(ours, theirs, strict=True)
                for name in w
            ]
            largest = max(largest, abs(loss - other) / max(1.0, abs(loss)), *found)
    return largest

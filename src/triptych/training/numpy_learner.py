"""A NumPy network with its optimiser, bound to the rows it learns from."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from triptych.contracts import (
    Array,
    FloatArray,
    IntArray,
    NonFiniteStep,
    NumpyNetwork,
    Scores,
    Split,
    Standardization,
    Weights,
)
from triptych.spec import TrainSpec
from triptych.training.optimizers import NumpyOptimizer


class NumpyLearner:
    """Implements `triptych.contracts.Learner` for networks written in NumPy.

    Parameters
    ----------
    network : NumpyNetwork
        Its weights are changed in place.
    train : Split
        The rows that `fit` may be asked for.
    spec : TrainSpec
    standardization : Standardization, optional
        Turns raw features into inputs.
    rng : numpy.random.Generator
        Draws dropout masks.
    """

    min_batch = 1

    def __init__(
        self,
        network: NumpyNetwork,
        train: Split,
        spec: TrainSpec,
        standardization: Standardization | None,
        rng: np.random.Generator,
    ) -> None:
        self.network = network
        self.spec = spec
        self.standardization = standardization
        self.rng = rng
        self.x_NI = self._inputs(train.x)
        self.y_N = train.y
        self.optimizer = NumpyOptimizer(spec.optimizer, network.weights)

    def _inputs(self, x: Array) -> FloatArray:
        if self.standardization is not None:
            x = self.standardization(x, self.spec.dtype)
        return x.reshape(len(x), -1).astype(self.spec.dtype, copy=False)

    def fit(self, order: IntArray, batch_size: int, lrs: FloatArray) -> FloatArray:
        """Take one step per batch; see `triptych.contracts.Learner.fit`."""
        losses = np.empty(len(lrs))
        # What overflows is found by the check of each step, which says more than a warning.
        with np.errstate(over="ignore", invalid="ignore"):
            for step, lr in enumerate(lrs):
                rows = order[step * batch_size : (step + 1) * batch_size]
                losses[step] = self._step(step, rows, float(lr))
        return losses

    def _step(self, step: int, rows_B: IntArray, lr: float) -> float:
        loss, grads = self.network.loss_and_grads(self.x_NI[rows_B], self.y_N[rows_B], self.rng)
        norm = math.sqrt(sum(float(np.vdot(g, g)) for g in grads.values()))
        if not math.isfinite(loss) or not math.isfinite(norm):
            raise NonFiniteStep(step, loss, norm)
        if self.spec.clip_norm is not None and norm > self.spec.clip_norm:
            scale = self.spec.clip_norm / (norm + 1e-6)  # as torch's clip_grad_norm_
            grads = {name: g * scale for name, g in grads.items()}
        self.optimizer.step(grads, lr)
        return loss

    def evaluate(self, split: Split) -> Scores:
        """Return mean loss and accuracy; see `triptych.contracts.Learner.evaluate`."""
        z_NC = self.network.logits(self._inputs(split.x)).astype(np.float64)
        z_NC -= z_NC.max(axis=1, keepdims=True)
        log_sum_N = np.log(np.exp(z_NC).sum(axis=1))
        loss = float((log_sum_N - z_NC[np.arange(len(split)), split.y]).mean())
        return Scores(loss, float((z_NC.argmax(axis=1) == split.y).mean()))

    def weights(self) -> Weights:
        """Return a copy of every weight, by name."""
        return {name: w.copy() for name, w in self.network.weights.items()}

    def load(self, weights: Mapping[str, Array]) -> None:
        """Put back what `weights` returned."""
        for name, w in self.network.weights.items():
            w[...] = weights[name]

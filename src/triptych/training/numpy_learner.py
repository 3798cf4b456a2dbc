"""A NumPy network with its optimiser, bound to the rows it learns from."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy import sparse

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
from triptych.training.batches import batches, targets
from triptych.training.blas import threads_for
from triptych.training.optimizers import NumpyOptimizer
from triptych.training.scores import scored

# Rows that one forward pass of an evaluation takes at most, so that its memory stays small; and
# values of pictures, whose windows take 9 times the widest activations: those of 32 pictures of
# 32 x 32 in 64 channels hold 75 MB in float32.
_EVAL_ROWS = 4096
_EVAL_VALUES = 32 * 3 * 32 * 32


class NumpyLearner:
    """Implements `triptych.contracts.Learner` for networks written in NumPy.

    Parameters
    ----------
    network : NumpyNetwork
        Its weights are changed in place.
    train : Split
        The rows that `fit` may be asked for; features may be a SciPy CSR array.
    spec : TrainSpec
    standardization : Standardization, optional
        Turns raw features into inputs: all rows at once, or pictures and sequences batch by batch,
        so that those stay uint8 in memory. Symbols need none.
    """

    def __init__(
        self,
        network: NumpyNetwork,
        train: Split,
        spec: TrainSpec,
        standardization: Standardization | None = None,
    ) -> None:
        self.network = network
        self.min_batch, self.unbounded = network.min_batch, frozenset[str]()
        self.spec = spec
        self.standardization = standardization
        self.penalties: FloatArray = np.zeros(0)
        self.optimizer = NumpyOptimizer(spec.optimizer, network.trainable)
        trainable = network.trainable
        self.statistics = [w for name, w in network.weights.items() if name not in trainable]
        self.rebind(train)

    @property
    def _outputs(self) -> int:
        return int(list(self.network.weights.values())[-1].shape[-1])

    def rebind(self, split: Split) -> None:
        """Learn from other rows; see `triptych.contracts.Learner.rebind`."""
        self.x_N = split.x if self.network.reads != "rows" else self._inputs(split.x)
        self.y_N = targets(split.y, self.spec.loss, self._outputs, self.spec.dtype)
        self.weight_N = split.weight

    def _inputs(self, x: Array) -> FloatArray:
        if self.network.reads == "sequences":
            if x.ndim == 2:
                return x  # symbols stay integers; a network looks up their rows
            if self.standardization is not None:
                # NaN, past the end, stays NaN.
                return self.standardization(x, self.spec.dtype)
            return x.astype(self.spec.dtype, copy=False)
        if sparse.issparse(x):
            rows: FloatArray = x.astype(self.spec.dtype)
            return rows
        if self.standardization is not None:
            x = self.standardization(x, self.spec.dtype)
        if self.network.reads == "rows":
            x = x.reshape(len(x), -1)
        return x.astype(self.spec.dtype, copy=False)

    def fit(
        self, order: IntArray, batch_size: int, lrs: FloatArray, epoch: int | None = None
    ) -> FloatArray:
        """Take one step per batch; see `triptych.contracts.Learner.fit`."""
        losses = np.empty(len(lrs))
        self.penalties = np.zeros(len(lrs))
        places = batches(len(order), batch_size, epoch)
        # What overflows is found by the check of each step, which says more than a warning.
        products = self.network.products(tuple(self.x_N.shape[1:]))
        threads = threads_for(products, min(batch_size, len(order)))
        with threads, np.errstate(over="ignore", invalid="ignore"):
            for step, (place, lr) in enumerate(zip(places, lrs, strict=True)):
                losses[step] = self._step(step, order[place], float(lr))
        return losses

    def _step(self, step: int, rows_B: IntArray, lr: float) -> float:
        weight_B = None if self.weight_N is None else self.weight_N[rows_B]
        x = self.x_N[rows_B]
        if self.network.reads != "rows":
            x = self._inputs(x)
        before = [w.copy() for w in self.statistics]
        loss, grads = self.network.loss_and_grads(
            x, self.y_N[rows_B], weight_B, self.optimizer.steps
        )
        if self.spec.l2:
            rows = len(rows_B) if weight_B is None else float(weight_B.sum())
            self.penalties[step] = self._add_penalty(grads, rows)
            loss += float(self.penalties[step])
        norm = math.sqrt(sum(float(np.vdot(g, g)) for g in grads.values()))
        if not math.isfinite(loss) or not math.isfinite(norm):
            for w, old in zip(self.statistics, before, strict=True):
                w[...] = old
            raise NonFiniteStep(step, loss, norm)
        if self.spec.clip_norm is not None and norm > self.spec.clip_norm:
            scale = self.spec.clip_norm / (norm + 1e-6)  # as torch's clip_grad_norm_
            grads = {name: g * scale for name, g in grads.items()}
        self.optimizer.step(grads, lr)
        return loss

    def _add_penalty(self, grads: Weights, rows: float) -> float:
        """Add the slope of the L2 penalty to `grads`, and return the penalty."""
        by_rows = self.spec.l2_scale == "rows"
        l2 = self.spec.l2 / rows if by_rows and rows else self.spec.l2 * (not by_rows)
        penalty = 0.0
        for name, w in self.network.trainable.items():
            if w.ndim > 1:  # not a bias
                grads[name] = grads[name] + l2 * w
                penalty += 0.5 * l2 * float(np.vdot(w, w))
        return penalty

    def outputs(self, x: Array) -> FloatArray:
        """Return the outputs in eval mode; see `triptych.contracts.Learner.outputs`."""
        size = _EVAL_ROWS
        if self.network.reads == "pictures":
            size = max(1, min(size, _EVAL_VALUES // max(1, math.prod(x.shape[1:]))))
        parts = [
            self.network.outputs(self._inputs(x[start : start + size]))
            for start in range(0, x.shape[0], size)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self._outputs), self.spec.dtype)

    def evaluate(self, split: Split) -> Scores:
        """Return the scores; see `triptych.contracts.Learner.evaluate`."""
        out_NO = self.outputs(split.x).astype(np.float64)
        y = targets(split.y, self.spec.loss, self._outputs, "float64")
        loss = self.network.loss(out_NO, y, split.weight)
        return scored(loss, out_NO, split.y)

    def weights(self) -> Weights:
        """Return a copy of every weight, by name."""
        return {name: w.copy() for name, w in self.network.weights.items()}

    def load(self, weights: Mapping[str, Array]) -> None:
        """Put back what `weights` returned."""
        for name, w in self.network.weights.items():
            w[...] = weights[name]

    def moments(self) -> Weights:
        """Return the optimiser's state; see `triptych.contracts.Learner.moments`."""
        return self.optimizer.state()

    def load_moments(self, moments: Mapping[str, Array]) -> None:
        """Put back what `moments` returned."""
        self.optimizer.load(moments)

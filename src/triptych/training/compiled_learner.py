"""A NumPy network whose steps are taken by compiled kernels, alone or many at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from triptych.contracts import (
    Array,
    FloatArray,
    IntArray,
    Learner,
    NonFiniteStep,
    NumpyNetwork,
    Split,
    Standardization,
    Weights,
)
from triptych.spec import TrainSpec
from triptych.training.batches import targets
from triptych.training.blas import one_thread, threads_for
from triptych.training.loop import Outcome
from triptych.training.numpy_learner import NumpyLearner


@dataclass(frozen=True)
class Kernels:
    """What `triptych.models.compiled` offers: a plan for one network, and seeds in lanes.

    `lanes` may be absent where the plan is never fast.
    """

    plan: Any
    lanes: Callable[..., Any] | None = None


class CompiledLearner(NumpyLearner):
    """Implements `triptych.contracts.Learner`: a NumPy learner in which `fit` is one call.

    Parameters
    ----------
    network : NumpyNetwork
        Evaluates, and holds the weights that the kernels change in place.
    kernels : Kernels
        For that network and `spec`.
    train, spec, standardization
        As for `NumpyLearner`.
    dropout_seed : int
        Keys the dropout masks, as the network's.
    """

    def __init__(
        self,
        network: NumpyNetwork,
        kernels: Kernels,
        train: Split,
        spec: TrainSpec,
        standardization: Standardization | None = None,
        dropout_seed: int = 0,
    ) -> None:
        self.kernels = kernels
        self.dropout_seed = dropout_seed
        self.state = kernels.plan.new_state()
        self.steps = 0
        super().__init__(network, train, spec, standardization)
        # No step at all compiles the kernels, so that no run counts the compiler's time.
        self.fit(np.arange(0), spec.batch_size or len(train), np.empty(0))

    @property
    def pairs(self) -> list[tuple[Array, Array]]:
        """The weights and biases of each layer, which a step changes in place."""
        return pairs(self.network.weights)

    def rebind(self, split: Split) -> None:
        """Learn from other rows; see `triptych.contracts.Learner.rebind`."""
        self.y_N = targets(split.y, self.spec.loss, self._outputs, self.spec.dtype)
        self.rows = self.kernels.plan.rows(self._inputs(split.x), self.y_N, split.weight)
        self.sample_shape = tuple(split.x.shape[1:])

    def _inputs(self, x: Array) -> FloatArray:
        dense: Array = x.toarray() if sparse.issparse(x) else x  # type: ignore[attr-defined]
        return super()._inputs(dense)

    def fit(
        self, order: IntArray, batch_size: int, lrs: FloatArray, epoch: int | None = None
    ) -> FloatArray:
        """Take one step per batch; see `triptych.contracts.Learner.fit`."""
        if self.is_fast(batch_size):
            return self.fit_on_this_thread(order, batch_size, lrs, epoch)
        products = self.network.products(self.sample_shape)
        with threads_for(products, min(batch_size, len(self.y_N))):
            return self.fit_on_this_thread(order, batch_size, lrs, epoch)

    def is_fast(self, batch_size: int) -> bool:
        """Whether steps are taken in registers, without BLAS."""
        fast: bool = self.kernels.plan.is_fast(self.rows, batch_size)
        return fast

    def fit_on_this_thread(
        self, order: IntArray, batch_size: int, lrs: FloatArray, epoch: int | None
    ) -> FloatArray:
        """Do the work of `fit`, with as many threads as BLAS has been left."""
        self.penalties = np.zeros(len(lrs))
        losses, bad = self.kernels.plan.fit(
            self.pairs, self.state, self.rows, order, batch_size, lrs, first_step=self.steps,
            seed=self.dropout_seed, epoch=epoch, penalties=self.penalties,
        )  # fmt: skip
        found: FloatArray = losses
        if bad is not None:
            self.steps += bad.step
            raise NonFiniteStep(*bad)
        self.steps += len(lrs)
        return found

    def outputs(self, x: Array) -> FloatArray:
        """Return the outputs in eval mode; see `triptych.contracts.Learner.outputs`."""
        if self.network.reads != "sequences":
            return super().outputs(x)
        out: FloatArray = self.kernels.plan.outputs(self.pairs, self._inputs(x))
        return out

    def moments(self) -> Weights:
        """Return the optimiser's state; see `triptych.contracts.Learner.moments`."""
        state: Weights = {"steps": np.array(self.steps)}
        for kind, flat in (("first", self.state.first), ("second", self.state.second)):
            start = 0
            for name, w in self.network.weights.items():
                state[f"{kind}/{name}"] = flat[start : start + w.size].reshape(w.shape).copy()
                start += w.size
        return state

    def load_moments(self, moments: Mapping[str, Array]) -> None:
        """Put back what `moments` returned."""
        self.steps = int(moments["steps"])
        for kind, flat in (("first", self.state.first), ("second", self.state.second)):
            parts = [moments[f"{kind}/{name}"].ravel() for name in self.network.weights]
            flat[:] = np.concatenate(parts)


def pairs(weights: Weights) -> list[tuple[Array, Array]]:
    """Return the weight and the bias of each layer."""
    arrays = list(weights.values())
    return list(zip(arrays[::2], arrays[1::2], strict=True))


class CompiledTogether:
    """Lets compiled learners of one shape take their steps at the same time.

    Where the fast path can train them, seeds share the lanes of SIMD registers, and groups of lanes
    the cores; else each seed has a core for itself.

    Parameters
    ----------
    threads : int, optional
        Absent: one for each core.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or os.cpu_count() or 1
        self.learners: list[CompiledLearner] = []

    def __call__(
        self,
        learners: Sequence[Learner],
        orders: IntArray,
        batch_size: int,
        lrs: FloatArray,
        epoch: int | None,
    ) -> list[Outcome]:
        """Take the steps of ``orders`` (K, n); see `triptych.training.loop.Together`."""
        group = [one for one in learners if isinstance(one, CompiledLearner)]
        assert len(group) == len(learners)
        if group[0].is_fast(batch_size):
            return self._in_lanes(group, orders, lrs)

        def alone(k: int) -> Outcome:
            try:
                return group[k].fit_on_this_thread(orders[k], batch_size, lrs, epoch), None
            except NonFiniteStep as error:
                return np.empty(0), error

        # Around all of them: the limit is one of the process.
        with one_thread(), ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(alone, range(len(group))))

    def prepare(self, learners: Sequence[Learner], batch_size: int) -> None:
        """Gather weights and compile, so that no run counts the time of that."""
        none = np.empty((len(learners), 0), np.int32)
        self(learners, none, batch_size, np.empty(0), None)

    def _in_lanes(
        self, group: list[CompiledLearner], orders: IntArray, lrs: FloatArray
    ) -> list[Outcome]:
        same = len(group) == len(self.learners)
        if not same or any(a is not b for a, b in zip(group, self.learners, strict=True)):
            self._bind(group)
        found = self.lanes.fit(self.pairs, self.state, orders, lrs, self.threads)
        outcomes: list[Outcome] = []
        for one, (losses, bad) in zip(group, found, strict=True):
            one.steps += len(lrs) if bad is None else bad.step
            outcomes.append((losses, None if bad is None else NonFiniteStep(*bad)))
        return outcomes

    def _bind(self, group: list[CompiledLearner]) -> None:
        """Make weights and moments views of one array, so that nothing is copied between calls."""
        self.learners = group
        weights = {
            name: np.stack([one.network.weights[name] for one in group])
            for name in group[0].network.weights
        }
        self.pairs = pairs(weights)
        kernels = group[0].kernels
        assert kernels.lanes is not None
        self.lanes = kernels.lanes(kernels.plan, [one.rows for one in group])
        self.state = kernels.plan.new_state(len(group))
        for k, one in enumerate(group):
            for name, stacked in weights.items():
                one.network.weights[name] = stacked[k]
            self.state.first[k], self.state.second[k] = one.state.first, one.state.second
            one.state = replace(one.state, first=self.state.first[k], second=self.state.second[k])

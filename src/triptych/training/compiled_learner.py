"""A NumPy network whose steps are taken by a compiled kernel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from triptych.contracts import FloatArray, IntArray, NumpyNetwork, Split, Standardization
from triptych.spec import TrainSpec
from triptych.training.numpy_learner import NumpyLearner

Kernel = Callable[[FloatArray, IntArray, IntArray, int, FloatArray], FloatArray]
"""Takes x, y, order, batch size and learning rates; see `MLPCompiled.fit`."""


class CompiledLearner(NumpyLearner):
    """Implements `triptych.contracts.Learner`: a NumPy learner in which `fit` is one call.

    Parameters
    ----------
    network : NumpyNetwork
        Evaluates, and holds the weights that the kernel changes in place.
    kernel : Kernel
        Bound to the same weights.
    train, spec, standardization
        As for `NumpyLearner`.
    """

    def __init__(
        self,
        network: NumpyNetwork,
        kernel: Kernel,
        train: Split,
        spec: TrainSpec,
        standardization: Standardization | None,
    ) -> None:
        super().__init__(network, train, spec, standardization, np.random.default_rng(0))
        self.kernel = kernel
        self.x_NI = np.ascontiguousarray(self.x_NI)
        # No step at all compiles the kernel, so that no run counts the compiler's time.
        size = spec.batch_size or len(train)
        self.fit(np.arange(0), size, np.empty(0))

    def fit(self, order: IntArray, batch_size: int, lrs: FloatArray) -> FloatArray:
        """Take one step per batch; see `triptych.contracts.Learner.fit`."""
        return self.kernel(self.x_NI, self.y_N, order, batch_size, lrs)

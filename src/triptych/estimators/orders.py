"""Which rows each step takes: all of them in a new order each epoch, or some of one length."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from sklearn.utils import shuffle

from triptych.contracts import FloatArray, IntArray, lengths_of
from triptych.spec import GrowthSpec
from triptych.training.growth import Growth


class Order(Protocol):
    """What says which rows come next."""

    epoch: int | None
    """Rows that make an epoch, across whose end no batch reaches; None: every batch is whole."""

    def begin(self) -> None:
        """Start an epoch."""
        ...

    def take(self, start: int, count: int) -> IntArray:
        """Return the rows of the steps from `start` of an epoch on, `count` of them at most."""
        ...

    def tell(self, losses: FloatArray) -> None:
        """Take the losses of the steps that were taken last."""
        ...


class Shuffled:
    """Each row once an epoch; in a new order each time, where the estimator shuffles.

    Parameters
    ----------
    estimator : BaseNetwork
    rows, kept : int
        That there are, and that an epoch uses.
    size : int
        Of a batch.
    """

    def __init__(self, estimator: Any, rows: int, kept: int, size: int) -> None:
        self.estimator, self.size = estimator, size
        self.all_rows: IntArray = np.arange(rows)
        self.epoch: int | None = kept

    def begin(self) -> None:
        """Shuffle; each order is one of the order before, as in scikit-learn."""
        e = self.estimator
        if e.shuffle:
            self.all_rows = shuffle(self.all_rows, random_state=e._random_state)

    def take(self, start: int, count: int) -> IntArray:
        """See `Order`."""
        stop = min((start + count) * self.size, self.epoch or 0)
        return self.all_rows[start * self.size : stop]

    def tell(self, losses: FloatArray) -> None:
        """See `Order`."""


class Growing:
    """Sequences of one length a step, drawn by `Growth`.

    Parameters
    ----------
    spec : GrowthSpec
    x : Array
        Sequences, as `triptych.contracts.lengths_of` says.
    size : int
        Of a batch.
    seed : int
    """

    epoch: int | None = None

    def __init__(self, spec: GrowthSpec, x: Any, size: int, seed: int) -> None:
        self.growth = Growth(spec, np.arange(len(x)), lengths_of(x), size, seed)

    def begin(self) -> None:
        """See `Order`."""

    def take(self, start: int, count: int) -> IntArray:
        """See `Order`."""
        return self.growth.order(min(count, self.growth.left()))

    def tell(self, losses: FloatArray) -> None:
        """See `Order`."""
        self.growth.tell(losses)


def order_of(estimator: Any, x: Any, kept: int, size: int, growth: GrowthSpec | None) -> Order:
    """Return what says which rows come next.

    Parameters
    ----------
    estimator : BaseNetwork
    x : Array or sparse CSR, shape (N, ...)
    kept : int
        Rows that an epoch uses.
    size : int
        Rows a step.
    growth : GrowthSpec, optional
    """
    if growth is None:
        return Shuffled(estimator, x.shape[0], kept, size)
    return Growing(growth, x, size, int(estimator._random_state.randint(2**31)))

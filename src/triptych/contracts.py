"""What the parts hand to each other: data sets, and the protocols of networks and learners.

Shape suffixes used throughout: N rows of a data set, B batch, S steps, I/O in/out, H hidden,
T time, V vocabulary, C classes or channels.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from triptych.errors import NumericsError

Array = NDArray[Any]
FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
Weights = dict[str, Array]


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the random stream called `name` of a study's `seed`.

    Every use of chance (the draw, the split, the weights, the order, dropout) has a stream of its
    own, so that arms that differ in one of them stay paired in the others.

    Parameters
    ----------
    seed : int
        The study's seed, at least 0.
    name : str
        What the stream is for; part of the key.
    """
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


@dataclass(frozen=True)
class Split:
    """Rows and their labels.

    Attributes
    ----------
    x : Array, shape (N, ...)
        Features: float (N, I); uint8 pictures (N, C, H, W); uint8 symbols (N, T).
    y : IntArray, shape (N,)
        Class indices, int64.
    """

    x: Array
    y: IntArray

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: IntArray) -> Split:
        """Return the given rows, in that order."""
        return Split(self.x[rows], self.y[rows])


@dataclass(frozen=True)
class Standardization:
    """What is subtracted and what divided by, broadcast over one sample's features."""

    mean: FloatArray
    std: FloatArray

    def __call__(self, x: Array, dtype: str) -> FloatArray:
        """Return ``(x - mean) / std`` in `dtype`, shape as `x`."""
        kind = np.dtype(dtype)
        out: FloatArray = x.astype(kind)
        out -= self.mean.astype(kind)
        out /= self.std.astype(kind)
        return out


@dataclass(frozen=True)
class Dataset:
    """A data set ready for training: two splits that share no row where that can be had.

    Attributes
    ----------
    name : str
        What the data really is (``"digits"`` also where it stands in for CIFAR-10).
    train, test : Split
        The rows to fit and the rows to judge by.
    classes : tuple of str
        Names of the classes; a label is an index into it.
    kind : str
        ``"table"``, ``"pictures"`` or ``"sequences"``.
    fingerprint : str
        SHA-256 over both splits, hexadecimal.
    standardization : Standardization, optional
        How raw features become inputs; None where they are inputs already.
    notes : tuple of str
        What a reader of any table must know (a stand-in, a leak, a cut).
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    kind: str
    fingerprint: str
    standardization: Standardization | None = None
    notes: tuple[str, ...] = ()

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample, without the rows."""
        return tuple(self.train.x.shape[1:])


@dataclass(frozen=True)
class Scores:
    """Loss (always a mean over samples) and accuracy (0 to 1) on one split, in eval mode."""

    loss: float
    accuracy: float


class NonFiniteStep(NumericsError):
    """A learner met a loss or gradient that is not finite, before it changed any weight.

    Attributes
    ----------
    offset : int
        Which step of the call it was, counted from 0.
    loss, grad_norm : float
        What was found; the gradient's norm is NaN where the loss already ended the step.
    """

    def __init__(self, offset: int, loss: float, grad_norm: float) -> None:
        super().__init__(f"step {offset} of the call: loss {loss:.4g}, grad norm {grad_norm:.3g}")
        self.offset = offset
        self.loss = loss
        self.grad_norm = grad_norm


class Learner(Protocol):
    """A network with its optimiser, bound to the rows it learns from."""

    min_batch: int
    """Smallest batch it can take a step on: 2 with batch normalisation, else 1."""

    def fit(self, order: IntArray, batch_size: int, lrs: FloatArray) -> FloatArray:
        """Take one step per batch of consecutive rows of `order`; return the mean loss of each.

        Parameters
        ----------
        order : IntArray, shape (n,)
            Rows of the training split, in the order they are to be seen.
        batch_size : int
            Rows a step; the last step takes what is left.
        lrs : FloatArray, shape (S,)
            The learning rate of each step, ``S = ceil(n / batch_size)``.

        Raises
        ------
        NonFiniteStep
            If a loss or a gradient is not finite; the weights are those before that step.
        """
        ...

    def evaluate(self, split: Split) -> Scores:
        """Return mean loss and accuracy on `split`, in eval mode."""
        ...

    def weights(self) -> Weights:
        """Return a copy of every weight and buffer, by name."""
        ...

    def load(self, weights: Mapping[str, Array]) -> None:
        """Put back what `weights` returned."""
        ...


Backward = Callable[[FloatArray], FloatArray]
"""Maps the gradient of a layer's output to that of its input, noting those of its weights."""


class NumpyNetwork(Protocol):
    """A network written in NumPy: its weights by name, its output, its loss with gradients."""

    weights: Weights

    def logits(self, x: FloatArray) -> FloatArray:
        """Return the output in eval mode, shape (B, C)."""
        ...

    def loss_and_grads(
        self, x: FloatArray, y: IntArray, rng: np.random.Generator | None = None
    ) -> tuple[float, Weights]:
        """Return the mean loss in train mode and its gradient for every weight, by name."""
        ...

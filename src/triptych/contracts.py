"""What the parts hand to each other: data sets, and the protocols of networks and learners.

Shape suffixes used throughout: N rows of a data set, B batch, S steps, I/O in/out, H hidden,
T time, V vocabulary, C classes or channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from triptych.errors import NumericsError

Array = NDArray[Any]
FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
Weights = dict[str, Array]


def lengths_of(x: Array) -> IntArray:
    """Return the steps (N,) of each of some sequences, of which the longest has T.

    Parameters
    ----------
    x : Array
        Symbols (N, T), signed with -1 past the end; or vectors (N, T, D), float with NaN past the
        end. Nothing but the end may be so marked, and what is unsigned has one length.
    """
    if x.dtype.kind == "u":
        return np.full(len(x), x.shape[1])
    there_NT = x >= 0 if x.ndim == 2 else ~np.isnan(x[:, :, 0])
    lengths: IntArray = there_NT.sum(axis=1)
    return lengths


@dataclass(frozen=True)
class Split:
    """Rows and what is to be learnt of them.

    Attributes
    ----------
    x : Array, shape (N, ...)
        Features: float (N, I); uint8 pictures (N, C, H, W); sequences, see `lengths_of`.
    y : Array
        Class indices, int64 (N,); or numbers to tell, float (N, O).
    weight : FloatArray, shape (N,), optional
        How much each row counts; all alike where absent.
    """

    x: Array
    y: Array
    weight: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: IntArray) -> Split:
        """Return the given rows, in that order."""
        weight = None if self.weight is None else self.weight[rows]
        return Split(self.x[rows], self.y[rows], weight)


@dataclass(frozen=True)
class Standardization:
    """What is subtracted and what divided by, broadcast over one sample's features."""

    mean: FloatArray
    std: FloatArray

    def __call__(self, x: Array, dtype: str) -> FloatArray:
        """Return ``(x - mean) / std`` in `dtype`, shape as `x`."""
        out: FloatArray = x.astype(dtype)
        out -= self.mean.astype(dtype)
        out /= self.std.astype(dtype)
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
        Names of the classes, which labels index; none where numbers are to be told.
    kind : str
        ``"table"``, ``"pictures"`` or ``"sequences"``.
    fingerprint : str
        SHA-256 over both splits, hexadecimal.
    standardization : Standardization, optional
        How raw features become inputs; None where they are inputs already.
    notes : tuple of str
        What a reader must know (a stand-in, a leak, a cut).
    features : tuple of (str, str)
        Of a table, each input's column, and the text it stands for if any; none without names.
    symbols : int, optional
        How many symbols sequences are made of; absent: as many as classes.
    probes : mapping of int to Split
        Further sequences that a trained network is judged by, by their length.
    target : Standardization, optional
        How numbers to tell became those of the splits, (O,); None of classes.
    arranged : str
        How places were changed for the network that reads it, in words; empty where they were not.
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    kind: str
    fingerprint: str
    standardization: Standardization | None = None
    notes: tuple[str, ...] = ()
    features: tuple[tuple[str, str], ...] = ()
    symbols: int | None = None
    probes: Mapping[int, Split] = field(default_factory=dict)
    target: Standardization | None = None
    arranged: str = ""

    @property
    def outputs(self) -> int:
        """One for each class, or for each number to tell."""
        return len(self.classes) or int(self.train.y.shape[1])

    @property
    def rows(self) -> int:
        """How many rows there are to train on."""
        return len(self.train)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample, without the rows."""
        return tuple(self.train.x.shape[1:])

    @property
    def step_inputs(self) -> int:
        """How many features a step has, or how many symbols there are."""
        shape = self.sample_shape
        return shape[1] if len(shape) == 2 else self.symbols or len(self.classes)


@dataclass(frozen=True)
class Scores:
    """How well a network does on one split, in eval mode; as scikit-learn defines each.

    `loss` is a mean over samples, without any penalty. `accuracy`, `balanced_accuracy` and
    `macro_f1` (0 to 1) need classes, `r2` and `rmse` numbers to tell; what has none is NaN.
    """

    loss: float
    accuracy: float
    balanced_accuracy: float = math.nan
    macro_f1: float = math.nan
    r2: float = math.nan
    rmse: float = math.nan


class NonFiniteStep(NumericsError):
    """A loss or gradient is not finite at step `offset` of a call; no weight was changed."""

    def __init__(self, offset: int, loss: float, grad_norm: float) -> None:
        super().__init__(f"step {offset} of the call: loss {loss:.4g}, grad norm {grad_norm:.3g}")
        self.offset = offset
        self.loss = loss
        self.grad_norm = grad_norm  # NaN where the loss ended the step


class Learner(Protocol):
    """A network with its optimiser, bound to the rows it learns from."""

    min_batch: int
    """Smallest batch it can take a step on: 2 with batch normalisation, else 1."""

    penalties: FloatArray
    """How much of each loss of the last `fit` was the L2 penalty, shape (S,)."""

    def fit(
        self, order: IntArray, batch_size: int, lrs: FloatArray, epoch: int | None = None
    ) -> FloatArray:
        """Take one step per batch of consecutive rows of `order`; return the loss of each.

        Parameters
        ----------
        order : IntArray, shape (n,)
            Rows of the training split, in the order they are to be seen.
        batch_size : int
            Rows a step; the last step of an epoch takes what is left.
        lrs : FloatArray, shape (S,)
            The learning rate of each step.
        epoch : int, optional
            Places of `order` that make an epoch, across whose end no batch reaches; absent: all of
            them.

        Returns
        -------
        FloatArray, shape (S,)
            The mean loss over each batch, penalties included: what the step goes down.

        Raises
        ------
        NonFiniteStep
            If a loss or a gradient is not finite; the weights are those before that step.
        """
        ...

    def outputs(self, x: Array) -> FloatArray:
        """Return what the network hands to its loss for each row, in eval mode, shape (N, O)."""
        ...

    def evaluate(self, split: Split) -> Scores:
        """Return the scores on `split`, in eval mode."""
        ...

    def rebind(self, split: Split) -> None:
        """Learn from other rows from now on, with the same network and optimiser."""
        ...

    def weights(self) -> Weights:
        """Return a copy of every weight and buffer, by name."""
        ...

    def load(self, weights: Mapping[str, Array]) -> None:
        """Put back what `weights` returned."""
        ...

    def moments(self) -> Weights:
        """Return a copy of the optimiser's state: ``steps``, ``first/NAME``, ``second/NAME``."""
        ...

    def load_moments(self, moments: Mapping[str, Array]) -> None:
        """Put back what `moments` returned."""
        ...


Backward = Callable[[FloatArray], FloatArray]
"""Maps the gradient of a layer's output to that of its input, noting those of its weights."""


class NumpyNetwork(Protocol):
    """A network written in NumPy: its weights by name, its output, its loss with gradients."""

    weights: Weights

    @property
    def trainable(self) -> Weights:
        """Those of `weights` that have a gradient; the others are statistics of what was seen."""
        ...

    @property
    def reads(self) -> Literal["rows", "pictures", "sequences"]:
        """What inputs are: features (B, I), pictures (B, C, H, W), or as `lengths_of` says."""
        ...

    @property
    def min_batch(self) -> int:
        """See `Learner.min_batch`."""
        ...

    def products(self, sample_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of one sample's forward pass."""
        ...

    def outputs(self, x: FloatArray) -> FloatArray:
        """Return the output in eval mode, shape (B, O)."""
        ...

    def loss(self, outputs: FloatArray, y: Array, weight: FloatArray | None = None) -> float:
        """Return the mean loss of outputs (B, O)."""
        ...

    def loss_and_grads(
        self, x: FloatArray, y: Array, weight: FloatArray | None = None, step: int = 0
    ) -> tuple[float, Weights]:
        """Return the mean loss in train mode and the gradient of every trainable weight, by name.

        `step` counts those taken before; what is dropped depends on it. Statistics take in the
        batch.
        """
        ...

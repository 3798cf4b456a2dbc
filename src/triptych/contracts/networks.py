"""What trains and what is trained: scores, and the protocols of networks and learners."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from triptych.contracts.data import Array, FloatArray, IntArray, Split, Weights
from triptych.errors import NumericsError


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
        super().__init__(
            f"step {offset} of the call: loss {loss:.4g}, gradient norm {grad_norm:.3g}"
        )
        self.offset = offset
        self.loss = loss
        self.grad_norm = grad_norm  # NaN where the loss ended the step


class Learner(Protocol):
    """A network with its optimiser, bound to the rows it learns from."""

    min_batch: int
    """Smallest batch it can take a step on: 2 with batch normalisation, else 1."""

    unbounded: frozenset[str]
    """Names in `weights` and `moments` of what is not finite from the start: a mask of -inf."""

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

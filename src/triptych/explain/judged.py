"""Rows that a trained classifier was asked about, and what it said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from triptych.contracts import Array, FloatArray, IntArray
from triptych.explain.thumbnails import thumbnails

# Losses that make probabilities of outputs.
SHARING = ("softmax", "sigmoid")
# Below it nothing is told apart from 0; a logarithm needs some floor.
_FLOOR = 1e-30

Tells = Callable[[Array], FloatArray]
"""Maps raw rows (N, ...) to what a trained network hands to its loss, (N, O)."""


def class_shares(outputs: FloatArray, loss: str) -> FloatArray | None:
    """Return the probability of each class, (N, C); None where a loss makes none of its outputs.

    Parameters
    ----------
    outputs : FloatArray, shape (N, C)
        What the network hands to its loss.
    loss : {"softmax", "sigmoid", "squared", "poisson"}
        Sigmoids are one for each class, and here divided by their sum.
    """
    outputs = outputs.astype(np.float64)
    if loss == "softmax":
        shares: FloatArray = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    elif loss == "sigmoid":
        # Beyond 700 an exponential is infinite, and a sigmoid is 0 or 1 long before.
        shares = 1 / (1 + np.exp(-np.clip(outputs, -700, 700)))
    else:
        return None
    whole: FloatArray = shares / shares.sum(axis=1, keepdims=True)
    return whole


def named(features: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Return inputs as one text each: a column, or a column and the text that it is to have."""
    return tuple(" = ".join(filter(None, pair)) for pair in features)


def numbered(count: int) -> tuple[tuple[str, str], ...]:
    """Return names for features that have none, as `triptych.contracts.Dataset` has them."""
    return tuple((f"feature {k + 1}", "") for k in range(count))


@dataclass(frozen=True)
class Judged:
    """Test rows and what a network makes of them.

    Attributes
    ----------
    x : Array, shape (N, ...)
    y : IntArray, shape (N,)
    shares : FloatArray, shape (N, C)
        Probabilities.
    classes : tuple of str
    black_white : (float, float), optional
        Of pictures, see `triptych.explain.thumbnails.levels`; absent: rows are none.
    """

    x: Array
    y: IntArray
    shares: FloatArray
    classes: tuple[str, ...]
    black_white: tuple[float, float] | None = None

    @property
    def predicted(self) -> IntArray:
        """The class that each row was predicted to be, (N,)."""
        predicted: IntArray = self.shares.argmax(axis=1)
        return predicted

    @property
    def losses(self) -> FloatArray:
        """The cross-entropy of each row, (N,)."""
        found: FloatArray = -np.log(np.maximum(self.shares[np.arange(len(self.y)), self.y], _FLOOR))
        return found

    def names(self, labels: IntArray) -> tuple[str, ...]:
        """Return classes by name."""
        return tuple(self.classes[label] for label in labels)

    def pictures(self, rows: IntArray) -> Array | None:
        """Return how some rows look, uint8 (K, h, w, c); None where rows are no pictures."""
        return None if self.black_white is None else thumbnails(self.x[rows], self.black_white)

    def first_of_each(self, most: int) -> IntArray:
        """Return the first row of each of the first `most` classes that there are."""
        first: IntArray = np.unique(self.y, return_index=True)[1]
        return first[:most]

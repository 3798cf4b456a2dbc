"""Sums over rows that scores are computed of, and the scores.

N rows, C classes, O numbers to tell, K sums, B draws of the bootstrap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from triptych.contracts import Array, FloatArray, IntArray

if TYPE_CHECKING:
    from scipy import sparse

# As of the calibration finding (Guo, Pleiss, Sun and Weinberger, 2017).
BINS = 15
# What probabilities of 0 are taken for, as by scikit-learn's log_loss.
_LEAST = float(np.finfo(np.float64).eps)
OF_CLASSES = ("accuracy", "balanced_accuracy", "macro_f1")
OF_PROBABILITIES = ("log_loss", "brier", "ece")
OF_NUMBERS = ("r2", "rmse", "mae")


@dataclass(frozen=True)
class ClassRows:
    """Rows whose class is known, and what was told of them.

    Attributes
    ----------
    y, told : IntArray, shape (N,)
        Classes.
    confidence, loss, brier : FloatArray, shape (N,), or None
        The highest probability, the cross-entropy, Brier's score; None without probabilities.
    count : int
        C.
    """

    y: IntArray
    told: IntArray
    confidence: FloatArray | None
    loss: FloatArray | None
    brier: FloatArray | None
    count: int

    @property
    def names(self) -> tuple[str, ...]:
        """The scores that there are, in the order of `measures`."""
        return OF_CLASSES + (OF_PROBABILITIES if self.confidence is not None else ())

    def take(self, rows: IntArray) -> ClassRows:
        """Return some rows."""
        confidence, loss, brier = (
            None if values is None else values[rows]
            for values in (self.confidence, self.loss, self.brier)
        )
        return ClassRows(self.y[rows], self.told[rows], confidence, loss, brier, self.count)

    @property
    def confusion(self) -> IntArray:
        """How many rows of each class were told to be of each, (C, C)."""
        count = self.count
        cells: IntArray = np.bincount(self.y * count + self.told, minlength=count * count)
        return cells.reshape(count, count)

    @property
    def sums(self) -> sparse.csr_matrix:
        """What each row adds to the sums, (N, K).

        Of each class the rows that are of it, that were told to be, and both; of each bin of
        confidence rows, confidence and rows that are right; cross-entropy and Brier's score.
        """
        right = (self.y == self.told).astype(np.float64)
        one = np.ones(len(self.y))
        count = self.count
        parts = [(self.y, one), (self.told + count, one), (self.y + 2 * count, right)]
        width = 3 * count
        if self.confidence is not None and self.loss is not None and self.brier is not None:
            bins = np.minimum((self.confidence * BINS).astype(np.int64), BINS - 1) + width
            parts += [(bins, one), (bins + BINS, self.confidence), (bins + 2 * BINS, right)]
            width += 3 * BINS
            parts += [(np.full(len(one), width), self.loss)]
            parts += [(np.full(len(one), width + 1), self.brier)]
            width += 2
        return _sparse(parts, width)

    def measures(self, sums_BK: FloatArray) -> FloatArray:
        """Return the scores, then precision, recall and F1 of each class, (B, M).

        A class that no row is of counts in no mean; but in macro F1 where some row was told to be
        of it.
        """
        count = self.count
        there, told, right = (sums_BK[:, k * count : (k + 1) * count] for k in range(3))
        rows = there.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            precision, recall = right / told, right / there
            f1 = 2 * right / (there + told)
            found = [right.sum(axis=1) / rows, _mean(recall), _mean(f1)]
            if self.confidence is not None:
                bins = sums_BK[:, 3 * count : 3 * count + 3 * BINS].reshape(-1, 3, BINS)
                gap = np.abs(bins[:, 2] - bins[:, 1]).sum(axis=1)
                found += [sums_BK[:, -2] / rows, sums_BK[:, -1] / rows, gap / rows]
        return np.concatenate([np.stack(found, axis=1), precision, recall, f1], axis=1)


@dataclass(frozen=True)
class NumberRows:
    """Numbers that were to be told, and those that were, (N, O), in their own unit."""

    y: FloatArray
    told: FloatArray

    @property
    def names(self) -> tuple[str, ...]:
        """The scores, in the order of `measures`."""
        return OF_NUMBERS

    def take(self, rows: IntArray) -> NumberRows:
        """Return some rows."""
        return NumberRows(self.y[rows], self.told[rows])

    @property
    def sums(self) -> sparse.csr_matrix:
        """What each row adds to the sums, (N, 1 + 4 O): itself, and of each output its error.

        Squared and absolute errors, and the number and its square, counted from the mean of all:
        squares of large numbers would leave nothing of a small difference.
        """
        from scipy import sparse

        error, far = self.told - self.y, self.y - self.y.mean(axis=0)
        columns = [np.ones((len(far), 1)), error**2, np.abs(error), far, far**2]
        return sparse.csr_matrix(np.concatenate(columns, axis=1))

    def measures(self, sums_BK: FloatArray) -> FloatArray:
        """Return the scores (B, 3), the mean over outputs."""
        outputs = self.y.shape[1]
        rows = sums_BK[:, :1]
        squared, absolute, first, second = (
            sums_BK[:, 1 + k * outputs : 1 + (k + 1) * outputs] for k in range(4)
        )
        whole = np.maximum(second - first**2 / rows, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            # Of numbers that do not vary 1 if they are told, else 0, as scikit-learn has it.
            same = np.where(squared > 0, 0.0, 1.0)
            r2 = np.where(rows < 2, np.nan, np.where(whole > 0, 1 - squared / whole, same))
        found = [r2.mean(axis=1), np.sqrt(squared / rows).mean(axis=1)]
        return np.stack([*found, (absolute / rows).mean(axis=1)], axis=1)


def losses(shares: FloatArray, y: IntArray) -> FloatArray:
    """Return the cross-entropy of each row, (N,)."""
    found: FloatArray = -np.log(np.maximum(shares[np.arange(len(y)), y], _LEAST))
    return found


def brier_scores(shares: FloatArray, y: IntArray) -> FloatArray:
    """Return the squared distance of probabilities from what is, (N,): 0 to 2; of two classes half.

    Brier, 1950, "Verification of forecasts expressed in terms of probability". Halved of two
    classes, as is usual, and as scikit-learn's brier_score_loss has it.
    """
    missed = shares.copy()
    missed[np.arange(len(y)), y] -= 1.0
    found: FloatArray = np.square(missed).sum(axis=1) / (2 if shares.shape[1] == 2 else 1)
    return found


def _sparse(parts: Sequence[tuple[Array, FloatArray]], width: int) -> sparse.csr_matrix:
    """Return the matrix (N, width) whose rows have each part's value at its place."""
    from scipy import sparse  # here, because it takes a while to load

    rows = len(parts[0][1])
    places = np.stack([place for place, _ in parts], axis=1)
    values = np.stack([value for _, value in parts], axis=1)
    ends = np.arange(rows + 1) * len(parts)
    return sparse.csr_matrix((values.ravel(), places.ravel(), ends), shape=(rows, width))


def _mean(each_BC: FloatArray) -> FloatArray:
    """Return the mean over the classes that are there, (B,)."""
    there = ~np.isnan(each_BC)
    found: FloatArray = np.where(there, each_BC, 0.0).sum(axis=1) / there.sum(axis=1)
    return found

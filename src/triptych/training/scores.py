"""The scores of a split from one look at its outputs, the same for every engine.

Those of classes come from one table of counts: some networks are judged a thousand times a second.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from triptych.contracts import Array, FloatArray, IntArray, Scores, Standardization


def scored(loss: float, outputs: FloatArray, y: Array) -> Scores:
    """Return the scores of a split.

    Parameters
    ----------
    loss : float
    outputs : FloatArray, shape (N, O)
        One for each class, or with O = 1 one that is above 0 for class 1; or numbers.
    y : Array
        Classes (N,), or numbers (N, O), whose unit is that of the `rmse`.
    """
    if y.ndim == 2:
        return Scores(loss, math.nan, math.nan, math.nan, r2(outputs, y), rmse(outputs, y))
    return Scores(loss, *_of_classes(*_counts(outputs, y)))


def accuracy(outputs: Array, y: Array) -> float:
    """Return the share of rows whose class is right; NaN where `y` are no classes."""
    return math.nan if y.ndim == 2 else float((_told(outputs) == y).mean())


def _told(outputs: Array) -> Array:
    """Return the classes (N,) that outputs (N, O) stand for."""
    if outputs.shape[1] == 2:
        return outputs[:, 1] > outputs[:, 0]  # as argmax, in half its time
    return outputs[:, 0] > 0 if outputs.shape[1] == 1 else outputs.argmax(axis=1)


def _counts(outputs: Array, y: IntArray) -> tuple[list[int], list[int], list[int]]:
    """Return of each class how many rows were told rightly, are of it, and were told to be."""
    told_N, count = _told(outputs), max(2, outputs.shape[1])
    if count == 2:  # without the table: that takes twice the time
        right, there, told = (int(np.count_nonzero(part)) for part in (told_N == y, y, told_N))
        rows = len(y)
        both = (right + there + told - rows) // 2
        return [right - both, both], [rows - there, there], [rows - told, told]
    counts_CC = np.bincount(y * count + told_N, minlength=count * count).reshape(count, count)
    there_C, told_C = (np.add.reduce(counts_CC, axis).tolist() for axis in (1, 0))
    return counts_CC.diagonal().tolist(), there_C, told_C


def _of_classes(right_C: list[int], there_C: list[int], told_C: list[int]) -> tuple[float, ...]:
    """Return accuracy, balanced accuracy and macro F1.

    A class that no row is of counts in none of them; but in F1 where some row was told to be of it.
    """
    each = list(zip(right_C, there_C, told_C, strict=True))
    recalls = [right / there for right, there, _ in each if there]
    f1s = [2 * right / (there + told) for right, there, told in each if there + told]
    return sum(right_C) / sum(there_C), sum(recalls) / len(recalls), sum(f1s) / len(f1s)


def r2(outputs: FloatArray, y: FloatArray) -> float:
    """Return R2, the mean over outputs; of numbers that do not vary 1 if they are told, else 0."""
    if len(y) < 2:
        return math.nan
    left_O = np.square(y - outputs).sum(axis=0, dtype=np.float64)
    whole_O = np.square(y - y.mean(axis=0)).sum(axis=0, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        each_O = np.where(whole_O > 0, 1 - left_O / whole_O, np.where(left_O > 0, 0.0, 1.0))
    return float(each_O.mean())


def rmse(outputs: FloatArray, y: FloatArray) -> float:
    """Return the root of the mean squared error, the mean over outputs."""
    return float(np.sqrt(np.square(y - outputs).mean(axis=0, dtype=np.float64)).mean())


def in_unit(scores: Scores, target: Standardization | None) -> Scores:
    """Return the scores with the RMSE in the unit that a target came in, before it was scaled."""
    if target is None:
        return scores
    return replace(scores, rmse=scores.rmse * float(target.std.mean()))


def class_step(y: IntArray) -> float:
    """Return by how much one row of the rarest class moves a mean over the classes."""
    counts = np.bincount(y)
    counts = counts[counts > 0]
    return float(1 / (len(counts) * counts.min()))

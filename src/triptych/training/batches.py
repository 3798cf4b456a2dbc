"""How rows become batches and labels become targets, the same for every engine."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from triptych.contracts import Array
from triptych.errors import SpecError

LEFT_OUT = "the last batch of 1 row is left out of each epoch: BatchNorm needs 2"


def plan(batch_size: int | None, rows: int, min_batch: int) -> tuple[int, int]:
    """Return the rows of a batch, and how many rows an epoch uses.

    Parameters
    ----------
    batch_size : int, optional
        What was asked for; absent: all rows.
    rows : int
        That there are.
    min_batch : int
        See `triptych.contracts.Learner.min_batch`. A last batch that is smaller is left out.

    Raises
    ------
    SpecError
        If every batch would be too small.
    """
    size = min(batch_size or rows, rows)
    if size < min_batch:
        raise SpecError(f"train.batch_size: BatchNorm needs at least {min_batch} rows, got {size}.")
    alone = 0 < rows % size < min_batch
    return size, rows - rows % size if alone else rows


def batches(places: int, batch_size: int, epoch: int | None = None) -> Iterator[slice]:
    """Give the places of each batch; none reaches across the end of an epoch.

    Parameters
    ----------
    places : int
        In all.
    batch_size : int
        The last batch of an epoch may be smaller.
    epoch : int, optional
        Places that make an epoch; absent: all.
    """
    epoch = epoch or max(places, 1)
    for first in range(0, places, epoch):
        end = min(first + epoch, places)
        for start in range(first, end, batch_size):
            yield slice(start, min(start + batch_size, end))


def targets(y: Array, loss: str, outputs: int, dtype: str) -> Array:
    """Return what `loss` compares outputs with.

    Parameters
    ----------
    y : Array
        Classes (N,) or targets (N, O).
    loss : str
        ``"softmax"`` takes classes as they are. To the others a class is a 1 in its place, or is
        the target itself where there is one output.
    outputs : int
    dtype : str
        Of targets.

    Returns
    -------
    Array
        Classes (N,), int64, or targets (N, O).
    """
    if loss == "softmax":
        return y
    if y.ndim == 2:
        return y.astype(dtype, copy=False)
    if outputs == 1:
        return y[:, None].astype(dtype)
    one_hot: Array = (y[:, None] == np.arange(outputs)).astype(dtype)
    return one_hot

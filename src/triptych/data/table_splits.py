"""Which rows of a table are held out: stratified by class, exact copies on one side."""

from __future__ import annotations

import numpy as np

from triptych.contracts import Array, FloatArray, IntArray
from triptych.errors import DataError


def copies(values: FloatArray) -> IntArray:
    """Return for each row (N,) the number of the group of its exact copies.

    Parameters
    ----------
    values : FloatArray, shape (N, K)
        NaN is a value like others.
    """
    rows = np.ascontiguousarray(values + 0.0)  # -0 becomes 0, which it equals
    whole = rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).ravel()
    groups: IntArray = np.unique(whole, return_inverse=True)[1]
    return groups.reshape(-1)


def split_rows(
    groups: IntArray, strata: IntArray, share: float, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Return the rows to learn from and those held out, each sorted.

    How many there are depends on `groups`, `strata` and `share` alone, so that seeds can be
    trained together.

    Parameters
    ----------
    groups : IntArray, shape (N,)
        Rows of one group stay on one side; all of a group are of one stratum.
    strata : IntArray, shape (N,)
        Each is held out by the same share, as nearly as whole groups allow.
    share : float
        Of the rows that are held out, above 0 and below 1.
    rng : numpy.random.Generator

    Raises
    ------
    DataError
        If a stratum has one group only, with the number of the stratum as its text.
    """
    _, first, inverse, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    held = np.zeros(len(sizes), bool)
    stratum_of = strata[first]
    for stratum in np.unique(stratum_of):
        inside = np.flatnonzero(stratum_of == stratum)
        if len(inside) < 2:
            raise DataError(str(stratum))
        by_size = [inside[sizes[inside] == size] for size in np.unique(sizes[inside])[::-1]]
        for alike, count in zip(by_size, _counts(by_size, sizes, share), strict=True):
            held[rng.permutation(alike)[:count]] = True
    is_held: Array = held[inverse.reshape(-1)]
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


def _counts(by_size: list[IntArray], sizes: IntArray, share: float) -> list[int]:
    """Return how many groups of each size are held out, of the largest first.

    What rounding leaves over of one size is made good by the next smaller one.
    """
    counts, over = [], 0.0
    for alike in by_size:
        size = int(sizes[alike[0]])
        wanted = share * size * len(alike) + over
        count = min(len(alike), max(0, round(wanted / size)))
        over = wanted - count * size
        counts.append(count)
    # Neither side may be without any.
    if not sum(counts):
        counts[-1] = 1
    elif sum(counts) == sum(map(len, by_size)):
        counts[-1] -= 1
    return counts

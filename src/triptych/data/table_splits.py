"""Which rows of a table are held out: stratified by class, whole groups on one side."""

from __future__ import annotations

import numpy as np

from triptych.contracts import Array, FloatArray, IntArray
from triptych.errors import DataError


def by_content(values: FloatArray, same: IntArray) -> IntArray:
    """Return for each row (N,) the number of its content, in the order of its bytes.

    A split that is drawn from these numbers does not depend on where rows stand in a file.

    Parameters
    ----------
    values : FloatArray, shape (N, K)
    same : IntArray, shape (N,)
        From `triptych.data.splits.copies`.
    """
    first = np.unique(same)
    rows = np.ascontiguousarray(values[first])
    whole = rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).ravel()
    numbers = np.empty(len(same), np.int64)
    numbers[first[np.argsort(whole)]] = np.arange(len(first))
    return numbers[same]


def linked(groups: IntArray, same: IntArray) -> IntArray:
    """Return groups (N,) of which those that share rows with exact copies are one.

    Parameters
    ----------
    groups, same : IntArray, shape (N,)
        Numbers from 0, and the first row that each equals.
    """
    if len(np.unique(same)) == len(same):
        return groups
    # Here, because SciPy takes a while to load.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = int(groups.max()) + 1
    size = count + len(same)
    edges = coo_array((np.ones(len(same)), (groups, count + same)), shape=(size, size))
    found: IntArray = connected_components(edges, directed=False)[1][groups]
    return found


def split_groups(
    groups: IntArray, strata: IntArray, share: float, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Return the rows to learn from and those held out, each sorted; whole groups, of any strata.

    Groups come in an order that is drawn, twice, and each changes sides if that brings the strata
    nearer to the share of them that is wanted; a row of a rare stratum weighs as much more as it is
    rarer.

    Parameters
    ----------
    groups : IntArray, shape (N,)
        At least two.
    strata : IntArray, shape (N,)
        From 0.
    share : float
        Of the rows that are held out, above 0 and below 1.
    rng : numpy.random.Generator
    """
    _, inverse, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    inverse = inverse.reshape(-1)
    rows_of = np.split(np.argsort(inverse, kind="stable"), np.cumsum(sizes)[:-1])
    total = np.bincount(strata).astype(np.float64)
    lacking = share * total
    held, nearest = np.zeros(len(sizes), bool), (np.inf, 0)
    order = rng.permutation(len(sizes))
    for group in (*order, *order):
        inside, counts = np.unique(strata[rows_of[group]], return_counts=True)
        moved = -counts if held[group] else counts
        # By how much the sum over strata of (lacking rows)^2 / rows would grow.
        growth = float((moved * (moved - 2 * lacking[inside]) / total[inside]).sum())
        if growth < 0 and (held[group] or held.sum() < len(sizes) - 1):
            held[group] = not held[group]
            lacking[inside] -= moved
        elif not held.any():
            nearest = min(nearest, (growth, int(group)))
    if not held.any():
        held[nearest[1]] = True
    is_held: Array = held[inverse]
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


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

"""How sure a score is: intervals of 95 %, of shares by Wilson's formula, else by the bootstrap.

N rows, U units that are drawn, K sums, M measures, B draws.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from triptych.contracts import FloatArray, IntArray

if TYPE_CHECKING:
    from scipy import sparse

RESAMPLES = 1_000
"""How many times units are drawn anew."""
# Units above this number are put together at random, which leaves the interval as wide.
MOST_UNITS = 10_000
_AT_ONCE = 100
_TAILS = (0.025, 0.975)
_Z = 1.959963984540054

Measure = Callable[[FloatArray], FloatArray]
"""Maps sums (B, K) to measures (B, M)."""


@dataclass(frozen=True)
class Score:
    """A score with its interval of 95 %; not a number where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan


def wilson(right: float, rows: float) -> Score:
    """Return the share of rows that are right, with Wilson's interval.

    Wilson, 1927, "Probable inference, the law of succession, and statistical inference"; Brown, Cai
    and DasGupta, 2001, recommend it over the usual one, which is too narrow near 0 and 1.

    Examples
    --------
    >>> wilson(10, 10)
    Score(value=1.0, low=0.7224672001371106, high=1.0)
    """
    if not rows:
        return Score(math.nan)
    share, spread = right / rows, _Z**2 / rows
    middle = share + spread / 2
    half = math.sqrt(spread * (share * (1 - share) + spread / 4))
    low, high = (middle - half) / (1 + spread), (middle + half) / (1 + spread)
    return Score(share, max(0.0, min(low, share)), min(1.0, max(high, share)))


def bootstrap(
    sums: sparse.csr_matrix, units: IntArray, measure: Measure, rng: np.random.Generator
) -> list[Score]:
    """Return measures with percentile intervals of the bootstrap.

    Efron, 1979, "Bootstrap methods: another look at the jackknife"; whole units are drawn, as of
    clusters (Field and Welsh, 2007), so rows of one may hang together.

    Parameters
    ----------
    sums : sparse matrix, shape (N, K)
        What each row adds to the sums that `measure` is computed of.
    units : IntArray, shape (N,)
        To which each row belongs, 0 to U - 1.
    measure : callable
        NaN where a measure is not there.
    rng : numpy.random.Generator

    Returns
    -------
    list of Score
        Of each of the M measures; without an interval where there is one unit only, or where all
        draws agree, such as that all rows are right: how far off others may be, they cannot know.
    """
    from scipy import sparse  # here, because it takes a while to load

    count = int(units.max()) + 1
    member = sparse.csr_matrix(
        (np.ones(len(units)), (units, np.arange(len(units)))), shape=(count, len(units))
    )
    by_unit = (member @ sums).T.tocsr()  # (K, U)
    whole_M = measure(np.asarray(by_unit.sum(axis=1)).reshape(1, -1))[0]
    if count < 2:
        return [Score(float(value)) for value in whole_M]
    drawn = []
    for start in range(0, RESAMPLES, _AT_ONCE):
        size = min(_AT_ONCE, RESAMPLES - start)
        picked = rng.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        times_BU = np.bincount(picked.ravel(), minlength=size * count).reshape(size, count)
        drawn.append(measure((by_unit @ times_BU.T.astype(np.float64)).T))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a measure that was never there
        low_M, high_M = np.nanquantile(np.concatenate(drawn), _TAILS, axis=0)
    alike = low_M == high_M
    low_M[alike] = high_M[alike] = np.nan
    each = zip(whole_M.tolist(), low_M.tolist(), high_M.tolist(), strict=True)
    return [Score(*one) for one in each]


def units_of(rows: int, most: int, rng: np.random.Generator) -> IntArray:
    """Return the unit of each row (N,): its own, or one of `most` that rows are dealt to."""
    if rows <= most:
        return np.arange(rows)
    dealt: IntArray = rng.permutation(rows) % most
    return dealt

"""The scores of rows that were told, by class and by group, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from triptych.contracts import Array, IntArray
from triptych.saved.intervals import Score, bootstrap, units_of, wilson
from triptych.saved.measures import ClassRows, NumberRows

MOST_GROUPS = 100
"""Groups that are scored by themselves, the largest."""
# What each of them is drawn as, at most.
_GROUP_UNITS = 1_000


@dataclass(frozen=True)
class ClassScore:
    """How well rows of one class are told, and how many there are."""

    name: str
    rows: int
    precision: Score
    recall: Score
    f1: Score


@dataclass(frozen=True)
class GroupScore:
    """The scores of the rows of one group."""

    name: str
    rows: int
    scores: dict[str, Score]


def scores_of(
    rows: ClassRows | NumberRows, units: IntArray, rng: np.random.Generator, *, alone: bool
) -> tuple[dict[str, Score], list[tuple[Score, Score, Score]]]:
    """Return the scores of rows, and precision, recall and F1 of each class.

    Parameters
    ----------
    rows, units, rng
        As of `bootstrap`.
    alone : bool
        Whether rows are drawn by themselves, not as groups.
    """
    found = bootstrap(rows.sums, units, rows.measures, rng)
    scores = dict(zip(rows.names, found, strict=False))
    if isinstance(rows, NumberRows):
        return scores, []
    right, count = rows.y == rows.told, rows.count
    rest = found[len(rows.names) :]
    precision, recall, f1 = (rest[k * count : (k + 1) * count] for k in range(3))

    def share(score: Score, of: Array) -> Score:
        """Return a share of some rows with Wilson's interval, where it has that."""
        if alone:
            return wilson(int(right[of].sum()), int(of.sum()))
        if math.isnan(score.value) or not math.isnan(score.low):
            return score
        # All right, or none: as many groups as there are say so.
        groups = len(np.unique(units[of]))
        return wilson(score.value * groups, groups)

    scores["accuracy"] = share(scores["accuracy"], np.ones(len(right), bool))
    classes = [
        (share(precision[k], rows.told == k), share(recall[k], rows.y == k), f1[k])
        for k in range(count)
    ]
    return scores, classes


def group_scores(
    rows: ClassRows | NumberRows, names: Sequence[str], codes: IntArray, rng: np.random.Generator
) -> Iterator[GroupScore]:
    """Give the scores of each of the largest groups by itself.

    Parameters
    ----------
    rows : ClassRows or NumberRows
    names : sequence of str
        Of the groups.
    codes : IntArray, shape (N,)
        The group of each row.
    rng : numpy.random.Generator
    """
    sizes = np.bincount(codes, minlength=len(names))
    for k in np.argsort(-sizes, kind="stable")[:MOST_GROUPS].tolist():
        some = rows.take(np.flatnonzero(codes == k))
        units = units_of(int(sizes[k]), _GROUP_UNITS, rng)
        scores, _ = scores_of(some, units, rng, alone=True)
        yield GroupScore(names[k], int(sizes[k]), scores)

"""Which classes a network takes for which, and the rows that it gets most wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from triptych.contracts import Array, IntArray, Origin
from triptych.explain.judged import Judged, named, numbered
from triptych.records import Finding

CONFUSION, MISTAKES = "confusion", "mistakes"
_CLASSES = 12
_PAIRS = 4
_EXAMPLES = 3
_WORST = 8
_COLUMNS = 8


def confusion(judged: Judged) -> Finding:
    """Return how many test rows of each class were predicted to be of each.

    Parameters
    ----------
    judged : Judged

    Returns
    -------
    Finding
        With ``counts (K, K)``, a line for each true class, of all classes or of the twelve that are
        confused most; the most confused ``pairs (P,)``: how many rows, of how many of that class,
        ``of (P,)``; of pictures ``examples (P, E, h, w, c)``, of which the first
        ``shown (P,)`` are there. Labels: ``classes``; ``true`` and ``predicted`` of the pairs.
    """
    count = len(judged.classes)
    counts = np.zeros((count, count), np.int64)
    np.add.at(counts, (judged.y, judged.predicted), 1)
    off = counts - np.diag(counts.diagonal())
    kept = np.sort(np.argsort(-(off.sum(axis=0) + off.sum(axis=1)), kind="stable")[:_CLASSES])
    order = np.argsort(-off, axis=None, kind="stable")[:_PAIRS]
    true, predicted = (
        places[off.ravel()[order] > 0] for places in np.unravel_index(order, off.shape)
    )
    arrays: dict[str, Array] = {
        "counts": counts[np.ix_(kept, kept)].astype(float),
        "pairs": off[true, predicted].astype(float),
        "of": counts[true].sum(axis=1).astype(float),
    }
    if len(true):
        arrays |= _examples(judged, true, predicted)
    return Finding(
        kind=CONFUSION,
        title="What is taken for what",
        caption=(
            f"The {len(judged.y):,} test rows: a line for each true class, a column for each class "
            "that was predicted. On the diagonal is what is right; the stronger the tint of a "
            f"place, the larger its share of the line.{_cut(len(kept), count)}"
        ),
        arrays=arrays,
        labels={
            "classes": judged.names(kept),
            "true": judged.names(true),
            "predicted": judged.names(predicted),
        },
    )


def _cut(kept: int, count: int) -> str:
    return f" Of {count} classes the {kept} that are confused most." if kept < count else ""


def _examples(judged: Judged, true: IntArray, predicted: IntArray) -> dict[str, Array]:
    """Return pictures of each pair, those predicted with most confidence; none of other rows."""
    found = []
    for a, b in zip(true, predicted, strict=True):
        rows = np.flatnonzero((judged.y == a) & (judged.predicted == b))
        pictures = judged.pictures(rows[np.argsort(-judged.shares[rows, b])][:_EXAMPLES])
        if pictures is None:
            return {}
        found.append(pictures)
    examples = np.zeros((len(found), _EXAMPLES, *found[0].shape[1:]), np.uint8)
    for one, pictures in zip(examples, found, strict=True):
        one[: len(pictures)] = pictures
    return {"examples": examples, "shown": np.array([float(len(one)) for one in found])}


def mistakes(
    judged: Judged,
    features: tuple[tuple[str, str], ...] = (),
    origin: Callable[[int], Origin] | None = None,
) -> Finding | None:
    """Return the rows with the highest loss of those predicted wrong; None where all are right.

    Parameters
    ----------
    judged : Judged
        Pictures; or rows (N, ...), which are flattened.
    features : tuple of (str, str)
        See `triptych.contracts.Dataset`; numbered where absent.
    origin : callable, optional
        See `triptych.contracts.Dataset`.

    Returns
    -------
    Finding
        With ``rows (M,)``, their places in the test split; ``wrong (2,)``, how many were predicted
        wrong, and of how many; ``predicted (M,)`` and ``true (M,)``, the probabilities of what was
        predicted and of what is true; ``pictures (M, h, w, c)``, or ``values (M, K)`` of at most
        eight features. Labels: ``true``, ``predicted``, ``features``; where their origin is known
        ``places``, what the M rows are called, and ``cells``, M lists of K texts one after the
        other, which stand for the values.
    """
    losses, predicted = judged.losses, judged.predicted
    wrong = np.flatnonzero(predicted != judged.y)
    rows = wrong[np.argsort(-losses[wrong], kind="stable")][:_WORST]
    if not len(rows):
        return None
    arrays: dict[str, Array] = {
        "rows": rows.astype(float),
        "wrong": np.array([len(wrong), len(predicted)], float),
        "predicted": judged.shares[rows, predicted[rows]],
        "true": judged.shares[rows, judged.y[rows]],
    }
    labels = {"true": judged.names(judged.y[rows]), "predicted": judged.names(predicted[rows])}
    pictures, read = judged.pictures(rows), ""
    if pictures is not None:
        arrays["pictures"] = pictures
    elif origin is not None:
        labels |= _origins([origin(int(row)) for row in rows])
        read = _cut_columns("Columns are as they stand in the data", len(origin(0).cells))
    else:
        values = judged.x[rows].reshape(len(rows), -1)
        arrays["values"] = values[:, :_COLUMNS].astype(float)
        names = features or numbered(values.shape[1])
        labels["features"] = named(names[:_COLUMNS])
        read = _cut_columns("Features are as the network reads them", values.shape[1])
    return Finding(
        kind=MISTAKES,
        title="The worst mistakes",
        caption=(
            "Of the test rows predicted wrong those with the highest loss: what they are, what "
            "was predicted, and how probable the network held either. A row that a reader "
            "would get wrong too says something of the data, not of the network." + read
        ),
        arrays=arrays,
        labels=labels,
    )


def _origins(origins: Sequence[Origin]) -> dict[str, tuple[str, ...]]:
    """Return what some rows were where they were read, as labels."""
    columns = tuple(origins[0].cells)[:_COLUMNS]
    return {
        "places": tuple(one.place for one in origins),
        "features": columns,
        "cells": tuple(one.cells[column] for one in origins for column in columns),
    }


def _cut_columns(read: str, count: int) -> str:
    return f" {read}{f', the first {_COLUMNS} of {count}' if count > _COLUMNS else ''}."

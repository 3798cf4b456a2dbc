"""Which rows are held out: a share of each class, and copies of one row on one side."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from triptych.chance import stream
from triptych.contracts import Array, IntArray
from triptych.data.table_splits import split_rows
from triptych.errors import DataError


def copies(x: Array) -> IntArray:
    """Return for each row of `x` (N, ...) the first row that it equals to the bit, (N,)."""
    first: dict[bytes, int] = {}
    rows = np.ascontiguousarray(x)
    return np.array([
        first.setdefault(hashlib.blake2b(row.tobytes(), digest_size=16).digest(), k)
        for k, row in enumerate(rows)
    ], dtype=np.int64)  # fmt: skip


def together(same: IntArray, rows: IntArray) -> IntArray | None:
    """Return what `triptych.contracts.Split` says of rows that belong together; None: all differ.

    Parameters
    ----------
    same : IntArray, shape (N,)
        From `copies`.
    rows : IntArray
        Those of the split.
    """
    found: IntArray = same[rows]
    return found if len(np.unique(found)) < len(found) else None


def split_by_class(
    y: IntArray, same: IntArray, test_size: float, seed: int
) -> tuple[IntArray, IntArray]:
    """Return the rows to train on and those held out, each in an order drawn by `seed`.

    How many there are is the same for every seed, so that seeds can be trained together.

    Parameters
    ----------
    y : IntArray, shape (N,)
        Classes; each must have two rows that differ, see `need_two`.
    same : IntArray, shape (N,)
        From `copies`: rows of one value are not parted, and are of the class of the first of them.
    test_size : float
        Share of each class to hold out; at least one row, but not all.
    seed : int
        Of the study.
    """
    rng = stream(seed, "split")
    train, test = split_rows(same, y, test_size, rng)
    return rng.permutation(train), rng.permutation(test)


def need_two(name: str, noun: str, y: IntArray, same: IntArray, classes: Sequence[str]) -> None:
    """Refuse classes of which not one row can be trained on and another held out.

    Parameters
    ----------
    name, noun : str
        Of the data, and what a row is.
    y, same : IntArray, shape (N,)
        Classes, and what `copies` says.
    classes : sequence of str

    Raises
    ------
    DataError
        If there are fewer than two classes, or one has no two rows that differ.
    """
    if len(classes) < 2:
        found = f"{len(classes)} ({classes[0]!r})" if len(classes) else "0"
        raise DataError(f"{name}: need 2 classes, found {found}.")
    counts = np.bincount(y[np.unique(same)], minlength=len(classes))
    few = np.flatnonzero(counts < 2)
    if len(few):
        shown = ", ".join(repr(classes[k]) for k in few[:10])
        more = f" and {len(few) - 10} more" if len(few) > 10 else ""
        raise DataError(
            f"{name}: each class needs 2 {noun}s that differ, one to train on and one to hold out; "
            f"{shown}{more} has fewer. Add some, or leave the class out."
        )


def copy_notes(name: str, noun: str, y: IntArray, same: IntArray) -> tuple[str, ...]:
    """Say how many rows are copies, and how many of them are of another class than the first."""
    extra = same != np.arange(len(same))
    if not extra.any():
        return ()
    notes = [
        f"{name}: {int(extra.sum()):,} of {len(same):,} {noun}s are copies of another; copies stay "
        "on one side of the split."
    ]
    contrary = int((y != y[same]).sum())
    if contrary:
        notes.append(
            f"{name}: {contrary:,} {noun}s are copies of one in another class, so no network can "
            "tell all of them."
        )
    return tuple(notes)

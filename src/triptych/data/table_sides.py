"""The two sides of a table's split: drawn by class, by whole groups, or along time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from triptych.chance import stream
from triptych.contracts import FloatArray, IntArray, latest
from triptych.data.columns import Column
from triptych.data.splits import copies
from triptych.data.table_fitting import Table, listed
from triptych.data.table_splits import by_content, linked, split_groups, split_rows
from triptych.data.text_files import shown
from triptych.errors import DataError


@dataclass(frozen=True)
class Sides:
    """Which rows of N are learnt from and which are held out.

    Attributes
    ----------
    train, test : IntArray
        Sorted.
    notes : tuple of str
        How they were chosen, where that is not by chance alone.
    groups : IntArray, shape (N,), optional
    times : FloatArray, shape (N,), optional
        What `triptych.contracts.Split` says of rows that belong together, and of their times.
    """

    train: IntArray
    test: IntArray
    notes: tuple[str, ...] = ()
    groups: IntArray | None = None
    times: FloatArray | None = None


@dataclass(frozen=True)
class Holdout:
    """What is held out of a table, and by what.

    Attributes
    ----------
    share : float
        Of the rows.
    seed : int
        Of the study; draws the rows or groups.
    together : bool
        Whether rows that are exact copies stay on one side.
    group, time : Column, optional
        Whose rows of one value stay on one side; by which the latest are held out.
    """

    share: float
    seed: int
    together: bool = True
    group: Column | None = None
    time: Column | None = None


def divided(table: Table, by: Holdout) -> Sides:
    """Return the two sides of a table.

    Parameters
    ----------
    table : Table
    by : Holdout

    Raises
    ------
    DataError
        If a side would be empty, or a class cannot be on both, or times have no order.
    """
    columns = [*(c.values for c in table.features), table.target.values]
    values = np.stack(columns, axis=1) + 0.0  # -0 becomes 0, which it equals
    same = copies(values)
    if by.time is not None:
        return _along_time(table, by, same, by.time)
    if by.group is not None:
        return _by_groups(table, by, same, by.group)
    twice = len(same) - len(np.unique(same))
    groups = by_content(values, same) if by.together else np.arange(len(same))
    train, test = _drawn(table, groups, by)
    notes = []
    if twice:
        where = "are on one" if by.together else "may be on both"
        side = "side" if by.together else "sides"
        notes.append(
            f"rows that are exact copies of others ({twice:,} of {len(same):,}) {where} {side} of "
            "the split"
        )
    return Sides(train, test, tuple(notes), groups if twice and by.together else None)


def _drawn(table: Table, groups: IntArray, by: Holdout) -> tuple[IntArray, IntArray]:
    try:
        return split_rows(groups, _strata(table), by.share, stream(by.seed, "split"))
    except DataError as error:
        classes = table.target.classes
        which = f"class {shown(classes[int(str(error))])} has" if classes else "there is"
        raise DataError(
            f"{table.name}: {which} one row only, copies of it aside; two are the least that can "
            "be split."
        ) from None


def _by_groups(table: Table, by: Holdout, same: IntArray, column: Column) -> Sides:
    found = np.unique(column.values, return_inverse=True)[1].reshape(-1)
    groups = linked(found, same) if by.together else found
    before, count = (len(np.unique(numbers)) for numbers in (found, groups))
    if count < 2:
        what = f"all rows are of one {shown(column.name)}"
        if before > 1:
            what = (
                f"every {shown(column.name)} shares exact copies of rows with another, and copies "
                "stay together; set duplicates = 'anywhere'"
            )
        raise DataError(f"{table.name}: {what}. Two groups are the least that can be split.")
    train, test = split_groups(groups, _strata(table), by.share, stream(by.seed, "split"))
    notes = [
        f"rows of one {shown(column.name)} ({before:,} of them) are on one side of the split, "
        f"{_percent(len(test), len(same))} of the rows held out"
    ]
    if count < before:
        notes.append(
            f"so are those of them that share exact copies of rows, which leaves {count:,} to draw"
        )
    return Sides(train, test, (*notes, *_one_sided(table, train, test)), groups)


def _along_time(table: Table, by: Holdout, same: IntArray, column: Column) -> Sides:
    if column.words:
        raise DataError(
            f"{table.name}: time {shown(column.name)} holds texts, such as "
            f"{shown(column.words[0])}; numbers have an order, and dates such as 2024-01-31."
        )
    held = latest(column.values, round(by.share * len(same)))
    if not held.any():
        raise DataError(
            f"{table.name}: time {shown(column.name)} is {column.text(0)} in every row; nothing is "
            "later."
        )
    train, test = np.flatnonzero(~held), np.flatnonzero(held)
    first = column.text(int(test[column.values[test].argmin()]))
    notes = [
        f"rows from {first} on, by {shown(column.name)}, are held out: "
        f"{_percent(len(test), len(same))}, the same for every seed"
    ]
    if again := int(np.isin(same[test], same[train]).sum()):
        notes.append(f"{again:,} of them are exact copies of earlier rows")
    return Sides(train, test, (*notes, *_one_sided(table, train, test)), times=column.values)


def _one_sided(table: Table, train: IntArray, test: IntArray) -> list[str]:
    """Say which classes are on one side only."""
    classes, strata = table.target.classes, _strata(table)
    notes = []
    for rows, what in ((train, "no training row"), (test, "no held-out row")):
        there = set(strata[rows].tolist())
        if missing := [shown(name) for k, name in enumerate(classes) if k not in there]:
            notes.append(f"{what} is of class {listed(missing)}")
    return notes


def _strata(table: Table) -> IntArray:
    target = table.target
    return (
        target.values.astype(np.int64) if target.classes else np.zeros(len(target.values), np.int64)
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"

"""What is to be told of a table's rows: classes, or a number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from triptych.contracts import FloatArray
from triptych.data.columns import Column, Columns, written
from triptych.data.text_files import shown
from triptych.errors import DataError

# Grades, counts of doors, 0 and 1: more whole numbers than these are hardly classes.
_MOST_NUMBERED = 10


@dataclass(frozen=True)
class Target:
    """What is to be told of N rows.

    Attributes
    ----------
    column : Column
        As it stands in the file.
    values : FloatArray, shape (N,)
        Numbers; of classes their places in `classes`.
    classes : tuple of str
        Their names; none where a number is to be told.
    note : str
        How that was decided, where it was not asked for.
    """

    column: Column
    values: FloatArray
    classes: tuple[str, ...] = ()
    note: str = ""

    @property
    def name(self) -> str:
        """Of the column."""
        return self.column.name


def find_target(table: Columns, name: str, task: str) -> Target:
    """Return the target of a table.

    Parameters
    ----------
    table : Columns
        Its target has no empty cell.
    name : str
        Of its column.
    task : {"auto", "classification", "regression"}

    Raises
    ------
    DataError
        If it does not vary, holds dates, or its texts are to be told as numbers.
    """
    column = table[name]
    if column.dated:
        raise DataError(
            f"{table.name}: target {shown(name)} holds dates, and classes or numbers are told. "
            "Name it in text = [...] (--text) to take each as a class."
        )
    present, codes = np.unique(column.values, return_inverse=True)
    places: FloatArray = codes.reshape(-1).astype(np.float64)
    if column.words:
        words = tuple(column.words[int(k)] for k in present)
        if task == "regression":
            raise DataError(
                f"{table.name}: target {shown(name)} holds texts, such as {shown(words[0])}, and a "
                "number is to be told. Set task = 'classification'."
            )
        return Target(column, places, _several(words, table, name))
    numbered = len(present) <= _MOST_NUMBERED and bool((present == np.floor(present)).all())
    if task == "classification" or (task == "auto" and numbered):
        classes = _several(tuple(map(written, present.tolist())), table, name)
        note = (
            f"target {shown(name)} has {len(classes)} different whole numbers, taken as classes "
            "(task = 'regression' takes them as quantities)"
        )
        return Target(column, places, classes, note if task == "auto" else "")
    if len(present) < 2:
        raise DataError(
            f"{table.name}: target {shown(name)} is {present[0]:g} in every row; "
            "there is nothing to tell."
        )
    return Target(column, column.values)


def _several(classes: tuple[str, ...], table: Columns, name: str) -> tuple[str, ...]:
    if len(classes) < 2:
        raise DataError(
            f"{table.name}: target {shown(name)}: need 2 classes, found 1 ({shown(classes[0])})."
        )
    return classes

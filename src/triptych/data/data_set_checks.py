"""What a data set that somebody made must hold, so that no network meets what it cannot use."""

from __future__ import annotations

import numpy as np

from triptych.contracts import Array, Dataset, Split, lengths_of
from triptych.data.text_files import counted
from triptych.errors import DataError

_LISTED = 3


def check_data_set(name: str, data: Dataset) -> None:
    """Refuse a data set that no network could be trained on.

    Parameters
    ----------
    name : str
        Of the arrays, for messages.
    data : Dataset

    Raises
    ------
    DataError
        Naming the split and the row: labels that are none of the classes, numbers that are not
        finite, symbols that there are not, sequences without steps, weights that count no row.
    """
    for side, split in (("train", data.train), ("test", data.test)):
        where = f"arrays '{name}': {side}"
        if not len(split.y) or len(split.x) != len(split.y):
            raise DataError(
                f"{where} has {len(split.x):,} rows of x and {len(split.y):,} of y; as many are "
                "needed, and one at least."
            )
        if split.x.shape[1:] != data.train.x.shape[1:] and data.kind != "sequences":
            shapes = f"{split.x.shape[1:]}, train.x {data.train.x.shape[1:]}"
            raise DataError(f"{where}.x has rows of shape {shapes}.")
        _check_told(where, split.y, data.classes)
        _check_inputs(where, split.x, data)
        _check_weights(where, split)


def _check_told(where: str, y: Array, classes: tuple[str, ...]) -> None:
    if not classes:
        if y.ndim != 2:
            raise DataError(
                f"{where}.y: without classes it must be (rows, numbers to tell), got {y.shape}."
            )
        check_numbers(f"{where}.y", y)
        return
    last = len(classes) - 1
    if y.dtype != np.int64 or y.ndim != 1:
        raise DataError(
            f"{where}.y must be int64 (rows,), 0 to {last}, the places of classes, got {y.dtype} "
            f"{y.shape}."
        )
    wrong = np.flatnonzero((y < 0) | (y > last))
    if len(wrong):
        more = f", and {len(wrong) - 1:,} more" if len(wrong) > 1 else ""
        raise DataError(f"{where}.y[{wrong[0]}]: label {y[wrong[0]]}, classes 0-{last}{more}.")


def _check_inputs(where: str, x: Array, data: Dataset) -> None:
    if x.dtype.kind not in "uifb":
        raise DataError(f"{where}.x must be numbers, got {x.dtype}.")
    if data.kind == "sequences":
        _check_steps(where, x, data.step_inputs)
    elif x.dtype.kind == "f":
        check_numbers(f"{where}.x", x)


def _check_steps(where: str, x: Array, inputs: int) -> None:
    """Refuse sequences (N, T) or (N, T, D) that are not as `lengths_of` says."""
    lengths = lengths_of(x)
    if not lengths.all():
        raise DataError(
            f"{where}.x[{int(lengths.argmin())}] has no step that counts: all of it is padding. "
            "Leave it and its label out."
        )
    inside = np.arange(x.shape[1]) < lengths[:, None]
    known = (x >= 0) & (x < inputs) if x.ndim == 2 else np.isfinite(x).all(axis=2)
    wrong = np.argwhere(known != inside)
    if len(wrong):
        row, step = wrong[0].tolist()
        what = f"symbols are 0-{inputs - 1}" if x.ndim == 2 else "steps are finite"
        pad = "-1" if x.ndim == 2 else "NaN"
        raise DataError(
            f"{where}.x[{row}][{step}] is {x[row, step]}; {what}, and {pad} only past the end."
        )


def check_numbers(what: str, values: Array) -> None:
    """Refuse numbers that are not finite.

    Parameters
    ----------
    what : str
        Where they are: ``arrays 'NAME': x``.
    values : Array

    Raises
    ------
    DataError
        Which says how many, and names the first three.
    """
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        where, _, array = what.rpartition(": ")
        first = ", ".join(
            f"{array}{''.join(f'[{k}]' for k in place)} is {values[tuple(place)]}"
            for place in wrong[:_LISTED].tolist()
        )
        verb = f"{counted(len(wrong), 'number')} not finite"
        raise DataError(f"{where}: {verb}, the first: {first}. Leave them out.")


def _check_weights(where: str, split: Split) -> None:
    if (weight := split.weight) is None:
        return
    if weight.shape != (len(split.y),):
        raise DataError(f"{where}.weight must be one number a row, got {weight.shape}.")
    wrong = np.flatnonzero(~np.isfinite(weight) | (weight < 0))
    if len(wrong):
        raise DataError(f"{where}.weight[{wrong[0]}] is {weight[wrong[0]]}; 0 or more is one.")
    if not weight.any():
        raise DataError(f"{where}.weight is 0 everywhere, so that no row counts.")

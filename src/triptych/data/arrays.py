"""Arrays of one's own, handed over in Python: checked, encoded, split."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from triptych.chance import stream
from triptych.contracts import Array, Dataset, IntArray, Split, lengths_of
from triptych.data.data_set_checks import check_data_set, check_numbers
from triptych.data.digits import channel_standardization
from triptych.data.fingerprints import fingerprint
from triptych.data.splits import copies, copy_notes, need_two, split_by_class, together
from triptych.data.table_fitting import columns_standardization
from triptych.data.table_splits import split_rows
from triptych.errors import DataError, SpecError
from triptych.spec import ArraysSpec, Task

_FORMS = "(x, y), (x, y, x_test, y_test) or a triptych.contracts.Dataset"
_NOUNS = {"table": "row", "pictures": "picture", "sequences": "sequence"}
_MOST_CHANNELS = 4


@dataclass(frozen=True)
class Arrays:
    """Rows of one's own as networks read them, not yet standardised.

    Attributes
    ----------
    name, kind : str
        Their key, and as of `triptych.contracts.Dataset`.
    x : Array, shape (N, ...)
    y : Array
        Class indices (N,), or numbers (N, O).
    classes : tuple of str
        None of numbers.
    symbols : int or None
    held : int
        How many rows at the end are for testing; 0: some are to be drawn.
    same : IntArray, shape (N,)
        Which rows are copies, see `triptych.data.splits.copies`.
    features : tuple of str
        Names of columns, where they were handed.
    fingerprint : str
        SHA-256 of all this, hexadecimal.
    """

    name: str
    kind: str
    x: Array
    y: Array
    classes: tuple[str, ...]
    symbols: int | None
    held: int
    same: IntArray
    features: tuple[str, ...]
    fingerprint: str


Handed = Mapping[str, Arrays | Dataset]
"""What was handed over, by its fingerprint."""


def read_arrays(spec: ArraysSpec, given: Any) -> tuple[ArraysSpec, Arrays | Dataset]:
    """Return what was handed over, encoded, and `spec` with all that it left to be found out.

    Parameters
    ----------
    spec : ArraysSpec
    given : tuple, or Dataset
        ``(x, y)``, of which test rows are drawn; or ``(x, y, x_test, y_test)``.

    Raises
    ------
    DataError
        Naming the arrays, and where in them what is wrong is.
    """
    if isinstance(given, Dataset):
        return _data_set(spec, given)
    if not isinstance(given, tuple | list) or len(given) not in (2, 4):
        raise DataError(f"arrays '{spec.name}': must be {_FORMS}, got {type(given).__name__}.")
    x_parts, y_parts = given[::2], given[1::2]
    for x, y in zip(x_parts, y_parts, strict=True):
        if len(x) != len(y):
            raise DataError(f"arrays '{spec.name}': x has {len(x)} rows, y has {len(y)}.")
    x, symbols = _ENCODE[spec.holds](spec.name, x_parts)
    y, classes = _targets(spec, y_parts)
    held = len(y_parts[1]) if len(y_parts) == 2 else 0
    columns = getattr(x_parts[0], "columns", ())
    features = tuple(map(str, columns)) if spec.holds == "table" else ()
    rows = Split(x, y)
    text = f"{classes}\n{symbols}\n{held}\n{features}\n{fingerprint(rows, rows.take(np.arange(0)))}"
    whole = hashlib.sha256(text.encode()).hexdigest()
    same = copies(x)
    found = Arrays(spec.name, spec.holds, x, y, classes, symbols, held, same, features, whole)
    return replace(spec, task=_task(classes), fingerprint=whole), found


def _data_set(spec: ArraysSpec, data: Dataset) -> tuple[ArraysSpec, Dataset]:
    """Return a data set of one's own, and the spec of it."""
    check_data_set(spec.name, data)
    if data.kind == "pictures" and data.standardization is None:
        data = replace(data, standardization=channel_standardization(data.train.x))
    data = replace(data, fingerprint=fingerprint(data.train, data.test))
    scales = [[s.mean.tolist(), s.std.tolist()] for s in (data.standardization, data.target) if s]
    text = f"{data.name}\n{data.kind}\n{data.classes}\n{data.symbols}\n{scales}"
    text = f"{text}\n{data.fingerprint}"
    whole = hashlib.sha256(text.encode()).hexdigest()
    kind: Any = data.kind  # which the spec checks
    return replace(spec, holds=kind, task=_task(data.classes), fingerprint=whole), data


def _task(classes: tuple[str, ...]) -> Task:
    return "classification" if classes else "regression"


def load_arrays(spec: ArraysSpec, handed: Handed, seed: int) -> Dataset:
    """Return arrays of one's own as a data set; rows to test are drawn by `seed`, unless handed.

    Columns of a table and features of steps are standardised on the training rows, as are numbers
    to tell; channels of pictures as they are read.

    Parameters
    ----------
    spec : ArraysSpec
        As `read_arrays` returned it.
    handed : mapping of str to Arrays or Dataset
    seed : int

    Raises
    ------
    SpecError
        If they are not there.
    DataError
        If they cannot be split.
    """
    if spec.fingerprint not in handed:
        raise SpecError(
            f"data: arrays '{spec.name}' are in no file. Run the study from Python: "
            f"triptych.run(study, arrays={{'{spec.name}': (x, y)}})."
        )
    rows = handed[spec.fingerprint]
    if isinstance(rows, Dataset):
        return rows
    train_rows, test_rows = _split(rows, spec.test_size, seed)
    train, test = Split(rows.x, rows.y).take(train_rows), Split(rows.x, rows.y).take(test_rows)
    train = replace(train, groups=together(rows.same, train_rows))
    target = None
    if not rows.classes:
        target = columns_standardization(train.y)
        train, test = (replace(s, y=target(s.y, "float64")) for s in (train, test))
    scale = channel_standardization(train.x) if rows.kind == "pictures" else None
    x_train, x_test = _scaled(rows, train.x, test.x)
    train, test = replace(train, x=x_train), replace(test, x=x_test)
    return Dataset(
        name=rows.name,
        train=train,
        test=test,
        classes=rows.classes,
        kind=rows.kind,
        fingerprint=fingerprint(train, test),
        standardization=scale,
        notes=copy_notes(rows.name, _NOUNS[rows.kind], rows.y, rows.same) if rows.classes else (),
        features=tuple((name, "") for name in rows.features),
        symbols=rows.symbols,
        target=target,
    )


def _split(rows: Arrays, share: float, seed: int) -> tuple[IntArray, IntArray]:
    count, same = len(rows.y), rows.same
    if rows.held:
        return np.arange(count - rows.held), np.arange(count - rows.held, count)
    if rows.classes:
        need_two(rows.name, _NOUNS[rows.kind], rows.y, same, rows.classes)
        return split_by_class(rows.y, same, share, seed)
    if len(np.unique(same)) < 2:
        raise DataError(f"{rows.name}: needs 2 rows that differ, one to hold out.")
    return split_rows(same, np.zeros(count, np.int64), share, stream(seed, "split"))


def _scaled(rows: Arrays, train: Array, test: Array) -> tuple[Array, Array]:
    """Return inputs standardised on the training rows, and sequences cut to their longest."""
    if rows.kind == "table":
        scale = columns_standardization(train)
    elif rows.kind == "sequences" and rows.symbols is None:
        from triptych.data.symbols import standardization

        scale = standardization(train)
    else:
        return _cut(rows, train), _cut(rows, test)
    return _cut(rows, scale(train, "float64")), _cut(rows, scale(test, "float64"))


def _cut(rows: Arrays, x: Array) -> Array:
    if rows.kind != "sequences":
        return x
    return np.ascontiguousarray(x[:, : int(lengths_of(x).max())])


def _numbers(name: str, what: str, parts: Sequence[Any], dtype: str | None = None) -> Array:
    try:
        found = np.concatenate([np.asarray(part, dtype) for part in parts])
    except (ValueError, TypeError) as error:
        raise DataError(f"arrays '{name}': {what} must be one array of numbers: {error}.") from None
    if found.dtype.kind not in "uifb":
        raise DataError(f"arrays '{name}': {what} must be numbers, got {found.dtype}.")
    if found.dtype.kind == "f":
        check_numbers(f"arrays '{name}': {what}", found)
    return found


def _table(name: str, parts: Sequence[Any]) -> tuple[Array, None]:
    x = _numbers(name, "x", parts, "float64")
    if x.ndim != 2:
        raise DataError(
            f"arrays '{name}': x of a table must be (rows, columns), got {x.shape}. Say what it "
            "is: holds='pictures' or 'sequences'."
        )
    return x, None


def _pictures(name: str, parts: Sequence[Any]) -> tuple[Array, None]:
    x = _numbers(name, "x", parts)
    x = x[:, None] if x.ndim == 3 else x
    if x.ndim != 4 or x.shape[1] > _MOST_CHANNELS:
        last = x.ndim == 4 and x.shape[3] <= _MOST_CHANNELS
        hint = " Channels last? Use np.moveaxis(x, -1, 1)." if last else ""
        raise DataError(
            f"arrays '{name}': pictures must be (n, height, width) or (n, channels, height, "
            f"width), got {x.shape}.{hint}"
        )
    return x if x.dtype == np.uint8 else x.astype(np.float32), None


def _sequences(name: str, parts: Sequence[Any]) -> tuple[Array, int | None]:
    # Here, because SciPy takes a while to load.
    from triptych.data.sequence_steps import Given, gathered
    from triptych.data.symbols import alphabet, coded, finite

    x = parts[0] if len(parts) == 1 else [row for part in parts for row in part]
    try:
        steps = gathered(Given(x), numbers=False)
        if steps is None:  # a table: each column is a step of one feature
            return _table(name, parts)[0][:, :, None], None
        if steps.kind == "vectors":
            return finite(steps), None
        known = alphabet(steps.kind, steps.values)
        return coded(steps, known), len(known)
    except ValueError as error:
        raise DataError(f"arrays '{name}': {error}") from None


_ENCODE = {"table": _table, "pictures": _pictures, "sequences": _sequences}


def _targets(spec: ArraysSpec, parts: Sequence[Any]) -> tuple[Array, tuple[str, ...]]:
    """Return class indices (N,) and their names; or numbers (N, O), and none."""
    y = np.concatenate([np.asarray(part) for part in parts])
    task = spec.task
    if task == "auto":
        task = "regression" if y.dtype.kind == "f" else "classification"
    if task == "regression":
        numbers = _numbers(spec.name, "y", [y], "float64")
        return numbers.reshape(len(y), -1), ()
    if y.ndim != 1:
        raise DataError(f"arrays '{spec.name}': y must be (rows,) of classes, got {y.shape}.")
    for k, label in enumerate(y.tolist()):
        if label is None or (isinstance(label, float) and math.isnan(label)):
            raise DataError(f"arrays '{spec.name}': y[{k}] is missing; leave its row out.")
    try:
        labels, codes = np.unique(y, return_inverse=True)
    except TypeError as error:
        raise DataError(f"arrays '{spec.name}': y has labels of several kinds: {error}.") from None
    if len(labels) < 2:
        raise DataError(f"arrays '{spec.name}': need 2 classes, found 1 ('{labels[0]}').")
    _refuse_unlearnt(spec.name, parts)
    return codes.astype(np.int64), tuple(map(str, labels))


def _refuse_unlearnt(name: str, parts: Sequence[Any]) -> None:
    """Refuse labels of rows for testing that no row to train on has."""
    if len(parts) < 2:
        return
    known = set(np.asarray(parts[0]).tolist())
    for k, label in enumerate(np.asarray(parts[1]).tolist()):
        if label not in known:
            raise DataError(
                f"arrays '{name}': y_test[{k}]: label {label!r}, and no row of y has it. Leave the "
                "row out."
            )

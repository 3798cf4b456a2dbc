"""Tables to data sets: what is to be told, inputs that networks can read, the split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from triptych.chance import stream
from triptych.contracts import Array, Dataset, IntArray, Split
from triptych.data.columns import Column, Columns, check_column
from triptych.data.csv_rows import refused_cells
from triptych.data.fingerprints import fingerprint
from triptych.data.table_files import read_columns
from triptych.data.table_inputs import columns_standardization, inputs
from triptych.data.table_splits import copies, split_rows
from triptych.data.table_targets import Target, find_target
from triptych.data.text_files import counted, shown
from triptych.errors import DataError
from triptych.spec import BundledSpec, TableSpec


def load_table(spec: TableSpec, seed: int) -> Dataset:
    """Return a table of one's own, split by `seed`.

    Parameters
    ----------
    spec : TableSpec
    seed : int

    Raises
    ------
    DataError, UnsafeFileError
    """
    table = read_columns(spec)
    names = tuple(column.name for column in table.columns)
    check_column(spec.target, names, table.header, "target")
    table, notes = _without_gaps(table, spec)
    target = find_target(table, spec.target, spec.task)
    features = tuple(column for column in table.columns if column.name != spec.target)
    if not features:
        raise DataError(f"{table.header}: there is no column beside the target.")
    rows = _Rows(table.name, features, target, notes)
    return _dataset(rows, seed, spec.test_size, together=spec.duplicates == "together")


def load_bundled(spec: BundledSpec, seed: int) -> Dataset:
    """Return a table that comes with scikit-learn, split by `seed`.

    Parameters
    ----------
    spec : BundledSpec
    seed : int
    """
    # Here, because scikit-learn takes a second to load.
    from sklearn import datasets

    # As they were collected; scikit-learn can also scale them, but by all rows.
    options = {"scaled": False} if spec.source == "diabetes" else {}
    bunch = getattr(datasets, f"load_{spec.source}")(**options)
    values = bunch.data.T.astype(np.float64)
    features = tuple(map(Column, bunch.feature_names, values))
    classes = tuple(map(str, bunch.get("target_names", ())))
    # Of diabetes: how far the disease went on in a year.
    target = Target("progression", bunch.target.astype(np.float64), classes)
    rows = _Rows(spec.source, features, target, ())
    return _dataset(rows, seed, spec.test_size, together=True)


@dataclass(frozen=True)
class _Rows:
    """A table without gaps, or with those that are to be filled."""

    name: str
    features: tuple[Column, ...]
    target: Target
    notes: tuple[str, ...]


def _without_gaps(table: Columns, spec: TableSpec) -> tuple[Columns, tuple[str, ...]]:
    """Return a table as `spec` wants it where cells are empty, and what was done.

    Raises
    ------
    DataError
        If it has empty cells that are not to be there.
    """
    infinite = np.stack([np.isinf(column.values) for column in table.columns], axis=1)
    if infinite.any():
        raise _refused(table, infinite, "No number is as large; correct them.")
    empty = np.stack([np.isnan(column.values) for column in table.columns], axis=1)
    if not empty.any():
        return table, ()
    for column in table.columns:
        if np.isnan(column.values).all():
            raise DataError(
                f"{table.header}: column {shown(column.name)} is empty; name it in ignore = [...]."
            )
    if spec.missing == "refuse":
        advice = "Fill them, leave out their rows, or set missing = 'fill' or 'drop'."
        raise _refused(table, empty, advice)
    if spec.missing == "drop":
        return _dropped(table, empty)
    is_target = np.array([column.name == spec.target for column in table.columns])
    if (empty & is_target).any():
        raise _refused(table, empty & is_target, "A target is never filled; leave out those rows.")
    filled = (
        f"{counted(int(empty.sum()), 'empty cell')} filled: numbers with the median of the "
        "training rows, texts with none of their values"
    )
    return table, (filled,)


def _dropped(table: Columns, empty: Array) -> tuple[Columns, tuple[str, ...]]:
    kept = np.flatnonzero(~empty.any(axis=1))
    if len(kept) < 2:
        raise DataError(f"{table.name}: all rows but {len(kept)} have empty cells.")
    left = counted(len(table) - len(kept), "row")
    return table.take(kept), (f"{left} left out for empty cells",)


def _refused(table: Columns, bad: Array, advice: str) -> DataError:
    first = np.argwhere(bad)[:3]
    places = [table.place(row, table.columns[column].name) for row, column in first]
    return refused_cells(table.name, places, int(bad.sum()), advice)


def _dataset(rows: _Rows, seed: int, share: float, *, together: bool) -> Dataset:
    target = rows.target
    values = np.stack([*(c.values for c in rows.features), target.values], axis=1)
    groups = copies(values)
    twice = len(groups) - len(np.unique(groups))
    if not together:
        groups = np.arange(len(groups))
    train_rows, test_rows = _split(rows, groups, share, seed)
    x, done = inputs(rows.name, rows.features, train_rows)
    notes = [*done, *filter(None, [target.note]), *rows.notes]
    if twice:
        where = "are on one side of the split" if together else "may be on both sides of the split"
        notes.append(f"rows that are exact copies of others ({twice:,} of {len(groups):,}) {where}")
    if target.classes:
        y: Array = target.values.astype(np.int64)
        scale = None
    else:
        scale = columns_standardization(target.values[train_rows, None])
        y = scale(target.values[:, None], "float64")
        notes.append(
            f"{shown(target.name)} is standardised too: losses are in its standard deviations, "
            "RMSE is in its own unit"
        )
    train, test = Split(x[train_rows], y[train_rows]), Split(x[test_rows], y[test_rows])
    return Dataset(
        name=rows.name,
        train=train,
        test=test,
        classes=target.classes,
        kind="table",
        fingerprint=fingerprint(train, test),
        notes=(f"{rows.name}: {'; '.join(notes)}.",),
        features=tuple((c.name, word) for c in rows.features for word in c.words or ("",)),
        target=scale,
    )


def _split(rows: _Rows, groups: IntArray, share: float, seed: int) -> tuple[IntArray, IntArray]:
    classes = rows.target.classes
    strata = rows.target.values.astype(np.int64) if classes else np.zeros(len(groups), np.int64)
    try:
        return split_rows(groups, strata, share, stream(seed, "split"))
    except DataError as error:
        which = f"class {shown(classes[int(str(error))])} has" if classes else "there is"
        raise DataError(
            f"{rows.name}: {which} one row only, copies of it aside; two are the least that can "
            "be split."
        ) from None

"""Tables to data sets: what is to be told, inputs that networks can read, the split."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from triptych.contracts import Dataset, Split
from triptych.data.columns import Column, Columns, check_column
from triptych.data.fingerprints import fingerprint
from triptych.data.row_origins import RowOrigins
from triptych.data.table_files import read_columns
from triptych.data.table_fitting import Table, fitted, preparation_notes
from triptych.data.table_gaps import without_gaps
from triptych.data.table_sides import Holdout, divided
from triptych.data.table_targets import Target, find_target
from triptych.data.text_files import shown
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
    columns = read_columns(spec)
    asked = {"target": spec.target, "group": spec.group, "time": spec.time}
    for parameter, name in asked.items():
        if name is not None:
            # What is left out cannot be asked for, but may be the name that was meant.
            names = (*columns.names, *spec.ignore)
            check_column(name, names, columns.header, parameter)
    columns, notes = without_gaps(columns, spec)
    target = find_target(columns, spec.target, spec.task)
    aside = [spec.group, None if spec.time_is_input else spec.time]
    features = tuple(c for c in columns.columns if c.name not in (spec.target, *aside))
    if not features:
        raise DataError(f"{columns.header}: there is no column beside the target.")
    table = Table(
        columns.name,
        features,
        target,
        left_out=tuple(dict.fromkeys(filter(None, [*aside, *spec.ignore]))),
        fills=spec.missing == "fill",
        shares=spec.many_texts == "frequent",
    )
    by = Holdout(
        spec.test_size,
        seed,
        spec.duplicates == "together",
        _column(columns, spec.group),
        _column(columns, spec.time),
    )
    return _dataset(table, by, notes, columns.row)


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
    features = tuple(map(Column, map(str, bunch.feature_names), bunch.data.T.astype(np.float64)))
    classes = tuple(map(str, bunch.get("target_names", ())))
    values = bunch.target.astype(np.float64)
    # Of diabetes: how far the disease went on in a year.
    name = "target" if classes else "progression"
    # Classes have their names in the order of the codes, which is not always the alphabet's.
    column = Column(name, values, classes)
    return _dataset(
        Table(spec.source, features, Target(column, values, classes)),
        Holdout(spec.test_size, seed),
        (),
        Columns(spec.source, features).row,
    )


def _column(columns: Columns, name: str | None) -> Column | None:
    return None if name is None else columns[name]


def _dataset(
    table: Table, by: Holdout, done: tuple[str, ...], place: Callable[[int], str]
) -> Dataset:
    sides = divided(table, by)
    preparation = fitted(table, sides.train)
    found = {column.name: column for column in table.features}
    x, _ = preparation.inputs(len(table.target.values), lambda column: found[column.name])
    y, _ = preparation.told.told(table.target.column)
    notes = [
        *preparation_notes(preparation, table),
        *filter(None, [table.target.note]),
        *done,
        *sides.notes,
    ]
    if not preparation.classes:
        notes.append(
            f"{shown(table.target.name)} is standardised too: losses are in its standard "
            "deviations, RMSE is in its own unit"
        )
    whole = Split(x, y, groups=sides.groups, times=sides.times)
    train, test = whole.take(sides.train), whole.take(sides.test)
    return Dataset(
        name=table.name,
        train=train,
        test=test,
        classes=preparation.classes,
        kind="table",
        fingerprint=fingerprint(train, test),
        notes=(f"{table.name}: {'; '.join(notes)}.",),
        features=preparation.features,
        target=preparation.target,
        preparation=preparation,
        origin=RowOrigins(table.features, place, sides.test),
    )

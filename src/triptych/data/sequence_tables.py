"""Sequences in a table: a row for each step, rows of one id in the order of their times."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, groupby
from typing import Any

import numpy as np

from triptych.contracts import Array
from triptych.data.csv_rows import Row, refused_cells, table_rows
from triptych.data.sequence_items import Item
from triptych.data.sequence_preparation import SequenceForm, SequencePreparation
from triptych.data.text_files import hint, number_of, shown
from triptych.errors import DataError

_ADVICE = "Fill them, or leave those rows out."


@dataclass(frozen=True)
class Table:
    """What a table holds, by sequence: vectors (T, D), label, id; and the names of features."""

    x: list[Array]
    labels: list[str]
    ids: tuple[str, ...]
    features: tuple[str, ...]


@dataclass
class _Sequence:
    """The rows of one id so far."""

    label: str
    line: int
    steps: list[tuple[Any, int, list[float]]] = field(default_factory=list)

    @property
    def vectors(self) -> Array:
        """Its steps, (T, D)."""
        return np.array([values for _, _, values in self.steps])


@dataclass(frozen=True)
class _Columns:
    """Where each column is; none of the target where it is not read, or of a group."""

    id: int
    time: int
    target: int | None
    features: tuple[int, ...]
    names: tuple[str, ...]
    group: int | None = None


def read_table(lines: list[str], name: str, form: SequenceForm) -> Table:
    """Return the sequences of a table; see `triptych.data.sequences.read_sequences`.

    Parameters
    ----------
    lines : list of str
    name : str
        Of the file, for messages.
    form : SequenceForm

    Raises
    ------
    DataError
    """
    names, rows = table_rows(lines, name)
    columns = _columns(names, name, form)
    found: dict[str, _Sequence] = {}
    missing: list[str] = []
    for row in rows:
        missing += _add(found, row, columns, name)
    if not found:
        raise DataError(f"{name}: there is a header only, no rows.")
    if missing:
        raise refused_cells(name, missing, len(missing), _ADVICE)
    for key, sequence in found.items():
        _sort(sequence, key, name)
    return Table(
        [sequence.vectors for sequence in found.values()],
        [sequence.label for sequence in found.values()],
        tuple(found),
        tuple(columns.names[k] for k in columns.features),
    )


def table_items(
    lines: Iterable[str],
    name: str,
    preparation: SequencePreparation,
    *,
    needs_target: bool,
    group: str | None,
    together: bool,
) -> tuple[tuple[str, ...], Iterator[Item]]:
    """Return the columns of a table that a model does not read, and its sequences.

    Parameters
    ----------
    lines : iterable of str
    name : str
        Of the file, for messages.
    preparation : SequencePreparation
        Its features are found by name.
    needs_target : bool
        Whether there must be a label.
    group : str, optional
        A further column.
    together : bool
        Whether rows of one id must follow each other; else all are read before the first is given.

    Raises
    ------
    DataError
        Some of it only as the sequences are taken.
    """
    names, rows = table_rows(lines, name)
    columns = _known_columns(names, name, preparation, needs_target=needs_target, group=group)
    read = {columns.id, columns.time, columns.target, columns.group, *columns.features}
    label = preparation.form.label
    extra = tuple(n for k, n in enumerate(names) if k not in read and n != label)
    return extra, _items(rows if together else _gathered(rows, columns), columns, name)


def _gathered(rows: Iterator[Row], columns: _Columns) -> Iterator[Row]:
    """Give rows so that those of one id follow each other, ids in the order of their first row."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row[1][columns.id].strip(), []).append(row)
    return chain.from_iterable(found.values())


def _items(rows: Iterator[Row], columns: _Columns, name: str) -> Iterator[Item]:
    ended: set[str] = set()
    for key, some in groupby(rows, lambda row: row[1][columns.id].strip()):
        found: dict[str, _Sequence] = {}
        missing: list[str] = []
        cell = ""
        for line, row in some:
            if key in ended:
                raise DataError(
                    f"{name} line {line}: the rows of id {shown(key)} do not follow each other; in "
                    "a file as large as this they must. Sort it by id."
                )
            missing += _add(found, (line, row), columns, name)
            cell = "" if columns.group is None else row[columns.group].strip()
        if missing:
            raise refused_cells(name, missing, len(missing), _ADVICE)
        ended.add(key)
        sequence = found[key]
        _sort(sequence, key, name)
        label = None if columns.target is None else sequence.label
        yield Item(sequence.line, key, sequence.vectors, label, cell)
    if not ended:
        raise DataError(f"{name}: there is a header only, no rows.")


def _add(found: dict[str, _Sequence], row: Row, columns: _Columns, name: str) -> list[str]:
    """Add a row to the sequence that it is a step of; return where its cells are empty."""
    line, cells = row
    where = f"{name} line {line}"
    sequence = _sequence_of(cells, columns, found, line, where)
    values = [_cell(cells[k], columns.names[k], where) for k in columns.features]
    sequence.steps.append((_time(cells[columns.time], columns, where), line, values))
    return [
        f"line {line} column {columns.names[k]!r}"
        for k, v in zip(columns.features, values, strict=True) if not math.isfinite(v)
    ]  # fmt: skip


def _columns(names: tuple[str, ...], name: str, form: SequenceForm) -> _Columns:
    wanted = (form.id, form.time, form.label)
    for parameter, column in zip(("id", "time", "target"), wanted, strict=True):
        if column not in names:
            raise DataError(
                f"{name} line 1: there is no column {shown(column)}; pass {parameter}=. "
                f"{hint(column, names)}"
            )
    if len(set(wanted)) < 3:
        raise DataError(f"{name}: id, time and target must be three columns, got {wanted}.")
    id, time, target = (names.index(column) for column in wanted)
    features = tuple(k for k in range(len(names)) if k not in (id, time, target))
    if not features:
        raise DataError(f"{name} line 1: there is no column of features beside {wanted}.")
    return _Columns(id, time, target, features, names)


def _known_columns(
    names: tuple[str, ...],
    name: str,
    preparation: SequencePreparation,
    *,
    needs_target: bool,
    group: str | None,
) -> _Columns:
    """Return where the columns are that a model was trained on."""
    form = preparation.form
    further = [form.label] if needs_target else []
    for column in (form.id, form.time, *further, *preparation.features, *filter(None, [group])):
        if column not in names:
            raise DataError(
                f"{name} line 1: there is no column {shown(column)}. {hint(column, names)}"
            )
    return _Columns(
        names.index(form.id),
        names.index(form.time),
        names.index(form.label) if needs_target else None,
        tuple(map(names.index, preparation.features)),
        names,
        names.index(group) if group else None,
    )


def _sequence_of(
    row: Sequence[str], columns: _Columns, found: dict[str, _Sequence], line: int, where: str
) -> _Sequence:
    """Return the sequence that a row is a step of, with the same label."""
    key = row[columns.id].strip()
    label = "" if columns.target is None else row[columns.target].strip()
    if not key:
        raise DataError(f"{where}: there is no {columns.names[columns.id]!r}.")
    if columns.target is not None and not label:
        raise DataError(f"{where}: there is no label in column {columns.names[columns.target]!r}.")
    sequence = found.setdefault(key, _Sequence(label, line))
    if sequence.label != label:
        raise DataError(
            f"{where}: id {shown(key)} has label {shown(label)} here and {shown(sequence.label)} "
            f"on line {sequence.line}; a sequence has one."
        )
    return sequence


def _cell(text: str, column: str, where: str) -> float:
    try:
        return number_of(text)
    except ValueError as error:
        raise DataError(f"{where}, column {shown(column)}: {error}.") from error


def _time(text: str, columns: _Columns, where: str) -> float | datetime:
    try:
        value: float | datetime = number_of(text)
    except ValueError:
        try:
            value = datetime.fromisoformat(text.strip())
        except ValueError:
            value = math.nan
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(
            f"{where}, column {shown(columns.names[columns.time])}: {shown(text)} is no time; "
            "a number or an ISO date is one."
        )
    return value


def _sort(sequence: _Sequence, key: str, name: str) -> None:
    """Sort the steps of a sequence by time, which must tell them apart."""
    try:
        sequence.steps.sort(key=lambda step: step[0])
    except TypeError as error:
        raise DataError(
            f"{name}: the times of id {shown(key)} cannot be compared: numbers and dates, or "
            "dates with and without a time zone."
        ) from error
    for (time, line, _), (other, second, _) in zip(
        sequence.steps, sequence.steps[1:], strict=False
    ):
        if time == other:
            raise DataError(
                f"{name} line {max(line, second)}: id {shown(key)} has time {time} twice, first "
                f"on line {min(line, second)}."
            )

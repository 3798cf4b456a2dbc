"""Sequences in a table: a row for each step, rows of one id in the order of their times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from triptych.contracts import Array
from triptych.data.csv_rows import refused_cells, table_rows
from triptych.data.text_files import hint, number_of, shown
from triptych.errors import DataError


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


@dataclass(frozen=True)
class _Columns:
    """Where each column is."""

    id: int
    time: int
    target: int
    features: tuple[int, ...]
    names: tuple[str, ...]


def read_table(lines: list[str], name: str, id: str, time: str, target: str) -> Table:
    """Return the sequences of a table; see `triptych.data.sequences.read_sequences`.

    Parameters
    ----------
    lines : list of str
    name : str
        Of the file, for messages.
    id, time, target : str
        Columns.

    Raises
    ------
    DataError
    """
    names, rows = table_rows(lines, name)
    columns = _columns(names, name, (id, time, target))
    found: dict[str, _Sequence] = {}
    missing: list[str] = []
    for line, row in rows:
        where = f"{name} line {line}"
        sequence = _sequence_of(row, columns, found, line, where)
        values = [_cell(row[k], columns.names[k], where) for k in columns.features]
        missing += [
            f"line {line} column {columns.names[k]!r}"
            for k, v in zip(columns.features, values, strict=True) if not math.isfinite(v)
        ]  # fmt: skip
        sequence.steps.append((_time(row[columns.time], columns, where), line, values))
    if not found:
        raise DataError(f"{name}: there is a header only, no rows.")
    if missing:
        raise refused_cells(name, missing, len(missing), "Fill them, or leave those rows out.")
    for key, sequence in found.items():
        _sort(sequence, key, name)
    return Table(
        [np.array([values for _, _, values in s.steps]) for s in found.values()],
        [s.label for s in found.values()],
        tuple(found),
        tuple(columns.names[k] for k in columns.features),
    )


def _columns(names: tuple[str, ...], name: str, wanted: tuple[str, str, str]) -> _Columns:
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


def _sequence_of(
    row: Sequence[str], columns: _Columns, found: dict[str, _Sequence], line: int, where: str
) -> _Sequence:
    """Return the sequence that a row is a step of, with the same label."""
    key, label = row[columns.id].strip(), row[columns.target].strip()
    if not key:
        raise DataError(f"{where}: there is no {columns.names[columns.id]!r}.")
    if not label:
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

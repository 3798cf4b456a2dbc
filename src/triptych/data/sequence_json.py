"""Sequences in JSON lines: one object a line, with a sequence and its label."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import numpy as np

from triptych.data.sequence_items import Item
from triptych.data.sequence_preparation import SequencePreparation
from triptych.data.text_files import hint, shown
from triptych.errors import DataError

_LARGEST = 2**63

_LINE = 'Each line is one sequence, such as {"sequence": [1, 2], "label": "a"}.'


def read_json_lines(
    lines: list[str], name: str, sequence: str, target: str
) -> tuple[list[Any], list[Any], int]:
    """Return sequences, labels, and how many features a step has (0: they are symbols).

    Parameters
    ----------
    lines : list of str
    name : str
        Of the file, for messages.
    sequence, target : str
        Fields.

    Raises
    ------
    DataError
    """
    found: list[tuple[str, Any, str]] = []
    labels: list[Any] = []
    for number, line in enumerate(lines, start=1):
        where = f"{name} line {number}"
        record = _record(line, where, (sequence, target))
        labels.append(_label(record[target], where, labels))
        found.append(_steps(record[sequence], where))
    x, width = _alike(found, name)
    return x, labels, width


def json_items(
    lines: Iterable[str],
    name: str,
    preparation: SequencePreparation,
    *,
    needs_target: bool,
    group: str | None,
) -> Iterator[Item]:
    """Give the sequences of lines as a model reads them.

    Parameters
    ----------
    lines : iterable of str
    name : str
        Of the file, for messages.
    preparation : SequencePreparation
    needs_target : bool
        Whether there must be a label.
    group : str, optional
        A further field.

    Raises
    ------
    DataError
        If a line is no object with these fields, or its sequence is made of something else.
    """
    form = preparation.form
    wanted = [form.sequence, *([form.label] if needs_target else []), *([group] if group else [])]
    for number, line in enumerate(lines, start=1):
        where = f"{name} line {number}"
        record = _record(line, where, wanted)
        label = str(_label(record[form.label], where, [])) if needs_target else None
        kind, steps, _ = _steps(record[form.sequence], where)
        cell = str(record[group]) if group else ""
        yield Item(
            number, f"line {number}", _as_known(kind, steps, preparation, where), label, cell
        )


def _as_known(kind: str, steps: list[Any], preparation: SequencePreparation, where: str) -> Any:
    """Return the steps of a sequence as those that a model was trained on."""
    if kind == preparation.steps != "vectors":
        return steps if kind == "strings" else np.array(steps, np.int64)
    width = len(preparation.features)
    if width == 1 and kind in ("integers", "numbers"):
        return np.array(steps, np.float64)[:, None]
    if kind == "vectors" and len(steps[0]) == width:
        return np.array(steps, np.float64)
    found = f"vectors of {len(steps[0])} numbers" if kind == "vectors" else kind
    reads = f"vectors of {width} numbers" if width else f"symbols that are {preparation.steps}"
    raise DataError(f"{where}: a sequence of {found}; the model reads {reads}.")


def _record(line: str, where: str, wanted: Iterable[str]) -> dict[str, Any]:
    """Return the object on a line, which has some fields."""
    if not line.strip():
        raise DataError(f"{where}: the line is blank; remove it.")
    try:
        record = json.loads(line, parse_constant=_refuse, object_pairs_hook=_unique)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{where} column {error.colno}: not JSON: {error.msg}. {_LINE}") from error
    except RecursionError as error:
        raise DataError(f"{where}: nested too deeply.") from error
    except ValueError as error:
        raise DataError(f"{where}: a number has more digits than can be read.") from error
    return _with_fields(record, where, wanted)


def _with_fields(record: Any, where: str, wanted: Iterable[str]) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise DataError(f"{where}: must be an object of two fields, got {shown(record)}. {_LINE}")
    for field in wanted:
        if field not in record:
            raise DataError(f"{where}: there is no field {shown(field)}. {hint(field, record)}")
    return record


def _refuse(constant: str) -> NoReturn:
    raise DataError(f"{constant} is not a finite number.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise DataError(f"the field {shown(twice)} is there twice.")
    return record


def _label(value: Any, where: str, before: list[Any]) -> Any:
    if value is None or value == "":
        raise DataError(f"{where}: the label is missing.")
    if not isinstance(value, str | int) or (isinstance(value, int) and abs(value) >= _LARGEST):
        raise DataError(f"{where}: a label must be a string or an integer, got {shown(value)}.")
    if before and type(value) is not type(before[0]):
        raise DataError(
            f"{where}: labels must be of one kind, got {shown(value)} after {shown(before[0])}."
        )
    return value


def _steps(value: Any, where: str) -> tuple[str, Any, str]:
    """Return a sequence's kind and steps, and where it stands."""
    if not isinstance(value, str | list):
        raise DataError(f"{where}: a sequence must be a list or a string, got {shown(value)}.")
    if not value:
        raise DataError(f"{where}: the sequence is empty; leave it and its label out.")
    kinds = [_kind(step, f"{where}, step {k}") for k, step in enumerate(value)]
    for k, kind in enumerate(kinds):
        mixes = {kind, kinds[0]} == {"integers", "numbers"}
        if kind != kinds[0] and not mixes:
            raise DataError(f"{where}: step {k} is of {kind}, step 0 of {kinds[0]}.")
    kind = "numbers" if "numbers" in kinds else kinds[0]
    if kind == "vectors":
        for k, step in enumerate(value):
            if len(step) != len(value[0]):
                raise DataError(
                    f"{where}: {len(step)} features in step {k}, {len(value[0])} in step 0."
                )
    return kind, list(value), where


def _kind(step: Any, where: str) -> str:
    if isinstance(step, str):
        return "strings"
    if isinstance(step, bool) or not isinstance(step, int | float | list):
        raise DataError(f"{where}: neither number, string nor list of numbers: {shown(step)}.")
    if isinstance(step, list):
        if not step or any(_kind(v, where) not in ("integers", "numbers") for v in step):
            raise DataError(f"{where}: features must be numbers, got {shown(step)}.")
        return "vectors"
    if isinstance(step, float):
        if not math.isfinite(step):
            raise DataError(f"{where}: {step} is not a finite number.")
        return "numbers"
    if abs(step) >= _LARGEST:
        raise DataError(f"{where}: {shown(step)} is too large an integer.")
    return "integers"


def _alike(found: list[tuple[str, Any, str]], name: str) -> tuple[list[Any], int]:
    """Return sequences of one kind as arrays, or lists of strings, and their features."""
    first, whole, at = found[0]
    kinds = {kind for kind, _, _ in found}
    for kind, _, where in found:
        if kind != first and not {kind, first} == {"integers", "numbers"}:
            raise DataError(f"{where}: a sequence of {kind}; {at.removeprefix(name + ' ')} is "
                            f"one of {first}.")  # fmt: skip
    if first == "strings":
        return [steps for _, steps, _ in found], 0
    if kinds == {"integers"}:
        return [np.array(steps, np.int64) for _, steps, _ in found], 0
    if first != "vectors":
        return [np.array(steps, np.float64)[:, None] for _, steps, _ in found], 1
    for _, steps, where in found:
        if len(steps[0]) != len(whole[0]):
            raise DataError(
                f"{where}: {len(steps[0])} features a step, {at.removeprefix(name + ' ')} has "
                f"{len(whole[0])}."
            )
    return [np.array(steps, np.float64) for _, steps, _ in found], len(whole[0])

"""Whether what was read from a run's folder is what was written there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, get_type_hints

from triptych.contracts import is_number


@cache
def _hints(record: type) -> dict[str, Any]:
    return get_type_hints(record)


def check_result(table: Mapping[str, Any], record: type) -> None:
    """Refuse a result in which a value is not of the kind that its field has.

    Parameters
    ----------
    table : dict
        As read.
    record : type
        The dataclass that it is to become.

    Raises
    ------
    TypeError, KeyError
        Naming the value, or the missing field.
    """
    hints = _hints(record)
    for name, value in table.items():
        kind = hints.get(name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if kind in (int, float):
            fits = _are_numbers([value]) and number and not (kind is int and type(value) is float)
        else:
            fits = not isinstance(kind, type) or isinstance(value, kind)
        if not fits:
            raise TypeError(f"{name} is {value!r}")
    check_texts(table["notes"])
    if not _are_numbers(table.get(name) for name in ("peak_memory", "symbols")):
        raise TypeError("peak_memory or symbols is no number")
    for name in ("scores", "steps", "times"):
        found = table[name] if name == "scores" else table.get(name, {})
        if not isinstance(found, dict) or not _are_numbers(found.values()):
            raise TypeError(f"{name} is {str(found)[:80]}")
    shape = table.get("sample_shape", [])
    if not isinstance(shape, list) or not {type(size) for size in shape} <= {int}:
        raise TypeError(f"sample_shape is {str(shape)[:80]}")


def check_curve(rows: Sequence[object]) -> None:
    """Refuse metrics in which an evaluation is no table of numbers.

    Raises
    ------
    TypeError
    """
    for row in rows:
        if not isinstance(row, dict) or row.get("epoch") is None:
            raise TypeError(f"an evaluation is {str(row)[:80]!r}")
        if not _are_numbers(row.values()):
            raise TypeError(f"an evaluation is {str(row)[:80]!r}")


def _are_numbers(values: Iterable[object]) -> bool:
    """Whether all are null, or numbers that a float can hold; what was not finite is null."""
    return all(value is None or is_number(value) for value in values)


def check_texts(values: object) -> None:
    """Refuse what is no list of texts, nor a table of them.

    Raises
    ------
    TypeError
    """
    texts = list(values.values()) if isinstance(values, dict) else values
    if not isinstance(texts, list) or any(not isinstance(text, str) for text in texts):
        raise TypeError(f"{str(values)[:80]} is found where texts should be")

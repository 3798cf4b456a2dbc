"""Plain data from files of others: exactly the keys and kinds that are expected, or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from triptych.contracts import is_number
from triptych.errors import UnsafeFileError

Check = Callable[[Any, str], Any]
"""Takes a value and its place in words; returns it, or raises UnsafeFileError."""


def fields(value: object, where: str, checks: Mapping[str, Check]) -> dict[str, Any]:
    """Return the values of an object of JSON, each as its check returns it.

    Raises
    ------
    UnsafeFileError
        If it is no object, has other keys than `checks`, or a value that is not what it must be.
    """
    if not isinstance(value, Mapping):
        raise refused(where, "an object", value)
    for key in value:
        if key not in checks:
            raise UnsafeFileError(f"{where}: unknown key {str(key)[:40]!r}.")
    for key in checks:
        if key not in value:
            raise UnsafeFileError(f"{where}: the key {key!r} is missing.")
    return {key: check(value[key], f"{where}.{key}") for key, check in checks.items()}


def refused(where: str, rule: str, value: object) -> UnsafeFileError:
    """Return the error on a value that is not what it must be."""
    return UnsafeFileError(f"{where}: must be {rule}, got {repr(value)[:40]}.")


def text(value: object, where: str) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise refused(where, "a text", value)
    return value


def flag(value: object, where: str) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise refused(where, "true or false", value)
    return value


def whole(value: object, where: str) -> int:
    """Return a whole number that 64 bits hold."""
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise refused(where, "a whole number of 64 bits", value)
    return value


def count(value: object, where: str) -> int:
    """Return a whole number from 1 on."""
    found = whole(value, where)
    if found < 1:
        raise refused(where, "a whole number from 1 on", value)
    return found


def number(value: object, where: str) -> float:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refused(where, "a number", value)
    if not is_number(value):
        raise refused(where, "a finite number", value)
    return float(value)


def positive(value: object, where: str) -> float:
    """Return a finite number above 0."""
    found = number(value, where)
    if found <= 0:
        raise refused(where, "a number above 0", value)
    return found


def one_of(*words: str) -> Check:
    """Return a check for one of some words."""

    def check(value: object, where: str) -> str:
        if not isinstance(value, str) or value not in words:
            raise refused(where, " or ".join(map(repr, words)), value)
        return value

    return check


def optional(check: Check) -> Check:
    """Return a check that also takes null."""
    return lambda value, where: None if value is None else check(value, where)


def many(check: Check, most: int = 1 << 20) -> Check:
    """Return a check for a list, `most` values long at most, that returns a tuple."""

    def checked(value: object, where: str) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise refused(where, "a list", value)
        if len(value) > most:
            raise UnsafeFileError(f"{where}: {len(value):,} values, at most {most:,}.")
        return tuple(check(item, f"{where}[{k}]") for k, item in enumerate(value))

    return checked


def different(value: tuple[Any, ...], where: str) -> None:
    """Refuse values of which two are the same."""
    if len(set(value)) < len(value):
        raise UnsafeFileError(f"{where}: two of its values are the same.")

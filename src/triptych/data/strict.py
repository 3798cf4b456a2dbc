"""Preparations from files of others: what they may hold, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from triptych.errors import SpecError, UnsafeFileError
from triptych.spec import plain
from triptych.spec.fields import Checked, structure

T = TypeVar("T", bound=Checked)


def strictly(cls: type[T], mapping: Mapping[str, Any]) -> T:
    """Make a preparation of plain data.

    Raises
    ------
    UnsafeFileError
        If a key is unknown or missing, or a value is not what it may be.
    """
    try:
        made = structure(cls, mapping, "preparation")
    except SpecError as error:
        raise UnsafeFileError(f"{error}") from None
    _refuse_missing(plain(made), mapping, "preparation")
    return made


def _refuse_missing(whole: Any, given: Any, path: str) -> None:
    """Refuse a table without some key, though the key may have a usual value."""
    for key, value in whole.items():
        if key not in given:
            raise UnsafeFileError(f"{path}: the key {key!r} is missing.")
        if isinstance(value, Mapping):
            _refuse_missing(value, given[key], f"{path}.{key}")


def check_classes(classes: Sequence[str]) -> None:
    """Refuse names of classes that labels cannot be told apart by.

    Raises
    ------
    SpecError
    """
    if not classes or len(set(classes)) < len(classes):
        raise SpecError(f"classes: must be names, all different, got {len(classes)}.")

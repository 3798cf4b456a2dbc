"""Preparations from files of others: what they may hold, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from triptych.errors import SpecError, UnsafeFileError
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
        return structure(cls, mapping, "preparation")
    except SpecError as error:
        raise UnsafeFileError(f"{error}") from None


def check_classes(classes: Sequence[str]) -> None:
    """Refuse names of classes that labels cannot be told apart by.

    Raises
    ------
    SpecError
    """
    if not classes or len(set(classes)) < len(classes):
        raise SpecError(f"classes: must be names, all different, got {len(classes)}.")

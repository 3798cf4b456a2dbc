"""Preparations read back, and other files read as they say: `triptych.data`'s two doors to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from triptych.contracts import Preparation, Prepared
from triptych.data.strict import one_of
from triptych.data.table_preparation import TablePreparation
from triptych.data.table_rows import read_table_rows
from triptych.errors import UnsafeFileError

_KINDS = {"table": TablePreparation.from_dict}


def preparation_of(mapping: Mapping[str, Any]) -> Preparation:
    """Return the preparation whose `as_dict` gave these values of JSON.

    Parameters
    ----------
    mapping : mapping

    Raises
    ------
    UnsafeFileError
        If it is anything else: an unknown kind, missing or other keys, values of another type, a
        number that is not finite.
    """
    if not isinstance(mapping, Mapping):
        raise UnsafeFileError(f"preparation: must be an object, got {repr(mapping)[:40]}.")
    kind = one_of(*_KINDS)(mapping.get("kind"), "preparation.kind")
    return _KINDS[kind](mapping)


def read_prepared(
    preparation: Preparation,
    path: Path | str,
    *,
    rows: int = 65_536,
    needs_target: bool = False,
    group: str | None = None,
    encoding: str = "utf-8",
) -> Iterator[Prepared]:
    """Give the rows of a file as a network reads them, some at a time, however large the file is.

    Parameters
    ----------
    preparation : Preparation
    path : path
        Of the kind that the preparation was fitted to.
    rows : int
        The most that are in memory at once.
    needs_target : bool
        Whether to read what is to be told, too.
    group : str, optional
        A column whose cells are told with the rows.
    encoding : str
        Of text.

    Raises
    ------
    DataError
        Where what the preparation needs is not there, or is of another kind; naming the place.
    UnsafeFileError
        If the file could do harm.
    """
    assert isinstance(preparation, TablePreparation)
    return read_table_rows(
        preparation,
        Path(path),
        rows=rows,
        needs_target=needs_target,
        group=group,
        encoding=encoding,
    )

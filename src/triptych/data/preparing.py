"""Preparations read back, and other files read as they say: `triptych.data`'s two doors to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from triptych.contracts import Preparation, Prepared
from triptych.data.picture_preparation import PicturePreparation
from triptych.data.picture_stream import read_pictures
from triptych.data.sequence_preparation import SequencePreparation
from triptych.data.sequence_stream import read_steps
from triptych.data.strict import one_of
from triptych.data.table_preparation import TablePreparation
from triptych.data.table_rows import read_table_rows
from triptych.data.text_files import shown
from triptych.errors import DataError, UnsafeFileError

_KINDS: dict[str, Callable[[object], Preparation]] = {
    "table": TablePreparation.from_dict,
    "pictures": PicturePreparation.from_dict,
    "sequences": SequencePreparation.from_dict,
}


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


def read_prepared(  # noqa: PLR0913 (each is a choice of its own)
    preparation: Preparation,
    path: Path | str,
    *,
    rows: int = 65_536,
    needs_target: bool = False,
    target: str | None = None,
    group: str | None = None,
    encoding: str | None = None,
    skip_bad: bool = False,
) -> Iterator[Prepared]:
    """Give the rows of a file or folder as a network reads them, some at a time, however many.

    Parameters
    ----------
    preparation : Preparation
    path : path
        Of the kind that the preparation was fitted to.
    rows : int
        The most that are in memory at once.
    needs_target : bool
        Whether to read what is to be told, too.
    target : str, optional
        The column of what is to be told, where it has another name than in training.
    group : str, optional
        A column whose cells are told with the rows.
    encoding : str, optional
        Of text; absent: UTF-8, and of sequences that of the file that was trained on.
    skip_bad : bool
        Whether pictures that cannot be read are left out, and told, instead of refused.

    Raises
    ------
    DataError
        Where what the preparation needs is not there, or is of another kind; naming the place.
    UnsafeFileError
        If the file could do harm.
    """
    path = Path(path)
    match preparation:
        case TablePreparation():
            if target is not None:
                preparation = replace(preparation, told=replace(preparation.told, name=target))
            return read_table_rows(
                preparation, path, rows=rows, needs_target=needs_target, group=group,
                encoding=encoding or "utf-8",
            )  # fmt: skip
        case SequencePreparation():
            if target is not None:
                form = preparation.form.with_label(target, path.name)
                preparation = replace(preparation, form=form)
            return read_steps(
                preparation, path, rows=rows, needs_target=needs_target, group=group,
                encoding=encoding,
            )  # fmt: skip
        case PicturePreparation():
            if target is not None or group is not None:
                name = target if target is not None else group
                raise DataError(f"{path}: pictures have no column {shown(name)}.")
            return read_pictures(
                preparation, path, rows=rows, needs_target=needs_target, skip_bad=skip_bad
            )
    raise TypeError(preparation)  # nobody else makes one

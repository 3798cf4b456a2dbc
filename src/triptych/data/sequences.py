"""Sequences of one's own, read from files: lines of symbols, tables, JSON lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, cast

import numpy as np

from triptych.contracts import Array
from triptych.data.sequence_json import read_json_lines
from triptych.data.sequence_lines import read_symbols
from triptych.data.sequence_preparation import Layout, SequenceForm
from triptych.data.sequence_tables import read_table
from triptych.data.text_files import read_lines
from triptych.errors import DataError

LAYOUTS = {
    ".txt": "lines", ".tsv": "lines", ".csv": "table", ".jsonl": "json", ".ndjson": "json",
    ".json": "json",
}  # fmt: skip
_INTEGER = re.compile(r"0|-?[1-9]\d{0,17}", re.ASCII)


@dataclass(frozen=True)
class Sequences:
    """Sequences and their labels, as `triptych.RNNClassifier` takes them.

    Attributes
    ----------
    x : list
        Of each sequence an array: float64 (T, D), or integers (T,); or a list of strings.
    y : Array, shape (N,)
        Labels: int64 where all are integers, else strings.
    features : tuple of str
        Names of the D features; none of symbols.
    ids : tuple of str
        What a table calls each sequence; else the number of its line.
    """

    x: list[Any]
    y: Array
    features: tuple[str, ...]
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.y)


def read_sequences(  # noqa: PLR0913 (each is a choice of its own)
    path: str | PathLike[str],
    *,
    layout: str | None = None,
    target: str | None = None,
    id: str = "id",
    time: str = "time",
    sequence: str = "sequence",
    encoding: str = "utf-8",
) -> Sequences:
    """Return the sequences and labels of a file.

    Parameters
    ----------
    path : str or path
    layout : {"lines", "table", "json"}, optional
        ``"lines"`` (.txt, .tsv): one sequence a line, its label first, then a tab or else a comma.
        Symbols are separated by spaces; where no line has any, each character is one.
        ``"table"`` (.csv): a row for each step, with a header; rows of one `id` are a sequence,
        sorted by `time`, which holds numbers or ISO dates; the other columns are features.
        ``"json"`` (.jsonl, .ndjson, .json): one object a line, with a list of numbers, of strings
        or of lists of numbers, or a string. Absent: by the end of the name.
    target : str, optional
        Of lines ``"first"`` or ``"last"``, where the label stands, default ``"first"``; else the
        column or field of the label, default ``"label"``.
    id, time : str
        Columns of a table.
    sequence : str
        Field of JSON lines.
    encoding : str

    Returns
    -------
    Sequences

    Raises
    ------
    DataError
        Naming the file, the line and what to do about it.
    """
    path = Path(path)
    form = form_of(path, layout, target, id=id, time=time, sequence=sequence, encoding=encoding)
    return read_formed(path, form)[0]


def form_of(  # noqa: PLR0913 (each is a choice of its own)
    path: Path,
    layout: str | None,
    target: str | None,
    *,
    id: str,
    time: str,
    sequence: str,
    encoding: str,
) -> SequenceForm:
    """Return how sequences stand in a file by the parameters of `read_sequences`.

    Raises
    ------
    DataError
        If neither `layout` nor the end of the name says it.
    """
    layout = layout or LAYOUTS.get(path.suffix.lower())
    if layout not in LAYOUTS.values():
        given = f"'{path.suffix}'" if layout is None else f"layout {layout!r}"
        raise DataError(
            f"{path.name}: pass layout='lines', 'table' or 'json', got {given}, which says none."
        )
    form = SequenceForm(
        layout=cast("Layout", layout), label="first" if layout == "lines" else "label",
        id=id, time=time, sequence=sequence, encoding=encoding,
    )  # fmt: skip
    return form if target is None else form.with_label(target, path.name)


def read_formed(path: Path, form: SequenceForm) -> tuple[Sequences, SequenceForm]:
    """Return the sequences of a file, and their form with what was found out about lines.

    Raises
    ------
    DataError
    """
    lines = read_lines(path, form.encoding)
    if form.layout == "table":
        found = read_table(lines, path.name, form)
        return Sequences(found.x, _labels(found.labels), found.features, found.ids), form
    if form.layout == "json":
        x, labels, width = read_json_lines(lines, path.name, form.sequence, form.label)
        features = tuple(f"feature {k}" for k in range(width))
    else:
        x, labels, form = read_symbols(lines, path.name, form)
        features = ()
    ids = tuple(map(str, range(1, len(x) + 1)))
    return Sequences(x, _labels(labels), features, ids), form


def _labels(found: Sequence[Any]) -> Array:
    """Return labels as integers where all are, as they are else."""
    if all(isinstance(v, str) and _INTEGER.fullmatch(v) for v in found):
        return np.array([int(v) for v in found])
    return np.array(found)

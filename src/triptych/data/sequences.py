"""Sequences of one's own, read from files: lines of symbols, tables, JSON lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from triptych.contracts import Array
from triptych.data.sequence_json import read_json_lines
from triptych.data.sequence_tables import read_table
from triptych.data.text_files import read_lines, shown
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
    layout = layout or LAYOUTS.get(path.suffix.lower())
    if layout not in LAYOUTS.values():
        given = f"'{path.suffix}'" if layout is None else f"layout {layout!r}"
        raise DataError(
            f"{path.name}: pass layout='lines', 'table' or 'json', got {given}, which says none."
        )
    lines = read_lines(path, encoding)
    if layout == "table":
        found = read_table(lines, path.name, id, time, target or "label")
        return Sequences(found.x, _labels(found.labels), found.features, found.ids)
    if layout == "json":
        x, labels, width = read_json_lines(lines, path.name, sequence, target or "label")
        features = tuple(f"feature {k}" for k in range(width))
    else:
        x, labels = _read_symbols(lines, path.name, target or "first")
        features = ()
    return Sequences(x, _labels(labels), features, tuple(map(str, range(1, len(x) + 1))))


def _labels(found: Sequence[Any]) -> Array:
    """Return labels as integers where all are, as they are else."""
    if all(isinstance(v, str) and _INTEGER.fullmatch(v) for v in found):
        return np.array([int(v) for v in found])
    return np.array(found)


def _read_symbols(lines: list[str], name: str, target: str) -> tuple[list[list[str]], list[str]]:
    if target not in ("first", "last"):
        raise DataError(f"{name}: target must be 'first' or 'last' with lines, got {target!r}.")
    separator = "\t" if any("\t" in line for line in lines) else ","
    labels, texts = [], []
    for number, line in enumerate(lines, start=1):
        label, text = _parted(line, separator, f"{name} line {number}", target)
        labels.append(label)
        texts.append(text)
    spaced = any(" " in text for text in texts)
    return [[s for s in text.split(" ") if s] if spaced else list(text) for text in texts], labels


def _parted(line: str, separator: str, where: str, target: str) -> tuple[str, str]:
    """Return the label and the sequence of a line."""
    parts = [part.strip() for part in line.split(separator)]
    if not any(parts):
        raise DataError(f"{where}: the line is blank; remove it.")
    if len(parts) != 2:
        by = "a tab" if separator == "\t" else "a comma"
        raise DataError(
            f"{where}: {_counted(parts)}, expected 2: label and sequence, with {by} between."
        )
    label, text = parts if target == "first" else reversed(parts)
    if not label:
        raise DataError(f"{where}: there is no label before or after {shown(text)}.")
    if not text:
        raise DataError(f"{where}: the sequence is empty; leave it and its label out.")
    return label, text


def _counted(parts: Iterable[str]) -> str:
    count = len(list(parts))
    return f"{count} field" if count == 1 else f"{count} fields"

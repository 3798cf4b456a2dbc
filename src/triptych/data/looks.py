"""What data of one's own are, told by looking at them: which source of a study reads them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from triptych.data.column_looks import ColumnLook, look_at_columns
from triptych.data.csv_chunks import TextTable
from triptych.data.folder_listing import list_folder
from triptych.data.folders import survey
from triptych.data.picture_labels import find_labels
from triptych.data.sequences import LAYOUTS
from triptych.data.text_files import hint, read_lines, shown, text_blocks
from triptych.errors import DataError

# Names that columns of labels usually have; without one of them the last column is taken.
_TARGETS = ("target", "label", "class", "y", "species", "outcome", "category", "diagnosis")
_IDS, _TIMES = ("id",), ("time", "timestamp", "step", "t", "date")
# Pictures larger than this are made smaller: a CNN's time goes with the number of pixels.
_LARGEST_EDGE = 64
_FEW_PICTURES = 2_000
# Of each of many texts, on average, for them to be inputs.
_ROWS_A_TEXT = 20


def is_usual_target(name: str) -> bool:
    """Whether a column has a name that labels usually have."""
    return name.casefold() in _TARGETS


def look(path: Path, target: str | None = None, encoding: str = "utf-8") -> dict[str, Any]:
    """Return the table ``[data]`` of a study file that reads `path`.

    Parameters
    ----------
    path : Path
        A folder with a sub-folder of pictures for each class, or with a CSV of labels beside
        them; a table (.csv, .tsv, .parquet, .npz);
        sequences (.txt, .jsonl, ..., or a table whose rows share ids and have times).
    target : str, optional
        Column or field of the label; of lines ``"first"`` or ``"last"``. Absent: by its name, else
        the last column.
    encoding : str
        Of text.

    Raises
    ------
    DataError
        If nothing is there, or nothing that a study can read.
    """
    suffix = path.suffix.lower()
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder.")
    if suffix in (".parquet", ".npz"):
        return _columns(path, target)
    if suffix not in LAYOUTS:
        raise DataError(
            f"{path.name}: cannot tell what this is by its ending, {shown(suffix)}. Give a folder "
            "with a sub-folder of pictures for each class, a table (.csv, .tsv, .parquet, .npz), "
            f"or sequences ({', '.join(sorted(LAYOUTS))})."
        )
    found = _TEXTS[suffix](path, target, encoding)
    return found if encoding == "utf-8" else {**found, "encoding": encoding}


def _folder(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"source": "folder", "path": str(path)}
    labels = find_labels(path)
    if labels is not None:
        found["labels"] = labels
    listing = list_folder(path, labels)
    sizes = survey(listing).sizes
    if not sizes:  # loading says what is wrong
        return found
    edges = [min(size) for size in sizes.elements()]
    if len(sizes) > 1 or max(max(size) for size in sizes) > _LARGEST_EDGE:
        most = _LARGEST_EDGE if len(listing.files) <= _FEW_PICTURES else _LARGEST_EDGE // 2
        edge = max(2, min(most, int(statistics.median(edges))))
        found["size"] = [edge, edge]
    return found


def _lines(path: Path, target: str | None, encoding: str) -> dict[str, Any]:
    del encoding  # loading tells what is wrong with them
    found = {"source": "sequences", "path": str(path)}
    return found if target in (None, "first") else {**found, "target": target}


def _tabs(path: Path, target: str | None, encoding: str) -> dict[str, Any]:
    """Tell lines ``label<tab>symbols`` from a table with tabs."""
    fields = [line.split("\t") for line in read_lines(path, encoding)]
    pairs = all(len(row) == 2 for row in fields)
    if pairs and target in (None, "first", "last") and not _is_number(fields[-1][1]):
        return _lines(path, target, encoding)
    return _table(path, target, encoding)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _table(path: Path, target: str | None, encoding: str) -> dict[str, Any]:
    """Return a table of rows, or of the steps of sequences where ids come again and have times."""
    opened = TextTable(path, encoding)
    usual = _named(opened.names, _TARGETS) or opened.names[-1]
    label = _target(target, opened.names, usual, path.name)
    key, time = (_named(opened.names, names) for names in (_IDS, _TIMES))
    steps = bool(key and time) and label not in (key, time) and opened.delimiter == ","
    looks: dict[str, ColumnLook] = {}
    try:
        looks = {column.name: column for column in look_at_columns(path, encoding=encoding)}
    except DataError:
        if not steps:  # ids and labels of sequences may be of any kind
            raise
    if steps and not (key in looks and looks[key].is_unique):
        given = {"id": key, "time": time, "target": label}
        default = {"id": "id", "time": "time", "target": "label"}
        changed = {k: v for k, v in given.items() if v != default[k]}
        return {"source": "sequences", "path": str(path), **changed}
    return _table_of(path, label, looks)


def _columns(path: Path, target: str | None) -> dict[str, Any]:
    """Return a table whose file has columns of its own."""
    looks = {column.name: column for column in look_at_columns(path)}
    names = [name for name, column in looks.items() if column.kind != "other"]
    if not names:
        raise DataError(f"{path.name}: no column holds numbers, texts or dates.")
    label = _target(target, tuple(looks), _named(names, _TARGETS) or names[-1], path.name)
    return _table_of(path, label, looks)


def _table_of(path: Path, label: str, looks: Mapping[str, ColumnLook]) -> dict[str, Any]:
    """Return a table without the columns that no network can learn from."""
    found: dict[str, Any] = {"source": "table", "path": str(path), "target": label}
    others = [column for name, column in looks.items() if name != label]
    left = [c.name for c in others if c.kind in ("id", "other") or 0 < c.rows == c.empty]
    # A text that few rows share names them, as an id does: a network would learn them by heart.
    rare = [c.name for c in others if c.is_wordy and c.rows < _ROWS_A_TEXT * c.different]
    left += [name for name in rare if name not in left]
    if left and len(left) < len(others):  # else loading says that nothing is left
        found["ignore"] = left
    if any(column.is_wordy and column.name not in left for column in others):
        found["many_texts"] = "frequent"
    if any(column.empty for column in looks.values()):
        found["missing"] = "fill"
    return found


def _named(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """Return the first column that is called one of `names`, in either case."""
    return next((column for column in columns if column.casefold() in names), None)


def _target(asked: str | None, names: Sequence[str], guess: str, where: str) -> str:
    if asked is not None and asked not in names:
        raise DataError(f"{where}: there is no column {shown(asked)}. {hint(asked, names)}")
    return guess if asked is None else asked


def _json(path: Path, target: str | None, encoding: str) -> dict[str, Any]:
    found: dict[str, Any] = {"source": "sequences", "path": str(path)}
    try:
        record = json.loads(next(text_blocks(path, encoding)).partition("\n")[0])
    except (ValueError, RecursionError):  # loading says where and why
        return found
    if not isinstance(record, Mapping) or not record:
        return found
    label = next((k for k in record if k.casefold() in _TARGETS), None)
    steps = [k for k, v in record.items() if isinstance(v, list | str) and k not in (label, target)]
    # Of texts the longest; a list is a sequence whatever its length.
    steps.sort(key=lambda k: (not isinstance(record[k], list), -len(record[k])))
    asked = _target(target, tuple(record), label or "label", f"{path.name} line 1")
    sequence = "sequence" if "sequence" in record or not steps else steps[0]
    given = {"target": (asked, "label"), "sequence": (sequence, "sequence")}
    return found | {k: value for k, (value, usual) in given.items() if value != usual}


_TEXTS = {
    ".txt": _lines, ".tsv": _tabs, ".csv": _table, ".jsonl": _json, ".ndjson": _json,
    ".json": _json,
}  # fmt: skip

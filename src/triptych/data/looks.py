"""What data of one's own are, told by looking at them: which source of a study reads them."""

from __future__ import annotations

import csv
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from triptych.data.column_cells import column_of_cells
from triptych.data.csv_rows import delimiter_of
from triptych.data.folder_listing import labels_of, list_folder
from triptych.data.folders import survey
from triptych.data.parquet_files import other_kinds
from triptych.data.sequences import LAYOUTS
from triptych.data.table_files import read_table_file
from triptych.data.table_fitting import MOST_WORDS
from triptych.data.text_files import hint, read_lines, shown
from triptych.errors import DataError

# Names that columns of labels usually have; without one of them the last column is taken.
_TARGETS = ("target", "label", "class", "y", "species", "outcome", "category", "diagnosis")
_IDS, _TIMES = ("id",), ("time", "timestamp", "step", "t", "date")
_EMPTY = ("", "nan", "na", "null", "none")
# Pictures larger than this are made smaller: a CNN's time goes with the number of pixels.
_LARGEST_EDGE = 64
_FEW_PICTURES = 2_000


@dataclass(frozen=True)
class _Cells:
    """The header of a table and its rows, as texts."""

    names: tuple[str, ...]
    rows: list[list[str]]

    def named(self, names: Sequence[str]) -> str | None:
        """Return the first column that is called one of `names`, in either case."""
        return next((n for n in self.names if n.casefold() in names), None)

    def column(self, name: str) -> list[str]:
        """Return the cells of a column, as far as rows reach that far."""
        place = self.names.index(name)
        return [row[place].strip() for row in self.rows if len(row) > place]

    def is_unique(self, name: str) -> bool:
        """Whether a column has no value twice."""
        cells = self.column(name)
        return len(set(cells)) == len(cells)


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
    found = _TEXTS[suffix](path, target, read_lines(path, encoding))
    return found if encoding == "utf-8" else {**found, "encoding": encoding}


def _folder(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"source": "folder", "path": str(path)}
    labels = labels_of(path)
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


def _lines(path: Path, target: str | None, lines: list[str]) -> dict[str, Any]:
    del lines  # loading tells what is wrong with them
    found = {"source": "sequences", "path": str(path)}
    return found if target in (None, "first") else {**found, "target": target}


def _tabs(path: Path, target: str | None, lines: list[str]) -> dict[str, Any]:
    """Tell lines ``label<tab>symbols`` from a table with tabs."""
    fields = [line.split("\t") for line in lines]
    pairs = all(len(row) == 2 for row in fields)
    if pairs and target in (None, "first", "last") and not _is_number(fields[-1][1]):
        return _lines(path, target, lines)
    return _table(path, target, lines, "\t")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _commas(path: Path, target: str | None, lines: list[str]) -> dict[str, Any]:
    return _table(path, target, lines, delimiter_of(lines[0]))


def _table(path: Path, target: str | None, lines: list[str], delimiter: str) -> dict[str, Any]:
    """Return a table of rows, or of the steps of sequences where ids come again and have times."""
    cells = _cells(lines, path.name, delimiter)
    label = _target(target, cells.names, cells.named(_TARGETS) or cells.names[-1], path.name)
    key, time = cells.named(_IDS), cells.named(_TIMES)
    if key and time and label not in (key, time) and not cells.is_unique(key) and delimiter == ",":
        given = {"id": key, "time": time, "target": label}
        usual = {"id": "id", "time": "time", "target": "label"}
        changed = {k: v for k, v in given.items() if v != usual[k]}
        return {"source": "sequences", "path": str(path), **changed}
    found: dict[str, Any] = {"source": "table", "path": str(path), "target": label}
    left = [n for n in dict.fromkeys(cells.names) if n != label and _is_wordy(cells.column(n))]
    if key and key != label and key not in left and cells.is_unique(key):
        left.insert(0, key)
    if left and len(left) < len(cells.names) - 1:  # else loading says that nothing is left
        found["ignore"] = left
    if any(cell.strip().casefold() in _EMPTY for row in cells.rows for cell in row):
        found["missing"] = "fill"
    return found


def _columns(path: Path, target: str | None) -> dict[str, Any]:
    """Return a table whose file has columns of its own."""
    other: tuple[str, ...] = ()
    if path.suffix.lower() == ".parquet":
        other = tuple(n for n in other_kinds(path) if n != target)
    columns = {c.name: c for c in read_table_file(path, "utf-8", other).columns}
    if not columns:
        raise DataError(f"{path.name}: no column holds numbers, texts or dates.")
    usual = next((name for name in columns if name.casefold() in _TARGETS), [*columns][-1])
    label = _target(target, tuple(columns), usual, path.name)
    found: dict[str, Any] = {"source": "table", "path": str(path), "target": label}
    others = [column for name, column in columns.items() if name != label]
    if left := [*other, *(column.name for column in others if len(column.words) > MOST_WORDS)]:
        found["ignore"] = left
    if any(np.isnan(column.values).any() for column in columns.values()):
        found["missing"] = "fill"
    return found


def _is_wordy(cells: list[str]) -> bool:
    """Whether a column of texts has more of them than can be inputs: names, remarks."""
    if len(set(cells)) <= MOST_WORDS:
        return False
    try:
        return len(column_of_cells("", cells, str).words) > MOST_WORDS
    except DataError:  # some are numbers: loading says which is none
        return False


def _cells(lines: list[str], name: str, delimiter: str) -> _Cells:
    """Return header and rows as they stand; what is wrong with a row is told when it is loaded."""
    try:
        rows = list(csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise DataError(f"{name}: {error}.") from error
    if len(rows) < 2:
        raise DataError(f"{name}: there is a header only, no rows.")
    return _Cells(tuple(cell.strip() for cell in rows[0]), rows[1:])


def _target(asked: str | None, names: Sequence[str], guess: str, where: str) -> str:
    if asked is not None and asked not in names:
        raise DataError(f"{where}: there is no column {shown(asked)}. {hint(asked, names)}")
    return guess if asked is None else asked


def _json(path: Path, target: str | None, lines: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"source": "sequences", "path": str(path)}
    try:
        record = json.loads(lines[0])
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
    ".txt": _lines, ".tsv": _tabs, ".csv": _commas, ".jsonl": _json, ".ndjson": _json,
    ".json": _json,
}  # fmt: skip

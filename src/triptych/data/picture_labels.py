"""A file of labels beside pictures: a CSV with a column of their names and one of labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from triptych.data.csv_rows import table_rows
from triptych.data.text_files import read_lines, shown
from triptych.errors import DataError

# What the two columns are usually called, in either case.
FILES = ("file", "filename", "file_name", "image", "picture", "path")
LABELS = ("label", "class", "target", "category", "y")
_LISTED = 10


@dataclass(frozen=True)
class Labelled:
    """Pictures that a file gives a label, in its order: their paths, and the labels."""

    files: tuple[str, ...]
    labels: tuple[str, ...]


def find_labels(folder: Path) -> str | None:
    """Return the name of the first file of labels in a folder, by what its header says.

    None where there is none. Files that cannot be read are none.
    """
    try:
        files = sorted(entry for entry in folder.iterdir() if entry.suffix.lower() == ".csv")
        return next((file.name for file in files if _is_of_labels(file)), None)
    except OSError:
        return None


def _is_of_labels(file: Path) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        # More than the names of two columns would take.
        header = opened.readline(1 << 12).decode("utf-8-sig", "replace")
    names = [name.strip().casefold() for name in header.split(",")]
    return any(name in FILES for name in names) and any(name in LABELS for name in names)


def read_labels(folder: Path, name: str) -> Labelled:
    """Return the pictures that a file of labels names, with their labels.

    Parameters
    ----------
    folder : Path
        Where it lies; its files are named from there.
    name : str

    Raises
    ------
    DataError
        If a column is missing, a picture is not there, is outside the folder or is named twice, or
        a label is empty; naming the lines.
    """
    where = f"{folder.name}/{name}"
    names, rows = table_rows(read_lines(folder / name, "utf-8", "save it as UTF-8"), where)
    places = [_place(names, known, where) for known in (FILES, LABELS)]
    lines: dict[str, int] = {}
    labels: list[str] = []
    missing: list[str] = []
    for line, row in rows:
        file, label = (row[place].strip() for place in places)
        if not label:
            raise DataError(f"{where} line {line}: there is no label of {shown(file)}.")
        path = _inside(folder, file, f"{where} line {line}")
        if path in lines:
            raise DataError(
                f"{where} line {line}: {shown(file)} is there twice, first on line {lines[path]}."
            )
        if not Path(path).is_file():
            missing.append(f"line {line} {shown(file)}")
        lines[path] = line
        labels.append(label)
    if not lines:
        raise DataError(f"{where}: there is a header only, no rows.")
    if missing:
        raise DataError(
            f"{where}: {len(missing):,} of {len(lines):,} pictures are not there: "
            f"{', '.join(missing[:_LISTED])}{', ...' if len(missing) > _LISTED else ''}. "
            "Correct their names, or leave those lines out."
        )
    return Labelled(tuple(lines), tuple(labels))


def _place(names: Sequence[str], known: Sequence[str], where: str) -> int:
    found = [k for k, name in enumerate(names) if name.casefold() in known]
    if len(found) != 1:
        have = "no column" if not found else f"{len(found)} columns"
        raise DataError(
            f"{where} line 1: there is {have} called {' or '.join(known)}; one must be."
        )
    return found[0]


def _inside(folder: Path, file: str, where: str) -> str:
    """Return the path of a file in a folder, wherever links lead, or refuse what is outside."""
    try:
        path = folder / file
        if file and path.resolve().is_relative_to(folder.resolve()):
            path.exists()  # raises where no file can have such a name
            return str(path)
    except (OSError, RuntimeError, ValueError):  # a loop of links, a NUL, a name of 300 letters
        pass
    raise DataError(f"{where}: {shown(file)} names no file in the folder of its pictures.")

"""What a folder of pictures holds: their files, and of what class each is."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from triptych.data.fingerprints import stamp
from triptych.data.picture_files import SUFFIXES
from triptych.data.picture_labels import read_labels
from triptych.data.text_files import shown
from triptych.errors import DataError

_OF_SYSTEMS = ("__MACOSX", "Thumbs.db", "desktop.ini")
_SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation"}


@dataclass(frozen=True)
class Listing:
    """What a folder holds.

    Attributes
    ----------
    classes : tuple of str
        Names of the sub-folders, or the different labels, sorted.
    files : tuple of (int, str)
        Class and path of each file that its name, or its label, calls a picture, sorted.
    stamps : tuple of (int, int)
        Size and time of change of each, in ns; (-1, -1) of what cannot be followed.
    others : tuple of str
        Ends of the names of the other files, each as often as it is there.
    unlabelled : int
        How many pictures have no label: none in the file of labels, or no sub-folder.
    """

    classes: tuple[str, ...]
    files: tuple[tuple[int, str], ...]
    stamps: tuple[tuple[int, int], ...]
    others: tuple[str, ...]
    unlabelled: int = 0


def list_folder(path: Path, labels: str | None = None) -> Listing:
    """Return classes and files of a folder; no picture is opened.

    Parameters
    ----------
    path : Path
    labels : str, optional
        Name of a file of labels; absent: sub-folders are classes.

    Raises
    ------
    DataError
        If it is no folder, its sub-folders are not classes, or its file of labels is at fault.
    """
    classes = _sub_folders(path)
    if labels is not None:
        return _labelled(path, labels)
    if not classes:
        loose = any(entry.suffix.lower() in SUFFIXES for entry in path.iterdir())
        have = "has pictures but no sub-folders" if loose else "has no sub-folders"
        raise DataError(
            f"{path}: {have}; put the pictures of each class in one of their own, or beside them "
            "a CSV with the columns file and label: labels = 'labels.csv'."
        )
    _refuse_broken(path)
    if {name.lower() for name in classes} <= _SPLITS:
        raise DataError(
            f"{path}: its sub-folders are {', '.join(map(repr, classes))}, which are no classes; "
            f"name one of them: path = {str(path / classes[0])!r}. It is split by each seed anew."
        )
    files = [(k, file) for k, name in enumerate(classes) for file in files_in(path / name)]
    pictures = [(k, file) for k, file in files if _is_picture(file)]
    counts = np.bincount([k for k, _ in pictures], minlength=len(classes))
    if not counts.all():
        empty = ", ".join(shown(name) for name, n in zip(classes, counts, strict=True) if not n)
        known = ", ".join(sorted(SUFFIXES))
        raise DataError(f"{path}: no pictures in {empty}; files ending in {known} are read.")
    stamps = tuple(stamp(file) for _, file in pictures)
    outside = [entry for entry in path.iterdir() if not entry.is_dir()]
    unlabelled = sum(_is_picture(entry.name) for entry in outside)
    others = _others(file for _, file in files)
    return Listing(tuple(classes), tuple(pictures), stamps, others, unlabelled)


def _sub_folders(path: Path) -> list[str]:
    try:
        if not path.is_dir():
            what = "this is a file, not a folder" if path.exists() else "there is no such folder"
            raise DataError(f"{path}: {what}.")
        inside = sorted(entry.name for entry in path.iterdir() if entry.is_dir())
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}.") from None
    return [name for name in inside if not _is_of_system(name)]


def _refuse_broken(path: Path) -> None:
    """Refuse links among the classes that lead nowhere: a class would be missing without a word."""
    for entry in sorted(path.iterdir()):
        is_meant = not (_is_picture(entry.name) or _is_of_system(entry.name))
        if is_meant and entry.is_symlink() and not entry.exists():
            raise DataError(f"{entry}: this link leads to nothing, or to itself; remove it.")


def _labelled(path: Path, labels: str) -> Listing:
    """Return the pictures that a file of labels names, with their labels as classes."""
    found = read_labels(path, labels)
    classes = sorted(set(found.labels))
    pairs = zip(found.labels, found.files, strict=True)
    pictures = sorted((classes.index(label), file) for label, file in pairs)
    there = [file for file in files_in(path) if file != str(path / labels)]
    unlabelled = sum(map(_is_picture, set(there) - set(found.files)))
    stamps = tuple(stamp(file) for _, file in pictures)
    return Listing(tuple(classes), tuple(pictures), stamps, _others(there), unlabelled)


def pictures_in(path: Path, *known: str) -> tuple[list[str], tuple[str, ...]]:
    """Return all pictures below a folder, sorted, and the ends of the names of other files.

    Parameters
    ----------
    path : Path
    *known : str
        Names of files in it that are not to be told.

    Raises
    ------
    DataError
        If it is no folder, or holds no picture.
    """
    _sub_folders(path)
    left_out = {str(path / name) for name in known}
    files = [file for file in files_in(path) if file not in left_out]
    pictures = [file for file in files if _is_picture(file)]
    if not pictures:
        ends = ", ".join(sorted(SUFFIXES))
        raise DataError(f"{path}: there are no pictures; files ending in {ends} are read.")
    return pictures, _others(files)


def _is_picture(file: str) -> bool:
    return Path(file).suffix.lower() in SUFFIXES


def _others(files: Iterable[str]) -> tuple[str, ...]:
    return tuple(
        Path(file).suffix.lower() or Path(file).name for file in files if not _is_picture(file)
    )


def _is_of_system(name: str) -> bool:
    return name.startswith(".") or name in _OF_SYSTEMS


def files_in(folder: Path, above: frozenset[tuple[int, int]] = frozenset()) -> Iterator[str]:
    """Give the files of a folder and of those inside it, sorted; a link to one above ends it."""
    try:
        place = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror}.") from None
    if (place.st_dev, place.st_ino) in above:
        raise DataError(f"{folder}: links to a folder that it is in; remove the link.")
    for entry in entries:
        if _is_of_system(entry.name):
            continue
        if Path(entry.path).is_dir():  # entry.is_dir would raise at a loop of links
            yield from files_in(Path(entry.path), above | {(place.st_dev, place.st_ino)})
        else:
            yield entry.path


def others_notes(name: str, others: Sequence[str]) -> tuple[str, ...]:
    """Say which files are no pictures by their names, if any."""
    if not others:
        return ()
    ends = ", ".join(f"{n:,} {shown(end)}" for end, n in Counter(others).most_common(5))
    return (f"{name}: files that are no pictures by name were left out: {ends}.",)

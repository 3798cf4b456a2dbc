"""A folder of pictures: one sub-folder a class, every picture of one size."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from triptych.contracts import Array, Dataset, IntArray, Split
from triptych.data.digits import channel_standardization
from triptych.data.fingerprints import fingerprint, stamp
from triptych.data.picture_files import SUFFIXES, BadPicture, Header, read_header, read_pixels
from triptych.data.splits import copies, copy_notes, need_two, split_by_class, together
from triptych.data.text_files import shown
from triptych.errors import DataError
from triptych.spec import FolderSpec

# Of all pictures together, uint8.
MOST_BYTES = 8_000_000_000
_LISTED = 10
_OF_SYSTEMS = ("__MACOSX", "Thumbs.db", "desktop.ini")
_SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation"}


@dataclass(frozen=True)
class Listing:
    """What a folder holds.

    Attributes
    ----------
    classes : tuple of str
        Names of the sub-folders, sorted.
    files : tuple of (int, str)
        Class and path of each file that its name calls a picture, sorted.
    stamps : tuple of (int, int)
        Size and time of change of each, in ns; (-1, -1) of what cannot be followed.
    others : tuple of str
        Ends of the names of the other files, each as often as it is there.
    """

    classes: tuple[str, ...]
    files: tuple[tuple[int, str], ...]
    stamps: tuple[tuple[int, int], ...]
    others: tuple[str, ...]


@dataclass(frozen=True)
class Pictures:
    """All pictures of a folder: uint8 (N, C, H, W), classes (N,), copies, and what to know."""

    x: Array
    y: IntArray
    same: IntArray
    notes: tuple[str, ...]


def load_folder(spec: FolderSpec, seed: int) -> Dataset:
    """Return the pictures of a folder, split by `seed`, stratified by class.

    Raises
    ------
    DataError
        Naming the folder, the files, and what to do.
    """
    listing = list_folder(Path(spec.path))
    found = _pictures(spec.path, spec.size, listing, skip_bad=spec.skip_bad)
    train_rows, test_rows = split_by_class(found.y, found.same, spec.test_size, seed)
    groups = together(found.same, train_rows)
    train = Split(found.x[train_rows], found.y[train_rows], groups=groups)
    test = Split(found.x[test_rows], found.y[test_rows])
    return Dataset(
        name=_name(spec.path),
        train=train,
        test=test,
        classes=listing.classes,
        kind="pictures",
        fingerprint=fingerprint(train, test),
        standardization=channel_standardization(train.x),
        notes=found.notes,
    )


def list_folder(path: Path) -> Listing:
    """Return classes and files of a folder; nothing is opened.

    Raises
    ------
    DataError
        If it is no folder, or its sub-folders are not classes.
    """
    try:
        if not path.is_dir():
            what = "this is a file, not a folder" if path.exists() else "there is no such folder"
            raise DataError(f"{path}: {what}.")
        inside = sorted(entry.name for entry in path.iterdir() if entry.is_dir())
        loose = any(entry.suffix.lower() in SUFFIXES for entry in path.iterdir())
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}.") from None
    classes = [name for name in inside if not _is_of_system(name)]
    if not classes:
        have = "has pictures but no sub-folders" if loose else "has no sub-folders"
        raise DataError(f"{path}: {have}; put the pictures of each class in one of their own.")
    if {name.lower() for name in classes} <= _SPLITS:
        raise DataError(
            f"{path}: its sub-folders are {', '.join(map(repr, classes))}, which are no classes; "
            f"name one of them: path = {str(path / classes[0])!r}. It is split by each seed anew."
        )
    files = [(k, file) for k, name in enumerate(classes) for file in _files(path / name)]
    pictures = [(k, file) for k, file in files if Path(file).suffix.lower() in SUFFIXES]
    counts = np.bincount([k for k, _ in pictures], minlength=len(classes))
    if not counts.all():
        empty = ", ".join(shown(name) for name, n in zip(classes, counts, strict=True) if not n)
        known = ", ".join(sorted(SUFFIXES))
        raise DataError(f"{path}: no pictures in {empty}; files ending in {known} are read.")
    others = tuple(
        Path(file).suffix.lower() or Path(file).name
        for _, file in files
        if Path(file).suffix.lower() not in SUFFIXES
    )
    stamps = tuple(stamp(file) for _, file in pictures)
    return Listing(tuple(classes), tuple(pictures), stamps, others)


def _is_of_system(name: str) -> bool:
    return name.startswith(".") or name in _OF_SYSTEMS


def _files(folder: Path, above: frozenset[tuple[int, int]] = frozenset()) -> Iterator[str]:
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
            yield from _files(Path(entry.path), above | {(place.st_dev, place.st_ino)})
        else:
            yield entry.path


@dataclass(frozen=True)
class Survey:
    """What the headers of a folder's pictures say: of each (None: unusable), and what is wrong."""

    headers: tuple[Header | None, ...]
    bad: dict[str, str]

    @property
    def sizes(self) -> Counter[tuple[int, int]]:
        """How many pictures have each height and width."""
        return Counter(header.size for header in self.headers if header)


def survey(listing: Listing) -> Survey:
    """Read the headers of all pictures of a folder."""
    headers: list[Header | None] = []
    bad: dict[str, str] = {}
    for _, file in listing.files:
        try:
            headers.append(read_header(Path(file)))
        except BadPicture as error:
            headers.append(None)
            bad[file] = str(error)
    return Survey(tuple(headers), bad)


# Every seed and arm asks for the same pictures; a change of any file makes another listing.
@lru_cache(maxsize=2)
def _pictures(
    path: str, size: tuple[int, ...] | None, listing: Listing, *, skip_bad: bool
) -> Pictures:
    found = survey(listing)
    bad = dict(found.bad)
    edges = _edges(path, size, found) if found.sizes else (1, 1)
    channels = 3 if any(header and header.has_colour for header in found.headers) else 1
    total = len(listing.files) * channels * edges[0] * edges[1]
    if total > MOST_BYTES:
        raise DataError(
            f"{path}: {len(listing.files):,} pictures of {_by(edges)} pixels take "
            f"{total / 1e9:.1f} GB; give a smaller size = [height, width]."
        )
    x = np.empty((len(listing.files), channels, *edges), np.uint8)
    for k, (_, file) in enumerate(listing.files):
        if found.headers[k] is None:
            continue
        try:
            x[k] = read_pixels(Path(file), channels, edges)
        except BadPicture as error:
            bad[file] = str(error)
    notes = _refuse_or_note(path, bad, listing, skip_bad=skip_bad)
    good = np.array([file not in bad for _, file in listing.files])
    x, y = x[good], np.array([k for k, _ in listing.files])[good]
    x.flags.writeable = False
    same = copies(x)
    name = _name(path)
    need_two(name, "picture", y, same, listing.classes)
    return Pictures(x, y, same, (*notes, *copy_notes(name, "picture", y, same)))


def _edges(path: str, size: tuple[int, ...] | None, found: Survey) -> tuple[int, int]:
    """Return the height and width that all pictures get."""
    if size is not None:
        return (size[0], size[1])
    if len(found.sizes) > 1:
        raise DataError(
            f"{path}: pictures are of {len(found.sizes)} sizes, {sizes_text(found.sizes)}; scale "
            "all to one: size = [height, width]."
        )
    (edges,) = found.sizes
    if min(edges) < 2:
        raise DataError(f"{path}: pictures are {_by(edges)} pixels; 2 x 2 is the least.")
    return edges


def sizes_text(sizes: Counter[tuple[int, int]]) -> str:
    """Return sizes as height x width, the most frequent first."""
    first = ", ".join(f"{_by(size)} ({n:,})" for size, n in sizes.most_common(5))
    return first + (", ..." if len(sizes) > 5 else "")


def _name(path: str) -> str:
    return Path(path).resolve().name


def _by(edges: tuple[int, int]) -> str:
    return f"{edges[0]} x {edges[1]}"


def _refuse_or_note(
    path: str, bad: dict[str, str], listing: Listing, *, skip_bad: bool
) -> tuple[str, ...]:
    """Say what is left out, or refuse it."""
    notes = []
    if bad:
        listed = [f"{Path(f).relative_to(path)} ({why})" for f, why in sorted(bad.items())]
        text = f"{len(bad):,} of {len(listing.files):,} files cannot be used: "
        text += ", ".join(listed[:_LISTED]) + (", ..." if len(bad) > _LISTED else "")
        if not skip_bad:
            raise DataError(
                f"{path}: {text}. Remove them, or set skip_bad = true "
                "(of triptych init: --skip-bad)."
            )
        notes.append(f"{_name(path)}: {text}; they are left out.")
    if listing.others:
        ends = ", ".join(f"{n:,} {shown(end)}" for end, n in Counter(listing.others).most_common(5))
        notes.append(f"{_name(path)}: files that are no pictures by name were left out: {ends}.")
    return tuple(notes)

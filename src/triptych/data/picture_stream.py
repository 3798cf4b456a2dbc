"""Pictures on their way past a network: a folder or one file, some at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from triptych.contracts import Prepared
from triptych.data.folder_listing import list_folder, others_notes, pictures_in
from triptych.data.folders import bad_text
from triptych.data.picture_files import BadPicture, read_header
from triptych.data.picture_labels import find_labels
from triptych.data.picture_preparation import PicturePreparation
from triptych.errors import DataError

# Of the pictures that are in memory together, uint8.
_BYTES = 1 << 26


@dataclass(frozen=True)
class _Found:
    """Pictures to read, from where they are named, with the labels that they have if asked for."""

    root: Path
    files: list[str]
    labels: list[str]
    notes: tuple[str, ...] = ()


@dataclass
class _Reader:
    """Reads some pictures of what was found, and keeps what cannot be read."""

    preparation: PicturePreparation
    found: _Found
    bad: dict[str, str] = field(default_factory=dict)

    def read(self, start: int, stop: int) -> Prepared:
        """Return the pictures from `start` to `stop` that can be read."""
        channels, (height, width) = self.preparation.channels, self.preparation.size
        x = np.empty((stop - start, channels, height, width), np.uint8)
        good: list[int] = []
        unseen: dict[str, Counter[str]] = {}
        for k in range(start, stop):
            file = Path(self.found.files[k])
            try:
                header = read_header(file)
                x[len(good)] = self.preparation.pixels(file)
            except BadPicture as error:
                self.bad[str(file)] = str(error)
                continue
            good.append(k)
            for what, value in self.preparation.unseen(header).items():
                unseen.setdefault(what, Counter())[value] += 1
        places = tuple(
            Path(self.found.files[k]).relative_to(self.found.root).as_posix() for k in good
        )
        y = None
        if self.found.labels:
            index = {name: k for k, name in enumerate(self.preparation.classes)}
            labels = [self.found.labels[k] for k in good]
            y = np.array([index.get(label, -1) for label in labels], np.int64)
            if unknown := Counter(label for label in labels if label not in index):
                unseen["label"] = unknown
        return Prepared(x[: len(good)], y, places, unseen)


def read_pictures(
    preparation: PicturePreparation,
    path: Path,
    *,
    rows: int,
    needs_target: bool = False,
    skip_bad: bool = False,
) -> Iterator[Prepared]:
    """Give the pictures of a folder, or one, prepared, some at a time.

    Parameters
    ----------
    preparation : PicturePreparation
    path : Path
        A picture; or a folder, of which all pictures are read, those of sub-folders too.
    rows : int
        How many pictures at a time, at most.
    needs_target : bool
        Whether their classes are to be told: by the sub-folder, or by a file of labels.
    skip_bad : bool
        Whether files that cannot be read are left out, and told, instead of refused.

    Raises
    ------
    DataError
        If there is no picture; if some cannot be read, once all have been tried; or if their
        classes cannot be told.
    """
    found = _find(path, needs_target=needs_target)
    reader = _Reader(preparation, found)
    each = max(1, min(rows, _BYTES // preparation.sample_bytes))
    held: Prepared | None = None
    for start in range(0, len(found.files), each):
        some = reader.read(start, min(start + each, len(found.files)))
        if (reader.bad and not skip_bad) or not len(some):
            continue
        if held is not None:
            yield held
        held = some
    notes = found.notes
    if reader.bad and path.is_file():
        raise DataError(f"{path}: cannot be used: {reader.bad[str(path)]}.")
    if reader.bad:
        text = bad_text(found.root, reader.bad, len(found.files))
        if held is None or not skip_bad:
            raise DataError(f"{path}: {text}. Remove them, or leave them out with --skip-bad.")
        notes = (f"{text}; they are left out", *notes)
    assert held is not None  # what can be read was
    yield replace(held, notes=notes)


def _find(path: Path, *, needs_target: bool) -> _Found:
    if not needs_target and path.is_file():
        return _Found(path.parent, [str(path)], [])
    if not needs_target:
        files, others = pictures_in(path, *filter(None, [find_labels(path)]))
        return _Found(path, files, [], others_notes(path.resolve().name, others))
    if path.is_file():
        raise DataError(
            f"{path}: one picture has no label; give a folder with a sub-folder for each class, or "
            "with a CSV of the columns file and label beside the pictures."
        )
    listing = list_folder(path, find_labels(path))
    files = [file for _, file in listing.files]
    labels = [listing.classes[k] for k, _ in listing.files]
    return _Found(path, files, labels, others_notes(path.resolve().name, listing.others))

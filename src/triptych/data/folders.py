"""A folder of pictures: one sub-folder a class, or a file of labels; every picture of one size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from triptych.contracts import Array, Dataset, IntArray, Split
from triptych.data.digits import channel_standardization
from triptych.data.fingerprints import fingerprint
from triptych.data.folder_listing import Listing, list_folder, others_notes
from triptych.data.picture_files import BadPicture, Header, read_header
from triptych.data.picture_preparation import PicturePreparation
from triptych.data.splits import copies, copy_notes, need_two, split_by_class, together
from triptych.data.text_files import counted
from triptych.errors import DataError
from triptych.spec import FolderSpec

# Of all pictures together, uint8.
MOST_BYTES = 8_000_000_000
_LISTED = 10


@dataclass(frozen=True)
class Pictures:
    """All pictures of a folder: uint8 (N, C, H, W), classes (N,), copies, and what to know."""

    preparation: PicturePreparation
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
    listing = list_folder(Path(spec.path), spec.labels)
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
        preparation=found.preparation,
    )


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
    preparation = PicturePreparation(
        classes=listing.classes, size=edges, channels=channels, scaled=size is not None
    )
    total = len(listing.files) * preparation.sample_bytes
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
            x[k] = preparation.pixels(Path(file))
        except BadPicture as error:
            bad[file] = str(error)
    notes = _refuse_or_note(path, bad, listing, skip_bad=skip_bad)
    good = np.array([file not in bad for _, file in listing.files])
    x, y = x[good], np.array([k for k, _ in listing.files])[good]
    x.flags.writeable = False
    same = copies(x)
    name = _name(path)
    need_two(name, "picture", y, same, listing.classes)
    notes = (*notes, *copy_notes(name, "picture", y, same))
    return Pictures(preparation, x, y, same, notes)


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
        text = bad_text(Path(path), bad, len(listing.files))
        if not skip_bad:
            raise DataError(
                f"{path}: {text}. Remove them, or leave them out with --skip-bad "
                "(in a study: skip_bad = true)."
            )
        notes.append(f"{_name(path)}: {text}; they are left out.")
    if listing.unlabelled:
        without = counted(listing.unlabelled, "picture without a label")
        notes.append(f"{_name(path)}: {without} left out.")
    return (*notes, *others_notes(_name(path), listing.others))


def bad_text(folder: Path, bad: Mapping[str, str], total: int) -> str:
    """Return which files of a folder cannot be used and why, the first ten of them."""
    listed = [f"{Path(file).relative_to(folder)} ({why})" for file, why in sorted(bad.items())]
    text = f"{len(bad):,} of {total:,} files cannot be used: "
    return text + ", ".join(listed[:_LISTED]) + (", ..." if len(bad) > _LISTED else "")

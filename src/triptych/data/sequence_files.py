"""Sequences of one's own as a data set: read, made arrays, split."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from triptych.contracts import Array, Dataset, IntArray, Split, lengths_of
from triptych.data.fingerprints import fingerprint, stamp
from triptych.data.sequences import read_sequences
from triptych.data.splits import copies, copy_notes, need_two, split_by_class
from triptych.errors import DataError
from triptych.spec import SequenceFileSpec

# Of all sequences, each padded to the longest.
MOST_BYTES = 8_000_000_000


@dataclass(frozen=True)
class _Encoded:
    """All sequences of a file as `triptych.contracts.lengths_of` says, and what to know of them."""

    x: Array
    y: IntArray
    same: IntArray
    classes: tuple[str, ...]
    symbols: int | None
    notes: tuple[str, ...]


def load_sequence_file(spec: SequenceFileSpec, seed: int) -> Dataset:
    """Return the sequences of a file, split by `seed`, stratified by class.

    Numbers are scaled to a mean of 0 and a deviation of 1 over all steps of the training rows.

    Parameters
    ----------
    spec : SequenceFileSpec
    seed : int

    Raises
    ------
    DataError
        Naming the file, the line, and what to do.
    """
    found = _encoded(spec, stamp(spec.path))
    train_rows, test_rows = split_by_class(found.y, found.same, spec.test_size, seed)
    train, test = (_cut(found.x[rows]) for rows in (train_rows, test_rows))
    if found.symbols is None:
        train, test = _scaled(train, test)
    splits = Split(train, found.y[train_rows]), Split(test, found.y[test_rows])
    return Dataset(
        name=Path(spec.path).name,
        train=splits[0],
        test=splits[1],
        classes=found.classes,
        kind="sequences",
        fingerprint=fingerprint(*splits),
        notes=found.notes,
        symbols=found.symbols,
    )


# Every seed and arm asks for the same file; a change of it has another stamp.
@lru_cache(maxsize=2)
def _encoded(spec: SequenceFileSpec, stamp: tuple[int, int]) -> _Encoded:
    # Here, because SciPy takes a while to load.
    from triptych.data.sequence_steps import Given, gathered
    from triptych.data.symbols import alphabet, coded, finite

    found = read_sequences(
        spec.path,
        layout=spec.layout,
        target=spec.target,
        id=spec.id,
        time=spec.time,
        sequence=spec.sequence,
        encoding=spec.encoding,
    )
    name = Path(spec.path).name
    try:
        steps = gathered(Given(found.x), numbers=False)
        assert steps is not None  # what is read is no table
        _refuse_large(name, steps.lengths, 1 if steps.kind != "vectors" else steps.values.shape[1])
        if steps.kind == "vectors":
            x, symbols = finite(steps), None
        else:
            known = alphabet(steps.kind, steps.values)
            x, symbols = coded(steps, known), len(known)
    except ValueError as error:
        raise DataError(f"{name}: {error}") from None
    x.flags.writeable = False
    labels, y = np.unique(found.y, return_inverse=True)
    classes = tuple(map(str, labels))
    same = copies(x)
    need_two(name, "sequence", y, same, classes)
    return _Encoded(x, y, same, classes, symbols, copy_notes(name, "sequence", y, same))


def _refuse_large(name: str, lengths: IntArray, width: int) -> None:
    longest = int(lengths.max())
    total = len(lengths) * longest * width * (1 if width == 1 else 8)
    if total > MOST_BYTES:
        raise DataError(
            f"{name}: {len(lengths):,} sequences of up to {longest:,} steps take "
            f"{total / 1e9:.1f} GB, padded to the longest; cut the longest ones."
        )


def _cut(x: Array) -> Array:
    """Return sequences without the steps that none of them has."""
    return np.ascontiguousarray(x[:, : int(lengths_of(x).max())])


def _scaled(train: Array, test: Array) -> tuple[Array, Array]:
    """Return vectors scaled as those of `train` ask for, in float64."""
    from triptych.data.symbols import standardization

    # In float32 there is no second between today's time stamps, so not left to the learners.
    scale = standardization(train)
    return scale(train, "float64"), scale(test, "float64")

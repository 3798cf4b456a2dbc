"""Sequences of one's own as a data set: read, made arrays, split."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np

from triptych.contracts import Array, Dataset, IntArray, Split, lengths_of
from triptych.data.fingerprints import fingerprint, stamp
from triptych.data.sequence_preparation import SequenceForm, SequencePreparation, StepKind
from triptych.data.sequences import Sequences, form_of, read_formed
from triptych.data.splits import copies, copy_notes, need_two, split_by_class, together
from triptych.errors import DataError
from triptych.spec import SequenceFileSpec

# Of all sequences, each padded to the longest.
MOST_BYTES = 8_000_000_000


@dataclass(frozen=True)
class _Encoded:
    """All sequences of a file as `triptych.contracts.lengths_of` says, and what to know of them."""

    preparation: SequencePreparation
    x: Array
    y: IntArray
    same: IntArray
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
    preparation = _fitted(found.preparation, train)
    groups = together(found.same, train_rows)
    splits = (
        Split(preparation.scaled(train), found.y[train_rows], groups=groups),
        Split(preparation.scaled(test), found.y[test_rows]),
    )
    return Dataset(
        name=Path(spec.path).name,
        train=splits[0],
        test=splits[1],
        classes=preparation.classes,
        kind="sequences",
        fingerprint=fingerprint(*splits),
        notes=found.notes,
        symbols=preparation.symbols,
        preparation=preparation,
    )


# Every seed and arm asks for the same file; a change of it has another stamp.
@lru_cache(maxsize=2)
def _encoded(spec: SequenceFileSpec, stamp: tuple[int, int]) -> _Encoded:
    # Here, because SciPy takes a while to load.
    from triptych.data.sequence_steps import Given, gathered
    from triptych.data.symbols import alphabet, coded, finite

    path = Path(spec.path)
    form = form_of(
        path, spec.layout, spec.target, id=spec.id, time=spec.time, sequence=spec.sequence,
        encoding=spec.encoding,
    )  # fmt: skip
    found, form = read_formed(path, form)
    symbols: Array = np.array([])
    try:
        steps = gathered(Given(found.x), numbers=False)
        assert steps is not None  # what is read is no table
        width = 1 if steps.kind != "vectors" else steps.values.shape[1]
        _refuse_large(path.name, steps.lengths, width)
        if steps.kind == "vectors":
            x = finite(steps)
        else:
            symbols = alphabet(steps.kind, steps.values)
            x = coded(steps, symbols)
    except ValueError as error:
        raise DataError(f"{path.name}: {error}") from None
    x.flags.writeable = False
    preparation, y = _preparation(found, form, cast("StepKind", steps.kind), symbols)
    same = copies(x)
    need_two(path.name, "sequence", y, same, preparation.classes)
    return _Encoded(preparation, x, y, same, copy_notes(path.name, "sequence", y, same))


def _preparation(
    found: Sequences, form: SequenceForm, kind: StepKind, symbols: Array
) -> tuple[SequencePreparation, IntArray]:
    """Return what is known before there is a split, and the classes (N,) of the sequences."""
    labels, y = np.unique(found.y, return_inverse=True)
    preparation = SequencePreparation(
        classes=tuple(map(str, labels)),
        form=form,
        steps=kind,
        strings=tuple(symbols.tolist()) if kind == "strings" else (),
        integers=tuple(symbols.tolist()) if kind == "integers" else (),
        features=found.features,
        mean=(0.0,) * len(found.features),
        std=(1.0,) * len(found.features),
        longest=1,
    )
    return preparation, y


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


def _fitted(preparation: SequencePreparation, train: Array) -> SequencePreparation:
    """Return a preparation that knows how long training rows are, and scales by them."""
    from triptych.data.symbols import standardization

    preparation = replace(preparation, longest=train.shape[1])
    if preparation.steps != "vectors":
        return preparation
    scale = standardization(train)
    return replace(preparation, mean=tuple(scale.mean.tolist()), std=tuple(scale.std.tolist()))

"""Data laid out for a network that reads another kind, and data whose places are scrambled.

Values never change, only where they stand. So an MLP, to which all places are alike, can lose
nothing by it, and what another network loses is what it knew of neighbours, or of time.

N rows, I columns, C channels, H height, W width, T steps, V symbols.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from triptych.chance import key, permutation, stream_seed
from triptych.contracts import (
    Array,
    Dataset,
    FloatArray,
    IntArray,
    Split,
    Standardization,
    lengths_of,
)
from triptych.data.fingerprints import fingerprint
from triptych.errors import DataError
from triptych.spec import Reads

# Learners flatten what is read as rows, so that pictures need no other layout for it.
_AS_THEY_ARE = {
    "rows": ("table", "pictures"),
    "pictures": ("pictures",),
    "sequences": ("sequences",),
}
# One-hot vectors take 4 bytes a value; these are 2 GB.
_MOST_VALUES = 500_000_000


def arrange(data: Dataset, reads: Reads | None, seed: int, *, scrambled: bool = False) -> Dataset:
    """Return `data` as a network takes it, its places scrambled first where that is asked for.

    ========= ===================== ========================= ==============================
    read as   a table (N, I)        pictures (N, C, H, W)     symbols (N, T) of one length
    ========= ===================== ========================= ==============================
    rows      as it is              as they are: learners     one-hot, flattened (N, T * V)
                                    flatten them
    pictures  one line (N, 1, 1, I) as they are               one-hot (N, 1, T, V)
    sequences a column a step       a row of pixels a step    as they are, of any lengths
              (N, I, 1)             (N, H, C * W)
    ========= ===================== ========================= ==============================

    Parameters
    ----------
    data : Dataset
        As `triptych.data.load` gives it.
    reads : {"rows", "pictures", "sequences"}, optional
        What the network takes; absent: anything.
    seed : int
        Draws the permutation, and nothing else does: every arm of a seed gets the same one, for
        training and test rows alike.
    scrambled : bool
        Whether columns, pixels (with all their channels) or steps change places. Sequences of
        unequal length have a permutation for each length.

    Raises
    ------
    DataError
        If sequences that have no one length, or are no symbols, are to become rows or pictures; or
        if that would take more than 2 GB.
    """
    words = []
    if scrambled:
        data = _scrambled(data, stream_seed(seed, "places"))
        words.append("scrambled")
    if reads is not None and data.kind not in _AS_THEY_ARE[reads]:
        data, how = _laid_out(data, reads)
        words.append(how)
    if not words:
        return data
    return replace(data, fingerprint=fingerprint(data.train, data.test), arranged=", ".join(words))


def _scrambled(data: Dataset, seed: int) -> Dataset:
    if data.kind == "sequences":
        return _on_all(data, lambda x: _steps_scrambled(x, seed))
    shape = data.sample_shape
    places = permutation(key(seed), shape[-1] * (shape[-2] if data.kind == "pictures" else 1))

    def moved(x: Array) -> Array:
        channels = x.shape[:-2] if data.kind == "pictures" else x.shape[:-1]
        return np.ascontiguousarray(x.reshape(*channels, -1)[..., places]).reshape(x.shape)

    return _on_all(data, moved)


def _steps_scrambled(x: Array, seed: int) -> Array:
    """Return sequences whose steps have changed places, those past the end have not."""
    out, length_N = x.copy(), lengths_of(x)
    for length in np.unique(length_N):
        rows: IntArray = np.flatnonzero(length_N == length)
        out[rows, :length] = x[rows][:, permutation(key(seed, int(length)), int(length))]
    return out


def _laid_out(data: Dataset, reads: Reads) -> tuple[Dataset, str]:
    """Return the data with its places changed for `reads`, and how, in words."""
    if data.kind == "sequences":
        return _one_hot(data, reads)
    if data.kind == "pictures":
        changed = _on_all(data, _rows_as_steps)
        return replace(changed, kind="sequences"), "a row of pixels a step"
    if reads == "pictures":
        changed = _with_standardization(_on_all(data, lambda x: x[:, None, None, :]))
        return replace(changed, kind="pictures"), f"a picture of 1 x {data.sample_shape[0]}"
    return replace(_on_all(data, lambda x: x[:, :, None]), kind="sequences"), "a column a step"


def _rows_as_steps(x: Array) -> Array:
    """Return pictures (N, C, H, W) as sequences (N, H, C * W)."""
    steps = np.ascontiguousarray(np.moveaxis(x, 1, 2))
    return steps.reshape(*steps.shape[:2], -1)


def _one_hot(data: Dataset, reads: Reads) -> tuple[Dataset, str]:
    x, symbols = data.train.x, data.step_inputs
    if x.ndim != 2:
        raise DataError(f"{data.name}: only symbols can become {reads}, got vectors of numbers.")
    lengths = np.concatenate([lengths_of(split.x) for split in (data.train, data.test)])
    steps = int(lengths.max())
    if lengths.min() != steps:
        raise DataError(
            f"{data.name}: {reads} need sequences of one length, got {lengths.min()} to {steps} "
            "steps. Use kind 'rnn'."
        )
    if len(x) * steps * symbols > _MOST_VALUES:
        raise DataError(
            f"{data.name}: {len(x):,} sequences of {steps:,} steps and {symbols} symbols take more "
            "than 2 GB one-hot. Use kind 'rnn', or fewer rows."
        )
    shape = (1, steps, symbols) if reads == "pictures" else (steps * symbols,)

    def changed(x: Array) -> Array:
        hot_NTV = x[:, :steps, None] == np.arange(symbols, dtype=np.int64)
        out: FloatArray = hot_NTV.reshape(len(x), *shape).astype(np.float32)
        return out

    new = replace(_on_all(data, changed), symbols=None, probes={})
    if reads == "rows":
        return replace(new, kind="table"), "one-hot"
    new = _with_standardization(replace(new, kind="pictures"))
    return new, f"a picture of {steps} steps x {symbols} symbols"


def _with_standardization(data: Dataset) -> Dataset:
    """Return pictures with a standardization that changes nothing, where they have none."""
    if data.standardization is not None:
        return data
    same = Standardization(np.zeros((1, 1, 1)), np.ones((1, 1, 1)))
    return replace(data, standardization=same)


def _on_all(data: Dataset, change: Callable[[Array], Array]) -> Dataset:
    """Return the data with `change` made to every split, and to what each place is scaled by."""

    def on(split: Split) -> Split:
        return replace(split, x=change(split.x))

    scale = data.standardization
    if scale is not None:
        shape = (1, *data.sample_shape)
        mean, std = (change(np.broadcast_to(a, shape))[0] for a in (scale.mean, scale.std))
        scale = Standardization(mean, std)
    return replace(
        data,
        train=on(data.train),
        test=on(data.test),
        probes={length: on(probe) for length, probe in data.probes.items()},
        standardization=scale,
    )

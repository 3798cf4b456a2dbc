"""The built-in pictures: scikit-learn's handwritten digits."""

from __future__ import annotations

from functools import cache

import numpy as np

from triptych.chance import stream
from triptych.contracts import Array, Dataset, IntArray, Split, Standardization
from triptych.data.fingerprints import fingerprint
from triptych.spec import DigitsSpec


@cache
def _pictures() -> tuple[Array, IntArray]:
    """Return x uint8 (1797, 1, 8, 8) with values 0 to 16, and y int64 (1797,)."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.images.astype(np.uint8)[:, None], digits.target.astype(np.int64)


def load_digits_pictures(spec: DigitsSpec, seed: int, notes: tuple[str, ...] = ()) -> Dataset:
    """Return the digits, split by `seed`, stratified by class.

    Parameters
    ----------
    spec : DigitsSpec
    seed : int
    notes : tuple of str
        What a reader must know, where the digits stand in for something else.
    """
    from sklearn.model_selection import train_test_split

    x, y = _pictures()
    rows = np.arange(len(y))
    random_state = int(stream(seed, "split").integers(2**32))
    train_rows, test_rows = train_test_split(
        rows, test_size=spec.test_size, stratify=y, random_state=random_state
    )
    train_rows, test_rows = train_rows[: spec.train_limit], test_rows[: spec.test_limit]
    train, test = Split(x[train_rows], y[train_rows]), Split(x[test_rows], y[test_rows])
    return Dataset(
        name="digits",
        train=train,
        test=test,
        classes=tuple(map(str, range(10))),
        kind="pictures",
        fingerprint=fingerprint(train, test),
        standardization=channel_standardization(train.x),
        notes=notes,
    )


def channel_standardization(x: Array) -> Standardization:
    """Return mean and deviation of each channel over pictures (N, C, H, W), as (C, 1, 1).

    Parameters
    ----------
    x : Array, uint8 or float
        Of uint8 computed from histograms, so that no float copy of the pictures is made.
    """
    shape = (-1, 1, 1)
    if x.dtype != np.uint8:
        mean = x.mean(axis=(0, 2, 3), dtype=np.float64)
        deviation = x.std(axis=(0, 2, 3), dtype=np.float64)
        return Standardization(
            mean.reshape(shape), np.where(deviation > 0, deviation, 1.0).reshape(shape)
        )
    levels = np.arange(256, dtype=np.float64)
    means, deviations = [], []
    for channel in range(x.shape[1]):
        counts = np.zeros(256)
        for start in range(0, len(x), 4096):
            counts += np.bincount(x[start : start + 4096, channel].ravel(), minlength=256)
        share = counts / counts.sum()
        center = float(share @ levels)
        means.append(center)
        # A channel that never changes is centred and left at that.
        deviations.append(float(np.sqrt(share @ (levels - center) ** 2)) or 1.0)
    return Standardization(np.array(means).reshape(shape), np.array(deviations).reshape(shape))

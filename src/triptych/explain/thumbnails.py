"""Pictures as a page can show them: uint8, small, one channel or three."""

from __future__ import annotations

import math

import numpy as np

from triptych.contracts import Array, FloatArray, Split

_EDGE = 32
# Rows that are looked at to tell what black and white are.
_LOOKED_AT = 1000


def levels(train: Split) -> tuple[float, float]:
    """Return which raw values are black and white, by the training pictures."""
    seen = train.x[:_LOOKED_AT]
    high = float(seen.max())
    if seen.dtype == np.uint8:
        # Digits have 17 shades; where any picture is bright, the full range is meant.
        return 0.0, 255.0 if high > 64 else high or 1.0
    low = float(seen.min())
    return low, high if high > low else low + 1.0


def thumbnails(x: Array, black_white: tuple[float, float]) -> Array:
    """Return pictures (N, C, H, W) as uint8 (N, h, w, c).

    Parameters
    ----------
    x : Array, shape (N, C, H, W)
        Raw. Of one channel or three; the mean is shown of any other number.
    black_white : (float, float)
        See `levels`.

    Returns
    -------
    Array
        No edge is longer than 32: larger pictures are averaged over squares.
    """
    low, high = black_white
    grey = (x.astype(np.float64) - low) * (255 / (high - low))
    if x.shape[1] not in (1, 3):
        grey = grey.mean(axis=1, keepdims=True)
    small = shrunk(grey)
    return np.ascontiguousarray(np.moveaxis(small, 1, -1).clip(0, 255).round().astype(np.uint8))


def shrunk(x: FloatArray) -> FloatArray:
    """Return pictures (..., H, W) with no edge longer than 32, averaged over squares."""
    step = math.ceil(max(x.shape[-2:]) / _EDGE)
    if step == 1:
        return x
    high, wide = (min(step, size) for size in x.shape[-2:])
    rows, columns = x.shape[-2] // high, x.shape[-1] // wide
    kept = x[..., : rows * high, : columns * wide]  # a remainder is left out
    squares = kept.reshape(*x.shape[:-2], rows, high, columns, wide)
    small: FloatArray = squares.mean(axis=(-3, -1))
    return small


def patterns(weights: FloatArray) -> Array:
    """Return weights (K, C, h, w) as uint8 pictures (K, h, w, c): middle grey is 0.

    Each is scaled by its own largest weight; of other than 1 or 3 channels the mean is shown.
    """
    shown = weights if weights.shape[1] in (1, 3) else weights.mean(axis=1, keepdims=True)
    largest = np.abs(shown).max(axis=(1, 2, 3), keepdims=True)
    scaled = 127.5 * (1 + shown / np.where(largest > 0, largest, 1.0))
    return np.ascontiguousarray(np.moveaxis(scaled, 1, -1).round().astype(np.uint8))

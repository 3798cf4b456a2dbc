"""How rows become pictures: which axis holds channels, and what a flattened row looks like."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from triptych.contracts import Array

MOST_CHANNELS = 4


@dataclass(frozen=True)
class Layout:
    """The shape that rows are given in.

    Attributes
    ----------
    given : tuple of int
        ``(H, W)``, ``(H, W, C)`` or ``(C, H, W)``.
    first : bool
        Whether a third axis, the channels, comes first.
    filled : int
        Zeros that are added to a row to fill that shape.
    """

    given: tuple[int, ...]
    first: bool = False
    filled: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels, height, width."""
        if len(self.given) == 2:
            return (1, *self.given)
        *pixels, channels = (*self.given[1:], self.given[0]) if self.first else self.given
        return (channels, *pixels)

    def pictures(self, x: Array) -> Array:
        """Return rows (N, ...) as pictures (N, C, H, W), in the dtype they have."""
        if self.filled:
            x = np.pad(x, ((0, 0), (0, self.filled)))
        x = x.reshape(len(x), *self.given)
        if len(self.given) == 2:
            return x[:, None]
        return x if self.first else np.moveaxis(x, -1, 1)


def square(features: int) -> Layout:
    """Return the smallest square, at least 2 pixels wide, that holds a row of a table."""
    edge = max(2, math.isqrt(features - 1) + 1)
    return Layout((edge, edge), filled=edge * edge - features)


def layout_of(given: tuple[int, ...], channels: str, name: str) -> Layout:
    """Return how pictures of a shape are to be read.

    Parameters
    ----------
    given : tuple of int
        Of one picture: two axes, or three of which one holds 1 to 4 channels.
    channels : {"auto", "first", "last"}
    name : str
        The estimator's, for messages.

    Raises
    ------
    ValueError
        If no axis can hold the channels, or both can and `channels` does not say which.
    """
    if len(given) not in (2, 3):
        raise ValueError(
            f"{name} takes pictures of 2 axes, or of 3 where one holds the channels. "
            f"Got pictures of shape {given} instead."
        )
    if len(given) == 2:
        layout = Layout(given)
    else:
        layout = Layout(given, first=_comes_first(given, channels, name))
    if min(layout.shape[1:]) < 2:
        raise ValueError(
            f"{name} takes pictures of at least 2 x 2 pixels. Got pictures of shape {given} "
            "instead."
        )
    return layout


def _comes_first(given: tuple[int, ...], channels: str, name: str) -> bool:
    fits = {"first": given[0] <= MOST_CHANNELS, "last": given[-1] <= MOST_CHANNELS}
    if channels != "auto":
        if not fits[channels]:
            raise ValueError(
                f"The {channels} axis of a picture must hold 1 to {MOST_CHANNELS} channels, as "
                f"channels={channels!r}. Got pictures of shape {given} instead."
            )
        return channels == "first"
    if fits["first"] and fits["last"]:
        raise ValueError(
            f"The 'channels' parameter of {name} must be 'first' or 'last' where both axes could "
            f"hold them. Got 'auto' instead, and pictures of shape {given}."
        )
    if not any(fits.values()):
        raise ValueError(
            f"A picture must have 1 to {MOST_CHANNELS} channels, in its first or last axis. "
            f"Got pictures of shape {given} instead."
        )
    return fits["first"]


def stacked(x: Any) -> Any:
    """Return `x`, or one array where it is a list of pictures.

    Raises
    ------
    ValueError
        If they are of several shapes, naming these.
    """
    loose = isinstance(x, list | tuple) or (isinstance(x, np.ndarray) and x.dtype == object)
    if not loose or not len(x) or not all(hasattr(row, "__len__") for row in x):
        return x
    if any(isinstance(row, str) for row in x) or not any(np.ndim(row[0]) for row in x if len(row)):
        return x  # rows of a table
    counts = Counter(np.shape(row) for row in x)
    if len(counts) > 1:
        found = ", ".join(f"{n} of shape {shape}" for shape, n in counts.most_common(10))
        raise ValueError(f"All pictures must have the same shape. Got {found} instead.")
    return np.stack([np.asarray(row) for row in x])

"""Every use of chance: named streams for what is drawn once, counters for what each step draws.

Orders and dropout masks are functions of a key and a counter, not of a generator's past: any engine
can compute those of any epoch or step, in any order, and gets the same ones.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

# SplitMix64 (Steele, Lea and Flood, 2014): the increment, and the two factors of its output.
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the random stream called `name` of a study's `seed`.

    Every use of chance (the draw, the split, the weights, the order, dropout) has a stream of its
    own, so that arms that differ in one of them stay paired in the others.

    Parameters
    ----------
    seed : int
        The study's seed, at least 0.
    name : str
        What the stream is for; part of the key.
    """
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def stream_seed(seed: int, name: str) -> int:
    """Return the number that keys the counters called `name` of a study's `seed`."""
    return int(key(seed, zlib.crc32(name.encode())))


def mix64(z: Any) -> Any:
    """Return SplitMix64's output function of uint64, a scalar or an array."""
    with np.errstate(over="ignore"):
        z = (z ^ (z >> np.uint64(30))) * MIX_1
        z = (z ^ (z >> np.uint64(27))) * MIX_2
        return z ^ (z >> np.uint64(31))


def key(seed: Any, *parts: int) -> Any:
    """Return the key of a counter: `seed` with each of `parts` (0 to 2^64 - 1) mixed into it.

    An integer gives a uint64, several in an array an array of them.
    """
    with np.errstate(over="ignore"):
        mixed = mix64(np.uint64(seed) + GOLDEN)
        for part in parts:
            mixed = mix64((mixed ^ np.uint64(part)) + GOLDEN)
    return np.uint64(mixed)


def uniform(mixed: np.uint64, count: int) -> NDArray[np.float64]:
    """Return the first `count` numbers in [0, 1) of a key's counter, with 53 bits each."""
    with np.errstate(over="ignore"):
        bits = mix64(mixed + np.arange(count, dtype=np.uint64) * GOLDEN)
    out: NDArray[np.float64] = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return out


def permutation(mixed: np.uint64, count: int) -> NDArray[np.int64]:
    """Return 0 to ``count - 1`` in random order (Fisher and Yates' shuffle, from the end)."""
    targets = (uniform(mixed, count) * np.arange(1, count + 1)).astype(np.int64).tolist()
    order = list(range(count))
    for i in range(count - 1, 0, -1):
        j = targets[i]
        order[i], order[j] = order[j], order[i]
    return np.array(order, dtype=np.int64)


def orders(seed: int, first_epoch: int, epochs: int, count: int) -> NDArray[np.int64]:
    """Return the permutations of `count` rows for some epochs, one after the other.

    Parameters
    ----------
    seed : int
        From `stream_seed`.
    first_epoch, epochs : int
        Which epochs, counted from 1, and how many.
    count : int
        Rows an epoch.

    Returns
    -------
    NDArray of int64, shape (epochs * count,)
    """
    each = [permutation(key(seed, first_epoch + e), count) for e in range(epochs)]
    return np.concatenate([np.empty(0, np.int64), *each])


def dropout_mask(
    seed: int, step: int, layer: int, shape: tuple[int, int], probability: float
) -> NDArray[np.float64]:
    """Return the factors of inverted dropout: 0, or ``1 / (1 - probability)``.

    Parameters
    ----------
    seed : int
        From `stream_seed`.
    step : int
        Steps taken before, over the whole training.
    layer : int
        Hidden layers, counted from 0.
    shape : (B, H)
    probability : float
        Of a unit to be zeroed, in [0, 1).
    """
    drawn = uniform(key(seed, step, layer), shape[0] * shape[1])
    return np.where(drawn >= probability, 1 / (1 - probability), 0.0).reshape(shape)

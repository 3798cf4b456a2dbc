"""`triptych.chance`, compiled: dropout masks and orders, the same to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from os import cpu_count
from typing import Any

import numpy as np

from triptych.chance import GOLDEN, MIX_1, MIX_2
from triptych.contracts import IntArray
from triptych.models.compiled.caching import SOURCE, helper, kernel

S30, S27, S31, S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


@helper()
def mix64(z: Any) -> Any:
    """Return SplitMix64's output function of a uint64."""
    z = (z ^ (z >> S30)) * MIX_1
    z = (z ^ (z >> S27)) * MIX_2
    return z ^ (z >> S31)


@helper()
def dropout_key(seed: Any, step: Any, layer: Any) -> Any:
    """Return the key of one layer's mask at one step."""
    key = mix64(np.uint64(seed) + GOLDEN)
    key = mix64((key ^ np.uint64(step)) + GOLDEN)
    return mix64((key ^ np.uint64(layer)) + GOLDEN)


@helper()
def drop(h_E: Any, slope_E: Any, key: Any, probability: Any) -> None:
    """Zero elements of outputs and slopes with `probability`, scale the others; in place."""
    scale = h_E.dtype.type(1 / (1 - probability))
    nothing = h_E.dtype.type(0)
    for e in range(len(h_E)):
        bits = mix64(key + np.uint64(e) * GOLDEN) >> S11
        factor = scale if np.float64(bits) * 2.0**-53 >= probability else nothing
        h_E[e] *= factor
        slope_E[e] *= factor


@cache
def make_orders() -> Any:
    """Return the kernel that fills (epochs * count,) with the orders of epochs from the first."""
    source = SOURCE

    @kernel()
    def draw(seed, first_epoch, count, targets, out):  # type: ignore[no-untyped-def]
        assert source >= 0  # captured, see `caching.SOURCE`
        start = mix64(np.uint64(seed) + GOLDEN)
        for e in range(len(out) // count):
            order = out[e * count : (e + 1) * count]
            mixed = mix64((start ^ np.uint64(first_epoch + e)) + GOLDEN)
            # First all the drawing, which vectorises, then the swaps, which follow each other.
            for i in range(count):
                bits = mix64(mixed + np.uint64(i) * GOLDEN) >> S11
                targets[i] = np.int64((np.float64(np.int64(bits)) * 2.0**-53) * np.float64(i + 1))
                order[i] = i
            for i in range(count - 1, 0, -1):
                j = np.uintp(targets[i])  # an index that cannot be negative is not tested for it
                order[np.uintp(i)], order[j] = order[j], order[np.uintp(i)]

    return draw


class Orders:
    """Draws `triptych.chance.orders` of several seeds on all cores."""

    def __init__(self) -> None:
        self.out = np.empty((0, 0), np.int32)

    def __call__(self, seeds: Sequence[int], first_epoch: int, epochs: int, count: int) -> IntArray:
        """Return the orders, int32 (K, epochs * count); the next call overwrites them.

        They are short, and stay in one place, because many seeds wait for memory more than for
        anything else, and memory that is new has to be cleared by the system first.
        """
        shape = (len(seeds), epochs * count)
        if self.out.shape != shape:
            self.out = np.empty(shape, np.int32)
        out, draw, cores = self.out, make_orders(), cpu_count() or 1

        def some(first: int, stop: int) -> None:
            targets = np.empty(count, np.int64)
            for k in range(first, stop):
                draw(np.uint64(seeds[k]), first_epoch, count, targets, out[k])

        if len(seeds) < 2 * cores:
            some(0, len(seeds))
            return out
        share = -(-len(seeds) // cores)
        with ThreadPoolExecutor(cores) as pool:
            starts = range(0, len(seeds), share)
            for done in [pool.submit(some, k, min(k + share, len(seeds))) for k in starts]:
                done.result()
        return out

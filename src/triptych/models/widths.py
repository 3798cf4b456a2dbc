"""Networks made wider or narrower by one factor, to where they cost what another does."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import assert_never

from triptych.spec import CNNSpec, MLPSpec, NetworkSpec, RNNSpec


def widths(spec: NetworkSpec) -> tuple[int, ...]:
    """Return the sizes that `scaled` scales: hidden units of each layer, or channels."""
    match spec:
        case MLPSpec():
            return spec.hidden
        case CNNSpec():
            return spec.channels
        case RNNSpec():
            return (spec.hidden,)
        case _:
            assert_never(spec)


def scaled(spec: NetworkSpec, factor: float) -> NetworkSpec:
    """Return `spec` with every size times `factor`, to the nearest integer that it may be.

    Examples
    --------
    >>> scaled(MLPSpec(hidden=(100, 50)), 0.87).hidden
    (87, 44)
    """
    # Halves go up, so that no size ever shrinks as the factor grows; round() has them go to even.
    sizes = tuple(
        min(max(1, math.floor(factor * size + 0.5)), _most(spec)) for size in widths(spec)
    )
    match spec:
        case MLPSpec():
            return dataclasses.replace(spec, hidden=sizes)
        case CNNSpec():
            return dataclasses.replace(spec, channels=sizes)
        case RNNSpec():
            return dataclasses.replace(spec, hidden=sizes[0])
        case _:
            assert_never(spec)


def scale_to(spec: NetworkSpec, target: int, count: Callable[[NetworkSpec], int]) -> NetworkSpec:
    """Return `spec` with its sizes scaled by the factor that brings its count nearest to `target`.

    Of two counts as near as each other, the smaller.

    Parameters
    ----------
    spec : NetworkSpec
        With at least one size.
    target : int
    count : callable
        Of parameters or FLOPs; must not fall where a size grows.
    """
    # The count is a staircase of the factor. Halving the interval down to two floats that have none
    # between them ends at the one step that leads past the target, so nothing nearer is missed.
    low, high = 0.0, 2.0 * _most(spec)
    below, above = scaled(spec, low), scaled(spec, high)
    while low < (middle := (low + high) / 2) < high:
        found = scaled(spec, middle)
        if count(found) <= target:
            low, below = middle, found
        else:
            high, above = middle, found
    return min(below, above, key=lambda one: abs(count(one) - target))


def _most(spec: NetworkSpec) -> int:
    """Return the largest size that a network of this kind may have."""
    name = "channels" if isinstance(spec, CNNSpec) else "hidden"
    (most,) = (f.metadata["high"] for f in dataclasses.fields(spec) if f.name == name)
    return int(most)

"""Networks are scaled by the one factor that brings their cost nearest to another's."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from triptych.models import cost, scale_to, scaled, widths
from triptych.spec import CNNSpec, MLPSpec, RNNSpec

NETWORKS = [
    (MLPSpec(hidden=(100, 50)), (64,), 10),
    (MLPSpec(hidden=(7, 30, 3)), (2,), 2),
    (CNNSpec(channels=(8, 12, 5), pool_after=(1,)), (1, 8, 8), 10),
    (CNNSpec(design="whitened", channels=(32, 16), pool_after=(1, 2)), (3, 9, 9), 10),
    (RNNSpec(hidden=20), (5,), 10),
    (RNNSpec(cell="lstm", hidden=9, layers=2, bidirectional=True), (5, 3), 4),
]


def at(spec, factor):
    """Return the network at an exact factor, by its own arithmetic."""
    sizes = tuple(max(1, math.floor(factor * size + Fraction(1, 2))) for size in widths(spec))
    if isinstance(spec, RNNSpec):
        return replace(spec, hidden=sizes[0])
    return replace(spec, **{"channels" if isinstance(spec, CNNSpec) else "hidden": sizes})


@pytest.mark.parametrize("on", ["parameters", "flops"])
@pytest.mark.parametrize(("spec", "shape", "classes"), NETWORKS)
def test_no_other_factor_comes_nearer(spec, shape, classes, on):
    def count(network):
        return getattr(cost(network, shape, classes), on)

    # Between two of these factors no size changes, so they stand for all up to 4.
    steps = {Fraction(2 * k + 1, 2 * w) for w in widths(spec) for k in range(4 * w)}
    counts = sorted({count(at(spec, factor)) for factor in {Fraction(0), *steps}})
    rng = np.random.default_rng(0)
    for target in (*rng.integers(counts[0], counts[-1], 12).tolist(), counts[0], counts[5]):
        nearest = min(abs(one - target) for one in counts)
        found = scale_to(spec, target, count)
        assert abs(count(found) - target) == nearest
        # It is one factor on all sizes.
        assert found in [at(spec, factor) for factor in {Fraction(0), *steps}]
        assert scale_to(spec, target, count) == found


def test_a_network_is_matched_to_itself_by_the_factor_one():
    for spec, shape, classes in NETWORKS:
        target = cost(spec, shape, classes).parameters
        assert (
            scale_to(spec, target, lambda one, s=shape, c=classes: cost(one, s, c).parameters)
            == spec
        )


def test_of_two_counts_as_near_the_smaller_is_taken():
    found = scale_to(MLPSpec(hidden=(10,)), 45, lambda one: 10 * one.hidden[0])
    assert found.hidden == (4,)


def test_sizes_stay_what_a_spec_may_hold():
    assert scaled(MLPSpec(hidden=(100, 3)), 0.0).hidden == (1, 1)
    assert scaled(MLPSpec(hidden=(100, 3)), 1e9).hidden == (65_536, 65_536)
    assert scaled(CNNSpec(channels=(8,), pool_after=(1,)), 1e9).channels == (4096,)
    assert scaled(RNNSpec(hidden=10), 2.04).hidden == 20

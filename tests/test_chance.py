"""Streams, keys, orders: repeatable, independent, uniform."""

import itertools

import numpy as np
import pytest
from scipy import stats

from triptych.chance import key, mix64, orders, permutation, stream, stream_seed, uniform


def test_the_mixer_is_splitmix64():
    # The first outputs for seed 1234567, from the reference implementation's test vector.
    state, found = np.uint64(1234567), []
    with np.errstate(over="ignore"):
        for _ in range(3):
            state += np.uint64(0x9E3779B97F4A7C15)
            found.append(int(mix64(state)))
    assert found == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_streams_of_one_seed_are_independent_and_repeatable():
    names = ["draw", "split", "weights", "order", "dropout"]
    drawn = {name: stream(0, name).integers(2**62) for name in names}
    assert all(a != b for a, b in itertools.combinations(drawn.values(), 2))
    assert stream(0, "draw").integers(2**62) == drawn["draw"]
    assert stream(1, "draw").integers(2**62) != drawn["draw"]
    seeds = {stream_seed(seed, name) for seed in range(20) for name in names}
    assert len(seeds) == 100


def test_keys_depend_on_every_part_and_its_place():
    keys = {int(key(*parts)) for parts in itertools.product(range(4), repeat=3)}
    assert len(keys) == 64
    assert key(2**64 - 1, 2**63) != key(2**64 - 1, 0)


def test_uniform_numbers_are():
    u = uniform(key(3, 1), 200_000)
    assert 0 <= u.min() < u.max() < 1
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 0.01


@pytest.mark.parametrize("count", [0, 1, 2, 3, 800])
def test_a_permutation_has_every_row_once(count):
    order = permutation(key(1, 2), count)
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(count))


def test_all_orders_of_four_rows_are_as_likely():
    drawn = [tuple(permutation(key(5, k), 4)) for k in range(24_000)]
    counts = np.array([drawn.count(p) for p in itertools.permutations(range(4))])
    assert counts.sum() == 24_000
    assert stats.chisquare(counts).pvalue > 1e-3


def test_orders_of_an_epoch_do_not_depend_on_those_before_it():
    whole = orders(9, 1, 5, 30).reshape(5, 30)
    assert np.array_equal(orders(9, 3, 2, 30).reshape(2, 30), whole[2:4])
    assert not np.array_equal(whole[0], whole[1])
    assert orders(9, 1, 0, 30).shape == (0,)

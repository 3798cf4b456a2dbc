"""Intervals: Wilson's formula, and the bootstrap of rows, of groups and of rows dealt to parts."""

import math

import numpy as np
import pytest
from scipy import sparse, stats

from triptych.saved import intervals
from triptych.saved.intervals import bootstrap, units_of, wilson


@pytest.mark.parametrize(("right", "rows"), [(0, 1), (1, 1), (7, 10), (0, 30), (499, 500)])
def test_shares_have_wilsons_interval(right, rows):
    found = wilson(right, rows)
    known = stats.binomtest(right, rows).proportion_ci(0.95, "wilson")
    assert found.value == right / rows
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=1e-12)


def test_a_share_of_nothing_has_none():
    assert math.isnan(wilson(0, 0).value)
    assert math.isnan(wilson(0, 0).low)


def mean(sums):
    return sums[:, :1] / sums[:, 1:]


def mean_of(values, units):
    sums = sparse.csr_matrix(np.stack([values, np.ones(len(values))], axis=1))
    (found,) = bootstrap(sums, units, mean, np.random.default_rng(0))
    assert found.value == pytest.approx(values.mean())
    return found


def width(found):
    return found.high - found.low


def test_the_bootstrap_of_a_mean_is_as_wide_as_theory_says():
    values = np.random.default_rng(1).normal(3, 2, 1_000)
    usual = 2 * 1.96 * values.std() / math.sqrt(1_000)
    assert width(mean_of(values, np.arange(1_000))) == pytest.approx(usual, rel=0.1)


def test_rows_dealt_to_fewer_parts_leave_it_as_wide():
    values = np.random.default_rng(2).normal(size=20_000)
    units = units_of(20_000, 500, np.random.default_rng(0))
    assert np.bincount(units).tolist() == [40] * 500
    usual = 2 * 1.96 * values.std() / math.sqrt(20_000)
    assert width(mean_of(values, units)) == pytest.approx(usual, rel=0.15)


def test_copies_in_groups_count_once():
    values = np.random.default_rng(3).normal(size=200)
    alone = mean_of(values, np.arange(200))
    copied = mean_of(np.repeat(values, 25), np.repeat(np.arange(200), 25))
    assert width(copied) == pytest.approx(width(alone), rel=0.1)
    as_rows = mean_of(np.repeat(values, 25), np.arange(5_000))
    assert width(as_rows) < 0.3 * width(alone)


def test_one_unit_has_no_interval_and_a_measure_that_is_never_there_none():
    found = mean_of(np.array([1.0, 3.0]), np.zeros(2, np.int64))
    assert found.value == 2.0
    assert math.isnan(found.low)
    nothing = bootstrap(
        sparse.csr_matrix(np.ones((5, 1))), np.arange(5), lambda s: s * math.nan,
        np.random.default_rng(0),
    )  # fmt: skip
    assert math.isnan(nothing[0].high)


def test_draws_that_all_agree_know_no_interval():
    found = mean_of(np.ones(50), np.arange(50))
    assert (found.value, math.isnan(found.low), math.isnan(found.high)) == (1.0, True, True)


def test_the_mean_lies_in_its_interval_about_as_often_as_it_should(monkeypatch):
    monkeypatch.setattr(intervals, "RESAMPLES", 300)
    draw = np.random.default_rng(4)
    hits = 0
    for _ in range(200):
        found = mean_of(draw.exponential(1.0, 80), np.arange(80))
        hits += found.low <= 1.0 <= found.high
    assert 0.89 <= hits / 200 <= 0.99

"""The interval is what its equations say, and bears being looked at after every seed."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from triptych.verdicts import interval
from triptych.verdicts.sequential import (
    HORIZON,
    MIN_SEEDS,
    MIXING,
    Sample,
    boundary,
    log_e_value,
    reach,
)

RATES = [0.2, 0.05, 0.0025, 1e-6]
VALUES = st.lists(st.floats(-1, 1).map(lambda x: round(x, 6)), min_size=MIN_SEEDS, max_size=30)


@pytest.mark.parametrize(("n", "t"), [(2, 0.5), (3, -4.0), (6, 3.0), (6, 40.0), (25, -2.5)])
def test_the_evidence_is_the_mixed_likelihood_ratio_of_the_t_statistic(n, t):
    def weighted(effect):
        likelihood = stats.nct.pdf(t, n - 1, effect * math.sqrt(n))
        return likelihood * stats.norm.pdf(effect, scale=math.sqrt(MIXING))

    mixed, _ = integrate.quad(weighted, -14, 14, limit=400, points=[0, t / math.sqrt(n)])
    assert math.log(mixed / stats.t.pdf(t, n - 1)) == pytest.approx(log_e_value(t, n), abs=1e-5)


@pytest.mark.parametrize("n", [2, 3, 6, 40])
def test_the_evidence_against_the_true_mean_is_one_on_average(n):
    def weighted(t):
        return math.exp(log_e_value(t, n) + stats.t.logpdf(t, n - 1))

    half, _ = integrate.quad(weighted, 0, np.inf, limit=400)
    assert 2 * half == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("rate", RATES)
def test_the_boundary_is_where_the_evidence_suffices_and_infinite_where_none_does(rate):
    n = np.arange(2, 300)
    b = boundary(n, rate)
    finite = np.isfinite(b)
    assert finite[-1]
    np.testing.assert_allclose(log_e_value(b[finite], n[finite]), -math.log(rate), rtol=1e-9)
    assert (log_e_value(1e9, n[~finite]) < -math.log(rate)).all()


def shown(x, far):
    """Return in which studies the mean was ever further from 0 than `far`, after any seed."""
    n = np.arange(2, x.shape[1] + 1)
    mean, second, third = (np.cumsum(x**k, 1)[:, 1:] / n for k in (1, 2, 3))
    variance = second - mean**2
    skewness = (third - 3 * mean * second + 2 * mean**3) / variance**1.5
    error = np.sqrt(variance / (n - 1))
    above = mean > far(n, -skewness) * error
    return above.any(1), (mean < -far(n, skewness) * error).any(1)


def test_who_looks_after_every_seed_is_wrong_in_less_than_one_study_of_twenty():
    x = np.random.default_rng(1).normal(size=(4000, 100))
    above, below = shown(x, lambda n, skewness: reach(n, skewness, 0.05))
    assert 0 < (above | below).mean() < 0.05
    above, below = shown(x, lambda n, _: stats.t.isf(0.025, n - 1))
    assert (above | below).mean() > 0.3


def test_the_skewness_of_the_sample_guards_the_end_on_the_side_of_the_tail():
    x = np.random.default_rng(2).exponential(size=(8000, 100)) - 1
    guarded = shown(x, lambda n, skewness: reach(n, skewness, 0.05))[1].mean()
    bare = shown(x, lambda n, skewness: reach(n, 0 * skewness, 0.05))[1].mean()
    assert guarded < 0.055 < 0.1 < bare


def test_a_large_effect_takes_few_seeds_more_than_a_test_at_a_fixed_number():
    # 5 points at 2 points between seeds: a t test at 5 seeds, fixed before, has 90 % power.
    x = np.random.default_rng(3).normal(size=(3000, 30)) + 2.5
    n = np.arange(2, 31)
    taken = []
    for study in x:
        samples = (Sample.of(study[:k]) for k in n)
        taken.append(next(s.n for s in samples if s.low(0.05) > 0))
    assert np.mean(taken) <= 1.5 * 5
    assert np.quantile(taken, 0.9) <= 8


@given(VALUES, st.floats(0.01, 100), st.floats(-10, 10), st.sampled_from(RATES))
def test_shifted_and_scaled_values_shift_and_scale_the_interval(values, scale, shift, rate):
    found = np.array(interval(values, rate, resolution=0.01))
    moved = interval([scale * v + shift for v in values], rate, resolution=0.01 * scale)
    np.testing.assert_allclose(moved, scale * found + shift, rtol=1e-6, atol=1e-6)
    mean, low, high = interval([-v for v in values], rate, resolution=0.01)
    np.testing.assert_allclose((-mean, -high, -low), found, rtol=1e-9, atol=1e-12)


@given(VALUES)
def test_the_surer_the_wider(values):
    found = [interval(values, rate, resolution=1e-3) for rate in RATES]
    for (mean, low, high), (_, wide_low, wide_high) in pairwise(found):
        assert wide_low <= low < mean < high <= wide_high


@pytest.mark.parametrize("n", range(2, MIN_SEEDS))
def test_fewer_seeds_than_the_least_refute_nothing(n):
    assert interval([0.5] * n, 0.05, resolution=0.01)[1:] == (-math.inf, math.inf)


def test_equal_values_are_as_uncertain_as_half_a_step():
    mean, low, high = interval([0.5] * MIN_SEEDS, 0.05, resolution=0.01)
    half = boundary(MIN_SEEDS, 0.05) * 0.005 / math.sqrt(MIN_SEEDS)
    assert (mean - low, high - mean) == pytest.approx((half, half))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_ties_do_not_hide_the_step_that_was_not_seen_yet(seed, share):
    """Most seeds tie and few are a step up: the mean lies between the steps."""
    x = (np.random.default_rng(seed).random((300, 60)) < share) - share
    for study in x:
        for n in range(2, 61, 3):
            _, low, high = interval(study[:n].tolist(), 0.05, resolution=1.0)
            assert low <= 0 <= high


def test_as_many_more_seeds_as_it_says_do_decide():
    rng = np.random.default_rng(4)
    ratios = []
    for _ in range(300):
        study = rng.normal(size=400) + 0.8
        early = Sample.of(study[:15])
        if early.low(0.05) > 0 or early.mean < 0.5:
            continue  # decided, or so far off that what it says is of another effect
        said = early.more_until(0.05, low=0.0)
        needed = next(n for n in range(16, 400) if Sample.of(study[:n]).low(0.05) > 0) - 15
        ratios.append(said / needed)
    assert 0.5 < np.median(ratios) < 2


def test_what_no_number_of_seeds_would_decide_is_said_to_take_too_many():
    sample = Sample.of([1.0, -1.0] * 10)
    assert sample.more_until(0.05, low=0.0) == HORIZON + 1
    assert 0 < sample.more_until(0.05, low=-0.2, high=0.2) <= HORIZON

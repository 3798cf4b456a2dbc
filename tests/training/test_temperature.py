"""Probabilities divided by a temperature: right as often as they say."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from triptych.training.temperature import cross_entropy, fit_temperature


def drawn(rng, rows=4000, classes=3, too_sure=1.0):
    """Return logits and classes that are drawn from them, before they were made too sure."""
    z = 2 * rng.normal(size=(rows, classes))
    shares = np.exp(log_softmax(z, axis=1))
    y = (shares.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)
    return too_sure * z, y


@pytest.mark.parametrize("too_sure", [0.5, 1.0, 3.0])
def test_the_temperature_is_how_much_too_sure_a_network_is(too_sure):
    z, y = drawn(np.random.default_rng(0), too_sure=too_sure)
    assert fit_temperature(z, y) == pytest.approx(too_sure, rel=0.08)


def test_it_is_the_most_likely_one_a_posteriori():
    z, y = drawn(np.random.default_rng(1), rows=50, too_sure=2.0)

    def objective(log_t):
        return 50 * cross_entropy(z, y, np.exp(log_t)) + log_t**2 / (2 * 0.5**2)

    best = minimize_scalar(objective, bounds=(-3, 3), method="bounded").x
    assert np.log(fit_temperature(z, y)) == pytest.approx(best, abs=1e-4)


def test_rows_that_are_all_told_rightly_do_not_make_it_nothing():
    z = np.eye(3)[np.arange(30) % 3] * 2.0
    temperature = fit_temperature(z, np.arange(30) % 3)
    assert 0.2 < temperature < 1
    assert cross_entropy(-z, np.arange(30) % 3, temperature) < 20


def test_the_loss_is_that_of_the_divided_outputs():
    z, y = drawn(np.random.default_rng(2), rows=20)
    expected = -log_softmax(z / 1.7, axis=1)[np.arange(20), y].mean()
    assert cross_entropy(z, y, 1.7) == pytest.approx(expected, rel=1e-12)

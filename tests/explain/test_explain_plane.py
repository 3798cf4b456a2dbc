"""The decision boundary that is kept is the network's, the right way up."""

import numpy as np
import pytest

from triptych.contracts import Split
from triptych.explain import Boundary, chosen_epochs


def rows(n=500):
    x = np.random.default_rng(0).uniform([0, -10], [1, 10], size=(n, 2))
    return Split(x, (x[:, 1] > 0).astype(np.int64))


def upper(x):
    """Tell class 1 where the second feature is above 0."""
    return np.stack([np.zeros(len(x)), x[:, 1]], axis=1)


def test_the_plane_is_seen_with_its_second_feature_upwards():
    boundary = Boundary(rows(), ("low", "high"), "softmax")
    boundary.look(3, upper)
    found = boundary.finding(3)
    predicted, sure = found.arrays["predicted"][0], found.arrays["sure"][0]
    assert predicted.shape == (40, 40)
    assert (predicted[:20] == 1).all()
    assert (predicted[20:] == 0).all()
    assert sure[0, 0] > 250  # 10 away from the boundary
    assert sure[19, 0] < sure[10, 0]
    assert found.arrays["right"].tolist() == [1.0]
    assert found.arrays["low"][1] < -10 < 10 < found.arrays["high"][1]


def test_looks_after_the_weights_that_were_kept_are_dropped():
    boundary = Boundary(rows(), ("a", "b"), "softmax")
    for epoch in (0, 10, 30):
        boundary.look(epoch, upper)
    assert boundary.finding(20).arrays["epochs"].tolist() == [0, 10]


def test_some_rows_stand_for_all_and_lie_within_the_plane():
    boundary = Boundary(rows(), ("a", "b"), "softmax")
    boundary.look(0, upper)
    found = boundary.finding(0)
    points = found.arrays["points"]
    assert points.shape == (240, 2)
    assert 0 < points.min() < points.max() < 1
    assert "240 of the 500" in found.caption
    # The upper half is class 1.
    np.testing.assert_array_equal(found.arrays["labels"], points[:, 1] > 0.5)


@pytest.mark.parametrize(
    ("every", "last", "expected"),
    [(1, 1, ()), (1, 2, (1,)), (10, 1500, (10, 40, 120, 430)), (7, 20, (7, 14))],
)
def test_looks_are_at_evaluations_and_ever_fewer(every, last, expected):
    assert chosen_epochs(every, last) == expected


def test_one_value_of_a_feature_is_no_plane_to_divide_by_zero():
    x = np.zeros((4, 2))
    boundary = Boundary(Split(x, np.array([0, 1, 0, 1])), ("a", "b"), "softmax")
    boundary.look(0, upper)
    assert np.isfinite(boundary.finding(0).arrays["points"]).all()

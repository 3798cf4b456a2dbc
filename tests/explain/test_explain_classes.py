"""What is found in a classifier's answers is what its definitions say."""

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix

from triptych.contracts import Split
from triptych.explain import Judged, calibration, class_shares, confusion, importance, mistakes


def judged(y, shares, pictures=False):
    y, shares = np.array(y), np.array(shares, float)
    names = tuple(f"class {k}" for k in range(shares.shape[1]))
    x = np.random.default_rng(0).normal(size=(len(y), 9))
    if not pictures:
        return Judged(x, y, shares, names)
    x = np.zeros((len(y), 1, 8, 8), np.uint8)
    x[:, 0, 0, 0] = np.arange(len(y))
    return Judged(x, y, shares, names, (0.0, 255.0))


def random_shares(n=600, classes=5, seed=1):
    rng = np.random.default_rng(seed)
    shares = class_shares(rng.normal(size=(n, classes)), "softmax")
    return rng.integers(0, classes, n), shares


def test_probabilities_are_those_of_the_loss():
    out = np.array([[0.0, math.log(3)], [1000.0, -1000.0]], np.float32)
    np.testing.assert_allclose(class_shares(out, "softmax"), [[0.25, 0.75], [1, 0]], rtol=1e-6)
    np.testing.assert_allclose(class_shares(out, "sigmoid"), [[0.4, 0.6], [1, 0]], atol=1e-6)
    assert class_shares(out, "squared") is None


def test_confusions_are_those_of_scikit_learn():
    y, shares = random_shares()
    found = confusion(judged(y, shares))
    np.testing.assert_array_equal(
        found.arrays["counts"], confusion_matrix(y, shares.argmax(axis=1))
    )
    assert found.labels["classes"] == tuple(f"class {k}" for k in range(5))
    assert "examples" not in found.arrays


def test_the_most_confused_pairs_come_first_with_the_surest_pictures():
    # Three of class 0 are taken for 1, with ever more confidence, and one of class 1 for 2.
    shares = np.eye(3)[[1, 1, 1, 2, 0, 1, 2]] * 0.5
    shares[[0, 1, 2], 1] = [0.6, 0.8, 0.9]
    found = confusion(judged([0, 0, 0, 1, 0, 1, 2], shares, pictures=True))
    assert found.labels["true"] == ("class 0", "class 1")
    assert found.labels["predicted"] == ("class 1", "class 2")
    assert found.arrays["pairs"].tolist() == [3, 1]
    assert found.arrays["of"].tolist() == [4, 2]
    assert found.arrays["shown"].tolist() == [3, 1]
    assert found.arrays["examples"][0, :, 0, 0, 0].tolist() == [2, 1, 0]


def test_of_many_classes_those_that_are_confused_are_kept():
    y = np.arange(40)
    shares = np.eye(40)
    shares[[7, 31]] = shares[[31, 7]]
    found = confusion(judged(y, shares))
    assert found.arrays["counts"].shape == (12, 12)
    assert {"class 7", "class 31"} < set(found.labels["classes"])
    assert "Of 40 classes the 12" in found.caption


def test_where_all_is_right_there_are_no_pairs_and_no_mistakes():
    right = judged([0, 1, 1], np.eye(2)[[0, 1, 1]], pictures=True)
    assert confusion(right).labels["true"] == ()
    assert mistakes(right) is None


def test_the_worst_mistakes_come_first():
    y, shares = random_shares(50)
    found = mistakes(judged(y, shares, pictures=True))
    predicted = shares.argmax(axis=1)
    rows = [int(row) for row in found.arrays["rows"]]
    assert all(predicted[row] != y[row] for row in rows)
    wrong = np.flatnonzero(predicted != y)
    assert found.arrays["wrong"].tolist() == [len(wrong), 50]
    assert rows == sorted(wrong, key=lambda row: shares[row, y[row]])[:8]
    assert found.arrays["pictures"][:, 0, 0, 0].tolist() == rows


@pytest.mark.parametrize(
    ("names", "first"), [((), "feature 1"), ((("town", "Bern"),) * 9, "town = Bern")]
)
def test_mistakes_of_a_table_show_some_of_its_columns(names, first):
    rows = judged([0, 1], [[0.1, 0.9], [0.0, 1.0]])
    found = mistakes(rows, names)
    np.testing.assert_array_equal(found.arrays["values"], rows.x[:1, :8])
    assert found.labels["features"][0] == first
    assert len(found.labels["features"]) == 8
    assert "the first 8 of 9" in found.caption


def test_rows_of_any_shape_are_shown_as_features():
    rows = judged([0, 1], [[0.1, 0.9], [0.0, 1.0]])
    line = mistakes(replace(rows, x=rows.x[:, None, None, :]))
    np.testing.assert_array_equal(line.arrays["values"], rows.x[:1, :8])


def test_calibration_is_that_of_scikit_learn():
    y, shares = random_shares()
    found = calibration(judged(y, shares)).arrays
    right, confidence = shares.argmax(axis=1) == y, shares.max(axis=1)
    accuracy, mean = calibration_curve(right, confidence, n_bins=15)
    np.testing.assert_allclose(found["accuracy"], accuracy)
    np.testing.assert_allclose(found["confidence"], mean)
    assert found["share"].sum() == pytest.approx(1)


def test_the_calibration_error_is_the_distance_of_confidence_and_accuracy():
    # Sure to 0.9 of 10 rows and right on 6 of them; sure to 0.6 of 10 and right on 6.
    shares = np.repeat([[0.9, 0.1], [0.6, 0.4]], 10, axis=0)
    found = calibration(judged([0] * 6 + [1] * 4 + [0] * 6 + [1] * 4, shares)).arrays
    assert found["error"] == pytest.approx((10 * 0.3 + 10 * 0.0) / 20)


def test_a_network_that_is_right_as_often_as_it_says_errs_by_chance_alone():
    rng = np.random.default_rng(0)
    errors, chances = [], []
    for _ in range(40):
        sure = rng.uniform(0.5, 1, 400)
        y = (rng.random(400) > sure).astype(int)
        found = calibration(judged(y, np.stack([sure, 1 - sure], axis=1))).arrays
        errors.append(found["error"])
        chances.append(found["chance"])
    assert np.mean(errors) == pytest.approx(np.mean(chances), rel=0.1)


def table(n=400, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    return Split(x, (x[:, 1] + x[:, 2] > 0).astype(np.int64))


def columns(names):
    return tuple((name, f"value {k}") for k, name in enumerate(names))


def two_columns(x):
    total = x[:, 1] + x[:, 2]
    return np.stack([-total, total], axis=1)


def test_columns_that_are_not_read_have_no_importance():
    found = importance(two_columns, table(), columns("abcd"), np.random.default_rng(0))
    drops = dict(zip(found.labels["features"], found.arrays["drop"], strict=True))
    assert drops["a"] == drops["d"] == 0
    assert min(drops["b"], drops["c"]) > 0.1
    assert found.labels["features"][-2:] == ("a", "d")
    assert found.arrays["score"] == 1
    assert (found.arrays["least"] <= found.arrays["drop"]).all()


def test_inputs_of_one_column_are_shuffled_together():
    found = importance(two_columns, table(), columns("abbd"), np.random.default_rng(0))
    assert found.labels["features"] == ("b", "a", "d")
    # Nothing of the sum is left: as good as a coin.
    assert found.arrays["drop"][0] == pytest.approx(0.5, abs=0.1)


def test_of_numbers_it_is_r2_that_falls():
    rows = table()
    rows = Split(rows.x, rows.x[:, [0]])
    found = importance(lambda x: x[:, [0]], rows, (), np.random.default_rng(0))
    assert found.labels == {
        "features": ("feature 1", "feature 2", "feature 3", "feature 4"), "score": ("R²",)
    }  # fmt: skip
    # Of independent values R2 is -1.
    assert found.arrays["drop"][0] == pytest.approx(2, abs=0.3)


def test_only_ten_columns_are_shown():
    rows = Split(np.zeros((5, 30)), np.zeros(5, np.int64))
    found = importance(lambda x: x[:, :2], rows, (), np.random.default_rng(0))
    assert len(found.labels["features"]) == 10
    assert "20 more columns" in found.caption

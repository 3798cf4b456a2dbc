"""The scores are scikit-learn's, whatever classes there are and however they were told."""

import math

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    r2_score,
    root_mean_squared_error,
)

from triptych.contracts import Dataset, Scores, Split, Standardization
from triptych.training import Job, Rows, class_step
from triptych.training.scores import accuracy, scored


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.parametrize("classes", [1, 2, 3, 10])
@pytest.mark.parametrize("present", [1, 2, 5])
def test_of_classes(classes, present):
    rng = np.random.default_rng([classes, present])
    y = rng.integers(min(max(classes, 2), present), size=73)
    outputs = rng.normal(size=(73, classes))
    told = (outputs[:, 0] > 0).astype(int) if classes == 1 else outputs.argmax(axis=1)
    found = scored(0.5, outputs, y)
    assert found.loss == 0.5
    assert found.accuracy == accuracy(outputs, y) == accuracy_score(y, told)
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(y, told))
    assert found.macro_f1 == pytest.approx(f1_score(y, told, average="macro"))
    assert math.isnan(found.r2)
    assert math.isnan(found.rmse)


def test_equal_outputs_are_told_as_the_first_class():
    assert scored(0.0, np.ones((4, 2)), np.array([0, 0, 0, 1])).accuracy == 0.75


@pytest.mark.parametrize("outputs", [1, 3])
def test_of_numbers(outputs):
    rng = np.random.default_rng(outputs)
    y = rng.normal(5, 3, size=(40, outputs))
    told = y + rng.normal(size=y.shape)
    found = scored(0.5, told.astype(np.float32), y)
    assert found.r2 == pytest.approx(r2_score(y, told), rel=1e-6)
    assert found.rmse == pytest.approx(root_mean_squared_error(y, told), rel=1e-6)
    assert all(map(math.isnan, (found.accuracy, found.balanced_accuracy, found.macro_f1)))


def test_r2_of_numbers_that_do_not_vary_is_1_or_0():
    y = np.full((5, 1), 2.0)
    for told in (y, y + 1):
        assert scored(0.0, told, y).r2 == r2_score(y, told)
    assert math.isnan(scored(0.0, y[:1], y[:1]).r2)


def test_a_step_is_one_row_of_the_rarest_class():
    assert class_step(np.array([0] * 9 + [3])) == 1 / 2
    y = np.array([0] * 6 + [1] * 3)
    told = np.eye(2)[y]
    worse = told.copy()
    worse[-1] = [1, 0]
    steps = [scored(0.0, o, y) for o in (told, worse)]
    gone = steps[0].balanced_accuracy - steps[1].balanced_accuracy
    assert gone == pytest.approx(class_step(y)) == 1 / 6


def test_a_run_has_its_rmse_in_the_unit_of_the_target():
    class Fake:
        def evaluate(self, split):
            return Scores(0.5, math.nan, r2=0.25, rmse=2.0)

    split = Split(np.zeros((4, 1)), np.zeros((4, 1)))
    scale = Standardization(np.array([7.0]), np.array([10.0]))
    data = Dataset("d", split, split, (), "table", "f", target=scale)
    nothing = np.empty(0, int)
    job = Job(Fake(), data, Rows(np.arange(4), nothing, np.arange(4)), 0)
    found = job.evaluate(1, 1, 0.1).test
    assert (found.loss, found.r2, found.rmse) == (0.5, 0.25, 20.0)

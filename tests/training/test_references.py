"""Models of scikit-learn beside the networks: same rows, told as a training is."""

import math

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss

from triptych.contracts import Dataset, Split
from triptych.data import arrange, load
from triptych.errors import DataError
from triptych.spec import BundledSpec, DigitsSpec, PalindromeSpec, ReferenceSpec, ToySpec
from triptych.training import Evaluation, Finished, Notice, fit_reference

MODELS = ("most_frequent", "linear", "nearest_neighbours", "gradient_boosting", "random_forest")


def told(model, data, seed=0):
    return list(fit_reference(ReferenceSpec(model=model), data, seed))


@pytest.fixture(scope="module")
def digits():
    return load(DigitsSpec(train_limit=300, test_limit=200), 0)


def test_logistic_regression_is_scikit_learn_s_on_standardised_pixels(digits):
    evaluation, finished = told("linear", digits)
    assert isinstance(evaluation, Evaluation)
    assert isinstance(finished, Finished)
    x_train, x_test = (
        digits.standardization(split.x, "float64").reshape(len(split), -1)
        for split in (digits.train, digits.test)
    )
    model = LogisticRegression(max_iter=5000).fit(x_train, digits.train.y)
    assert evaluation.test.accuracy == model.score(x_test, digits.test.y)
    expected = log_loss(digits.test.y, model.predict_proba(x_test))
    assert evaluation.test.loss == pytest.approx(expected, rel=1e-6)
    assert finished.weights == {}
    assert finished.seconds == evaluation.seconds > 0


@pytest.mark.parametrize("model", MODELS)
def test_the_same_seed_gives_the_same_scores(model):
    data = load(ToySpec(source="circles", n_samples=200), 0)
    first, again = (told(model, data)[-1].evaluation for _ in range(2))
    assert (first.train, first.test) == (again.train, again.test)
    assert math.isfinite(first.test.loss)
    if model not in ("most_frequent", "linear"):
        assert first.test.accuracy > 0.7


def test_a_random_forest_depends_on_the_seed(digits):
    losses = {told("random_forest", digits, seed)[-1].evaluation.test.loss for seed in (0, 1)}
    assert len(losses) == 2


def test_the_most_frequent_class_has_the_loss_of_the_shares():
    train = Split(np.zeros((4, 2)), np.array([0, 1, 1, 1]))
    test = Split(np.zeros((2, 2)), np.array([1, 0]))
    data = Dataset("made up", train, test, ("a", "b", "c"), "table", "")
    scores = told("most_frequent", data)[-1].evaluation.test
    assert scores.accuracy == 0.5
    assert scores.loss == pytest.approx(-(math.log(0.75) + math.log(0.25)) / 2)


def test_the_most_frequent_class_is_known_of_any_sequences():
    data = load(PalindromeSpec(shortest=3, length=6, train_size=40, test_size=10), 0)
    assert 0 <= told("most_frequent", data)[-1].evaluation.test.accuracy <= 1


def test_sequences_of_one_length_are_read_one_hot():
    data = load(PalindromeSpec(length=5, train_size=500, test_size=100), 0)
    scores = told("linear", arrange(data, "rows", 0))[-1].evaluation.test
    assert scores.accuracy == 1.0  # the last digit is the first


@pytest.mark.parametrize("model", MODELS)
def test_numbers_are_told_in_the_unit_they_came_in(model):
    data = load(BundledSpec(source="diabetes"), 0)
    scores = told(model, data)[-1].evaluation.test
    assert math.isnan(scores.accuracy)
    # R2 and loss are of the standardised target, RMSE of the target itself: 77 in deviation.
    spread = float(data.target.std[0])
    assert scores.rmse == pytest.approx(math.sqrt(2 * scores.loss) * spread)
    assert (scores.r2 > 0.2) == (model != "most_frequent")


def test_least_squares_is_scikit_learn_s():
    data = load(BundledSpec(source="diabetes"), 0)
    model = LinearRegression().fit(data.train.x, data.train.y)
    scores = told("linear", data)[-1].evaluation.test
    assert scores.r2 == pytest.approx(model.score(data.test.x, data.test.y), rel=1e-9)


@pytest.mark.parametrize(("rows", "model"), [(1, "linear"), (3, "nearest_neighbours")])
def test_too_few_rows_are_told_in_one_line(rows, model):
    with pytest.raises(DataError, match=f"^digits: '{model}' cannot be fitted: .*[.]$"):
        told(model, load(DigitsSpec(train_limit=rows, test_limit=9), 0))


def test_a_solver_that_does_not_converge_is_told(digits, monkeypatch):
    monkeypatch.setattr("triptych.training.references._MOST_ROUNDS", 2)
    first = told("linear", digits)[0]
    assert isinstance(first, Notice)
    assert first.text == "linear had not converged after 2 rounds"

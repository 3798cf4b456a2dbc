"""Networks that scikit-learn trained, and Triptych's estimators, are the same network as models."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import triptych
from triptych.errors import SpecError
from triptych.saved import from_sklearn

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("one_thread"),
]
X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]


def saved(model, tmp_path):
    """Return a model as its file holds it."""
    model.save(tmp_path / "m.safetensors")
    return triptych.load(tmp_path / "m.safetensors")


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_classifier_of_scikit_learn_has_the_same_probabilities(activation, classes, tmp_path):
    rows = classes > Y
    fitted = MLPClassifier((7, 4), activation=activation, max_iter=20, random_state=0)
    fitted.fit(X[rows], Y[rows])
    model = saved(from_sklearn(fitted), tmp_path)
    np.testing.assert_allclose(
        model.probabilities(X), fitted.predict_proba(X), rtol=1e-12, atol=1e-15
    )
    told = model.predict(X)
    assert told.dtype == fitted.predict(X).dtype
    assert np.array_equal(told, fitted.predict(X))
    assert model.facts["made_by"] == "sklearn MLPClassifier"


@pytest.mark.parametrize("with_mean", [True, False])
@pytest.mark.parametrize("with_std", [True, False])
def test_a_pipeline_with_a_scaler_is_one_model(with_mean, with_std, tmp_path):
    x = pd.DataFrame(X, columns=["a", "b", "<c>", "d"])
    x["constant"] = 3.0
    scaler = StandardScaler(with_mean=with_mean, with_std=with_std)
    fitted = make_pipeline(scaler, MLPClassifier((7,), max_iter=20, random_state=0))
    fitted.fit(x, NAMES)
    model = saved(from_sklearn(fitted), tmp_path)
    want = fitted.predict_proba(x)
    np.testing.assert_allclose(model.probabilities(x), want, rtol=1e-12, atol=1e-15)
    assert model.predict(x).tolist() == fitted.predict(x).tolist()
    assert [name for name, _ in model.facts["features"]] == [*x.columns]


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_a_regressor_of_scikit_learn_tells_the_same_numbers(outputs, loss, tmp_path):
    y = X[:, 0] if outputs == 1 else X[:, :3]
    fitted = MLPRegressor(loss, (7,), max_iter=20, random_state=0).fit(X, y)
    model = saved(from_sklearn(fitted), tmp_path)
    want = fitted.predict(X).reshape(len(X), outputs)
    np.testing.assert_allclose(model.predict(X), want, rtol=1e-12)


@pytest.mark.parametrize("kind", [str, int, float, bool])
def test_classes_come_back_as_they_were(kind, tmp_path):
    rows = Y < 2
    y = NAMES[rows] if kind is str else Y[rows].astype(kind)
    fitted = MLPClassifier((4,), max_iter=5, random_state=0).fit(X[rows], y)
    told = saved(from_sklearn(fitted), tmp_path).predict(X[rows])
    assert told.tolist() == fitted.predict(X[rows]).tolist()
    assert type(told.tolist()[0]) is kind


def test_names_may_be_given_to_classes_and_columns(tmp_path):
    fitted = MLPClassifier((4,), max_iter=5, random_state=0).fit(X, Y)
    model = from_sklearn(fitted, classes=("s", "ve", "vi"), features=("a", "b", "c", "d"),
                         facts={"data": "iris"})  # fmt: skip
    model = saved(model, tmp_path)
    assert set(model.predict(X)) <= {"s", "ve", "vi"}
    assert model.facts["data"] == "iris"
    assert model.facts["features"][0] == ["a", ""]


def several_labels():
    return MLPClassifier((3,), max_iter=2).fit(X, np.stack([Y == 0, Y > 1], axis=1))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: LogisticRegression(), "takes MLPClassifier or MLPRegressor, got LogisticReg"),
        (lambda: MLPClassifier(), "not fitted"),
        (several_labels, "several labels at once"),
        (lambda: make_pipeline(MinMaxScaler(), MLPClassifier()), "got MinMaxScaler, MLPClass"),
        (lambda: make_pipeline(StandardScaler(), MLPClassifier()), "StandardScaler is not fitted"),
    ],
)
def test_what_makes_no_model_is_refused(make, says):
    with pytest.raises(SpecError, match=says):
        from_sklearn(make())


def test_classes_that_no_file_can_hold_are_refused():
    moments = np.array(["2024-01-01", "2024-01-02", "2024-01-03"], "M8[D]")[Y].astype(object)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = MLPClassifier((3,), max_iter=2).fit(X, Y)
    fitted.classes_ = np.unique(moments)
    with pytest.raises(SpecError, match="texts and numbers can be kept"):
        from_sklearn(fitted)


@pytest.mark.parametrize("y", [Y, NAMES, Y == 1], ids=["numbers", "texts", "two"])
def test_the_mlp_classifier_makes_a_model_that_can_be_saved(y, tmp_path):
    fitted = triptych.MLPClassifier((5,), max_iter=20, random_state=0).fit(X, y)
    model = saved(fitted.to_model(), tmp_path)
    np.testing.assert_allclose(model.probabilities(X), fitted.predict_proba(X), rtol=1e-12)
    assert model.predict(X).tolist() == fitted.predict(X).tolist()
    assert model.facts["made_by"] == "triptych MLPClassifier"


def test_a_pipeline_of_a_scaler_and_our_classifier_is_one_model():
    fitted = make_pipeline(
        StandardScaler(), triptych.MLPClassifier((5,), max_iter=20, random_state=0)
    ).fit(X, Y)
    model = from_sklearn(fitted, classes=["a", "b", "c"])
    np.testing.assert_allclose(model.probabilities(X), fitted.predict_proba(X), rtol=1e-12)
    assert model.classes == ("a", "b", "c")


def test_the_regressor_makes_a_model(tmp_path):
    frame = pd.DataFrame(X, columns=[*"abcd"])
    fitted = triptych.MLPRegressor(hidden_layer_sizes=(5,), max_iter=20, random_state=0).fit(
        frame, X[:, 0]
    )
    model = saved(fitted.to_model(), tmp_path)
    np.testing.assert_allclose(model.predict(X)[:, 0], fitted.predict(frame), rtol=1e-12)
    assert model.facts["features"] == [["a", ""], ["b", ""], ["c", ""], ["d", ""]]


@pytest.mark.parametrize("preset", ["small", "paper"])
def test_the_cnn_classifier_makes_a_model_of_its_pictures(preset, tmp_path):
    x, y = load_digits(return_X_y=True)
    pictures = x[:200].reshape(-1, 8, 8).astype(np.uint8)
    network = triptych.CNNClassifier(preset, max_iter=1, random_state=0)
    if preset == "paper":
        from triptych.spec import CNNSpec

        spec = CNNSpec(channels=(4, 6), pool_after=(1,))
        network.set_params(preset=spec, recipe=None)
    fitted = network.fit(pictures, y[:200])
    model = saved(fitted.to_model(), tmp_path)
    assert model.sample_shape == (1, 8, 8)
    np.testing.assert_allclose(
        model.probabilities(pictures[:, None]), fitted.predict_proba(pictures), atol=1e-6
    )
    assert np.array_equal(model.predict(pictures[:, None]), fitted.predict(pictures))


def test_the_rnn_classifier_makes_a_model_of_symbols_and_of_numbers(tmp_path):
    words = ["abc", "abdaa", "ab", "ca", "cbbb", "cd"] * 6
    labels = [word[0] for word in words]
    fitted = triptych.RNNClassifier(hidden=5, max_iter=2, random_state=0).fit(words, labels)
    model = saved(fitted.to_model(), tmp_path)
    assert model.facts["symbols"] == ["a", "b", "c", "d"]
    places = np.full((2, 5), -1, np.int8)
    places[0, :3], places[1] = (0, 1, 2), (0, 1, 3, 0, 0)
    want = fitted.predict_proba(["abc", "abdaa"])
    np.testing.assert_allclose(model.probabilities(places), want, atol=1e-6)
    assert model.predict(places).tolist() == fitted.predict(["abc", "abdaa"]).tolist()

    rng = np.random.default_rng(0)
    x, y = rng.normal(5, 3, (40, 6, 2)), rng.integers(0, 2, 40)
    lengths = rng.integers(1, 7, 40)
    for settings in ({}, {"cell": "gru", "bidirectional": True}, {"recipe": "paper"}):
        fitted = triptych.RNNClassifier(hidden=5, max_iter=2, random_state=0, **settings)
        fitted.fit(x, y, lengths=lengths)
        model = saved(fitted.to_model(), tmp_path)
        padded = np.where(np.arange(6)[:, None] < lengths[:, None, None], x, np.nan)
        want = fitted.predict_proba(x, lengths=lengths)
        np.testing.assert_allclose(model.probabilities(padded), want, atol=1e-6)

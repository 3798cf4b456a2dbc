"""What other parts of scikit-learn ask of an estimator: logits, routing, names, copies, files."""

import inspect
import io
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.ensemble import StackingClassifier, StackingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import get_tags

from triptych import CNNClassifier, MLPClassifier, MLPRegressor, RNNClassifier
from triptych.spec import CNNSpec

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

TINY = CNNSpec(channels=(4, 4), pool_after=(1,))
QUICK = {
    MLPClassifier: {"hidden_layer_sizes": (8,), "max_iter": 20, "engine": "numpy"},
    MLPRegressor: {"hidden_layer_sizes": (8,), "max_iter": 20, "engine": "numpy"},
    CNNClassifier: {"preset": TINY, "max_iter": 2, "batch_size": 32},
    RNNClassifier: {"hidden": 8, "max_iter": 2, "engine": "numpy"},
}
CLASSIFIERS = [MLPClassifier, CNNClassifier, RNNClassifier]
kinds = pytest.mark.parametrize("kind", QUICK, ids=lambda kind: kind.__name__)
classifiers = pytest.mark.parametrize("kind", CLASSIFIERS, ids=lambda kind: kind.__name__)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def quick(kind, **settings):
    return kind(**{**QUICK[kind], "random_state": 0, **settings})


def rows(classes=3, n=120):
    return make_classification(
        n, 6, n_informative=4, n_redundant=0, n_classes=classes, random_state=0
    )


def weights_of(model):
    return [*model.coefs_, *model.intercepts_] if hasattr(model, "coefs_") else list(
        model.weights_.values()
    )  # fmt: skip


def same_weights(one, other):
    return all(
        np.array_equal(a, b) for a, b in zip(weights_of(one), weights_of(other), strict=True)
    )


# Logits


@classifiers
def test_softmax_of_the_logits_are_the_probabilities(kind):
    x, y = rows()
    model = quick(kind).fit(x, y)
    z = model.decision_function(x)
    assert z.shape == (120, 3)
    shares = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, model.predict_proba(x), rtol=1e-5)
    assert not np.allclose(z, model.predict_proba(x))
    assert (model.classes_[z.argmax(axis=1)] == model.predict(x)).all()


@classifiers
def test_of_two_classes_it_is_the_difference_of_logits(kind):
    x, y = rows(2)
    model = quick(kind).fit(x, np.array(["no", "yes"])[y])
    z, p = model.decision_function(x), model.predict_proba(x)
    assert z.shape == (120,)
    np.testing.assert_allclose(z, np.log(p[:, 1] / p[:, 0]), rtol=1e-4, atol=1e-5)
    assert (model.predict(x) == np.where(z > 0, "yes", "no")).all()


def test_of_several_labels_there_is_a_logit_for_each():
    x, y = make_multilabel_classification(60, 6, n_classes=3, random_state=0)
    model = quick(MLPClassifier).fit(x, y)
    z = model.decision_function(x)
    np.testing.assert_allclose(1 / (1 + np.exp(-z)), model.predict_proba(x))
    assert z.shape == (60, 3)


def test_logits_of_sequences_and_of_the_second_softmax():
    words, y = ["abc", "abdaa", "ab", "ca", "cbbb", "cd"] * 5, ["a", "a", "a", "c", "c", "c"] * 5
    model = quick(RNNClassifier, recipe="paper").fit(words, y)
    p = model.predict_proba(words)
    np.testing.assert_allclose(
        model.decision_function(words), np.log(p[:, 1]) - np.log(p[:, 0]), rtol=1e-4, atol=1e-5
    )
    padded = np.array([[0, 1, 7], [2, 7, 7]] * 8)
    lengths = np.array([2, 1] * 8)
    model = quick(RNNClassifier).fit(padded, [0, 1] * 8, lengths=lengths)
    assert model.decision_function(padded, lengths).shape == (16,)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
@classifiers
def test_probabilities_are_calibrated(kind, method):
    known = inspect.signature(CalibratedClassifierCV)  # its methods are no types
    assert "method" in known.parameters
    x, y = rows(n=240)
    calibrated = CalibratedClassifierCV(quick(kind), method=method, cv=2)
    try:
        calibrated.fit(x[:160], y[:160])
    except ValueError as error:
        if method == "temperature" and "must be a str among" in str(error):
            pytest.skip("this scikit-learn knows no temperature scaling")
        raise
    p = calibrated.predict_proba(x[160:])
    np.testing.assert_allclose(p.sum(axis=1), 1)


@pytest.mark.skipif(
    tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 8),
    reason="temperature scaling came with scikit-learn 1.8",
)
def test_a_temperature_makes_a_network_that_is_too_sure_less_sure():
    x, y = make_classification(
        900, 8, n_informative=3, n_classes=3, flip_y=0.3, class_sep=0.5, random_state=1
    )
    sure = quick(MLPClassifier, hidden_layer_sizes=(60,), max_iter=200, learning_rate_init=0.01)
    calibrated = CalibratedClassifierCV(sure, method="temperature", cv=3, ensemble=False)
    calibrated.fit(x[:600], y[:600])
    (inner,) = calibrated.calibrated_classifiers_
    beta = inner.calibrators[0].beta_
    assert 0 < beta < 0.9
    z = inner.estimator.decision_function(x[600:])  # logits, of which it is a multiple
    by_hand = np.exp(beta * z) / np.exp(beta * z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(calibrated.predict_proba(x[600:]), by_hand, rtol=1e-6)
    plain = sure.fit(x[:600], y[:600]).predict_proba(x[600:])
    assert log_loss(y[600:], by_hand) < log_loss(y[600:], plain)


# A validation set of the user's own


@kinds
def test_early_stopping_judges_by_the_rows_it_is_given(kind):
    x, y = rows(n=160)
    model = quick(kind, early_stopping=True, n_iter_no_change=np.inf)
    model.fit(x[:100], y[:100], X_val=x[100:], y_val=y[100:])
    assert len(model.validation_scores_) == model.n_iter_
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.score(x[100:], y[100:]) == pytest.approx(model.best_validation_score_)
    # No row was set aside, so that without stopping the epochs are those of a plain fit.
    plain = quick(kind, **({"recipe": None} if kind is CNNClassifier else {}))
    again = clone(plain).set_params(early_stopping=True, n_iter_no_change=np.inf)
    again.fit(x[:100], y[:100], X_val=x[100:], y_val=y[100:])
    assert again.loss_curve_ == plain.fit(x[:100], y[:100]).loss_curve_


def test_training_ends_when_the_given_rows_say_so():
    x, y = rows(n=160)
    shuffled = np.random.default_rng(0).permutation(y[100:])  # of which nothing can be learnt
    model = quick(MLPClassifier, early_stopping=True, max_iter=500, n_iter_no_change=3)
    model.fit(x[:100], y[:100], X_val=x[100:], y_val=shuffled)
    assert model.n_iter_ < 100


def test_weights_of_the_given_rows_count_in_the_score():
    x, y = rows(n=160)
    weight = np.where(y[100:] == 0, 5.0, 0.5)
    model = quick(MLPClassifier, early_stopping=True, n_iter_no_change=np.inf)
    model.fit(x[:100], y[:100], X_val=x[100:], y_val=y[100:], sample_weight_val=weight)
    score = model.score(x[100:], y[100:], weight)
    assert model.best_validation_score_ == pytest.approx(score)
    assert score != model.score(x[100:], y[100:])


def test_numbers_labels_frames_and_sequences_are_judged_too():
    x, y = rows(n=160)
    two = np.stack([y, -y], axis=1).astype(float)
    model = quick(MLPRegressor, early_stopping=True).fit(
        x[:100], two[:100], X_val=x[100:], y_val=two[100:]
    )
    assert model.score(x[100:], two[100:]) == pytest.approx(model.best_validation_score_)
    x2, labels = make_multilabel_classification(60, 6, n_classes=3, random_state=0)
    model = quick(MLPClassifier, early_stopping=True)
    model.fit(x2[:40], labels[:40], X_val=x2[40:], y_val=labels[40:])
    assert model.score(x2[40:], labels[40:]) == model.best_validation_score_
    frame = pd.DataFrame(x, columns=list("abcdef"))
    model.fit(frame[:100], y[:100], X_val=frame[100:], y_val=pd.Series(y[100:]))
    with pytest.raises(ValueError, match="feature names"):
        model.fit(frame[:100], y[:100], X_val=frame[100:].rename(columns={"a": "z"}), y_val=y[100:])
    padded, lengths = np.array([[0, 1, 7], [2, 7, 7]] * 8), np.array([2, 1] * 8)
    model = quick(RNNClassifier, early_stopping=True)
    model.fit(
        padded, [0, 1] * 8, lengths=lengths, X_val=padded[:4], y_val=[0, 1, 0, 1],
        lengths_val=lengths[:4],
    )  # fmt: skip
    assert len(model.validation_scores_) == model.n_iter_


@pytest.mark.parametrize(
    ("settings", "given", "says"),
    [
        ({}, {"X_val": 1, "y_val": 1}, "while early_stopping is False. Set early_stopping=True"),
        ({"early_stopping": True}, {"X_val": 1}, "X_val is provided, but y_val was not provided"),
        ({"early_stopping": True}, {"y_val": 1}, "y_val is provided, but X_val was not provided"),
        ({"early_stopping": True}, {"sample_weight_val": 1}, "but X_val was not provided"),
        (
            {"early_stopping": True, "solver": "lbfgs"},
            {"X_val": 1, "y_val": 1},
            "need a stochastic solver; 'lbfgs' is not",
        ),
    ],
)
def test_half_a_validation_set_is_refused(settings, given, says):
    x, y = rows()
    everything = {"X_val": x, "y_val": y, "sample_weight_val": np.ones(len(y))}
    model = quick(MLPClassifier, **settings)
    with pytest.raises(ValueError, match=says):
        model.fit(x, y, **{name: everything[name] for name in given})


@pytest.mark.parametrize(
    ("x_val", "y_val", "says"),
    [
        (np.ones((3, 6)), [0, 1, 7], r"y_val has classes that y has not: \[7\]"),
        (np.ones((3, 6)), [0, 1], "inconsistent numbers of samples"),
        (np.ones((3, 5)), [0, 1, 2], "X has 5 features, but MLPClassifier is expecting 6"),
        (np.ones((1, 6)), [0], "The validation set is too small: X_val needs 2 rows, got 1"),
        (np.full((3, 6), np.nan), [0, 1, 2], "NaN"),
        (np.ones((3, 6)), [0, 1, None], r"y\[2\] is missing"),
    ],
)
def test_a_validation_set_that_does_not_fit_is_refused(x_val, y_val, says):
    model = quick(MLPClassifier, early_stopping=True)
    with pytest.raises(ValueError, match=says):
        model.fit(*rows(), X_val=x_val, y_val=y_val)


# Metadata routing


@kinds
def test_weights_and_validation_sets_are_routed_through_a_pipeline(kind, routing):
    x, y = rows(n=160)
    weight = np.random.default_rng(0).uniform(0.5, 2, 100)
    requests = {"sample_weight": True, "X_val": True, "y_val": True}
    model = quick(kind, early_stopping=True).set_fit_request(**requests)
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    pipe = Pipeline([("scale", scaler), ("net", model)], transform_input=["X_val"])
    pipe.fit(x[:100], y[:100], sample_weight=weight, X_val=x[100:], y_val=y[100:])
    scale = StandardScaler().fit(x[:100])
    by_hand = quick(kind, early_stopping=True).fit(
        scale.transform(x[:100]), y[:100], weight, X_val=scale.transform(x[100:]), y_val=y[100:]
    )
    assert same_weights(pipe[-1], by_hand)


@kinds
def test_they_are_routed_through_searches_and_cross_validation(kind, routing):
    x, y = rows(n=160)
    weight = np.random.default_rng(0).uniform(0.5, 2, 100)
    model = quick(kind, early_stopping=True).set_fit_request(
        sample_weight=True, X_val=True, y_val=True
    )
    model.set_score_request(sample_weight=True)
    given = {"sample_weight": weight, "X_val": x[100:], "y_val": y[100:]}
    scores = cross_val_score(model, x[:100], y[:100], cv=2, params=given)
    half = slice(50, 100)
    by_hand = clone(model).fit(
        x[half], y[half], weight[half], X_val=x[100:], y_val=y[100:]
    )  # fmt: skip
    if is_regressor(model):  # whose folds are not stratified
        assert scores[0] == pytest.approx(by_hand.score(x[:50], y[:50], weight[:50]))
    grid = GridSearchCV(model, {"max_iter": [1, 2]}, cv=2).fit(x[:100], y[:100], **given)
    best = clone(model).set_params(**grid.best_params_).fit(x[:100], y[:100], **given)
    assert same_weights(grid.best_estimator_, best)


def test_what_was_not_asked_for_is_not_passed_on_in_silence(routing):
    x, y = rows()
    with pytest.raises(ValueError, match="sample_weight.*not explicitly set as requested"):
        cross_validate(quick(MLPClassifier), x, y, params={"sample_weight": np.ones(len(y))})
    assert RNNClassifier().set_score_request(lengths=True) is not None
    assert set(RNNClassifier().get_metadata_routing().fit.requests) == {
        "sample_weight", "lengths", "X_val", "y_val", "sample_weight_val", "lengths_val",
    }  # fmt: skip


# Names of columns, other estimators around


def frame():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({
        "age": rng.normal(40, 10, 90), "income": rng.normal(3e4, 1e4, 90),
        "town": rng.choice(["Rome", "Oslo"], 90),
    })  # fmt: skip
    return table, (table.age > 40).map({True: "old", False: "young"})


def columns():
    return ColumnTransformer([
        ("numbers", StandardScaler(), ["age", "income"]),
        ("texts", OneHotEncoder(sparse_output=False), ["town"]),
    ])  # fmt: skip


@kinds
def test_names_of_columns_go_through_a_column_transformer(kind):
    table, y = frame()
    y = y if kind is not MLPRegressor else (y == "old").astype(float)
    named = make_pipeline(columns(), quick(kind)).set_output(transform="pandas").fit(table, y)
    assert list(named[-1].feature_names_in_) == list(named[0].get_feature_names_out()) == [
        "numbers__age", "numbers__income", "texts__town_Oslo", "texts__town_Rome",
    ]  # fmt: skip
    assert named.n_features_in_ == 3
    assert named[-1].n_features_in_ == 4
    unnamed = make_pipeline(columns(), quick(kind)).fit(table, y)
    assert same_weights(unnamed[-1], named[-1])
    assert not hasattr(unnamed[-1], "feature_names_in_")


@classifiers
def test_stacks_of_classifiers(kind):
    x, y = rows()
    table = pd.DataFrame(x, columns=list("abcdef"))
    stack = StackingClassifier([("net", quick(kind))], LogisticRegression(), cv=2).fit(table, y)
    assert stack.stack_method_ == ["predict_proba"]
    named = stack.set_output(transform="pandas").transform(table)
    assert len(set(named.columns)) == 3
    assert all(name.startswith(kind.__name__.lower()) or "net" in name for name in named.columns)
    raw = StackingClassifier(
        [("net", quick(kind))], LogisticRegression(), cv=2, stack_method="decision_function"
    )
    assert raw.fit(x, y).score(x, y) > 1 / 3


def test_stacks_of_regressors():
    x, y = rows()
    stack = StackingRegressor([("net", quick(MLPRegressor))], cv=2).fit(x, y)
    assert np.isfinite(stack.predict(x)).all()


# Tags, parameters, what a notebook shows, files


@kinds
def test_tags_say_what_it_is(kind):
    tags = get_tags(kind())
    if kind is MLPRegressor:
        assert is_regressor(kind())
        assert tags.target_tags.required
    else:
        assert is_classifier(kind())
        assert tags.classifier_tags.multi_label == (kind is MLPClassifier)
    assert tags.input_tags.sparse == kind.__name__.startswith("MLP")


@kinds
def test_parameters_are_got_set_and_cloned(kind):
    model = kind()
    names = set(inspect.signature(kind.__init__).parameters) - {"self"}
    assert set(model.get_params()) == names
    model.set_params(max_iter=7, random_state=3)
    copy = clone(model)
    assert copy is not model
    assert copy.get_params() == model.get_params()
    assert (copy.max_iter, copy.random_state) == (7, 3)
    with pytest.raises(ValueError, match="Invalid parameter 'epochs'"):
        model.set_params(epochs=3)


@kinds
def test_a_notebook_shows_it(kind):
    shown = quick(kind)._repr_html_()
    assert kind.__name__ in shown
    assert "max_iter" in shown
    assert "not fitted" in shown.lower()
    x, y = rows()
    assert "fitted" in quick(kind).fit(x, y)._repr_html_()
    assert repr(quick(kind)).startswith(f"{kind.__name__}(")


@kinds
def test_a_copy_from_a_file_has_the_same_weights(kind, tmp_path):
    x, y = rows()
    model = quick(kind, early_stopping=True).fit(x, y)
    joblib.dump(model, tmp_path / "model.joblib", compress=3)
    copies = (
        joblib.load(tmp_path / "model.joblib"),
        pickle.load(io.BytesIO(pickle.dumps(model))),  # noqa: S301 (the user's own)
    )
    for copy in copies:
        assert same_weights(copy, model)
        assert copy.get_params() == model.get_params()
        assert np.array_equal(copy.predict(x), model.predict(x))
    model.set_params(early_stopping=False)
    if kind is CNNClassifier:
        model.set_params(recipe=None)
    for copy in copies:
        copy.set_params(**model.get_params())
    going = [each.partial_fit(x, y) for each in (model, *copies)]
    assert all(same_weights(each, model) for each in going)


@kinds
def test_a_warm_start_goes_on(kind):
    x, y = rows()
    model = quick(kind, warm_start=True)
    first = [w.copy() for w in weights_of(model.fit(x, y))]
    epochs = len(model.loss_curve_)
    assert len(model.fit(x, y).loss_curve_) == 2 * epochs
    assert not all(np.array_equal(a, b) for a, b in zip(first, weights_of(model), strict=True))

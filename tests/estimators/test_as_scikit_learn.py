"""The same results as scikit-learn's own estimators, from the same random_state."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn import neural_network as theirs
from sklearn.datasets import make_classification, make_multilabel_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from triptych import MLPClassifier, MLPRegressor

ENGINES = ["numpy", "compiled", "torch"]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@parametrize_with_checks(
    [cls(max_iter=100, engine=e) for cls in (MLPClassifier, MLPRegressor) for e in ENGINES]
)
@pytest.mark.filterwarnings("ignore")
def test_every_check_of_scikit_learn_passes(estimator, check):
    check(estimator)


def data(kind, n=90):
    if kind == "binary":
        return make_classification(n, 6, random_state=0)
    if kind == "multiclass":
        return make_classification(n, 6, n_informative=4, n_classes=3, random_state=0)
    if kind == "multilabel":
        return make_multilabel_classification(n, 6, n_classes=3, random_state=0)
    x, y = make_regression(n, 6, n_targets=2 if kind == "outputs" else 1, random_state=0)
    y = y / 50
    return (x, np.random.default_rng(0).poisson(np.exp(y / 2))) if kind == "poisson" else (x, y)


KINDS = ["binary", "multiclass", "multilabel", "regression", "outputs", "poisson"]
SETTINGS = [
    {"solver": "adam"},
    {"solver": "adam", "activation": "tanh", "hidden_layer_sizes": (7, 5), "beta_1": 0.8},
    {"solver": "sgd", "learning_rate_init": 0.02, "activation": "logistic"},
    {"solver": "sgd", "momentum": 0.0, "batch_size": 1, "alpha": 0.0},
    {"solver": "sgd", "nesterovs_momentum": False, "learning_rate": "invscaling", "power_t": 0.2},
    {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.02, "n_iter_no_change": 1},
    {"solver": "adam", "early_stopping": True, "n_iter_no_change": 3, "validation_fraction": 0.3},
    {"solver": "adam", "shuffle": False, "batch_size": 1000, "activation": "identity"},
]


def pair(kind, **settings):
    ours, other = (
        (MLPClassifier, theirs.MLPClassifier)
        if kind in ("binary", "multiclass", "multilabel")
        else (MLPRegressor, theirs.MLPRegressor)
    )
    engine = settings.pop("engine", "numpy")
    base = {"hidden_layer_sizes": (8,), "max_iter": 25, "random_state": 3, "batch_size": 20}
    settings = {**base, "alpha": 0.03, **settings}
    if kind == "poisson":
        settings["loss"] = "poisson"
    return ours(engine=engine, **settings), other(**settings)


def equal(ours, other, rtol=1e-9):
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(other, name), name
    for name in ("coefs_", "intercepts_"):
        for a, b in zip(getattr(ours, name), getattr(other, name), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * 0.1)
    np.testing.assert_allclose(ours.loss_, other.loss_, rtol=rtol)
    for name in ("loss_curve_", "validation_scores_", "best_loss_", "best_validation_score_"):
        if hasattr(other, name):
            mine, its = getattr(ours, name), getattr(other, name)
            assert (mine is None) == (its is None), name
            if its is not None:
                np.testing.assert_allclose(mine, its, rtol=rtol, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "-".join(map(str, s.values())))
@pytest.mark.filterwarnings("ignore:Got `batch_size` less than 1")
def test_weights_and_losses_are_those_of_scikit_learn(kind, settings):
    x, y = data(kind)
    ours, other = pair(kind, **settings)
    equal(ours.fit(x, y), other.fit(x, y))
    np.testing.assert_allclose(ours.predict(x), other.predict(x), rtol=1e-8)
    if hasattr(other, "predict_proba"):
        np.testing.assert_allclose(ours.predict_proba(x), other.predict_proba(x), rtol=1e-7)
        np.testing.assert_allclose(
            ours.predict_log_proba(x), other.predict_log_proba(x), rtol=1e-7, atol=1e-9
        )
    assert ours.score(x, y) == pytest.approx(other.score(x, y))


@pytest.mark.parametrize("engine", ["compiled", "torch"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", SETTINGS[::2], ids=lambda s: "-".join(map(str, s.values())))
def test_on_every_engine(kind, settings, engine):
    x, y = data(kind)
    ours, other = pair(kind, engine=engine, **settings)
    equal(ours.fit(x, y), other.fit(x, y), rtol=1e-8)


@pytest.mark.parametrize("engine", ENGINES)
def test_in_float32(engine):
    x, y = data("multiclass")
    ours, other = pair("multiclass", engine=engine)
    x = x.astype(np.float32)
    equal(ours.fit(x, y), other.fit(x, y), rtol=2e-3)
    assert ours.predict_proba(x).dtype == np.float32


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("multilabel", "outputs")])
def test_lbfgs(kind):
    x, y = data(kind)
    ours, other = pair(kind, solver="lbfgs", max_iter=12, alpha=0.5)
    ours.fit(x, y), other.fit(x, y)
    for a, b in zip(ours.coefs_, other.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)
    assert ours.loss_ == pytest.approx(other.loss_)
    assert ours.n_iter_ == other.n_iter_
    assert not hasattr(ours, "loss_curve_")


def test_lbfgs_goes_down_the_loss_of_several_outputs():
    x, y = data("outputs")
    ours, other = pair("outputs", solver="lbfgs", max_iter=200, alpha=0.5)
    assert ours.fit(x, y).loss_ <= other.fit(x, y).loss_ * 1.01


@pytest.mark.parametrize("kind", KINDS)
def test_partial_fit_goes_on_as_there(kind):
    x, y = data(kind)
    for solver in ("adam", "sgd"):
        ours, other = pair(kind, solver=solver, learning_rate="invscaling", power_t=0.1)
        options = {}
        if kind in ("binary", "multiclass", "multilabel"):
            options = {"classes": np.arange(3) if kind == "multilabel" else np.unique(y)}
        for _ in range(4):
            ours.partial_fit(x, y, **options), other.partial_fit(x, y, **options)
        equal(ours, other)


@pytest.mark.parametrize("engine", ENGINES)
def test_warm_start_goes_on_as_there(engine):
    x, y = data("multiclass")
    ours, other = pair("multiclass", engine=engine, warm_start=True)
    for _ in range(3):
        ours.fit(x, y), other.fit(x, y)
        equal(ours, other, rtol=1e-8)


def test_a_warm_start_does_not_spoil_the_best_weights():
    # There, further training writes over the weights that early stopping had kept.
    x, y = data("multiclass")
    model = pair("multiclass", warm_start=True, early_stopping=True)[0].fit(x, y)
    first, score = [w.copy() for w in model.coefs_], model.best_validation_score_
    model.set_params(learning_rate_init=1e-12).fit(x, y)
    assert model.best_validation_score_ == score
    assert all(np.array_equal(a, b) for a, b in zip(first, model.coefs_, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_row_weights_count_as_there(kind):
    x, y = data(kind)
    weight = np.random.default_rng(1).uniform(0.5, 2, len(x))
    # Full batches: with smaller ones scikit-learn weighs the losses of its curve by rows.
    ours, other = pair(kind, batch_size=90)
    equal(ours.fit(x, y, weight), other.fit(x, y, weight))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_weight_two_is_two_rows_and_of_weight_zero_none(kind, engine):
    x, y = data(kind, 40)
    weight = np.random.default_rng(1).integers(0, 3, len(x))
    one, two = (pair(kind, engine=engine, batch_size="auto")[0] for _ in range(2))
    rows = np.repeat(np.arange(len(x)), weight)
    one.fit(x, y, weight), two.fit(x[rows], y[rows])
    for a, b in zip(one.coefs_, two.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)
    np.testing.assert_allclose(one.loss_curve_, two.loss_curve_, rtol=1e-9)


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_array, sparse.csr_matrix])
@pytest.mark.parametrize("engine", [*ENGINES, "auto"])
def test_sparse_rows(form, engine):
    x, y = data("multiclass")
    x = np.where(x > 0.5, x, 0)
    ours, other = pair("multiclass", engine=engine)
    equal(ours.fit(form(x), y), other.fit(form(x), y), rtol=1e-8)
    np.testing.assert_allclose(ours.predict_proba(form(x)), other.predict_proba(x), rtol=1e-7)
    lbfgs = ours.set_params(solver="lbfgs").fit(form(x), y)
    assert lbfgs.score(form(x), y) > 0.8


def test_warnings_and_errors_are_those_of_scikit_learn():
    x, y = data("multiclass")
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(2\) reached"):
        MLPClassifier(max_iter=2).fit(x, y)
    with pytest.warns(UserWarning, match="Got `batch_size` less than 1 or larger"):
        MLPClassifier(batch_size=1000, max_iter=2).fit(x, y)
    for settings in [
        {"hidden_layer_sizes": -1}, {"alpha": -1}, {"learning_rate_init": 0}, {"solver": "sdg"},
        {"activation": "ghost"}, {"momentum": 2}, {"beta_1": 1.0}, {"batch_size": 0},
        {"max_iter": -1}, {"shuffle": "true"}, {"validation_fraction": 1}, {"tol": -1},
    ]:  # fmt: skip
        messages = []
        for kind in (MLPClassifier, theirs.MLPClassifier):
            with pytest.raises(ValueError) as caught:
                kind(**settings).fit(x, y)
            messages.append(str(caught.value))
        if "solver" not in settings and "activation" not in settings:
            assert messages[0].rstrip(".") == messages[1].rstrip(".")
        assert "must be" in messages[0]


@pytest.mark.parametrize(
    ("new", "says"),
    [
        (
            {"dropout": 1.0},
            r"The 'dropout' parameter of MLPClassifier must be a float in the range",
        ),
        ({"engine": "gpu"}, "The 'engine' parameter of MLPClassifier must be a str among"),
        ({"class_weight": 3}, "The 'class_weight' parameter of MLPClassifier must be"),
        ({"device": 1}, "The 'device' parameter of MLPClassifier must be a str among"),
    ],
)
def test_new_parameters_are_checked_in_the_same_words(new, says):
    x, y = data("binary")
    with pytest.raises(ValueError, match=says):
        MLPClassifier(**new).fit(x, y)


def test_warnings_are_not_raised_where_nothing_is_wrong():
    x, y = data("binary")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLPClassifier(max_iter=2000, tol=0.01).fit(x, y)

"""What scikit-learn has not: engines, dropout, weights of classes, the best epoch."""

import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import neural_network as theirs
from sklearn.base import clone
from sklearn.datasets import load_digits, make_classification, make_moons
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from triptych import MLPClassifier, MLPRegressor
from triptych.errors import NumericsError, SpecError
from triptych.estimators import stochastic

ENGINES = ["numpy", "compiled", "torch"]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def moons():
    return make_moons(120, noise=0.1, random_state=0)


def fitted(x, y, **settings):
    base = {"hidden_layer_sizes": (12,), "max_iter": 20, "random_state": 0, "batch_size": 16}
    return MLPClassifier(**{**base, **settings}).fit(x, y)


def test_every_parameter_of_scikit_learn_is_there_with_its_default():
    for ours, other in ((MLPClassifier, theirs.MLPClassifier), (MLPRegressor, theirs.MLPRegressor)):
        mine, its = ours().get_params(), other().get_params()
        assert {name: mine.get(name) for name in its} == its
        assert set(mine) - set(its) >= {"dropout", "engine", "device", "keep_best", "progress"}


@pytest.mark.parametrize("settings", [{"dropout": 0.3}, {"activation": "gelu"}, {"solver": "adamw"},
                                      {"solver": "rmsprop"}])  # fmt: skip
def test_the_engines_agree_on_what_is_new(moons, settings):
    models = [fitted(*moons, engine=engine, **settings) for engine in ENGINES]
    plain = fitted(*moons)
    assert not np.allclose(models[0].coefs_[0], plain.coefs_[0], rtol=1e-7)
    for model in models[1:]:
        for a, b in zip(models[0].coefs_, model.coefs_, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-8)


def test_class_weights_are_row_weights():
    x, y = make_classification(200, 5, weights=[0.9], random_state=1)
    y = np.array(["rare", "usual"])[1 - y]
    rare = y == "rare"
    balanced = fitted(x, y, class_weight="balanced", batch_size=200)
    given = fitted(x, y, class_weight={"rare": 100 / rare.sum(), "usual": 100 / (~rare).sum()},
                   batch_size=200)  # fmt: skip
    rows = MLPClassifier((12,), max_iter=20, random_state=0, batch_size=200).fit(
        x, y, np.where(rare, 100 / rare.sum(), 100 / (~rare).sum())
    )
    for model in (given, rows):
        np.testing.assert_allclose(model.coefs_[0], balanced.coefs_[0], rtol=1e-9)
    plain = fitted(x, y, batch_size=200)
    assert (balanced.predict(x) == "rare").sum() > (plain.predict(x) == "rare").sum()
    with pytest.raises(ValueError, match="not supported for partial_fit"):
        MLPClassifier(class_weight="balanced").partial_fit(x, y, classes=["rare", "usual"])


@pytest.mark.parametrize("engine", ENGINES)
def test_the_best_epoch_is_kept_where_that_is_asked_for(moons, engine):
    # A rate so large that losses go up and down.
    wild = {"solver": "sgd", "learning_rate_init": 0.9, "engine": engine, "tol": 0.0}
    last, best = fitted(*moons, **wild), fitted(*moons, keep_best=True, **wild)
    assert best.loss_curve_ == last.loss_curve_
    epoch = int(np.argmin(best.loss_curve_)) + 1
    assert epoch < 20
    there = fitted(*moons, **{**wild, "max_iter": epoch})
    for a, b in zip(best.coefs_, there.coefs_, strict=True):
        assert np.array_equal(a, b)


def test_progress_is_shown_on_the_standard_error(moons, capsys):
    fitted(*moons, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "MLPClassifier, loss" in captured.err


def test_verbose_says_what_scikit_learn_says(moons, capsys):
    settings = {"hidden_layer_sizes": (5,), "max_iter": 60, "random_state": 0, "solver": "sgd",
                "learning_rate": "adaptive", "tol": 0.5, "verbose": True}  # fmt: skip
    theirs.MLPClassifier(**settings).fit(*moons)
    expected = capsys.readouterr().out
    MLPClassifier(**settings).fit(*moons)
    assert capsys.readouterr().out == expected
    assert "Setting learning rate to" in expected


@pytest.mark.parametrize("engine", ENGINES)
def test_a_pickled_model_predicts_and_goes_on_to_the_same_numbers(moons, engine):
    x, y = moons
    model = MLPClassifier((6,), engine=engine, dropout=0.2, random_state=0)
    for _ in range(3):
        model.partial_fit(x, y, classes=[0, 1])
    again = pickle.loads(pickle.dumps(model))  # noqa: S301
    assert np.array_equal(again.predict_proba(x), model.predict_proba(x))
    for each in (model, again):
        each.partial_fit(x, y)
    assert all(np.array_equal(a, b) for a, b in zip(model.coefs_, again.coefs_, strict=True))
    kinds = {type(value).__module__.split(".")[0] for value in vars(model).values()}
    assert kinds <= {"builtins", "numpy", "sklearn"}


def test_frames_are_read_and_their_columns_checked(moons):
    x, y = moons
    plain = fitted(x, y)
    for frame in (pd.DataFrame(x, columns=["a", "b"]), pl.DataFrame(x, schema=["a", "b"])):
        model = fitted(frame, y)
        assert list(model.feature_names_in_) == ["a", "b"]
        assert np.array_equal(model.coefs_[0], plain.coefs_[0])
        assert np.array_equal(model.predict(frame), plain.predict(x))
        with pytest.raises(ValueError, match="feature names"):
            model.predict(frame.rename({"a": "c"}) if isinstance(frame, pl.DataFrame)
                          else frame.rename(columns={"a": "c"}))  # fmt: skip


def test_pipelines_grids_and_cross_validation(moons):
    x, y = moons
    grid = GridSearchCV(
        make_pipeline(StandardScaler(), MLPClassifier(max_iter=30, random_state=0)),
        {"mlpclassifier__hidden_layer_sizes": [(3,), (10,)], "mlpclassifier__dropout": [0.0, 0.3]},
        cv=2,
    )
    assert grid.fit(x, y).best_score_ > 0.6
    scores = cross_validate(MLPRegressor(max_iter=20), x, y, cv=3, return_estimator=True)
    assert len(scores["estimator"]) == 3
    assert clone(MLPClassifier(dropout=0.1, engine="torch")).get_params()["dropout"] == 0.1


@pytest.mark.parametrize("engine", ENGINES)
def test_training_that_diverges_names_the_step(engine):
    x, y = load_digits(return_X_y=True)
    model = MLPClassifier((30,), solver="sgd", learning_rate_init=1e3, activation="identity",
                          engine=engine, random_state=0)  # fmt: skip
    with pytest.raises(NumericsError, match=r"^step \d+: loss .* Try a smaller") as caught:
        model.fit(x * 1e150, y)
    assert re.search(r"learning rate 1000", str(caught.value))
    with pytest.raises(NumericsError, match="not finite"):
        MLPRegressor(hidden_layer_sizes=(3,), solver="lbfgs").fit(x * 1e200, y)


@pytest.mark.parametrize("engine", ENGINES)
def test_ctrl_c_ends_an_epoch_early_and_keeps_what_was_learnt(moons, engine, monkeypatch):
    x, y = moons
    whole = fitted(x, y, engine=engine, batch_size=1, max_iter=1)
    # Cutting an epoch into pieces changes no bit.
    monkeypatch.setattr(stochastic, "_SECONDS_A_PIECE", 0.0)
    cut = fitted(x, y, engine=engine, batch_size=1, max_iter=1)
    assert np.array_equal(whole.coefs_[0], cut.coefs_[0])
    calls = []
    real = stochastic._Epochs._piece

    def interrupted(self, start):
        calls.append(start)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(self, start)

    monkeypatch.setattr(stochastic._Epochs, "_piece", interrupted)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model = fitted(x, y, engine=engine, batch_size=1, max_iter=1)
    assert len(calls) == 3
    assert model.score(x, y) > 0.3
    assert not np.array_equal(model.coefs_[0], whole.coefs_[0])


def test_engine_says_what_computed_it_and_why(moons):
    assert fitted(*moons, engine="torch").engine_ == "torch"
    assert re.match(r"(numpy|compiled) \(chosen: about .*torch .* s\)", fitted(*moons).engine_)
    assert "lbfgs" in fitted(*moons, solver="lbfgs").engine_


def test_what_cannot_be_is_refused(moons, monkeypatch):
    x, y = moons
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SpecError, match="cuda is not available"):
        MLPClassifier(engine="torch", device="cuda").fit(x, y)
    with pytest.raises(ValueError, match="dropout needs a stochastic solver"):
        MLPClassifier(solver="lbfgs", dropout=0.1).fit(x, y)
    with pytest.raises(ValueError, match="sample_weight of 0|at least one non-zero"):
        MLPClassifier().fit(x, y, np.zeros(len(y)))
    for model in (MLPClassifier(solver="lbfgs"), MLPRegressor(solver="lbfgs")):
        assert not hasattr(model, "partial_fit")
    with pytest.raises(ValueError, match="does not support early_stopping"):
        MLPClassifier(early_stopping=True).partial_fit(x, y, classes=[0, 1])

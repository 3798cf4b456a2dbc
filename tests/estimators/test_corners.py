"""Settings that change between calls, rows that lack a class, and long line searches."""

import inspect

import numpy as np
import pytest
import torch
from sklearn import neural_network as theirs
from sklearn.datasets import load_breast_cancer, make_classification, make_multilabel_classification

from triptych import MLPClassifier, MLPRegressor
from triptych.errors import SpecError

ENGINES = ["numpy", "compiled", "torch"]
BASE = {"hidden_layer_sizes": (8,), "random_state": 3, "max_iter": 15}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def rows():
    return make_classification(90, 6, n_informative=4, n_classes=3, random_state=0)


def arrays(model):
    return [*model.coefs_, *model.intercepts_]


def assert_same(ours, other, rtol=1e-8):
    for a, b in zip(arrays(ours), arrays(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * 0.1)


@pytest.mark.parametrize("hidden", [(), (5, 3), (5, 4, 3)])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_lbfgs_takes_the_path_of_scikit_learn_through_large_trial_steps(rows, hidden, kind):
    x, y = rows
    if kind == "binary":
        y = y > 0
    if kind == "multilabel":
        x, y = make_multilabel_classification(90, 6, n_classes=3, random_state=0)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(x))
    settings = {**BASE, "hidden_layer_sizes": hidden, "solver": "lbfgs"}
    ours, other = MLPClassifier(**settings), theirs.MLPClassifier(**settings)
    # scikit-learn 1.6 has no row weights.
    weighted = "sample_weight" in inspect.signature(theirs.MLPClassifier.fit).parameters
    for given in ([], [weight]) if weighted else ([],):
        assert_same(ours.fit(x, y, *given), other.fit(x, y, *given))
        assert ours.loss_ == pytest.approx(other.loss_, rel=1e-9)


def test_lbfgs_computes_rows_of_float32_in_float64(rows):
    x, y = rows[0].astype(np.float32), rows[1]
    settings = {**BASE, "solver": "lbfgs"}
    ours, other = MLPClassifier(**settings).fit(x, y), theirs.MLPClassifier(**settings).fit(x, y)
    assert {w.dtype for w in arrays(ours)} == {np.dtype(np.float32)}
    assert_same(ours, other, rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("hidden", [(), 4])
def test_no_hidden_layer_and_a_bare_number(rows, engine, hidden):
    settings = {**BASE, "hidden_layer_sizes": hidden}
    other = theirs.MLPClassifier(**settings).fit(*rows)
    assert_same(MLPClassifier(engine=engine, **settings).fit(*rows), other)


def test_training_goes_on_where_scikit_learn_stops_on_its_capped_loss():
    x, y = load_breast_cancer(return_X_y=True)  # not scaled, with features in the thousands
    for epochs, same in ((8, True), (15, False)):
        settings = {**BASE, "max_iter": epochs}
        ours = MLPClassifier(engine="numpy", **settings).fit(x, y)
        other = theirs.MLPClassifier(**settings).fit(x, y)
        assert ours.loss_curve_[0] > other.loss_curve_[0]
        assert (ours.n_iter_ == other.n_iter_) == same
        if same:
            assert_same(ours, other)
    assert np.ptp(other.loss_curve_) < 1e-5  # flat, though the loss is not
    assert ours.loss_curve_[-1] < 0.6 * ours.loss_curve_[0]


@pytest.mark.parametrize("solver", ["adamw", "rmsprop"])
def test_new_solvers_are_those_of_pytorch(rows, solver):
    x, y = rows
    settings = {**BASE, "batch_size": 90, "shuffle": False, "learning_rate_init": 0.01}
    model = MLPClassifier(solver=solver, alpha=0.1, epsilon=1e-3, engine="numpy", **settings)
    first = MLPClassifier(solver="sgd", **{**BASE, "learning_rate_init": 1e-300, "max_iter": 1})
    first.fit(x, y)
    w1, w2 = (torch.tensor(w, requires_grad=True) for w in first.coefs_)
    b1, b2 = (torch.tensor(b, requires_grad=True) for b in first.intercepts_)
    made = {
        "adamw": lambda ws: torch.optim.AdamW(ws, lr=0.01, eps=1e-3, weight_decay=0.1),
        "rmsprop": lambda ws: torch.optim.RMSprop(ws, lr=0.01, eps=1e-3),
    }[solver]
    optimizer = made([w1, b1, w2, b2])
    for _ in range(15):
        optimizer.zero_grad()
        out = torch.relu(torch.tensor(x) @ w1 + b1) @ w2 + b2
        loss = torch.nn.functional.cross_entropy(out, torch.tensor(y))
        if solver == "rmsprop":
            loss = loss + 0.5 * 0.1 / 90 * ((w1**2).sum() + (w2**2).sum())
        loss.backward()
        optimizer.step()
    model.fit(x, y)
    np.testing.assert_allclose(model.coefs_[0], w1.detach().numpy(), rtol=1e-9)
    np.testing.assert_allclose(model.intercepts_[1], b2.detach().numpy(), rtol=1e-9)


def test_keep_best_leaves_partial_fit_alone(rows):
    x, y = rows
    settings = {**BASE, "solver": "sgd", "learning_rate_init": 0.5}
    keeping, plain = MLPClassifier(keep_best=True, **settings), MLPClassifier(**settings)
    for k in range(6):  # from the fourth call on the classes are others, and the loss is larger
        for model in (keeping, plain):
            model.partial_fit(x, (y + (k > 2)) % 3, classes=[0, 1, 2])
    assert plain.loss_curve_[3] > plain.loss_curve_[2]
    assert_same(keeping, plain, rtol=0)


def test_keep_best_turned_on_later_never_brings_back_the_first_weights(rows):
    settings = {**BASE, "solver": "sgd", "warm_start": True, "tol": 0.0}
    plain, keeping = (MLPClassifier(**settings).fit(*rows) for _ in range(2))
    assert not hasattr(plain, "_best")
    # One epoch at a rate that makes the loss larger than any before.
    worse = {"learning_rate_init": 0.9, "max_iter": 1, "batch_size": 1}
    plain.set_params(**worse).fit(*rows)
    keeping.set_params(keep_best=True, **worse).fit(*rows)
    assert plain.loss_curve_[-1] > min(plain.loss_curve_)
    assert_same(keeping, plain, rtol=0)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"solver": "lbfgs"}, {"solver": "adam"}),
        ({"early_stopping": False}, {"early_stopping": True}),
        ({"early_stopping": True}, {"early_stopping": False}),
    ],
)
def test_a_warm_start_may_change_how_it_trains(rows, before, after):
    # Each is an AttributeError or a TypeError in scikit-learn.
    model = MLPClassifier(warm_start=True, **BASE, **before).fit(*rows)
    epochs = len(getattr(model, "loss_curve_", []))
    model.set_params(**after).fit(*rows)
    assert len(model.loss_curve_) == epochs + model.n_iter_
    stops_early = model.get_params()["early_stopping"]
    assert (model.best_loss_ is None) == stops_early
    assert (model.validation_scores_ is None) == (not stops_early)
    if not stops_early:
        model.partial_fit(*rows)


def test_a_fresh_fit_forgets_the_one_before(rows):
    x, y = rows
    model = MLPClassifier(**BASE).fit(x, y)
    model.set_params(solver="lbfgs", hidden_layer_sizes=(4, 4)).fit(x, y)
    assert not hasattr(model, "loss_curve_")
    model.set_params(solver="adam").partial_fit(x, y)  # whose moments have other shapes now
    assert len(model.loss_curve_) == 1


def test_layers_are_those_of_the_weights(rows):
    x, y = rows
    model = MLPClassifier(warm_start=True, **BASE).fit(x, y)
    before = model.predict_proba(x)
    model.set_params(hidden_layer_sizes=(5, 5))
    assert np.array_equal(model.predict_proba(x), before)
    with pytest.raises(ValueError, match="hidden_layer_sizes has 2 of them, the fitted network 1"):
        model.fit(x, y)


@pytest.mark.parametrize("engines", [("compiled", "torch"), ("torch", "numpy")])
def test_partial_fit_goes_on_after_fit_on_another_engine(rows, engines):
    x, y = rows
    ours, other = MLPClassifier(engine=engines[0], **BASE), theirs.MLPClassifier(**BASE)
    ours.fit(x, y), other.fit(x, y)
    ours.set_params(engine=engines[1])
    for _ in range(3):
        ours.partial_fit(x[:40], y[:40]), other.partial_fit(x[:40], y[:40])
    assert_same(ours, other)


def test_class_weights_of_classes_that_a_batch_lacks(rows):
    x, y = rows
    few = y < 2
    model = MLPClassifier(class_weight={0: 2.0, 2: 3.0}, **BASE)
    model.partial_fit(x[few], y[few], classes=[0, 1, 2])
    given = MLPClassifier(**BASE).partial_fit(
        x[few], y[few], np.where(y[few] == 0, 2.0, 1.0), classes=[0, 1, 2]
    )
    assert_same(model, given, rtol=1e-12)
    with pytest.raises(ValueError, match="not in class_weight"):
        MLPClassifier(class_weight={0: 2.0, 7: 3.0}, **BASE).fit(x, y)


def test_balanced_classes_count_a_row_of_weight_two_as_two_rows(rows):
    x, y = rows
    weight = np.random.default_rng(0).integers(0, 3, len(x))
    taken = np.repeat(np.arange(len(x)), weight)
    settings = {"class_weight": "balanced", **BASE}
    weighted = MLPClassifier(**settings).fit(x, y, weight)
    assert_same(weighted, MLPClassifier(**settings).fit(x[taken], y[taken]), rtol=1e-9)


def test_a_gpu_is_never_passed_over_in_silence(rows, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for engine in ("numpy", "compiled"):
        with pytest.raises(SpecError, match=f"engine '{engine}' computes on the CPU"):
            MLPClassifier(engine=engine, device="cuda", **BASE).fit(*rows)
    with pytest.raises(SpecError, match="cuda is not available"):
        MLPClassifier(device="cuda", **BASE).fit(*rows)


def test_values_that_no_engine_takes_are_refused_in_words_of_the_estimator(rows):
    x, y = rows
    with pytest.raises(ValueError, match=r"in the range \[0.0, 0.99\]. Got 0.995 instead"):
        MLPClassifier(dropout=0.995).fit(x, y)
    with pytest.raises(ValueError, match="loss='poisson' requires y >= 0, got -1"):
        MLPRegressor(loss="poisson").fit(x, y - 1.0)

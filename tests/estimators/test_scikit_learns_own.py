"""scikit-learn's own tests of its MLP, from the installed package, with Triptych's classes in it.

Each test function is made again with the same code and other names: where it says `MLPClassifier`
it finds Triptych's. So nothing of scikit-learn is copied here, and a new version brings its tests.
"""

import types

import pytest

import triptych

theirs = pytest.importorskip(
    "sklearn.neural_network.tests.test_mlp", reason="scikit-learn was installed without its tests"
)

# Their project lets warnings be.
pytestmark = pytest.mark.filterwarnings("ignore")

OURS = {theirs.MLPClassifier: triptych.MLPClassifier, theirs.MLPRegressor: triptych.MLPRegressor}
CANNOT = {
    "test_gradient": "calls `_loss_grad_lbfgs`, a private method with buffers of its own; ours are "
    "held against finite differences in tests/models",
    "test_learning_rate_warmstart": "reads the private `_optimizer`; the same rates are seen below",
    "test_adaptive_learning_rate": "reads the private `_optimizer`; the same rate is seen below",
    "test_nonfinite_params": "wants a ValueError after the weights are spoilt; ours is a "
    "NumericsError that names the step, before they are",
    "test_mlp_diverging_loss": "wants a NaN as validation score; ours raises NumericsError instead",
}


@pytest.fixture
def global_random_seed():
    return 42  # theirs, unless asked for others


def with_ours(test):
    """Return one of their tests in which names, and parameters, stand for Triptych's classes."""
    names = {cls.__name__: ours for cls, ours in OURS.items()}
    copy = types.FunctionType(
        test.__code__, {**test.__globals__, **names}, test.__name__, test.__defaults__
    )
    copy.pytestmark = [swapped(mark) for mark in getattr(test, "pytestmark", [])]
    copy.__doc__ = test.__doc__
    return copy


def swapped(mark):
    if mark.name != "parametrize":
        return mark
    names, values, *rest = mark.args
    values = [OURS.get(v, v) if isinstance(v, type) else v for v in values]
    return pytest.mark.parametrize(names, values, *rest, **mark.kwargs).mark


def adopted():
    for name, test in vars(theirs).items():
        if not name.startswith("test_") or not isinstance(test, types.FunctionType):
            continue
        copy = with_ours(test)
        if name in CANNOT:
            copy = pytest.mark.xfail(reason=CANNOT[name], strict=True)(copy)
        yield name, copy


globals().update(adopted())


def test_there_were_tests_to_adopt():
    found = [name for name in vars(theirs) if name.startswith("test_")]
    assert len(found) > 30
    assert set(CANNOT) <= set(found)


def test_the_names_in_them_are_ours():
    test = with_ours(theirs.test_alpha)
    assert test.__globals__["MLPClassifier"] is triptych.MLPClassifier
    assert theirs.test_alpha.__globals__["MLPClassifier"] is theirs.MLPClassifier
    (mark,) = with_ours(theirs.test_early_stopping).pytestmark
    assert mark.args[1] == [triptych.MLPClassifier, triptych.MLPRegressor]


@pytest.mark.parametrize("schedule", ["invscaling", "constant"])
def test_the_rate_after_a_warm_start(schedule):
    model = triptych.MLPClassifier(
        4, solver="sgd", learning_rate=schedule, max_iter=1, power_t=0.25, warm_start=True
    )
    x, y = [[3, 2], [1, 6], [5, 6], [-2, -4]], [1, 1, 1, 0]
    first = model.fit(x, y)._rate
    second = model.fit(x, y)._rate
    if schedule == "constant":
        assert first == second == model.learning_rate_init
    else:
        assert second == model.learning_rate_init / pow(8 + 1, model.power_t) < first


def test_the_adaptive_rate_falls_until_it_is_too_small():
    model = triptych.MLPClassifier(tol=0.5, max_iter=3000, solver="sgd", learning_rate="adaptive")
    model.fit([[3, 2], [1, 6]], [1, 0])
    assert model.n_iter_ < model.max_iter
    assert model._rate < 1e-6

"""scikit-learn's callbacks: told of a fit and its epochs, and able to end it."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from triptych import CNNClassifier, MLPClassifier, MLPRegressor, RNNClassifier
from triptych.spec import CNNSpec

callback = pytest.importorskip(
    "sklearn.callback", reason="callbacks came with scikit-learn 1.9", exc_type=ImportError
)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

TINY = CNNSpec(channels=(4, 4), pool_after=(1,))
MODELS = [
    MLPClassifier((8,), max_iter=6, engine="numpy", random_state=0),
    MLPRegressor(hidden_layer_sizes=(8,), max_iter=6, engine="numpy", random_state=0),
    MLPClassifier((8,), max_iter=6, solver="lbfgs", random_state=0),
    CNNClassifier(TINY, max_iter=2, batch_size=32, random_state=0),
    RNNClassifier(hidden=8, max_iter=3, engine="numpy", random_state=0),
]
models = pytest.mark.parametrize(
    "model", MODELS, ids=lambda m: type(m).__name__ + getattr(m, "solver", "")
)


@pytest.fixture
def rows():
    return make_classification(90, 6, n_informative=4, n_classes=3, random_state=0)


class Notebook:
    """Writes down what it is told."""

    def __init__(self, stop_after=None):
        self.told, self.scores, self.stop_after = [], [], stop_after

    def setup(self, estimator, context):
        self.told.append("setup")

    def teardown(self, estimator, context):
        self.told.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.told.append(f"{context.task_name} begins")
        self.x, self.y = X, y

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.told.append(f"{context.task_name} ends")
        self.metadata = metadata
        if fitted_estimator is not None:
            self.scores.append(fitted_estimator.score(X, y))
            self.last = fitted_estimator
        return self.stop_after is not None and len(self.scores) >= self.stop_after


@models
def test_a_fit_and_each_of_its_epochs_are_told(model, rows):
    notes = Notebook()
    model = clone(model).set_callbacks(notes).fit(*rows)
    epochs = model.n_iter_
    expected = ["setup", "fit begins", *["epoch begins", "epoch ends"] * epochs]
    left_over = ["epoch begins", "epoch ends"] if getattr(model, "solver", "") == "lbfgs" else []
    assert notes.told == [*expected, *left_over, "fit ends", "teardown"]
    assert notes.x is rows[0]
    assert notes.scores[-1] == model.score(*rows)


@models
def test_each_epoch_has_an_estimator_as_if_training_had_ended_there(model, rows):
    notes = Notebook()
    clone(model).set_callbacks(notes).fit(*rows)
    for epochs, score in enumerate(notes.scores[:2], start=1):
        short = clone(model).set_params(max_iter=epochs)
        if isinstance(model, CNNClassifier):  # whose pictures grow with the share of training done
            continue
        assert short.fit(*rows).score(*rows) == score


@models
def test_callbacks_change_no_bit(model, rows):
    plain, watched = clone(model), clone(model).set_callbacks(Notebook())
    a, b = plain.fit(*rows), watched.fit(*rows)
    first = a.coefs_[0] if hasattr(a, "coefs_") else next(iter(a.weights_.values()))
    second = b.coefs_[0] if hasattr(b, "coefs_") else next(iter(b.weights_.values()))
    assert np.array_equal(first, second)
    assert not hasattr(b, "_callback_fit_ctx")


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
@models
def test_a_callback_ends_training(model, rows):
    model = clone(model).set_callbacks(Notebook(stop_after=1)).fit(*rows)
    assert model.n_iter_ == 1


def test_an_epochs_histories_are_its_own(rows):
    kept = []

    class Keep(Notebook):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            kept.append(fitted_estimator)

    clone(MODELS[0]).set_callbacks(Keep()).fit(*rows)
    assert [len(one.loss_curve_) for one in kept] == [1, 2, 3, 4, 5, 6, 6]


def test_scores_are_monitored_with_weights_through_a_pipeline_and_a_search(rows):
    x, y = rows
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = clone(MODELS[0]).set_callbacks(monitor)
    model.fit(x, y, np.ones(len(y)))
    log = monitor.get_logs().data
    epochs = [row for row in log if row["task_name"] == "epoch"]
    assert len(epochs) == 6
    assert epochs[-1]["accuracy"] == model.score(x, y)
    search = GridSearchCV(make_pipeline(StandardScaler(), model), {"mlpclassifier__alpha": [0, 1]})
    search.set_params(cv=2).fit(x, y)
    last = monitor.get_logs().data
    assert {row["estimator_name"] for row in last} == {"MLPClassifier"}


def test_of_sequences_the_lengths_are_told_too():
    padded, lengths = np.array([[0, 1, 7], [2, 7, 7]] * 8), np.array([2, 1] * 8)
    scores = []

    class Scores(Notebook):
        def on_fit_task_end(
            self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
        ):
            scores.append(fitted_estimator.score(X, y, **metadata))

    model = clone(MODELS[-1]).set_callbacks(Scores()).fit(padded, [0, 1] * 8, lengths=lengths)
    assert len(scores) == model.n_iter_ + 1
    assert scores[-1] == model.score(padded, [0, 1] * 8, lengths=lengths)


def test_a_bar_is_shown(rows, capsys):
    clone(MODELS[0]).set_callbacks(callback.ProgressBar()).fit(*rows)
    assert "MLPClassifier" in capsys.readouterr().out


def test_an_error_in_a_callback_leaves_nothing_behind(rows):
    class Broken(Notebook):
        def on_fit_task_end(self, estimator, context):
            raise RuntimeError("broken")

    notes = Broken()
    model = clone(MODELS[0]).set_callbacks(notes)
    with pytest.raises(RuntimeError, match="broken"):
        model.fit(*rows)
    assert notes.told[-1] == "teardown"
    assert not hasattr(model, "_callback_fit_ctx")


def test_partial_fit_tells_nothing(rows):
    notes = Notebook()
    model = clone(MODELS[0]).set_callbacks(notes)
    model.partial_fit(*rows, classes=[0, 1, 2])
    assert notes.told == []

"""Classes that count alike in the loss: as scikit-learn weighs them, on every engine."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_sample_weight

from triptych.contracts import Split
from triptych.data import load
from triptych.engines import create_learner
from triptych.spec import ArmSpec, CNNSpec, DigitsSpec, MLPSpec, ReferenceSpec, ToySpec, TrainSpec
from triptych.training import fit_reference, weighted
from triptych.training.weighting import balanced

Y = np.array([0, 0, 0, 0, 0, 1, 2, 2])


def test_the_weights_are_scikit_learn_s():
    np.testing.assert_allclose(balanced(Y), compute_sample_weight("balanced", Y))
    assert balanced(Y).mean() == pytest.approx(1)


def test_weights_of_rows_that_there_were_are_kept():
    split = Split(np.zeros((8, 1)), Y, np.arange(8.0))
    np.testing.assert_allclose(weighted(split, "balanced").weight, np.arange(8) * balanced(Y))
    assert weighted(split, None) is split


def test_roots_of_weights_lie_between_them_and_one():
    root = weighted(Split(np.zeros((8, 1)), Y), "root").weight
    np.testing.assert_allclose(root / root[0], np.sqrt(balanced(Y) / balanced(Y)[0]))
    assert root.mean() == pytest.approx(1)


def skewed(source):
    data = load(source, 0)
    rare = np.flatnonzero(data.train.y == 1)[3:]
    rows = np.setdiff1d(np.arange(len(data.train)), rare)
    return replace(data, train=data.train.take(rows))


@pytest.mark.parametrize(
    ("engine", "network", "source"),
    [
        ("numpy", MLPSpec(hidden=(4,)), ToySpec(source="moons", n_samples=60)),
        ("compiled", MLPSpec(hidden=(4,)), ToySpec(source="moons", n_samples=60)),
        ("torch", MLPSpec(hidden=(4,)), ToySpec(source="moons", n_samples=60)),
        ("numpy", CNNSpec(channels=(4,), pool_after=()), DigitsSpec(train_limit=60)),
        ("torch", CNNSpec(channels=(4,), pool_after=()), DigitsSpec(train_limit=60)),
    ],
)
def test_a_learner_s_loss_is_weighted_and_its_scores_are_not(engine, network, source, one_thread):
    data = skewed(source)
    losses, scores = [], []
    for weight in (None, "balanced"):
        train = TrainSpec(epochs=1, class_weight=weight, dtype="float64")
        arm = ArmSpec(data=source, network=network, train=train, engine=engine)
        learner = create_learner(arm, engine, data, 0, "cpu")
        scores.append(learner.evaluate(data.train).loss)
        losses.append(
            learner.fit(np.arange(len(data.train)), len(data.train), np.array([1e-12]))[0]
        )
    assert scores[0] == pytest.approx(scores[1])
    assert losses[0] != pytest.approx(losses[1], rel=1e-3)


def test_a_weighted_reference_is_scikit_learn_s():
    data = skewed(ToySpec(source="moons", n_samples=200))
    ours = list(fit_reference(ReferenceSpec(model="linear", class_weight="balanced"), data, 0))[-1]
    theirs = LogisticRegression(max_iter=5000, class_weight="balanced")
    theirs.fit(data.train.x, data.train.y)
    assert ours.evaluation.test.accuracy == theirs.score(data.test.x, data.test.y)


@pytest.mark.parametrize("model", ["linear", "gradient_boosting", "random_forest"])
def test_references_find_more_of_a_rare_class_with_it(model):
    data = skewed(ToySpec(source="moons", n_samples=400, noise=0.3))
    plain, alike = (
        list(fit_reference(ReferenceSpec(model=model, class_weight=w), data, 0))[-1].evaluation.test
        for w in (None, "balanced")
    )
    assert plain != alike
    if model == "linear":
        assert alike.balanced_accuracy >= plain.balanced_accuracy

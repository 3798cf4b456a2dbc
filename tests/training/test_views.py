"""Test views: how many, how much each counts, and what is told of them."""

import numpy as np
import pytest

from triptych.contracts import Dataset, Scores, Split
from triptych.spec import AugmentSpec, TrainSpec
from triptych.training import Job, split_rows
from triptych.training.views import mean_outputs, reflected, views


def pictures(n=5, shape=(2, 4, 6)):
    return np.random.default_rng(0).integers(0, 256, (n, *shape)).astype(np.uint8)


class Linear:
    """A learner whose outputs are products of the pixels, which is all that views need."""

    min_batch, unbounded = 1, frozenset()

    def __init__(self, shape=(2, 4, 6), outputs=3):
        self.w = np.random.default_rng(1).normal(size=(int(np.prod(shape)), outputs))

    def outputs(self, x):
        return x.reshape(len(x), -1).astype(np.float64) @ self.w

    def evaluate(self, split):
        return Scores(1.0, float((self.outputs(split.x).argmax(1) == split.y).mean()))

    def weights(self):
        return {"w": self.w}


KINDS = [
    (AugmentSpec(flip=True, translate=2), [1 / 4, 1 / 4, 1 / 8, 1 / 8, 1 / 8, 1 / 8]),
    (AugmentSpec(flip=True), [1 / 2, 1 / 2]),
    (AugmentSpec(translate=4), [1 / 2, 1 / 4, 1 / 4]),
    (AugmentSpec(cutout=2), [1]),
]


@pytest.mark.parametrize(("augment", "shares"), KINDS)
def test_there_are_as_many_views_as_pictures_vary_in_and_their_shares_sum_to_1(augment, shares):
    shown = views(pictures(), augment)
    assert [share for share, _ in shown] == shares
    assert sum(shares) == 1
    kinds = {view.tobytes() for _, view in shown}
    assert len(kinds) == len(shown)


def padded(x, down, right):
    """Return pictures shifted by a pixel, by padding and cutting."""
    wide = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    return wide[:, :, 1 - down : 1 - down + x.shape[2], 1 - right : 1 - right + x.shape[3]]


def test_the_mean_over_six_views_is_that_worked_out_by_hand():
    x, learner = pictures(), Linear()
    expected = np.zeros((5, 3))
    for share, down, right in ((0.5, 0, 0), (0.25, 1, 1), (0.25, -1, -1)):
        moved = padded(x, down, right)
        for view in (moved, np.flip(moved, axis=3)):
            expected += share / 2 * learner.outputs(view)
    found = mean_outputs(learner, x, AugmentSpec(flip=True, translate=2))
    # Two of five, the quarter rounded up, are looked at again: those whose best two are closest.
    plain = learner.outputs(x)
    ranked = np.sort(plain, axis=1)
    unsure = np.argsort(ranked[:, -1] - ranked[:, -2])[:2]
    assert not np.allclose(expected[unsure], plain[unsure])
    plain[unsure] = expected[unsure]
    np.testing.assert_allclose(found, plain, rtol=1e-12)


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_places_outside_are_mirrored_as_numpys_reflect(length):
    around = 5
    expected = np.pad(np.arange(length), around, mode="reflect")
    found = reflected(np.arange(-around, length + around), length)
    assert found.tolist() == expected.tolist()


def finished(train):
    learner, x = Linear(), pictures(40)
    # Classes that the views find and the plain pictures do not always.
    outputs = mean_outputs(learner, x, AugmentSpec(flip=True, translate=1))
    split = Split(x, outputs.argmax(axis=1))
    data = Dataset("d", split, split, tuple("abc"), "pictures", "f")
    job = Job(learner, data, split_rows(train, split, np.random.default_rng(0)), 0)
    plain = job.evaluate(1, 1, 0.1)
    return plain, job.finish(train).evaluation


def test_the_last_evaluation_scores_views_beside_the_plain_pictures():
    augment = AugmentSpec(flip=True, translate=1)
    plain, last = finished(TrainSpec(epochs=1, augment=augment, views=True))
    assert plain.test_views_accuracy is None
    assert last.test_views_accuracy == 1.0
    assert last.test == plain.test
    assert last.test.accuracy < 1.0


def test_no_views_are_looked_at_unless_asked_for():
    _, last = finished(TrainSpec(epochs=1, augment=AugmentSpec(flip=True)))
    assert last.test_views_accuracy is None

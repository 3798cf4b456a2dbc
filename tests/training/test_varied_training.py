"""A CNN learns from varied, growing pictures with the same bits, however its training is cut."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from triptych.chance import stream, stream_seed
from triptych.contracts import Dataset, Split, Standardization
from triptych.engines import create_learner, create_orders
from triptych.spec import ArmSpec, AugmentSpec, CNNSpec, DigitsSpec, TrainSpec
from triptych.training import Finished, Job, split_rows, torch_learner, train
from triptych.training.scores import accuracy
from triptych.training.torch_losses import mean_loss
from triptych.training.views import mean_outputs

pytestmark = pytest.mark.usefixtures("one_thread")

ROWS, SIZE, EPOCHS = 44, 8, 4
STEPS = 6  # an epoch; the last of 4 rows
NETWORKS = {
    "whitened": CNNSpec(design="whitened", channels=(8, 12, 12), pool_after=(1, 3)),
    "vgg": CNNSpec(channels=(8, 12), pool_after=(1,)),
}


def data(edge=16):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (ROWS, 3, edge, edge)).astype(np.uint8)
    split = Split(x, rng.integers(0, 4, ROWS))
    scale = Standardization(np.full((3, 1, 1), 127.5), np.full((3, 1, 1), 74.0))
    return Dataset("noise", split, split, tuple("abcd"), "pictures", "f", scale)


def spec(**changes):
    augment = AugmentSpec(flip=True, translate=2, cutout=3)
    given = {"epochs": EPOCHS, "batch_size": SIZE, "augment": augment, "judged_rows": None}
    return TrainSpec.from_name("fast", **{**given, **changes})


def arm(train_spec=None, design="whitened"):
    return ArmSpec(data=DigitsSpec(), network=NETWORKS[design], train=train_spec or spec())


def learner(train_spec=None, design="whitened"):
    return create_learner(arm(train_spec, design), "torch", data(), 0, "cpu")


def order():
    return create_orders("torch")([stream_seed(0, "order")], 1, EPOCHS, ROWS)[0]


LRS = 0.2 * (1 - np.arange(EPOCHS * STEPS) / (EPOCHS * STEPS))


def fit(made, first, last):
    """Take the steps of epochs `first` to before `last`, in one call."""
    rows = order()[first * ROWS : last * ROWS]
    return made.fit(rows, SIZE, LRS[first * STEPS : last * STEPS], ROWS)


def fit_pieces(made, epoch, cuts):
    """Take the steps of one epoch, a call for each piece between cuts."""
    rows, lrs = order()[epoch * ROWS :][:ROWS], LRS[epoch * STEPS :][:STEPS]
    parts = [
        made.fit(rows[a * SIZE : b * SIZE], SIZE, lrs[a:b], ROWS)
        for a, b in zip([0, *cuts], [*cuts, STEPS], strict=True)
    ]
    return np.concatenate(parts)


def same(one, two):
    """Whether two learners have the same weights and moments, to the bit."""
    for read in ("weights", "moments"):
        ours, theirs = getattr(one, read)(), getattr(two, read)()
        if not all(np.array_equal(w, theirs[name]) for name, w in ours.items()):
            return False
    return bool(np.array_equal(one.outputs(data().test.x), two.outputs(data().test.x)))


@pytest.mark.parametrize("design", sorted(NETWORKS))
@pytest.mark.parametrize(
    "cuts", [[[]] * 4, [[1], [1, 2], [5], [3]], [[1, 2, 3, 4, 5]] * 4, [[2], [], [1, 5], [4]]]
)
def test_where_training_is_cut_changes_no_bit(cuts, design):
    whole, pieces = learner(design=design), learner(design=design)
    losses = fit(whole, 0, EPOCHS)
    found = np.concatenate([fit_pieces(pieces, e, c) for e, c in enumerate(cuts)])
    assert np.array_equal(found, losses)
    assert same(whole, pieces)


@pytest.mark.parametrize("design", sorted(NETWORKS))
@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_training_goes_on_in_a_new_learner_as_if_it_had_not_stopped(stop, design):
    whole, half, rest = (learner(design=design) for _ in range(3))
    losses = fit(whole, 0, EPOCHS)
    fit(half, 0, stop)
    rest.load(half.weights())
    rest.load_moments(half.moments())
    assert np.array_equal(fit(rest, stop, EPOCHS), losses[stop * STEPS :])
    assert same(whole, rest)


def test_a_training_goes_on_from_within_an_epoch():
    whole, half, rest = learner(), learner(), learner()
    fit(whole, 0, EPOCHS)
    fit(half, 0, 1)
    half.fit(order()[ROWS : ROWS + 2 * SIZE], SIZE, LRS[STEPS : STEPS + 2], ROWS)
    rest.load(half.weights())
    rest.load_moments(half.moments())
    rest.fit(order()[ROWS + 2 * SIZE : 2 * ROWS], SIZE, LRS[STEPS + 2 : 2 * STEPS], ROWS)
    fit(rest, 2, EPOCHS)
    assert same(whole, rest)


def test_filters_whiten_anew_at_each_size_and_not_between():
    made = learner(spec(resolutions=(0.5, 0.5, 1.0, 1.0)))
    seen = []
    for epoch in range(EPOCHS):
        fit_pieces(made, epoch, [3])
        seen.append(made.weights()["whiten.weight"])
    assert seen[0].any()
    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[1], seen[2])
    assert np.array_equal(seen[2], seen[3])


def test_filters_whiten_the_first_batch_at_its_size_as_it_is(monkeypatch):
    made, twin = learner(), learner()
    for most in (1000, 5):
        monkeypatch.setattr(torch_learner, "WHITENED_BY", most)
        made.load(twin.weights())
        made.optimizer.steps = 0
        fit(made, 0, 1)
        x = torch.from_numpy(data().train.x[order()[: min(SIZE, most)]])
        x = F.interpolate((x.float() - 127.5) / 74, (9, 9), mode="bilinear", antialias=True)
        twin.network.whiten_patches(x)
        expected = twin.weights()["whiten.weight"]
        np.testing.assert_allclose(made.weights()["whiten.weight"], expected, atol=1e-3)


def test_two_epochs_show_each_picture_both_ways():
    made = learner(spec(augment=AugmentSpec(flip=True), resolutions=()), "vgg")
    shown = []
    forward = made.network.forward
    made.network.forward = lambda x: shown.append(x.detach().numpy()) or forward(x)
    fit(made, 0, 2)
    rows = np.concatenate(shown)[np.argsort(order()[: 2 * ROWS], kind="stable")]
    for first, second in rows.reshape(ROWS, 2, *rows.shape[1:]):
        assert np.array_equal(first, second[:, :, ::-1])
        assert not np.array_equal(first, second)


def test_an_evaluation_sees_pictures_of_the_size_that_training_has_come_to():
    made = learner()
    shown = []
    forward = made.network.forward
    made.network.forward = lambda x: shown.append(tuple(x.shape[2:])) or forward(x)
    for epoch in range(EPOCHS):
        fit(made, epoch, epoch + 1)
        shown.clear()
        made.outputs(data().test.x)
        assert set(shown) == {[(9, 9), (9, 9), (16, 16), (16, 16)][epoch]}


def finished(train_spec):
    rows = split_rows(train_spec, data().train, stream(0, "validation"))
    job = Job(learner(train_spec), data(), rows, stream_seed(0, "order"))
    (end,) = (e for e in train(job, train_spec, create_orders("torch")) if isinstance(e, Finished))
    return end


def test_the_loop_takes_the_same_steps():
    schedule = {"name": "linear"}
    ours = spec(schedule=schedule, optimizer={"name": "muon", "lr": 0.2})
    whole = learner(ours)
    fit(whole, 0, EPOCHS)
    end = finished(ours)
    assert all(np.array_equal(w, end.weights[name]) for name, w in whole.weights().items())
    scores = whole.evaluate(data().test)
    assert (end.evaluation.test.loss, end.evaluation.test.accuracy) == (
        scores.loss, scores.accuracy,
    )  # fmt: skip


def test_views_are_scored_with_the_best_weights_where_those_are_kept():
    ours = spec(
        resolutions=(), patience=2, validation=0.25, epochs=9, views=True, label_smoothing=0.0,
        schedule={"name": "constant"},
    )  # fmt: skip
    end = finished(ours)
    assert end.evaluation.epoch < end.epochs  # else the last weights were the best
    again = learner(ours)
    again.load(end.weights)
    test = data().test
    assert again.evaluate(test).loss == end.evaluation.test.loss
    outputs = mean_outputs(again, test.x, ours.augment)
    assert end.evaluation.test_views_accuracy == accuracy(outputs, test.y)


def test_smoothed_labels_change_the_loss_that_is_learnt_from_and_not_the_one_that_is_told():
    sharp, smooth = learner(spec(label_smoothing=0.0)), learner(spec(label_smoothing=0.3))
    losses = [fit(made, 0, 1) for made in (sharp, smooth)]
    assert losses[0][0] != losses[1][0]
    smooth.load(sharp.weights())
    assert smooth.evaluate(data().test) == sharp.evaluate(data().test)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_weights_of_1_change_no_loss(smoothing):
    rng = np.random.default_rng(0)
    outputs, y = torch.from_numpy(rng.normal(size=(6, 4))), torch.from_numpy(rng.integers(0, 4, 6))
    plain = mean_loss("softmax", outputs, y, None, smoothing)
    target = (1 - smoothing) * torch.eye(4)[y].double() + smoothing / 4
    torch.testing.assert_close(plain, -(target * outputs.log_softmax(1)).sum(1).mean())
    ones = torch.ones(6, dtype=torch.float64)
    torch.testing.assert_close(plain, mean_loss("softmax", outputs, y, ones, smoothing))


def test_judged_rows_are_some_of_the_fitted_ones_and_alike_for_all_arms_of_a_seed():
    hundred = Split(np.zeros((100, 1)), np.zeros(100, np.int64))

    def drawn(seed=0, **changes):
        return split_rows(TrainSpec(**changes), hundred, stream(seed, "validation"))

    rows, other = drawn(judged_rows=30), drawn(judged_rows=30, batch_size=7, epochs=3)
    assert len(set(rows.judged)) == 30
    assert np.array_equal(rows.judged, other.judged)
    assert not np.array_equal(rows.judged, drawn(1, judged_rows=30).judged)
    assert np.array_equal(rows.fit, np.arange(100))
    stopping = {"patience": 2, "validation": 0.4}
    held = drawn(judged_rows=30, **stopping)
    assert set(held.judged) < set(held.fit)
    assert not set(held.fit) & set(held.validation)
    # How many are judged does not move which are learnt from.
    assert np.array_equal(held.fit, drawn(**stopping).fit)
    for many in (None, 60, 1000):
        assert np.array_equal(drawn(judged_rows=many, **stopping).judged, held.fit)

"""The loop: order, batches, evaluation, stopping, and what is not finite."""

import itertools

import numpy as np
import pytest
import torch

from triptych.contracts import Dataset, Scores, Split, Standardization, stream
from triptych.errors import NumericsError, SpecError
from triptych.models import MLPNumpy, create_torch, initial_weights
from triptych.models.mlp_compiled import MLPCompiled
from triptych.spec import CNNSpec, MLPSpec, OptimizerSpec, RNNSpec, ScheduleSpec, TrainSpec
from triptych.training import (
    CompiledLearner,
    Evaluation,
    Finished,
    Notice,
    NumpyLearner,
    Progress,
    split_rows,
    train,
)
from triptych.training import loop as loop_module
from triptych.training.torch_learner import TorchLearner

ENGINES = ["numpy", "compiled", "torch"]


def blobs(n=60, classes=3, seed=0):
    """Return well separated blobs in two dimensions, as float64."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    centres = 3 * np.stack([np.cos(2.1 * np.arange(classes)), np.sin(2.1 * np.arange(classes))], 1)
    x = centres[y] + rng.normal(size=(n, 2)) * 0.4
    split = Split(x, y)
    names = tuple(map(str, range(classes)))
    return Dataset("blobs", split.take(np.arange(n // 2)), split.take(np.arange(n // 2, n)),
                   names, "table", "f")  # fmt: skip


def pictures(n=33, shape=(1, 8, 8)):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 17, (n, *shape)).astype(np.uint8)
    y = (x.reshape(n, -1).mean(axis=1) > 8).astype(np.int64)
    scale = Standardization(np.full((1, 1, 1), 8.0), np.full((1, 1, 1), 5.0))
    return Dataset("noise", Split(x, y), Split(x, y), ("0", "1"), "pictures", "f", scale)


def learner(engine, spec, data, network=None, seed=0):
    network = network or MLPSpec(hidden=(8,))
    weights = initial_weights(network, data, stream(seed, "weights"))
    weights = {k: w.astype(spec.dtype) for k, w in weights.items()}
    if engine != "torch":
        model = MLPNumpy(network, weights)
        if engine == "compiled":
            kernel = MLPCompiled(model.weights, spec.optimizer, spec.clip_norm).fit
            return CompiledLearner(model, kernel, data.train, spec, data.standardization)
        return NumpyLearner(model, data.train, spec, data.standardization, stream(seed, "dropout"))
    return TorchLearner(
        create_torch(network, weights, seed), data.train, spec, data.standardization
    )


def run(engine, spec, data=None, network=None, seed=0):
    data = data or blobs()
    rows = split_rows(spec, len(data.train), stream(seed, "validation"))
    return list(
        train(learner(engine, spec, data, network, seed), spec, data, rows, stream(seed, "order"))
    )


def evaluations(events):
    return [e for e in events if isinstance(e, Evaluation)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch_size", [1, 7, 30, None])
def test_training_learns_what_can_be_learnt_at_any_batch_size(engine, batch_size):
    spec = TrainSpec(
        epochs=60, batch_size=batch_size, optimizer=OptimizerSpec(name="adam", lr=0.05)
    )
    finished = run(engine, spec)[-1]
    assert isinstance(finished, Finished)
    assert finished.evaluation.test.accuracy == 1.0


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop"])
@pytest.mark.parametrize("clip", [None, 0.5])
def test_the_engines_are_twins_for_a_thousand_steps(name, clip):
    spec = TrainSpec(
        epochs=34, batch_size=1, dtype="float64", clip_norm=clip, eval_every=34,
        optimizer=OptimizerSpec(name=name, lr=0.005, weight_decay=0.01),
        schedule=ScheduleSpec(name="cosine"),
    )  # fmt: skip
    ours = run("numpy", spec)[-1]
    assert ours.evaluation.step == 1020
    for engine in ("compiled", "torch"):
        theirs = run(engine, spec)[-1]
        for key, w in ours.weights.items():
            np.testing.assert_allclose(w, theirs.weights[key], rtol=1e-10, atol=1e-10)
        assert ours.evaluation.test.loss == pytest.approx(theirs.evaluation.test.loss, rel=1e-10)


@pytest.mark.parametrize("hidden", [(3,), (8,), (20,), (5, 4), (9, 8, 7)])
@pytest.mark.parametrize("batch_size", [1, 7, None])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_the_compiled_engine_is_the_numpy_engine_at_any_shape(hidden, batch_size, decay):
    spec = TrainSpec(
        epochs=10, batch_size=batch_size, dtype="float64",
        optimizer=OptimizerSpec(lr=0.05, weight_decay=decay),
    )  # fmt: skip
    ours, theirs = (run(engine, spec, network=MLPSpec(hidden=hidden)) for engine in ENGINES[:2])
    for key, w in ours[-1].weights.items():
        np.testing.assert_allclose(w, theirs[-1].weights[key], rtol=1e-10, atol=1e-12)
    for one, two in zip(evaluations(ours), evaluations(theirs), strict=True):
        assert one.test.loss == pytest.approx(two.test.loss, rel=1e-10)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_the_compiled_engine_takes_float32_and_returns_each_steps_loss(name):
    data = blobs()
    spec = TrainSpec(batch_size=4, optimizer=OptimizerSpec(name=name))
    found = {}
    for engine in ENGINES:
        one = learner(engine, spec, data)
        found[engine] = one.fit(np.arange(30), 4, np.full(8, 0.05))
        assert one.weights()["w1"].dtype == np.float32
    np.testing.assert_allclose(found["compiled"], found["numpy"], rtol=1e-4)
    np.testing.assert_allclose(found["torch"], found["numpy"], rtol=1e-4)


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_the_same_seed_gives_the_same_bits_and_another_does_not(engine):
    spec = TrainSpec(epochs=3, batch_size=4)
    network = MLPSpec(hidden=(8,), dropout=0.5)
    first, again, other = (run(engine, spec, network=network, seed=s)[-1] for s in (1, 1, 2))
    assert all(np.array_equal(first.weights[k], again.weights[k]) for k in first.weights)
    assert not np.array_equal(first.weights["w1"], other.weights["w1"])


@pytest.mark.parametrize("engine", ENGINES)
def test_cutting_an_epoch_into_chunks_changes_no_bit(engine, monkeypatch):
    spec = TrainSpec(epochs=4, batch_size=4, optimizer=OptimizerSpec(name="adam"))
    whole = run(engine, spec)[-1]
    monkeypatch.setattr(loop_module._Clock, "chunk", lambda self: 1)
    monkeypatch.setattr(loop_module, "_SECONDS_BETWEEN_PROGRESS", 0.0)
    cut = run(engine, spec)
    assert sum(isinstance(e, Progress) for e in cut) == 4 * 8
    assert all(np.array_equal(whole.weights[k], cut[-1].weights[k]) for k in whole.weights)


def test_every_epoch_sees_every_row_once_in_a_new_order():
    class Spy:
        min_batch = 1

        def __init__(self):
            self.orders = []

        def fit(self, order, batch_size, lrs):
            self.orders.append(order)
            return np.zeros(len(lrs))

        def evaluate(self, split):
            return Scores(0.0, 0.0)

        def weights(self):
            return {}

    data, spy = blobs(), Spy()
    spec = TrainSpec(epochs=3, batch_size=7)
    list(train(spy, spec, data, split_rows(spec, 30, stream(0, "v")), stream(0, "order")))
    epochs = np.concatenate(spy.orders).reshape(3, 30)
    assert all(sorted(order) == list(range(30)) for order in epochs)
    assert not np.array_equal(epochs[0], epochs[1])


def test_the_last_epoch_is_always_evaluated_and_others_every_n():
    found = evaluations(run("numpy", TrainSpec(epochs=7, batch_size=10, eval_every=3)))
    assert [e.epoch for e in found] == [3, 6, 7]
    assert [e.step for e in found] == [9, 18, 21]


def test_the_evaluated_loss_is_a_mean_whatever_the_number_of_rows():
    data = blobs()
    doubled = Split(np.tile(data.test.x, (2, 1)), np.tile(data.test.y, 2))
    for engine in ENGINES:
        one = learner(engine, TrainSpec(), data)
        assert one.evaluate(doubled).loss == pytest.approx(one.evaluate(data.test).loss)


def test_evaluation_changes_nothing_and_is_in_eval_mode():
    data = pictures()
    spec = TrainSpec(batch_size=8, dtype="float64")
    network = CNNSpec(channels=(4, 4), pool_after=(1,))
    one = learner("torch", spec, data, network)
    one.fit(np.arange(16), 8, np.full(2, 0.01))
    before = one.weights()
    first = one.evaluate(data.test)
    # With batch statistics a subset would be scored differently from the whole.
    halves = [one.evaluate(data.test.take(np.arange(a, b))) for a, b in ((0, 11), (11, 33))]
    assert first.loss == pytest.approx((11 * halves[0].loss + 22 * halves[1].loss) / 33)
    assert all(np.array_equal(before[k], w) for k, w in one.weights().items())
    one.load(before)
    assert one.evaluate(data.test) == first


def test_early_stopping_keeps_the_best_weights():
    spec = TrainSpec(
        epochs=400, batch_size=4, patience=5, validation=0.3, eval_every=1,
        optimizer=OptimizerSpec(lr=1.0),
    )  # fmt: skip
    data = blobs()
    noisy = Split(data.train.x, stream(0, "noise").integers(0, 3, 30))
    data = Dataset(data.name, noisy, data.test, data.classes, "table", "f")
    events = run("numpy", spec, data, MLPSpec(hidden=(40,)))
    found, finished = evaluations(events), events[-1]
    best = min(found, key=lambda e: e.validation.loss)
    assert finished.evaluation == best
    assert len(found) == best.epoch + 5 < 400
    rows = split_rows(spec, 30, stream(0, "validation"))
    again = learner("numpy", spec, data, MLPSpec(hidden=(40,)))
    again.load(finished.weights)
    held = data.train.take(rows.validation)
    assert again.evaluate(held).loss == pytest.approx(best.validation.loss)
    assert len(held) == 9
    assert not set(rows.fit) & set(rows.validation)


def test_a_share_that_leaves_one_side_empty_is_refused():
    with pytest.raises(SpecError, match="leaves one side empty"):
        split_rows(TrainSpec(patience=1, validation=0.01), 30, stream(0, "v"))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("culprit", ["loss", "gradient"])
def test_what_is_not_finite_stops_before_the_weights_take_it_in(engine, culprit):
    data = blobs()
    spec = TrainSpec(epochs=5, batch_size=10, dtype="float64", clip_norm=1.0)
    one = learner(engine, spec, data)
    good = one.weights()
    # A huge weight whose own gradient overflows while the loss stays finite, or a NaN in a row.
    if culprit == "loss":
        data.train.x[:] = np.nan
    else:
        good = {**good, "w2": good["w2"] * 0 + np.array([1e200, -1e200, 0.0])}
        data.train.x[:] = 1e200
    one = learner(engine, spec, data)
    one.load(good)
    before = one.weights()
    rows = split_rows(spec, 30, stream(0, "v"))
    with (
        pytest.raises(
            NumericsError, match=r"step 1: loss .* \(lr 0.01, grad norm .*\); last finite"
        ),
        np.errstate(all="ignore"),
    ):
        list(train(one, spec, data, rows, stream(0, "order")))
    assert all(np.array_equal(before[k], w) for k, w in one.weights().items())


def test_the_message_names_the_step_at_which_it_diverged():
    data = blobs()
    spec = TrainSpec(epochs=50, batch_size=10, eval_every=1, optimizer=OptimizerSpec(lr=10.0))
    scaled = Split(data.train.x * 1e12, data.train.y)
    data = Dataset(data.name, scaled, data.test, data.classes, "table", "f")
    with np.errstate(all="ignore"), pytest.raises(NumericsError, match=r"step (\d+): ") as caught:
        run("torch", spec, data)
    assert "Try a smaller lr" in str(caught.value)


def test_a_last_batch_of_one_is_dropped_and_announced_where_there_is_batchnorm():
    spec = TrainSpec(epochs=2, batch_size=8)
    network = CNNSpec(channels=(4,), pool_after=(1,))
    events = run("torch", spec, pictures(33), network)
    assert isinstance(events[0], Notice)
    assert "last batch of 1" in events[0].text
    assert events[-1].evaluation.step == 8
    assert not isinstance(run("torch", spec, pictures(34), network)[0], Notice)


def test_a_batch_of_one_with_batchnorm_is_refused():
    with pytest.raises(SpecError, match="BatchNorm needs at least 2"):
        run("torch", TrainSpec(batch_size=1), pictures(), CNNSpec(channels=(4,), pool_after=(1,)))


def test_all_parameters_and_gradients_stay_views_of_one_tensor():
    spec = TrainSpec(batch_size=8, optimizer=OptimizerSpec(name="adam"))
    one = learner("torch", spec, pictures(), CNNSpec(channels=(4, 4), pool_after=(1,)))
    one.fit(np.arange(32), 8, np.full(4, 0.01))
    low, high = (one.flat.grads.data_ptr() + k for k in (0, one.flat.grads.numel() * 4))
    assert all(low <= p.grad.data_ptr() < high for p in one.network.parameters())
    together = torch.cat([p.detach().flatten() for p in one.network.parameters()])
    assert torch.equal(together, one.flat.values.detach())


def test_the_flat_parameters_take_the_same_steps_as_separate_ones():
    data = pictures()
    spec = TrainSpec(batch_size=8, dtype="float64", clip_norm=0.3,
                     optimizer=OptimizerSpec(name="adam", lr=0.01))  # fmt: skip
    network = CNNSpec(channels=(4, 4), pool_after=(1,))
    ours = learner("torch", spec, data, network)
    weights = initial_weights(network, data, stream(0, "weights"))
    theirs = create_torch(network, weights, 0).train()
    optimizer = torch.optim.Adam(theirs.parameters(), 0.01)
    x = torch.from_numpy(data.standardization(data.train.x, "float64"))
    y = torch.from_numpy(data.train.y)
    ours.fit(np.arange(32), 8, np.full(4, 0.01))
    for rows in torch.arange(32).split(8):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(theirs(x[rows]), y[rows]).backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.3)
        optimizer.step()
    found = ours.weights()
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(found[name], value.numpy(), rtol=1e-9, atol=1e-12)


def test_the_rnn_learns_to_hold_a_symbol():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, (400, 5)).astype(np.uint8)
    split = Split(x, x[:, 0].astype(np.int64))
    data = Dataset("first", split, split, tuple("0123"), "sequences", "f")
    spec = TrainSpec(epochs=15, batch_size=20, clip_norm=10,
                     optimizer=OptimizerSpec(name="rmsprop", lr=0.005))  # fmt: skip
    assert run("torch", spec, data, RNNSpec(hidden=16))[-1].evaluation.test.accuracy > 0.95


def test_streams_of_one_seed_are_independent_and_repeatable():
    names = ["draw", "split", "weights", "order", "dropout"]
    drawn = {name: stream(0, name).integers(2**62) for name in names}
    assert all(a != b for a, b in itertools.combinations(drawn.values(), 2))
    assert stream(0, "draw").integers(2**62) == drawn["draw"]
    assert stream(1, "draw").integers(2**62) != drawn["draw"]

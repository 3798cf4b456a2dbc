"""The loop: order, batches, evaluation, stopping, and what is not finite."""

import re

import numpy as np
import pytest
import torch
from scipy import sparse

from triptych.chance import stream, stream_seed
from triptych.contracts import Dataset, Scores, Split, Standardization
from triptych.engines import create_mlp, create_orders
from triptych.errors import SpecError
from triptych.models import create_torch, initial_weights
from triptych.models.initial import mlp_weights
from triptych.spec import CNNSpec, MLPSpec, OptimizerSpec, RNNSpec, ScheduleSpec, TrainSpec
from triptych.training import (
    CompiledTogether,
    Diverged,
    Evaluation,
    Finished,
    Job,
    Notice,
    Progress,
    split_rows,
    train,
    train_together,
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
    if isinstance(network, MLPSpec):
        return create_mlp(network, spec, engine, weights, data.train, seed=seed,
                          standardization=data.standardization)  # fmt: skip
    weights = {k: w.astype(spec.dtype) for k, w in weights.items()}
    return TorchLearner(create_torch(network, weights), data.train, spec, data.standardization)


def job(engine, spec, data=None, network=None, seed=0):
    data = data or blobs()
    rows = split_rows(spec, data.train, stream(seed, "validation"))
    return Job(learner(engine, spec, data, network, seed), data, rows, stream_seed(seed, "order"))


def run(engine, spec, data=None, network=None, seed=0):
    return list(train(job(engine, spec, data, network, seed), spec, create_orders(engine)))


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


ACTIVATIONS = ["relu", "tanh", "logistic", "identity", "gelu"]
LOSSES = ["softmax", "sigmoid", "squared", "poisson"]


def weighted(data, loss, seed=3):
    """Return `data` with weights, and for other losses than softmax with targets of two outputs."""
    rng = np.random.default_rng(seed)
    n = len(data.train)
    y = data.train.y if loss == "softmax" else rng.integers(0, 2, (n, 2)).astype(float)
    return Split(data.train.x, y, rng.integers(0, 3, n).astype(float))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("scale", ["loss", "rows"])
def test_the_engines_are_twins_in_every_activation_loss_and_penalty(activation, loss, scale):
    network = MLPSpec(hidden=(7, 4), activation=activation, dropout=0.25)
    spec = TrainSpec(
        batch_size=4, dtype="float64", loss=loss, l2=0.1, l2_scale=scale,
        optimizer=OptimizerSpec(name="adam", epsilon_hat=True),
    )  # fmt: skip
    split = weighted(blobs(), loss)
    outputs = 3 if loss == "softmax" else 2
    weights = mlp_weights(network, 2, outputs, stream(0, "weights"))
    found = {}
    for engine in ENGINES:
        one = create_mlp(network, spec, engine, weights, split, seed=5)
        losses = one.fit(np.tile(np.arange(30), 3), 4, np.full(24, 0.01), 30)
        found[engine] = (losses, one.outputs(split.x), one.moments(), one.weights())
    for engine in ENGINES[1:]:
        for ours, theirs in zip(found["numpy"], found[engine], strict=True):
            ours, theirs = (x if isinstance(x, dict) else {"": x} for x in (ours, theirs))
            assert list(ours) == list(theirs)
            for name in ours:
                np.testing.assert_allclose(theirs[name], ours[name], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["sgd", "nesterov", "adamw", "rmsprop"])
def test_training_goes_on_to_the_same_bits_from_weights_and_moments(engine, name):
    network = MLPSpec(hidden=(6,), dropout=0.2)
    spec = TrainSpec(batch_size=4, dtype="float64", optimizer=OptimizerSpec(name=name))
    data = blobs()
    whole, first, second = (learner(engine, spec, data, network) for _ in range(3))
    whole.fit(np.tile(np.arange(30), 2), 4, np.full(16, 0.01), 30)
    first.fit(np.arange(30), 4, np.full(8, 0.01))
    second.load(first.weights())
    second.load_moments(first.moments())
    second.fit(np.arange(30), 4, np.full(8, 0.01))
    for name, w in whole.weights().items():
        assert np.array_equal(w, second.weights()[name])


@pytest.mark.parametrize("engine", ENGINES)
def test_other_rows_can_be_learnt_from(engine):
    one = learner(engine, TrainSpec(batch_size=4, dtype="float64"), blobs())
    two = learner(engine, TrainSpec(batch_size=4, dtype="float64"), blobs(seed=1))
    one.rebind(blobs(seed=1).train)
    found = [each.fit(np.arange(30), 4, np.full(8, 0.05)) for each in (one, two)]
    assert np.array_equal(*found)


@pytest.mark.parametrize("engine", ENGINES)
def test_sparse_rows_are_read_where_the_engine_can(engine):
    data = blobs()
    spec = TrainSpec(batch_size=4, dtype="float64")
    if engine == "torch":
        pytest.skip("PyTorch's learner takes dense rows only")
    dense, loose = learner(engine, spec, data), learner(engine, spec, data)
    loose.rebind(Split(sparse.csr_array(data.train.x), data.train.y))
    found = [each.fit(np.arange(30), 4, np.full(8, 0.05)) for each in (dense, loose)]
    np.testing.assert_allclose(*found, rtol=1e-12)
    np.testing.assert_allclose(
        loose.outputs(sparse.csr_array(data.test.x)), dense.outputs(data.test.x), rtol=1e-12
    )


@pytest.mark.parametrize(
    "spec",
    [
        TrainSpec(epochs=9, batch_size=1, dtype="float64", eval_every=2),
        TrainSpec(epochs=9, batch_size=7, optimizer=OptimizerSpec(name="adam"), eval_every=4),
    ],
)
@pytest.mark.parametrize("count", [2, 11])
def test_seeds_trained_together_end_with_the_bits_of_each_alone(spec, count):
    alone = [run("compiled", spec, blobs(seed=s), MLPSpec(hidden=(9,)), s) for s in range(count)]
    sets = [blobs(seed=s) for s in range(count)]
    jobs = [job("compiled", spec, d, MLPSpec(hidden=(9,)), s) for s, d in enumerate(sets)]
    told = list(train_together(jobs, spec, create_orders("compiled"), CompiledTogether()))
    for k, events in enumerate(alone):
        together = [event for i, event in told if i == k]
        pairs = zip(evaluations(events), evaluations(together), strict=True)
        assert all((a.train, a.test) == (b.train, b.test) for a, b in pairs)
        for name, w in events[-1].weights.items():
            assert np.array_equal(w, together[-1].weights[name])


@pytest.mark.fault(18, 19)
def test_a_seed_that_diverges_leaves_the_others_as_they_were():
    spec = TrainSpec(epochs=6, batch_size=1, dtype="float64", optimizer=OptimizerSpec(lr=0.05))
    sets = [blobs(seed=s) for s in range(3)]
    wild = Split(sets[1].train.x * 1e200, sets[1].train.y)
    sets[1] = Dataset("wild", wild, sets[1].test, sets[1].classes, "table", "f")
    jobs = [job("compiled", spec, d, None, s) for s, d in enumerate(sets)]
    told = list(train_together(jobs, spec, create_orders("compiled"), CompiledTogether()))
    last = {k: event for k, event in told if isinstance(event, Diverged | Finished)}
    assert str(last[1].error) == str(run("compiled", spec, sets[1], None, 1)[-1].error)
    assert re.match(r"step \d: .*gradient norm inf", str(last[1].error))
    for k in (0, 2):
        whole = run("compiled", spec, sets[k], None, k)[-1]
        assert all(np.array_equal(w, last[k].weights[n]) for n, w in whole.weights.items())


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


@pytest.mark.parametrize("engine", ENGINES)
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
    monkeypatch.setattr(loop_module._Loop, "_budget", lambda self: 1)
    monkeypatch.setattr(loop_module, "_SECONDS_BETWEEN_PROGRESS", 0.0)
    cut = run(engine, spec)
    assert sum(isinstance(e, Progress) for e in cut) == 4 * 8
    assert all(np.array_equal(whole.weights[k], cut[-1].weights[k]) for k in whole.weights)


def test_every_epoch_sees_every_row_once_in_a_new_order():
    class Spy:
        min_batch, unbounded = 1, frozenset()

        def __init__(self):
            self.orders = []

        def fit(self, order, batch_size, lrs, epoch):
            self.orders.append(order)
            return np.zeros(len(lrs))

        def evaluate(self, split):
            return Scores(0.0, 0.0)

        def weights(self):
            return {}

    data, spy = blobs(), Spy()
    spec = TrainSpec(epochs=3, batch_size=7)
    rows = split_rows(spec, data.train, stream(0, "v"))
    list(train(Job(spy, data, rows, 0), spec, create_orders("numpy")))
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
    rows = split_rows(spec, data.train, stream(0, "validation"))
    again = learner("numpy", spec, data, MLPSpec(hidden=(40,)))
    again.load(finished.weights)
    held = data.train.take(rows.validation)
    assert again.evaluate(held).loss == pytest.approx(best.validation.loss)
    assert len(held) == 9
    assert not set(rows.fit) & set(rows.validation)


def test_a_share_that_leaves_one_side_empty_is_refused():
    with pytest.raises(SpecError, match="leaves one side empty"):
        split_rows(TrainSpec(patience=1, validation=0.01), blobs().train, stream(0, "v"))


@pytest.mark.fault(18, 19)
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
    rows = split_rows(spec, data.train, stream(0, "v"))
    with np.errstate(all="ignore"):
        *_, last = train(Job(one, data, rows, 0), spec, create_orders(engine))
    assert isinstance(last, Diverged)
    assert re.match(r"step 1: loss .* \(lr 0.01, gradient norm .*\); try train", str(last.error))
    assert all(np.array_equal(before[k], w) for k, w in one.weights().items())


def test_the_message_names_the_step_at_which_it_diverged():
    data = blobs()
    spec = TrainSpec(epochs=50, batch_size=10, eval_every=1, optimizer=OptimizerSpec(lr=10.0))
    scaled = Split(data.train.x * 1e12, data.train.y)
    data = Dataset(data.name, scaled, data.test, data.classes, "table", "f")
    with np.errstate(all="ignore"):
        last = run("torch", spec, data)[-1]
    assert re.match(r"step (\d+): .*; try train.optimizer.lr = 1 or", str(last.error))


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

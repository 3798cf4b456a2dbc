"""What is not finite ends a training before anything takes it in, in every engine and network."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from triptych.chance import stream, stream_seed
from triptych.contracts import NonFiniteStep, Scores, State
from triptych.data import load
from triptych.engines import create_learner, create_orders, create_together
from triptych.errors import SpecError
from triptych.spec import (
    ArmSpec,
    AugmentSpec,
    CNNSpec,
    CustomSpec,
    DigitsSpec,
    MLPSpec,
    OptimizerSpec,
    PalindromeSpec,
    RNNSpec,
    ToySpec,
    TrainSpec,
)
from triptych.training import Diverged, Finished, Job, split_rows, train
from triptych.training.torch_buffers import Buffers

pytestmark = pytest.mark.usefixtures("one_thread")

MOONS = ToySpec(source="moons", n_samples=60)
DIGITS = DigitsSpec(train_limit=48, test_limit=20)
STRINGS = PalindromeSpec(length=7, shortest=3, train_size=48, test_size=12)
ADAM, MUON = OptimizerSpec(name="adam", lr=0.02), OptimizerSpec(name="muon", lr=0.1)
TRAIN = TrainSpec(epochs=4, batch_size=8, optimizer=ADAM, clip_norm=1.0)
SMALL = CNNSpec(channels=(8, 8), pool_after=(1,))
WHITENED = CNNSpec(design="whitened", channels=(8, 8), pool_after=(1,))
VARIED = {
    "optimizer": MUON, "augment": AugmentSpec(flip=True, translate=1), "views": True,
    "resolutions": (0.75, 1.0), "label_smoothing": 0.1,
}  # fmt: skip


class Own(nn.Module):
    """Has every kind of buffer that a step may change."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.first, self.norm = nn.Linear(inputs, 6), nn.BatchNorm1d(6)
        self.last = nn.Linear(6, outputs)
        self.register_buffer("seen", torch.zeros(()), persistent=False)
        self.register_buffer("replaced", torch.zeros(6))
        self.register_buffer("past_autograd", torch.zeros(6))
        self.register_buffer("large", torch.ones(300, 300))
        self.register_buffer("nothing", None)

    def forward(self, x):
        h = torch.relu(self.norm(self.first(x.flatten(1))))
        if self.training:
            self.seen += 1
            self.replaced = 0.9 * self.replaced + h.detach().mean(0)
            self.past_autograd.data.mul_(0.9).add_(h.detach().mean(0))
            self.large *= 1.01
        return self.last(h)


def arm(data, network, engine, **changes):
    return ArmSpec(data=data, network=network, engine=engine, train=replace(TRAIN, **changes))


ARMS = {
    **{
        f"mlp, {engine}, {name}": arm(MOONS, MLPSpec(hidden=(6,), dropout=0.2), engine,
                                      optimizer=replace(ADAM, name=name))
        for engine in ("numpy", "compiled", "torch")
        for name in ("sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop")
    },
    "mlp, compiled, one row": arm(MOONS, MLPSpec(hidden=(6,)), "compiled", batch_size=1,
                                  clip_norm=None, optimizer=OptimizerSpec()),
    **{f"cnn, {engine}": arm(DIGITS, SMALL, engine) for engine in ("numpy", "torch")},
    "cnn, Muon": arm(DIGITS, SMALL, "torch", optimizer=MUON),
    "cnn, varied": arm(DIGITS, WHITENED, "torch", **VARIED),
    **{f"rnn, {engine}": arm(STRINGS, RNNSpec(hidden=6), engine)
       for engine in ("numpy", "compiled", "torch")},
    "lstm": arm(STRINGS, RNNSpec(hidden=4, cell="lstm"), "torch"),
    "own": arm(MOONS, CustomSpec(name="own"), "torch"),
}  # fmt: skip
OWN = {"own": lambda data: Own(data.sample_shape[0], data.outputs)}


def made(arm, seed=0, bad=None):
    """Return a job; the row `bad`, if any, weighs what makes its loss no number."""
    data = load(arm.data, seed)
    if bad is not None:
        weight = np.ones(len(data.train))
        weight[bad] = np.inf
        data = replace(data, train=replace(data.train, weight=weight))
    rows = split_rows(arm.train, data.train, stream(seed, "validation"))
    learner = create_learner(arm, arm.engine, data, seed, "cpu", OWN)
    return Job(learner, data, rows, stream_seed(seed, "order"))


def held(learner):
    """Return all that a step may change."""
    found = {**learner.weights(), **{f"moment {n}": m for n, m in learner.moments().items()}}
    if hasattr(learner, "flat"):
        buffers = learner.network.named_buffers()
        found |= {f"buffer {n}": b.detach().cpu().numpy().copy() for n, b in buffers}
    return found


def assert_same(one, other):
    assert one.keys() == other.keys()
    assert [n for n in one if not np.array_equal(one[n], other[n])] == []


def broken_gradient(learner, at):
    """Make the gradient of step `at` NaN while its loss is finite, where that can be done."""
    if hasattr(learner, "flat"):
        last = list(learner.network.parameters())[-1]
        last.register_hook(lambda g: g * np.nan if learner.optimizer.steps == at else g)
        return
    network, compute = learner.network, learner.network.loss_and_grads

    def loss_and_grads(x, y, weight=None, step=0):
        loss, grads = compute(x, y, weight, step)
        return loss, {n: g * np.nan if step == at else g for n, g in grads.items()}

    network.loss_and_grads = loss_and_grads


@pytest.mark.fault(18, 19)
@pytest.mark.parametrize(
    ("name", "culprit"),
    [
        *((name, "loss") for name in ARMS),
        # Of compiled kernels see tests/training/test_loop.py and tests/models/test_elman.py.
        *((name, "gradient") for name in ARMS if "compiled" not in name),
    ],
)
def test_all_is_as_before_the_step(name, culprit):
    arm, order = ARMS[name], np.arange(40)
    size = arm.train.batch_size
    bad = 2 if size == 1 else 19  # in the third of five batches, or of forty
    one, whole = (made(arm, bad=bad if culprit == "loss" else None).learner for _ in range(2))
    if culprit == "gradient":
        broken_gradient(one, 2)
        broken_gradient(whole, 2)
    for k in range(2):
        one.fit(order[k * size : (k + 1) * size], size, np.array([0.02]), len(order))
    before = held(one)
    with pytest.raises(NonFiniteStep) as single:
        one.fit(order[2 * size : 3 * size], size, np.array([0.02]), len(order))
    assert_same(held(one), before)
    with pytest.raises(NonFiniteStep) as stop:
        whole.fit(order, size, np.full(len(order) // size, 0.02), len(order))
    assert (single.value.offset, stop.value.offset) == (0, 2)
    assert np.isfinite(stop.value.loss) == (culprit == "gradient")
    assert_same(held(whole), before)
    assert not State(before).not_finite


@pytest.mark.fault(18)
@pytest.mark.parametrize("name", ["mlp, torch, adam", "cnn, torch"])
def test_of_seeds_stacked_only_the_one_that_diverges_is_as_before(name):
    arm = ARMS[name]
    order, lrs = np.stack([np.arange(40)] * 3), np.full(5, 0.02)
    learners = [made(arm, seed, 19).learner for seed in range(3)]
    for k in (0, 2):  # all have weights, but only one a bad row
        learners[k].weight_N[19] = 1.0
    for learner in learners:
        learner.fit(order[0, :16], 8, lrs[:2], 40)
    before = held(learners[1])
    rests = create_together("torch")(learners, order[:, 16:], 8, lrs[2:], 40)
    assert [error is None for _, error in rests] == [True, False, True]
    assert_same(held(learners[1]), before)
    for k in (0, 2):
        whole = made(arm, k).learner
        whole.fit(order[k], 8, lrs, 40)
        for n, w in whole.weights().items():
            # A bias before a BatchNorm changes its mean alone; its gradient is rounding.
            if not (n.startswith("conv") and n.endswith("bias")) and "running_mean" not in n:
                np.testing.assert_allclose(learners[k].weights()[n], w, rtol=1e-3, atol=1e-5)


@pytest.mark.fault(18)
def test_the_message_says_where_and_what_to_try():
    spec = ARMS["mlp, numpy, sgd"]
    one = made(spec, bad=19)
    *_, last = train(one, spec.train, create_orders("numpy"))
    assert isinstance(last, Diverged)
    place = r"step \d+: loss NaN \(lr 0\.02, gradient norm NaN\)"
    assert re.fullmatch(f"{place}; try train.optimizer.lr = 0.002.", str(last.error))
    assert last.error.exit_code == 6


def overflowing(epochs):
    """Return an arm whose decay makes its weights three times as large in every step."""
    decays = OptimizerSpec(name="adamw", lr=4.0, weight_decay=1.0)
    return arm(MOONS, MLPSpec(hidden=(4,)), "numpy", epochs=epochs, batch_size=None,
               optimizer=decays, loss="sigmoid", clip_norm=None)  # fmt: skip


@pytest.mark.fault(18)
def test_weights_past_the_largest_number_in_the_last_step_are_no_result(monkeypatch):
    spec = overflowing(1)
    one = made(spec)
    weights = one.learner.network.weights
    weights["w1"][:] = 2e38
    ones = {n: np.ones_like(w) for n, w in weights.items()}
    monkeypatch.setattr(one.learner.network, "loss_and_grads", lambda *_: (1.0, ones))
    with np.errstate(all="ignore"):
        *_, last = train(one, spec.train, create_orders("numpy"))
    assert str(last.error).startswith("step 1: weights are not finite (lr 4); try")


@pytest.mark.fault(20)
@pytest.mark.parametrize("first", [np.nan, np.inf])
def test_a_score_that_is_no_number_is_never_the_best(monkeypatch, first):
    spec = arm(MOONS, MLPSpec(hidden=(4,)), "numpy", patience=9, validation=0.2, epochs=4)
    one = made(spec)
    told = iter([first, 0.7, np.nan, 0.8])
    monkeypatch.setattr(
        one, "_scores", lambda split: Scores(next(told) if len(split) == 10 else 0.5, 0.5)
    )
    *_, last = train(one, spec.train, create_orders("numpy"))
    assert isinstance(last, Finished)
    assert (last.evaluation.epoch, last.evaluation.validation.loss) == (2, 0.7)


@pytest.mark.fault(20)
def test_where_no_score_is_a_number_the_last_weights_are_kept_and_patience_ends(monkeypatch):
    spec = arm(MOONS, MLPSpec(hidden=(4,)), "numpy", patience=2, validation=0.2, epochs=9)
    one = made(spec)
    monkeypatch.setattr(one, "_scores", lambda _: Scores(np.nan, np.nan))
    *_, last = train(one, spec.train, create_orders("numpy"))
    assert last.evaluation.epoch == 2
    assert_same(last.weights, one.learner.weights())


def test_an_epsilon_that_float32_does_not_know_is_refused():
    with pytest.raises(SpecError, match="eps: 1e-60 not in .1e-30"):
        OptimizerSpec(name="adam", eps=1e-60)


def test_buffers_that_are_large_are_copied_only_where_they_were_written_to():
    network = nn.Module()
    network.register_buffer("constant", torch.zeros(400, 400))
    buffers = Buffers(network)
    buffers.keep()
    copy = buffers.kept["constant"].copy
    copy[0, 0] = 7  # would be overwritten if it were copied again
    buffers.keep()
    assert copy[0, 0] == 7
    network.constant += 1
    buffers.keep()
    assert copy[0, 0] == 1

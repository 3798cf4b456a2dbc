"""A training that is taken up again, at whichever step, ends with the bits of one in one go."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from taken_up import through_a_file
from triptych.chance import stream, stream_seed
from triptych.contracts import Dataset, Split, State
from triptych.data import load
from triptych.engines import create_learner, create_orders, create_together
from triptych.spec import (
    ArmSpec,
    AugmentSpec,
    CNNSpec,
    CustomSpec,
    DigitsSpec,
    GrowthSpec,
    MLPSpec,
    OptimizerSpec,
    PalindromeSpec,
    RNNSpec,
    ScheduleSpec,
    ToySpec,
    TrainSpec,
)
from triptych.training import (
    Diverged,
    Evaluation,
    Finished,
    Job,
    Pause,
    split_rows,
    train,
    train_together,
)
from triptych.training import loop as loop_module

pytestmark = pytest.mark.usefixtures("one_thread")

MOONS = ToySpec(source="moons", n_samples=50)
DIGITS = DigitsSpec(train_limit=50, test_limit=20)
STRINGS = PalindromeSpec(length=9, shortest=3, train_size=70, test_size=21)
ADAM = OptimizerSpec(name="adam", lr=0.02)
# Epochs of 4 steps, the last shorter; evaluations every other one, and after the last.
TRAIN = TrainSpec(epochs=5, batch_size=12, eval_every=2, optimizer=ADAM)
COSINE = ScheduleSpec(name="cosine")


def arm(data, network, engine, train=TRAIN, **changes):
    return ArmSpec(data=data, network=network, engine=engine, train=replace(train, **changes))


STOPPING = {
    "patience": 2, "validation": 0.3, "eval_every": 1, "epochs": 30,
    "optimizer": OptimizerSpec(name="adam", lr=0.3),
}  # fmt: skip
DROPS = MLPSpec(hidden=(6,), dropout=0.3)
GROWS = {"growth": GrowthSpec(stages=3, every=5, gate=2.4), "clip_norm": 5.0, "epochs": 6}
VARIED = {
    "augment": AugmentSpec(flip=True, translate=1, cutout=2), "views": True, "schedule": COSINE,
    "optimizer": OptimizerSpec(name="muon", lr=0.1), "resolutions": (0.75, 1.0, 1.0),
    "batch_size": 16, "epochs": 6, "label_smoothing": 0.1,
}  # fmt: skip


class Own(nn.Module):
    """Draws, counts and shares as modules of one's own do; each of it as it is asked for."""

    def __init__(self, data, what):
        super().__init__()
        self.what = what
        self.first, self.last = nn.Linear(data.sample_shape[0], 6), nn.Linear(6, data.outputs)
        self.between = nn.Linear(6, 6)
        if what == "shared":
            self.again = nn.Linear(6, 6)
            self.again.weight = self.between.weight
        self.norm = nn.BatchNorm1d(6) if what == "BatchNorm" else nn.Identity()
        self.register_buffer("seen", torch.zeros(6), persistent=False)
        if what == "masked":
            self.register_buffer("mask", torch.full((6,), -torch.inf))
            self.register_buffer("other", torch.full((6,), -torch.inf), persistent=False)

    def forward(self, x):
        h = torch.relu(self.norm(self.first(x)))
        if self.what == "dropout":
            h = F.dropout(h, 0.3, self.training)
            h = h + 0.01 * torch.randn_like(h)  # in eval mode, too
        if self.what == "unsaved":
            if self.training:
                self.seen = 0.9 * self.seen + 0.1 * h.detach().mean(0)
            h = h - self.seen
        h = torch.tanh(self.between(h))
        return self.last(self.again(h) if self.what == "shared" else h)


OWN = {
    what: lambda data, what=what: Own(data, what)
    for what in ("dropout", "BatchNorm", "unsaved", "shared", "masked")
}
ARMS = {
    **{
        f"mlp, {engine}, {name}": arm(MOONS, DROPS, engine, schedule=COSINE,
                                      optimizer=replace(ADAM, name=name))
        for engine in ("numpy", "compiled", "torch")
        for name in ("adam", "nesterov", "rmsprop")
    },
    **{
        f"mlp, {engine}, early stopping": arm(MOONS, DROPS, engine, **STOPPING)
        for engine in ("numpy", "compiled", "torch")
    },
    "mlp, compiled, one row a step": arm(MOONS, MLPSpec(hidden=(6,)), "compiled", batch_size=1,
                                         optimizer=OptimizerSpec(lr=0.05), eval_every=1),
    "cnn, numpy": arm(DIGITS, CNNSpec(channels=(4, 4), pool_after=(1,)), "numpy"),
    "cnn, torch": arm(DIGITS, CNNSpec(channels=(4, 4), pool_after=(1,)), "torch"),
    "cnn, varied": arm(DIGITS, CNNSpec(design="whitened", channels=(8, 8), pool_after=(1,)),
                       "torch", **VARIED),
    "rnn, numpy, growing": arm(STRINGS, RNNSpec(hidden=6), "numpy", **GROWS),
    "rnn, compiled, growing": arm(STRINGS, RNNSpec(hidden=6), "compiled", **GROWS),
    "rnn, torch, growing": arm(STRINGS, RNNSpec(hidden=6), "torch", **GROWS),
    **{f"own, {what}": arm(MOONS, CustomSpec(name=what), "torch") for what in OWN},
    "lstm": arm(STRINGS, RNNSpec(hidden=4, cell="lstm", layers=2), "torch"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def step_by_step(monkeypatch):
    """Cut training into single steps, before each of which it pauses."""
    monkeypatch.setattr(loop_module, "_SECONDS_BETWEEN_PROGRESS", 0.0)


def job(arm, seed=0, change=lambda data: data):
    data = change(load(arm.data, seed))
    rows = split_rows(arm.train, data.train, stream(seed, "validation"))
    return Job(create_learner(arm, arm.engine, data, seed, "cpu", OWN), data, rows,
               stream_seed(seed, "order"))  # fmt: skip


def told(event):
    """Return what must not differ of an event: all but seconds."""
    if isinstance(event, Evaluation):
        return repr(replace(event, seconds=0.0))  # of a NaN, too
    if isinstance(event, Finished):
        weights = {name: (w.dtype, w.shape, w.tobytes()) for name, w in event.weights.items()}
        return weights, repr(replace(event.evaluation, seconds=0.0)), event.epochs
    return str(event.error) if isinstance(event, Diverged) else event


def events(one, arm):
    return train(one, arm.train, create_orders(arm.engine))


def without_pauses(found):
    return [told(e) for e in found if isinstance(e, Evaluation | Finished | Diverged)]


def states_and_rests(arm, **kw):
    """Train; return the state at every pause, and what was told after it."""
    one = job(arm, **kw)
    found, states = [], []
    for event in events(one, arm):
        if isinstance(event, Pause):
            assert one.steps == event.step
            states.append((one.state(), len(found)))
        elif isinstance(event, Evaluation | Finished | Diverged):
            found.append(told(event))
    return [(state, found[done:]) for state, done in states]


def chosen(states):
    """Return some of the pauses: the first, the last, and some within epochs and between."""
    places = {
        0,
        1,
        2,
        len(states) // 2,
        len(states) - 2,
        len(states) - 1,
        *range(3, len(states), 7),
    }
    return [states[k] for k in sorted(places)]


@pytest.mark.parametrize("arm", ARMS.values(), ids=ARMS)
def test_it_ends_with_the_same_bits_from_every_step(arm):
    states = states_and_rests(arm)
    assert len(states) > 10
    for state, rest in chosen(states):
        again = job(arm)
        again.restore(through_a_file(state))
        assert without_pauses(events(again, arm)) == rest


def test_the_studied_trainings_do_what_they_are_here_for():
    stopped = states_and_rests(ARMS["mlp, numpy, early stopping"])
    last = stopped[-1][0]
    assert last.values["waited"] == 1
    assert stopped[-1][1][-1][2] < STOPPING["epochs"]
    grown = states_and_rests(ARMS["rnn, numpy, growing"])[-1][0].values["growth"]
    assert grown["stage"] > 0


def test_seconds_go_on_from_what_they_were():
    arm = ARMS["mlp, numpy, adam"]
    one = job(arm)
    next(e for e in events(one, arm) if isinstance(e, Evaluation))
    state = through_a_file(one.state())
    again = job(arm)
    again.restore(State(state.arrays, {**state.values, "seconds": 1000.0}))
    assert 1000 < list(events(again, arm))[-1].seconds < 1001


def train_all(jobs, arm):
    """Train jobs together; return what was told of each, and their states at every pause."""
    together = create_together(arm.engine)
    together.prepare([one.learner for one in jobs], arm.train.batch_size)
    found, states = [[] for _ in jobs], []
    for k, event in train_together(jobs, arm.train, create_orders(arm.engine), together):
        if isinstance(event, Pause):
            states.append({k: one.state() for k, one in enumerate(jobs) if not one.ended})
        elif isinstance(event, Evaluation | Finished):
            found[k].append(told(event))
    return found, states


@pytest.mark.parametrize("engine", ["compiled", "torch"])
@pytest.mark.parametrize("batch_size", [1, 12])
def test_seeds_trained_together_go_on_together_or_each_alone(engine, batch_size):
    arm_ = arm(MOONS, MLPSpec(hidden=(6,)), engine, **STOPPING, batch_size=batch_size)
    whole, states = train_all([job(arm_, seed) for seed in range(3)], arm_)
    for state in states[1 :: len(states) // 4]:
        for group in (list(state), list(state)[:1]):
            jobs = [job(arm_, k) for k in group]
            for one, k in zip(jobs, group, strict=True):
                one.restore(through_a_file(state[k]))
            rests, _ = train_all(jobs, arm_)
            assert rests == [whole[k][-len(rest) :] for k, rest in zip(group, rests, strict=True)]


def test_jobs_that_stand_at_different_steps_are_not_trained_together():
    arm_ = ARMS["mlp, compiled, adam"]
    jobs = [job(arm_, seed) for seed in (0, 1)]
    jobs[1].steps = 3
    with pytest.raises(ValueError, match="as many before"):
        next(
            train_together(jobs, arm_.train, create_orders("compiled"), create_together("compiled"))
        )


@pytest.mark.parametrize("engine", ["numpy", "compiled", "torch"])
def test_what_diverges_does_so_again_and_its_state_is_that_before_the_step(engine):
    def too_far(data: Dataset) -> Dataset:
        x = data.train.x.copy()
        x[17] = 1e30  # squared, it is past float32
        return replace(data, train=Split(x, data.train.y))

    arm_ = arm(MOONS, MLPSpec(hidden=(6,)), engine, loss="squared", optimizer=OptimizerSpec())
    states = states_and_rests(arm_, change=too_far)
    assert "loss" in states[0][1][-1]
    for state, rest in states:
        again = job(arm_, change=too_far)
        again.restore(through_a_file(state))
        assert without_pauses(events(again, arm_)) == rest
    assert again.steps == states[-1][0].values["steps"]
    assert not again.state().not_finite
    for name, w in again.learner.weights().items():
        assert np.array_equal(w, states[-1][0].arrays[f"weights/{name}"])


def test_states_are_plain_and_share_nothing_with_what_goes_on():
    arm_ = ARMS["mlp, torch, early stopping"]
    one = job(arm_)
    seen = []
    for event in events(one, arm_):
        if isinstance(event, Pause):
            state = one.state()
            assert repr(json.loads(json.dumps(state.values))) == repr(state.values)  # of a NaN, too
            seen.append((state, {name: a.copy() for name, a in state.arrays.items()}))
    for state, then in seen:
        for name, array in then.items():
            assert np.array_equal(state.arrays[name], array)

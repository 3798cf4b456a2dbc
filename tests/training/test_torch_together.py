"""Seeds that are stacked end as each by itself, and no seed's bits depend on the others."""

from dataclasses import replace

import numpy as np
import pytest

from triptych.chance import stream, stream_seed
from triptych.contracts import Dataset, NonFiniteStep
from triptych.data import load
from triptych.engines import can_train_together, create_learner, create_orders, stacking
from triptych.records import StudyFolder
from triptych.runner import RunEnded, RunStarted, Setting, execute_study
from triptych.spec import (
    ArmSpec,
    AugmentSpec,
    ClaimSpec,
    CNNSpec,
    DigitsSpec,
    MLPSpec,
    OptimizerSpec,
    PalindromeSpec,
    RNNSpec,
    StudySpec,
    ToySpec,
    TrainSpec,
)
from triptych.training import Diverged, Evaluation, Finished, Job, split_rows, train, train_together
from triptych.training.torch_together import TorchTogether

pytestmark = pytest.mark.usefixtures("one_thread")
ORDERS = create_orders("torch")
MOONS = ToySpec(source="moons", n_samples=75)
PICTURES = DigitsSpec(train_limit=75, test_limit=20)


def mlp(data=MOONS, network=None, **train):
    train = {"epochs": 2, "batch_size": 16, "dtype": "float64", **train}
    return ArmSpec(
        data=data, network=MLPSpec(hidden=(20,), **(network or {})), train=TrainSpec(**train),
        engine="torch",
    )  # fmt: skip


def cnn(channels=(8, 16), **train):
    train = {"epochs": 2, "batch_size": 16, "dtype": "float64", **train}
    network = CNNSpec(channels=channels, pool_after=(1,))
    return ArmSpec(data=PICTURES, network=network, train=TrainSpec(**train), engine="torch")


def jobs(arm, seeds, change=lambda data: data):
    found = []
    for seed in seeds:
        data: Dataset = change(load(arm.data, seed))
        rows = split_rows(arm.train, data.train, stream(seed, "validation"))
        learner = create_learner(arm, "torch", data, seed, "cpu")
        found.append(Job(learner, data, rows, stream_seed(seed, "order")))
    return found


def alone(arm, seeds, **kw):
    group = jobs(arm, seeds, **kw)
    return group, [list(train(job, arm.train, ORDERS)) for job in group]


def together(arm, seeds, **kw):
    group = jobs(arm, seeds, **kw)
    events = [[] for _ in group]
    for k, event in train_together(group, arm.train, ORDERS, TorchTogether()):
        events[k].append(event)
    return group, events


def assert_close(ours, theirs, rel=1e-9):
    assert ours.keys() == theirs.keys()
    for name, w in theirs.items():
        # The bias before a BatchNorm changes nothing, and its gradient is rounding.
        if "conv" in name and name.endswith("bias"):
            continue
        scale = np.abs(w).max()
        np.testing.assert_allclose(ours[name], w, rtol=0, atol=rel * scale, err_msg=name)


def adam(**kw):
    return OptimizerSpec(name="adam", lr=0.01, **kw)


ARMS = {
    "one row a step": mlp(batch_size=1),
    "clipped, penalty": mlp(clip_norm=0.05, l2=0.1, optimizer=OptimizerSpec(name="momentum")),
    "penalty by rows": mlp(l2=1.0, l2_scale="rows", optimizer=OptimizerSpec(name="nesterov")),
    "dropout": mlp(network={"dropout": 0.4, "activation": "tanh"}, optimizer=adam()),
    "epsilon hat": mlp(optimizer=adam(epsilon_hat=True, weight_decay=0.1)),
    "adamw": mlp(optimizer=OptimizerSpec(name="adamw", weight_decay=0.1)),
    "full batch": mlp(batch_size=None, loss="squared", optimizer=OptimizerSpec(name="rmsprop")),
    "pictures as rows": mlp(data=PICTURES),
    "no hidden layer": replace(mlp(), network=MLPSpec(hidden=())),
    "cnn": cnn(clip_norm=1.0, optimizer=OptimizerSpec(name="momentum")),
    "cnn, adam": cnn(optimizer=adam(), label_smoothing=0.1),
}


@pytest.mark.parametrize("arm", ARMS.values(), ids=ARMS)
def test_each_seed_ends_as_by_itself(arm):
    one, ended = alone(arm, range(3))
    all_, ends = together(arm, range(3))
    for k in range(3):
        ours, theirs = all_[k].learner, one[k].learner
        assert_close(ours.weights(), theirs.weights())
        assert_close(ours.moments(), theirs.moments())
        assert int(ours.moments()["steps"]) == int(theirs.moments()["steps"]) > 0
        kinds = [type(e) for e in ends[k] if not isinstance(e, Evaluation | Finished)]
        found, wanted = ([e for e in e_[k] if isinstance(e, Evaluation)] for e_ in (ends, ended))
        assert [e.step for e in found] == [e.step for e in wanted]
        for e, w in zip(found, wanted, strict=True):
            assert e.test.loss == pytest.approx(w.test.loss, rel=1e-9)
            assert e.train.accuracy == w.train.accuracy
        assert Diverged not in kinds


@pytest.mark.parametrize(
    "arm",
    [
        mlp(dtype="float32", optimizer=adam()),
        mlp(batch_size=1),
        mlp(network={"activation": "tanh", "dropout": 0.2}),
        cnn(dtype="float32", optimizer=adam()),
        cnn(channels=(16, 24), optimizer=adam()),
    ],
    ids=["mlp float32", "one row", "tanh", "cnn float32", "cnn float64"],
)
def test_the_bits_of_a_seed_do_not_depend_on_which_are_stacked_with_it(arm):
    groups = [(0,), (0, 1), (1, 0), (2, 1, 0), (1, 2, 0, 3, 4)]
    found = [together(arm, seeds)[0][seeds.index(0)].learner for seeds in groups]
    for learner in found[1:]:
        for state in ("weights", "moments"):
            first, other = getattr(found[0], state)(), getattr(learner, state)()
            assert all(np.array_equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("arm", [mlp(optimizer=adam()), cnn()], ids=["mlp", "cnn"])
def test_learners_go_on_by_themselves_and_together_again(arm):
    order = np.stack([np.random.default_rng(k).permutation(60) for k in range(2)])
    lrs, later = np.full(4, 0.01), np.full(4, 0.02)
    ones = [job.learner for job in jobs(arm, range(2))]
    stacked = [job.learner for job in jobs(arm, range(2))]
    step = TorchTogether()
    for learner, rows in zip(ones, order, strict=True):
        for rates in (lrs, later, lrs):
            learner.fit(rows, 16, rates)
    step(stacked, order, 16, lrs, None)
    for learner, rows in zip(stacked, order, strict=True):
        learner.fit(rows, 16, later)
    step(stacked, order, 16, lrs, None)
    for learner, one in zip(stacked, ones, strict=True):
        assert_close(learner.weights(), one.weights())
        assert_close(learner.moments(), one.moments())


def test_row_weights_and_losses_are_each_learners_own():
    def weighted(data):
        rng = np.random.default_rng(len(data.fingerprint) + int(data.train.y.sum()))
        weight = rng.integers(0, 3, len(data.train)).astype(float)
        return replace(data, train=replace(data.train, weight=weight))

    arm = mlp(l2=0.5, l2_scale="rows")
    ones, stacked = (jobs(arm, range(2), change=weighted) for _ in range(2))
    order = np.stack([np.arange(60), np.arange(60)[::-1]])
    lrs = np.full(4, 0.1)
    found = TorchTogether()([job.learner for job in stacked], order, 16, lrs, None)
    for k, (losses, error) in enumerate(found):
        wanted = ones[k].learner.fit(order[k], 16, lrs)
        assert error is None
        np.testing.assert_allclose(losses, wanted, rtol=1e-12)
        np.testing.assert_allclose(
            stacked[k].learner.penalties, ones[k].learner.penalties, rtol=1e-12
        )
        assert_close(stacked[k].learner.weights(), ones[k].learner.weights())


@pytest.mark.fault(18)
@pytest.mark.parametrize("arm", [mlp(), mlp(optimizer=adam()), cnn()], ids=["sgd", "adam", "cnn"])
def test_a_seed_that_diverges_ends_alone(arm):
    wild = np.stack([np.arange(60), np.arange(60), np.arange(60)])
    lrs = np.full(4, 0.01)

    def broken(group):
        for k, job in enumerate(group):
            x = job.data.train.x.astype("float64")
            x[40] = np.inf if k == 1 else x[40]  # in the third of four batches
            job.learner.rebind(replace(job.data.train, x=x))
        return [job.learner for job in group]

    ones, stacked = broken(jobs(arm, range(3))), broken(jobs(arm, range(3)))
    found = TorchTogether()(stacked, wild, 16, lrs, None)
    with pytest.raises(NonFiniteStep) as raised:
        ones[1].fit(wild[1], 16, lrs)
    error = found[1][1]
    assert error is not None
    assert error.offset == raised.value.offset == 2
    assert np.isnan(error.loss) == np.isnan(raised.value.loss)
    for k in (0, 2):
        ones[k].fit(wild[k], 16, lrs)
        assert found[k][1] is None
    for learner, one in zip(stacked, ones, strict=True):
        assert_close(learner.weights(), one.weights())
        assert_close(learner.moments(), one.moments())
        assert all(np.isfinite(w).all() for n, w in learner.weights().items() if "running" not in n)


def test_seeds_stop_early_each_at_its_own_time():
    arm = mlp(epochs=60, patience=1, validation=0.3, optimizer=adam())
    ones, ended = alone(arm, range(3))
    stacked, ends = together(arm, range(3))
    epochs = [events[-1].epochs for events in ended]
    assert len(set(epochs)) > 1
    assert [events[-1].epochs for events in ends] == epochs
    for ours, theirs in zip(stacked, ones, strict=True):
        assert_close(ours.learner.weights(), theirs.learner.weights(), rel=1e-7)


@pytest.mark.fault(24)
def test_memory_that_runs_out_is_told_in_a_line(monkeypatch):
    from triptych.errors import RunError
    from triptych.training import torch_together

    def full(*_):
        raise MemoryError

    monkeypatch.setattr(torch_together, "mean_losses", full)
    arm = mlp(batch_size=16)
    with pytest.raises(RunError, match="in batches of 16 rows; try train.batch_size = 8"):
        list(train_together(jobs(arm, range(2)), arm.train, create_orders("torch"),
                            TorchTogether()))  # fmt: skip


LONG = {"epochs": 1000}


@pytest.mark.parametrize(
    ("arm", "stacks"),
    [
        (mlp(**LONG), True),
        (cnn(**LONG), True),
        (mlp(epochs=2), False),  # over at once
        (replace(mlp(**LONG), network=MLPSpec(hidden=(4000, 4000))), False),  # arithmetic
        (mlp(network={"activation": "gelu"}, **LONG), False),
        (mlp(optimizer=OptimizerSpec(name="adamw"), **LONG), True),
        (cnn(channels=(6,), **LONG), False),  # fills no registers
        (cnn(channels=(32, 32), dtype="float32", **LONG), False),  # Winograd's form
        (cnn(channels=(32, 32), **LONG), True),
        (replace(cnn(**LONG), network=CNNSpec.from_name("small")), False),
        (cnn(augment=AugmentSpec(flip=True), **LONG), False),
        (cnn(resolutions=(0.5, 1.0), **LONG), False),
        (cnn(optimizer=OptimizerSpec(name="muon"), **LONG), False),
        (ArmSpec(data=PalindromeSpec(train_size=200, test_size=20), network=RNNSpec(cell="lstm"),
                 train=TrainSpec(epochs=900, batch_size=20)), False),
    ],
)  # fmt: skip
def test_what_is_stacked(arm, stacks):
    data = load(arm.data, 0)
    assert can_train_together(arm, data, "torch", "cpu") == stacks
    assert not can_train_together(arm, data, "numpy", "cpu")
    assert not can_train_together(arm, data, "torch", "cuda")


@pytest.fixture
def any_length(monkeypatch):
    monkeypatch.setattr(stacking, "_FEWEST_STEPS", 1)


def run(study, path):
    return list(execute_study(study, StudyFolder(path), Setting()))


def test_a_study_stacks_its_torch_seeds_and_says_so(tmp_path, any_length):
    study = StudySpec(title="t", arms={"a": mlp()}, seeds=1)
    run(study, tmp_path)
    first = StudyFolder(tmp_path).run("a", 0)
    before = first.weights()
    events = run(study.with_seeds(3), tmp_path)
    # One seed alone was stacked too, so it is kept, and is what it is among others.
    assert [e.seeds for e in events if isinstance(e, RunStarted)] == [(0, 1, 2)]
    assert [e.kept for e in events if isinstance(e, RunEnded)] == [True, False, False]
    notes = StudyFolder(tmp_path).run("a", 1).read().notes
    assert any("Networks of several seeds were stacked" in note for note in notes)
    assert any("2 seeds were trained at the same time; seconds are the share" in n for n in notes)
    run(study.with_seeds(3), tmp_path / "again")
    again = StudyFolder(tmp_path / "again").run("a", 0)
    assert all(np.array_equal(w, before[name]) for name, w in again.weights().items())
    assert again.read().environment["steps"] == "of stacked seeds"


def test_an_arm_whose_seconds_are_compared_is_not_stacked_and_is_another_run(tmp_path, any_length):
    study = StudySpec(title="t", arms={"a": mlp()}, seeds=2)
    run(study, tmp_path)
    claim = ClaimSpec(says="It is quick.", tests=("a.seconds < 99",))
    events = run(replace(study, claims=(claim,)), tmp_path)
    assert [e.seeds for e in events if isinstance(e, RunStarted)] == [(0,), (1,)]
    records = [e.record for e in events if isinstance(e, RunEnded)]
    assert [e.kept for e in events if isinstance(e, RunEnded)] == [False, False]
    assert all("steps" not in r.environment and not r.notes for r in records)

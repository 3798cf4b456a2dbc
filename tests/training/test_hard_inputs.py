"""Inputs that are huge, have no variance or never end: finite, or the end that says where."""

from dataclasses import replace

import numpy as np
import pytest
from torch import nn

import triptych
from triptych.chance import stream, stream_seed
from triptych.contracts import Dataset, Split, State
from triptych.engines import create_learner, create_orders, create_together
from triptych.errors import NumericsError
from triptych.spec import (
    ArmSpec,
    CNNSpec,
    CustomSpec,
    DigitsSpec,
    MLPSpec,
    OptimizerSpec,
    PalindromeSpec,
    RNNSpec,
    ToySpec,
    TrainSpec,
    parse_study,
)
from triptych.training import (
    Diverged,
    Evaluation,
    Finished,
    Job,
    Notice,
    split_rows,
    train,
    train_together,
)

pytestmark = pytest.mark.usefixtures("one_thread")

TRAIN = TrainSpec(epochs=3, batch_size=8, optimizer=OptimizerSpec(name="adam", lr=0.01))
NETWORKS = {"rows": MLPSpec(hidden=(5,)), "pictures": CNNSpec(channels=(8,), pool_after=(1,)),
            "sequences": RNNSpec(hidden=3)}  # fmt: skip
SPECS = {"rows": ToySpec(source="moons"), "pictures": DigitsSpec(), "sequences": PalindromeSpec()}
SHAPES = {"rows": (4,), "pictures": (1, 6, 6), "sequences": (7, 2)}
OWN = {
    "rows": lambda data: nn.Sequential(
        nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, data.outputs)
    ),
}
CASES = [
    *(("rows", engine) for engine in ("numpy", "compiled", "torch", "own")),
    *(("pictures", engine) for engine in ("numpy", "torch")),
    *(("sequences", engine) for engine in ("numpy", "compiled", "torch")),
]


def dataset(kind, x):
    y = np.arange(len(x)) % 2
    split = Split(x, y)
    kinds = {"rows": "table"}
    return Dataset("hard", split, split, ("0", "1"), kinds.get(kind, kind), "f")


def job(kind, engine, data, spec=TRAIN, seed=0):
    network = CustomSpec(name=kind) if engine == "own" else NETWORKS[kind]
    engine = "torch" if engine == "own" else engine
    arm = ArmSpec(data=SPECS[kind], network=network, engine=engine, train=spec)
    rows = split_rows(spec, data.train, stream(seed, "validation"))
    learner = create_learner(arm, engine, data, seed, "cpu", OWN)
    return Job(learner, data, rows, stream_seed(seed, "order")), create_orders(engine)


def events(kind, engine, data, spec=TRAIN):
    one, orders = job(kind, engine, data, spec)
    with np.errstate(all="ignore"):
        return one, list(train(one, spec, orders))


def assert_sound(one, found):
    """Assert that a training ended with finite weights, or says where it did not."""
    last = found[-1]
    if isinstance(last, Diverged):
        assert str(last.error).startswith("step ")
        assert "; try train.optimizer.lr = " in str(last.error)
        return
    assert isinstance(last, Finished)
    assert not State(last.weights).not_finite
    assert np.isfinite(last.evaluation.test.loss)


@pytest.mark.fault(23)
@pytest.mark.parametrize(("kind", "engine"), CASES)
@pytest.mark.parametrize("values", ["1e30", "constant", "zero", "1e30 and constant"])
def test_huge_inputs_and_such_without_variance(kind, engine, values):
    x = np.random.default_rng(0).normal(size=(24, *SHAPES[kind])).astype(np.float32)
    huge, constant = x * np.float32(1e30), np.full_like(x, 7)
    mixed = np.concatenate([huge[:12], constant[:12]])
    x = {"1e30": huge, "constant": constant, "zero": 0 * x, "1e30 and constant": mixed}[values]
    one, found = events(kind, engine, dataset(kind, x))
    assert_sound(one, found)
    if "1e30" not in values:
        assert isinstance(found[-1], Finished)
    if engine == "own" and values == "1e30":  # its statistics overflow, its loss does not
        assert "weights are not finite" in str(found[-1].error)


@pytest.mark.fault(23)
@pytest.mark.parametrize("engine", ["numpy", "compiled", "torch"])
def test_sequences_of_ten_thousand_steps(engine):
    x = np.random.default_rng(0).integers(0, 3, (4, 10_000)).astype(np.int8)
    data = replace(dataset("sequences", x), symbols=3)
    spec = replace(TRAIN, epochs=1, batch_size=4)
    one, found = events("sequences", engine, data, spec)
    assert_sound(one, found)
    assert isinstance(found[-1], Finished)
    # With weights at which gradients explode.
    one, orders = job("sequences", engine, data, spec)
    one.learner.load({n: w * 30 for n, w in one.learner.weights().items()})
    with np.errstate(all="ignore"):
        assert_sound(one, list(train(one, spec, orders)))


@pytest.mark.fault(23)
@pytest.mark.parametrize("engine", ["numpy", "compiled", "torch"])
def test_a_table_of_huge_and_constant_columns_is_scaled_and_learnt(engine, tmp_path):
    rng = np.random.default_rng(0)
    a = rng.normal(size=80)
    rows = "\n".join(f"{value * 1e30:.6e},5,{'yes' if value > 0 else 'no'}" for value in a)
    (tmp_path / "t.csv").write_text(f"a,b,kind\n{rows}\n")
    text = f"""
    title = "Huge"
    seeds = 1
    [data]
    source = "table"
    path = "{tmp_path}/t.csv"
    target = "kind"
    [arm.a]
    engine = "{engine}"
    network = {{ kind = "mlp", hidden = [6] }}
    train = {{ epochs = 20, batch_size = 8, optimizer = {{ name = "adam", lr = 0.02 }} }}
    """
    result = triptych.run(parse_study(text), out=tmp_path / "s")
    (run,) = result.record.runs
    assert run.status == "finished"
    assert run.scores["test_accuracy"] > 0.8
    assert any("'b' never changes" in note for note in run.notes)


@pytest.mark.fault(23)
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("name", ["MLPClassifier", "CNNClassifier", "RNNClassifier"])
@pytest.mark.parametrize("values", [1e30, 0.0])
def test_estimators_of_such_inputs(name, values):
    x = np.random.default_rng(0).normal(size=(20, 16)) * values
    model = getattr(triptych, name)(max_iter=3, random_state=0, engine="torch")
    told = ""
    with np.errstate(all="ignore"):
        try:
            model.fit(x, np.arange(20) % 2)
        except NumericsError as error:
            told = str(error)
        assert told.startswith("step ") if told else np.isfinite(model.predict_proba(x)).all()
    assert values or not told


@pytest.mark.fault(22)
@pytest.mark.parametrize(
    ("kind", "engine"), [("pictures", "numpy"), ("pictures", "torch"), ("rows", "own")]
)
def test_a_last_batch_of_one_is_left_out_and_that_is_said_before_the_first_epoch(kind, engine):
    x = np.random.default_rng(0).normal(size=(33, *SHAPES[kind])).astype(np.float32)
    _, found = events(kind, engine, dataset(kind, x))
    assert found[0] == Notice(
        "the last batch of 1 row is left out of each epoch: BatchNorm needs 2"
    )
    assert [e.step for e in found if isinstance(e, Evaluation)] == [4, 8, 12]
    _, whole = events(kind, engine, dataset(kind, x[:32]))
    assert not any(isinstance(event, Notice) for event in whole)


@pytest.mark.fault(22)
def test_it_is_said_of_every_seed_of_those_that_are_stacked():
    x = np.random.default_rng(0).normal(size=(33, *SHAPES["pictures"])).astype(np.float32)
    jobs = [job("pictures", "torch", dataset("pictures", x), seed=seed)[0] for seed in (0, 1)]
    found = list(train_together(jobs, TRAIN, create_orders("torch"), create_together("torch")))
    assert [(k, type(event)) for k, event in found[:2]] == [(0, Notice), (1, Notice)]
    assert sum(isinstance(event, Finished) for _, event in found) == 2

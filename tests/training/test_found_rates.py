"""A learning rate that is found: by rows that no step sees, from the same first weights."""

import math
from dataclasses import replace

import numpy as np
import pytest

from triptych.contracts import Split
from triptych.data import load
from triptych.engines import create_orders
from triptych.runner.runs import create_job
from triptych.spec import (
    ArmSpec,
    BundledSpec,
    MLPSpec,
    ScheduleSpec,
    SearchSpec,
    ToySpec,
    TrainSpec,
)
from triptych.training import Finished, RateFound, find_rate, train, train_found

SEARCH = SearchSpec(low=0.001, high=1.0, rates=4, steps=20)
TRAIN = TrainSpec(
    epochs=5, batch_size=16, validation=0.25, patience=5, search=SEARCH,
    calibration="temperature", schedule=ScheduleSpec(name="one-cycle"),
)  # fmt: skip


def job_of(train_spec, engine="numpy", seed=0):
    data = load(ToySpec(source="moons", n_samples=200), 0)
    arm = ArmSpec(
        data=ToySpec(source="moons"), network=MLPSpec(hidden=(8,)), train=train_spec, engine=engine
    )
    return create_job(arm, engine, data, seed, "cpu")


@pytest.mark.parametrize("engine", ["numpy", "compiled", "torch"])
def test_the_learner_ends_a_search_as_it_began(engine, one_thread):
    job = job_of(TRAIN, engine)
    before, moments = job.learner.weights(), job.learner.moments()
    found = find_rate(job, TRAIN, create_orders(engine))
    assert found.rates == SEARCH.grid == (0.001, 0.01, 0.1, 1.0)
    assert found.best == found.rates[int(np.argmin(found.losses))]
    assert len(set(found.losses)) == 4
    for name, w in before.items():
        np.testing.assert_array_equal(job.learner.weights()[name], w)
    for name, m in moments.items():
        np.testing.assert_array_equal(job.learner.moments()[name], m)
    assert job.seconds > 0


@pytest.mark.parametrize("engine", ["numpy", "compiled", "torch"])
def test_what_is_trained_is_what_would_be_with_the_rate_that_was_found(engine, one_thread):
    orders = create_orders(engine)
    events = list(train_found(job_of(TRAIN, engine), TRAIN, orders))
    assert isinstance(events[0], RateFound)
    plain = replace(TRAIN, search=None, optimizer=replace(TRAIN.optimizer, lr=events[0].best))
    expected = list(train(job_of(plain, engine), plain, orders))[-1]
    assert isinstance(events[-1], Finished)
    for name, w in expected.weights.items():
        np.testing.assert_array_equal(events[-1].weights[name], w)


def test_the_test_rows_have_no_part_in_it():
    job, other = job_of(TRAIN), job_of(TRAIN)
    test = other.data.test
    other.data = replace(other.data, test=Split(test.x + 100, 1 - test.y))
    orders = create_orders("numpy")
    assert find_rate(job, TRAIN, orders) == find_rate(other, TRAIN, orders)


def test_a_rate_at_which_training_diverges_is_not_taken():
    data = load(BundledSpec(source="diabetes"), 0)
    spec = TrainSpec(
        epochs=2, batch_size=8, validation=0.2, patience=5, loss="squared",
        search=SearchSpec(low=0.001, high=10.0, rates=3, steps=200),
    )  # fmt: skip
    arm = ArmSpec(
        data=BundledSpec(source="diabetes"), network=MLPSpec(hidden=(50, 50)), train=spec,
        engine="numpy",
    )  # fmt: skip
    job = create_job(arm, "numpy", data, 0, "cpu")
    found = find_rate(job, spec, create_orders("numpy"))
    assert math.isinf(found.losses[-1])
    assert found.best < 10


def test_where_all_diverge_the_usual_one_is_taken():
    assert RateFound((1.0, 2.0), (math.inf, math.inf), 0.01).best == 0.01


def test_a_long_table_is_searched_on_as_many_rows_as_the_steps_take():
    spec = replace(TRAIN, search=SearchSpec(low=0.01, high=0.1, rates=2, steps=3))
    job = job_of(spec)
    seen = []
    fit = job.learner.fit
    job.learner.fit = lambda order, *rest: seen.extend(order) or fit(order, *rest)
    find_rate(job, spec, create_orders("numpy"))
    assert len(seen) == 2 * 3 * 16
    assert not set(seen) & set(job.rows.validation)


def test_the_losses_at_the_end_are_those_of_the_divided_outputs():
    job = job_of(replace(TRAIN, search=None))
    spec = replace(TRAIN, search=None)
    end = list(train(job, spec, create_orders("numpy")))[-1]
    assert end.temperature != 1.0
    assert end.undivided == pytest.approx(job.learner.evaluate(job.data.test).loss)
    divided = job.learner.outputs(job.data.test.x) / end.temperature
    z = divided - divided.max(axis=1, keepdims=True)
    losses = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), job.data.test.y]
    assert end.evaluation.test.loss == pytest.approx(losses.mean())
    assert end.evaluation.validation.loss <= job.learner.evaluate(job.validation).loss + 1e-3

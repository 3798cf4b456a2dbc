"""A learning rate that is found: by rows that no step sees, from the same first weights."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from taken_up import through_a_file
from triptych.contracts import Split
from triptych.data import load
from triptych.engines import create_orders
from triptych.runner.runs import create_job
from triptych.spec import (
    ArmSpec,
    BundledSpec,
    CustomSpec,
    MLPSpec,
    ScheduleSpec,
    SearchSpec,
    ToySpec,
    TrainSpec,
)
from triptych.training import (
    Diverged,
    Evaluation,
    Finished,
    Pause,
    RateFound,
    find_rate,
    train,
    train_found,
)
from triptych.training import loop as loop_module
from triptych.training.rates import _loss

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


def found_by(job, spec, engine="numpy"):
    assert all(isinstance(event, Pause) for event in find_rate(job, spec, create_orders(engine)))
    return job.found


@pytest.mark.parametrize("engine", ["numpy", "compiled", "torch"])
def test_the_learner_ends_a_search_as_it_began(engine, one_thread):
    job = job_of(TRAIN, engine)
    before, moments = job.learner.weights(), job.learner.moments()
    found = found_by(job, TRAIN, engine)
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
    told = train_found(job_of(TRAIN, engine), TRAIN, orders)
    events = [event for event in told if not isinstance(event, Pause)]
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
    assert found_by(job, TRAIN) == found_by(other, TRAIN)


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
    found = found_by(job, spec)
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
    found_by(job, spec)
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


def ending(job, spec, engine):
    """Train to the end; return what must not differ of it."""
    told = list(train_found(job, spec, create_orders(engine)))
    rates = [event for event in told if isinstance(event, RateFound)]
    rows = [repr(replace(event, seconds=0.0)) for event in told if isinstance(event, Evaluation)]
    weights = {name: w.tobytes() for name, w in told[-1].weights.items()}
    return rates, rows, weights, told[-1].temperature


@pytest.mark.parametrize("engine", ["numpy", "compiled", "torch"])
def test_a_search_goes_on_within_a_trial_or_between_two_to_the_same_bits(
    engine, one_thread, monkeypatch
):
    monkeypatch.setattr(loop_module, "_SECONDS_BETWEEN_PROGRESS", 0.0)
    spec = replace(TRAIN, search=replace(SEARCH, rates=3, steps=7))
    whole = ending(job_of(spec, engine), spec, engine)
    job = job_of(spec, engine)
    states, taken = [], []
    for event in train_found(job, spec, create_orders(engine)):
        if isinstance(event, Pause):
            states.append(through_a_file(job.state()))
            taken.append(job.taken)
    assert taken == sorted(set(taken))  # so that the newest checkpoint is the one of most steps
    searching = [state for state in states if "search" in state.values]
    ended = [len(state.values["search"]["losses"]) for state in searching]
    assert set(ended) == {0, 1, 2}
    a_trial = ended.count(0)
    for place in (0, 1, a_trial - 1, a_trial, a_trial + 2, len(searching) - 1, len(searching)):
        again = job_of(spec, engine)
        again.restore(states[place])
        assert again.taken == taken[place]
        # One that waits while others are trained is kept, too.
        waited = job_of(spec, engine)
        waited.restore(through_a_file(again.state()))
        steps = counted(waited, monkeypatch)
        assert ending(waited, spec, engine) == whole
        assert sum(steps) == taken[-1] - taken[place] + 1  # nothing was done twice


def counted(job, monkeypatch):
    """Return a list that gets the count of steps whenever the learner takes some."""
    steps, fit = [], job.learner.fit
    monkeypatch.setattr(
        job.learner, "fit", lambda order, size, lrs, *rest: steps.append(len(lrs)) or fit(
            order, size, lrs, *rest)
    )  # fmt: skip
    return steps


def test_a_mask_of_infinities_is_expected_within_a_search_too(one_thread, monkeypatch):
    monkeypatch.setattr(loop_module, "_SECONDS_BETWEEN_PROGRESS", 0.0)

    def masked(data):
        network = torch.nn.Linear(data.sample_shape[0], data.outputs)
        network.register_buffer("mask", torch.full((3,), -torch.inf))
        return network

    source = ToySpec(source="moons", n_samples=200)
    arm = ArmSpec(data=source, network=CustomSpec(name="masked"), train=TRAIN, engine="torch")
    job = create_job(arm, "torch", load(source, 0), 0, "cpu", {"masked": masked})
    found = set()
    for event in find_rate(job, TRAIN, create_orders("torch")):
        if isinstance(event, Pause):
            found |= job.state().not_finite
            assert job.state().not_finite <= job.unbounded
    assert "search/trial/weights/mask" in found


def test_a_trial_that_diverges_after_an_evaluation_is_the_worst(one_thread):
    spec = replace(TRAIN, search=None)
    events = train(job_of(spec), spec, create_orders("numpy"))
    evaluation = next(event for event in events if isinstance(event, Evaluation))
    trial = _loss(iter([evaluation, Diverged.in_the_end(1, spec, 0.1)]))
    with pytest.raises(StopIteration) as ended:
        next(trial)
    assert ended.value.value == math.inf
    with pytest.raises(StopIteration) as ended:
        next(_loss(iter([evaluation])))
    assert ended.value.value == evaluation.validation.loss


def test_a_search_that_is_under_way_says_how_far_it_is(monkeypatch):
    monkeypatch.setattr(loop_module, "_SECONDS_BETWEEN_PROGRESS", 0.0)
    job = job_of(TRAIN)
    assert job.place == "step 0"
    pauses = find_rate(job, TRAIN, create_orders("numpy"))
    for _ in range(26):
        next(pauses)
    assert (job.taken, job.place) == (25, "step 25 of its search for a learning rate")

"""The compiled recurrent network has the losses, gradients and outputs of the NumPy one."""

from dataclasses import replace

import numpy as np
import pytest

from triptych.contracts import NonFiniteStep, Split
from triptych.engines.learners import create_rnn
from triptych.errors import SpecError
from triptych.models.compiled import ElmanPlan, caching
from triptych.models.compiled.elman_steps import make_advance, make_elman_steps
from triptych.models.initial import rnn_weights
from triptych.models.rnn_numpy import RNNNumpy
from triptych.spec import OptimizerSpec, RNNSpec, TrainSpec
from triptych.training import CompiledTogether

# Symbols or features, units, classes, rows, steps: one row, uneven blocks, more than one panel.
SHAPES = [(3, 5, 2, 1, 7), (13, 40, 4, 23, 9), (10, 64, 10, 32, 12)]


def weights_of(spec, inputs, classes, dtype="float64"):
    drawn = rnn_weights(spec, inputs, classes, np.random.default_rng(1))
    return {name: w.astype(dtype) for name, w in drawn.items()}


def sequences(kind, rows, steps, inputs, seed=2):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, steps, rows)
    lengths[0] = steps
    past = np.arange(steps) >= lengths[:, None]
    if kind == "vectors":
        x = rng.normal(size=(rows, steps, inputs))
        x[past] = np.nan
        return x
    x = rng.integers(0, inputs, (rows, steps))
    return x.astype(np.uint8) if kind == "symbols" else np.where(past, -1, x).astype(np.int8)


def plan_for(shape, optimizer="sgd", dtype="float64", output="logits", **options):
    return ElmanPlan(
        sizes=shape[:3], output=output, optimizer=OptimizerSpec(name=optimizer), dtype=dtype,
        **options,
    )  # fmt: skip


def pairs(weights):
    arrays = list(weights.values())
    return list(zip(arrays[::2], arrays[1::2], strict=True))


def copied(weights):
    return {name: w.copy() for name, w in weights.items()}


def task(shape, kind, dtype="float64", output="logits"):
    inputs, hidden, classes, rows, steps = shape
    spec = RNNSpec(hidden=hidden, output=output)
    weights = weights_of(spec, inputs, classes, dtype)
    x = sequences(kind, rows, steps, inputs)
    y = np.random.default_rng(3).integers(0, classes, rows)
    return spec, weights, x.astype(dtype) if x.ndim == 3 else x, y


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["symbols", "padded", "vectors"])
@pytest.mark.parametrize("output", ["logits", "softmax"])
@pytest.mark.parametrize("weighted", [False, True])
def test_losses_gradients_and_outputs_are_numpys(shape, kind, output, weighted):
    spec, weights, x, y = task(shape, kind, output=output)
    weight = np.random.default_rng(4).uniform(0, 2, len(y)) if weighted else None
    network = RNNNumpy(spec, copied(weights))
    loss, grads = network.loss_and_grads(x, y, weight)

    plan = plan_for(shape, output=output)
    np.testing.assert_allclose(
        plan.outputs(pairs(weights), x), network.outputs(x), rtol=1e-12, atol=1e-14
    )
    stepped = copied(weights)
    losses, bad = plan.fit(
        pairs(stepped), plan.new_state(), plan.rows(x, y, weight), np.arange(len(y)), len(y),
        np.ones(1),
    )  # fmt: skip
    assert bad is None
    assert losses[0] == pytest.approx(loss, rel=1e-12)
    for name, g in grads.items():
        np.testing.assert_allclose(
            weights[name] - stepped[name], g, rtol=1e-9, atol=1e-14, err_msg=name
        )


def test_float32_agrees_to_rounding():
    spec, weights, x, y = task(SHAPES[1], "padded", "float32")
    loss, grads = RNNNumpy(spec, copied(weights)).loss_and_grads(x, y)
    plan, stepped = plan_for(SHAPES[1], dtype="float32"), copied(weights)
    losses, _ = plan.fit(
        pairs(stepped), plan.new_state(), plan.rows(x, y), np.arange(len(y)), len(y), np.ones(1)
    )
    assert losses[0] == pytest.approx(loss, rel=1e-5)
    for name, g in grads.items():
        np.testing.assert_allclose(weights[name] - stepped[name], g, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
@pytest.mark.parametrize("kind", ["padded", "vectors"])
@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_learners_have_the_same_weights_after_twenty_steps(optimizer, kind, l2):
    spec, weights, x, y = task(SHAPES[1], kind, output="softmax")
    weight = np.random.default_rng(4).uniform(0, 2, len(y))
    train = TrainSpec(
        optimizer=OptimizerSpec(name=optimizer), clip_norm=0.05, l2=l2, batch_size=7,
        dtype="float64",
    )  # fmt: skip
    split = Split(x, y, weight)
    numpy, compiled = (create_rnn(spec, train, e, weights, split) for e in ("numpy", "compiled"))
    rng = np.random.default_rng(5)
    order = np.concatenate([rng.permutation(len(y)) for _ in range(5)])
    losses = [one.fit(order, 7, np.full(20, 0.01), len(y)) for one in (numpy, compiled)]
    np.testing.assert_allclose(*losses, rtol=1e-10)
    np.testing.assert_allclose(numpy.penalties, compiled.penalties, rtol=1e-10)
    for name, w in numpy.weights().items():
        np.testing.assert_allclose(compiled.weights()[name], w, rtol=0, atol=1e-9, err_msg=name)
    scores, reference = compiled.evaluate(split), numpy.evaluate(split)
    assert scores.loss == pytest.approx(reference.loss, rel=1e-8)
    assert scores.accuracy == reference.accuracy
    for name, moment in compiled.moments().items():
        assert moment.shape == (() if name == "steps" else weights[name.split("/")[1]].shape)


@pytest.mark.fault(10)
@pytest.mark.parametrize("kind", ["padded", "vectors"])
def test_padding_changes_no_bit(kind):
    shape = SHAPES[1]
    _, weights, x, y = task(shape, kind)
    more = np.full((len(x), 20, *x.shape[2:]), -1 if kind == "padded" else np.nan, x.dtype)
    plan, found = plan_for(shape, "adam"), []
    for given in (x, np.concatenate([x, more], axis=1)):
        stepped = copied(weights)
        losses, _ = plan.fit(
            pairs(stepped), plan.new_state(), plan.rows(given, y), np.arange(len(y)), 6,
            np.full(4, 0.01),
        )  # fmt: skip
        found.append([losses, plan.outputs(pairs(stepped), given), *stepped.values()])
    for first, second in zip(*found, strict=True):
        assert np.array_equal(first, second)


def test_long_sequences_are_evaluated_in_pieces(monkeypatch):
    _, weights, x, _ = task(SHAPES[1], "padded")
    plan = plan_for(SHAPES[1])
    whole = plan.outputs(pairs(weights), x)
    monkeypatch.setattr("triptych.models.compiled.elman._AT_ONCE", 4 * len(x))
    assert np.array_equal(plan.outputs(pairs(weights), x), whole)
    monkeypatch.setattr("triptych.models.compiled.elman._ROWS_AT_ONCE", 5)
    np.testing.assert_allclose(plan.outputs(pairs(weights), x), whole, rtol=1e-12, atol=1e-15)
    assert plan.outputs(pairs(weights), x[:0]).shape == (0, 4)


def test_one_call_equals_many_bit_for_bit():
    shape = SHAPES[1]
    _, weights, x, y = task(shape, "padded")
    plan = plan_for(shape, "adam", clip_norm=0.05)
    rows, lrs = plan.rows(x, y), np.linspace(0.01, 0.001, 8)
    order = np.concatenate([np.random.default_rng(s).permutation(len(y)) for s in (1, 2)])
    whole, pieces = copied(weights), copied(weights)
    state = plan.new_state()
    losses, _ = plan.fit(pairs(whole), state, rows, order, 6, lrs, epoch=len(y))
    other, parts = plan.new_state(), []
    for s, places in enumerate(
        np.split(order, [6, 12, 18, 23, 29, 35, 41])  # the last batch of an epoch has 5 rows
    ):
        one, _ = plan.fit(pairs(pieces), other, rows, places, 6, lrs[s : s + 1], first_step=s)
        parts.append(one[0])
    assert np.array_equal(losses, parts)
    for name, w in whole.items():
        assert np.array_equal(w, pieces[name])
    assert np.array_equal(state.second, other.second)


def test_learners_together_end_with_the_bits_of_each_alone():
    spec, _, x, y = task(SHAPES[1], "padded")
    train = TrainSpec(optimizer=OptimizerSpec(name="adam"), dtype="float64")
    drawn = [rnn_weights(spec, 13, 4, np.random.default_rng(seed)) for seed in (1, 2)]
    alone, group = ([create_rnn(spec, train, "compiled", w, Split(x, y)) for w in drawn]
                    for _ in range(2))  # fmt: skip
    orders = np.stack([np.random.default_rng(seed).permutation(len(y)) for seed in (1, 2)])
    together, lrs = CompiledTogether(2), np.full(4, 0.01)
    together.prepare(group, 6)
    found = together(group, orders, 6, lrs, None)
    for k, one in enumerate(alone):
        assert np.array_equal(one.fit(orders[k], 6, lrs), found[k][0])
        for name, w in one.weights().items():
            assert np.array_equal(w, group[k].weights()[name])


@pytest.mark.fault(19)
def test_it_stops_before_a_step_that_is_not_finite():
    spec, weights, x, y = task(SHAPES[1], "vectors")
    x[0, 0, 1] = np.inf  # row 0 has all its steps
    train = TrainSpec(optimizer=OptimizerSpec(name="sgd", lr=0.1), dtype="float64")
    learner = create_rnn(spec, train, "compiled", weights, Split(x, y))
    reference = create_rnn(spec, train, "compiled", weights, Split(x, y))
    order = np.array([1, 2, 3, 4, 0, 5])
    reference.fit(order[:4], 2, np.full(2, 0.1))
    with pytest.raises(NonFiniteStep) as stop:
        learner.fit(order, 2, np.full(3, 0.1))
    assert stop.value.offset == 2
    assert learner.steps == 2
    for name, w in reference.weights().items():
        assert np.array_equal(learner.weights()[name], w)


def test_what_is_not_there_is_refused():
    shape = SHAPES[0]
    spec, weights, x, y = task((*shape[:3], 4, 7), "symbols")
    plan = plan_for(shape)
    rows = plan.rows(x, y)
    for order in ([0, 4], [-1, 0]):
        with pytest.raises(IndexError, match="order must name rows 0 to 3"):
            plan.fit(pairs(weights), plan.new_state(), rows, np.array(order), 2, np.ones(1))
    with pytest.raises(ValueError, match="one learning rate per batch"):
        plan.fit(pairs(weights), plan.new_state(), rows, np.arange(4), 2, np.ones(1))
    with pytest.raises(ValueError, match="classes must lie in 0 to 1"):
        plan.rows(x, y + 2)
    with pytest.raises(ValueError, match="symbols must lie in 0 to 2"):
        plan.rows(x + 1, y)
    with pytest.raises(ValueError, match="up to the end of a sequence"):
        plan.rows(np.array([[0, -1, 2]]), y[:1])
    with pytest.raises(ValueError, match="must have 3 features, got 2"):
        plan.rows(np.zeros((4, 7, 2)), y)
    with pytest.raises(SpecError, match="one Elman layer"):
        create_rnn(replace(spec, layers=2), TrainSpec(), "compiled", weights, Split(x, y))


def test_kernels_on_disk_depend_on_all_sources():
    for made in (make_elman_steps(), make_advance()):
        function = made.py_func
        captured = dict(zip(function.__code__.co_freevars, function.__closure__, strict=True))
        assert captured["source"].cell_contents == caching.SOURCE

"""The NumPy CNN: its layers against finite differences and PyTorch, the whole against its twin."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from triptych.contracts import NonFiniteStep, Split, Standardization
from triptych.models import CNNNumpy, create_torch
from triptych.models.cnn_layers_numpy import (
    batch_norm,
    conv2d,
    fixed_norm,
    max_pool,
    mean_pixels,
    track,
)
from triptych.models.initial import cnn_weights
from triptych.models.losses_numpy import shares
from triptych.spec import CNNSpec, OptimizerSpec, TrainSpec
from triptych.training import NumpyLearner
from triptych.training.torch_learner import TorchLearner

SPEC = CNNSpec(channels=(4, 6, 5), pool_after=(1, 3))
side = st.integers(1, 6)
few = st.integers(1, 3)
WINDOWS = [(3, 2, 1), (2, 2, 0), (3, 1, 1), (1, 2, 0), (5, 3, 2)]
seeds = st.integers(0, 2**32 - 1)


def pictures(rng, *shape):
    """Return values of which no two are near each other, so that no step changes a maximum."""
    size = int(np.prod(shape))
    return (rng.permutation(size) / size).reshape(shape) * 4 - 2


def assert_slopes(function, arguments, rng):
    """Compare a layer's backward with differences of its forward, along a direction each."""
    y, backward = function(*arguments)
    dy = rng.normal(size=y.shape)
    found = backward(dy)
    for k, slope in enumerate(found if isinstance(found, tuple) else (found,)):
        assert slope.shape == arguments[k].shape
        direction = rng.normal(size=slope.shape)
        ends = [
            function(*(a + s * direction if i == k else a for i, a in enumerate(arguments)))[0]
            for s in (1e-6, -1e-6)
        ]
        expected = float(np.vdot(dy, ends[0] - ends[1])) / 2e-6
        assert float(np.vdot(slope, direction)) == pytest.approx(expected, rel=1e-5, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(few, few, few, side, side, st.sampled_from([1, 3, 5]), seeds)
def test_the_slopes_of_a_convolution_are_those_of_its_output(b, c, o, h, w, k, seed):
    rng = np.random.default_rng(seed)
    arguments = (rng.normal(size=(b, c, h, w)), rng.normal(size=(o, c, k, k)), rng.normal(size=o))
    assert_slopes(conv2d, arguments, rng)
    expected = F.conv2d(*map(torch.from_numpy, arguments), padding=k // 2)
    np.testing.assert_allclose(conv2d(*arguments)[0], expected.numpy(), rtol=1e-9, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 4), few, side, side, seeds)
def test_the_slopes_of_batch_norm_are_those_of_its_output(b, c, h, w, seed):
    rng = np.random.default_rng(seed)
    x = pictures(rng, b, c, h, w)
    assert_slopes(batch_norm, (x, rng.normal(size=c), rng.normal(size=c)), rng)


@settings(max_examples=60, deadline=None)
@given(few, few, side, side, st.sampled_from(WINDOWS), seeds)
def test_the_slopes_of_a_pool_are_those_of_its_output(b, c, h, w, window, seed):
    size, _, padding = window
    if min(h, w) + 2 * padding < size:
        h = w = size
    rng = np.random.default_rng(seed)
    x = pictures(rng, b, c, h, w)
    assert_slopes(lambda x: max_pool(x, *window), (x,), rng)
    expected = F.max_pool2d(torch.from_numpy(x), *window)
    assert np.array_equal(max_pool(x, *window)[0], expected.numpy())


def test_the_mean_of_the_pixels_shares_its_gradient_out():
    rng = np.random.default_rng(0)
    assert_slopes(mean_pixels, (rng.normal(size=(2, 3, 4, 5)),), rng)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("window", [(3, 2, 1), (3, 1, 1), (2, 2, 0)])
def test_of_equal_values_the_first_one_gets_the_gradient_as_in_torch(window, layout):
    rng = np.random.default_rng(1)
    x = rng.integers(0, 2, (3, 4, 7, 6)).astype(np.float64)
    y, backward = max_pool(x, *window)
    theirs = torch.from_numpy(x).contiguous(memory_format=layout).requires_grad_()
    twin = F.max_pool2d(theirs, *window)
    dy = rng.normal(size=y.shape)
    twin.backward(torch.from_numpy(dy))
    np.testing.assert_allclose(backward(dy), theirs.grad.numpy(), rtol=0, atol=1e-14)
    all_alike, backward = max_pool(np.zeros((1, 1, 3, 3)), 3, 2, 1)
    assert backward(np.ones_like(all_alike))[0, 0].tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_the_running_statistics_are_torchs():
    rng = np.random.default_rng(2)
    norm = torch.nn.BatchNorm2d(3, dtype=torch.float64)
    mean, var = np.zeros(3), np.ones(3)
    for _ in range(4):
        x = rng.normal(2, 3, size=(2, 3, 2, 1))
        track(x, mean, var)
        norm(torch.from_numpy(x))
    np.testing.assert_allclose(mean, norm.running_mean.numpy(), rtol=1e-12)
    np.testing.assert_allclose(var, norm.running_var.numpy(), rtol=1e-12)
    w, b = rng.normal(size=3), rng.normal(size=3)
    with torch.no_grad():
        norm.weight.copy_(torch.from_numpy(w))
        norm.bias.copy_(torch.from_numpy(b))
        expected = norm.eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(fixed_norm(x, w, b, mean, var), expected, rtol=1e-12)


def twins(spec=SPEC, dtype="float64", channels=2):
    """Return both networks with the same weights, of which no statistic is 0 or 1."""
    rng = np.random.default_rng(3)
    weights = cnn_weights(spec, channels, 3, rng)
    for name, w in weights.items():
        if "norm" in name:
            w += rng.uniform(0.1, 0.5, w.shape)
    weights = {name: w.astype(dtype) for name, w in weights.items()}
    # PyTorch's copies too, of what it is handed.
    return CNNNumpy(spec, {n: w.copy() for n, w in weights.items()}), create_torch(spec, weights)


X = pictures(np.random.default_rng(4), 6, 2, 7, 5)
Y = np.array([0, 1, 2, 2, 1, 0])


def test_outputs_are_the_torch_twins_in_eval_mode():
    ours, theirs = twins()
    before = {name: w.copy() for name, w in ours.weights.items()}
    expected = theirs.eval()(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(ours.outputs(X), expected, rtol=1e-9, atol=1e-12)
    assert all(np.array_equal(w, before[name]) for name, w in ours.weights.items())


@pytest.mark.parametrize("weight", [None, np.array([1.0, 2, 0, 1, 3, 0.5])])
def test_loss_gradients_and_statistics_are_the_torch_twins_in_train_mode(weight):
    ours, theirs = twins()
    loss, grads = ours.loss_and_grads(X, Y, weight)
    logits = theirs.train()(torch.from_numpy(X))
    each = F.cross_entropy(logits, torch.from_numpy(Y), reduction="none")
    twin_loss = each @ torch.from_numpy(shares(6, weight, np.dtype("float64")))
    twin_loss.backward()
    assert loss == pytest.approx(twin_loss.item(), rel=1e-12)
    twin_grads = {name: p.grad.numpy() for name, p in theirs.named_parameters()}
    assert list(grads) == list(twin_grads)
    for name, g in grads.items():
        np.testing.assert_allclose(g, twin_grads[name], rtol=1e-9, atol=1e-12, err_msg=name)
    state = theirs.state_dict()
    assert list(state) == list(ours.weights)
    for name, w in ours.weights.items():
        np.testing.assert_allclose(w, state[name].numpy(), rtol=1e-12, err_msg=name)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 4), st.lists(few, min_size=1, max_size=3), side, side, seeds)
def test_the_gradients_are_the_slopes_of_the_loss(batch, channels, h, w, seed):
    rng = np.random.default_rng(seed)
    spec = CNNSpec(channels=tuple(channels), pool_after=(1,))
    network = CNNNumpy.create(spec, 2, 3, rng)
    for name in [name for name in network.weights if name.endswith(".bias")]:
        # Far from a ReLU's corner, of which a step to either side has half.
        network.weights[name] += 5 if "norm" in name else 0
    x, y = pictures(rng, batch, 2, h, w), rng.integers(0, 3, batch)
    _, grads = network.loss_and_grads(x, y)
    assert list(grads) == list(network.trainable)
    for name, w_ in network.trainable.items():
        direction = rng.normal(size=w_.shape)
        losses = []
        for s in (1e-6, -2e-6):
            w_ += s * direction
            losses.append(network.loss_and_grads(x, y)[0])
        w_ += 1e-6 * direction
        slope = float(np.vdot(grads[name], direction))
        assert (losses[0] - losses[1]) / 2e-6 == pytest.approx(slope, rel=1e-3, abs=1e-5)


def learners(optimizer="sgd", dtype="float64", **train):
    rng = np.random.default_rng(5)
    split = Split(rng.integers(0, 17, (40, 2, 7, 5)).astype(np.uint8), rng.integers(0, 3, 40))
    lr = 0.001 if optimizer == "adam" else 0.05
    spec = TrainSpec(optimizer=OptimizerSpec(name=optimizer, lr=lr), dtype=dtype, **train)
    scale = Standardization(np.full((2, 1, 1), 8.0), np.full((2, 1, 1), 5.0))
    ours, theirs = twins(dtype=dtype)
    return NumpyLearner(ours, split, spec, scale), TorchLearner(theirs, split, spec, scale), split


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_all_weights_and_statistics_agree_after_20_steps(optimizer):
    *pair, split = learners(optimizer, l2=0.01, clip_norm=0.7)
    order = np.tile(np.arange(40), 4)
    losses = [learner.fit(order, 8, np.full(20, learner.spec.optimizer.lr)) for learner in pair]
    np.testing.assert_allclose(*losses, rtol=1e-10)
    np.testing.assert_allclose(pair[0].penalties, pair[1].penalties, rtol=1e-10)
    ours, theirs = (learner.weights() for learner in pair)
    assert list(ours) == list(theirs)
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=0, atol=1e-9, err_msg=name)
    assert pair[0].evaluate(split).loss == pytest.approx(pair[1].evaluate(split).loss, abs=1e-9)
    assert pair[0].moments().keys() == pair[1].moments().keys()


def test_a_step_of_no_length_moves_the_statistics_alone():
    learner, *_ = learners("adamw", l2=0.1)
    before = learner.weights()
    learner.fit(np.arange(40), 8, np.zeros(5))
    moved = {name for name, w in learner.weights().items() if not np.array_equal(w, before[name])}
    assert moved == {f"norm{k}.running_{what}" for k in (1, 2, 3) for what in ("mean", "var")}
    assert not any("running" in name for name in learner.moments())


def test_training_goes_on_from_weights_and_moments_as_if_it_had_not_stopped():
    whole, *_ = learners("adam")
    whole.fit(np.arange(40), 8, np.full(5, 0.01))
    halted, *_ = learners("adam")
    halted.fit(np.arange(24), 8, np.full(3, 0.01))
    second, *_ = learners("adam")
    second.load(halted.weights())
    second.load_moments(halted.moments())
    second.fit(np.arange(24, 40), 8, np.full(2, 0.01))
    again = second.weights()
    assert all(np.array_equal(w, again[name]) for name, w in whole.weights().items())


def test_a_step_that_is_not_finite_changes_nothing():
    learner, *_ = learners()
    learner.network.weights["head.weight"][0, 0] = np.inf
    before = learner.weights()
    with pytest.raises(NonFiniteStep):
        learner.fit(np.arange(8), 8, np.full(1, 0.1))
    assert all(np.array_equal(w, before[name]) for name, w in learner.weights().items())


def test_pictures_stay_as_they_are_and_batches_become_inputs():
    learner, twin, split = learners(dtype="float32")
    assert learner.x_N is split.x
    assert learner.min_batch == twin.min_batch == 2
    out = learner.outputs(split.x)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, twin.outputs(split.x), rtol=1e-3, atol=1e-5)
    assert all(w.dtype == np.float32 for w in learner.weights().values())
    learner.fit(np.arange(40), 8, np.full(5, 0.01))
    assert all(w.dtype == np.float32 for w in learner.weights().values())
    assert learner.outputs(split.x[:0]).shape == (0, 3)

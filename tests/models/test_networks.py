"""Gradients, twins, parameter counts and FLOPs."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from triptych.contracts import Dataset, Split
from triptych.models import MLPNumpy, cost, create_torch, initial_weights
from triptych.spec import CNNSpec, MLPSpec, RNNSpec


def empty(shape, classes, kind="table"):
    split = Split(np.zeros((1, *shape)), np.zeros(1, dtype=np.int64))
    return Dataset("none", split, split, tuple(map(str, range(classes))), kind, "")


NETWORKS = [
    (MLPSpec(hidden=(20,)), (2,), 2, 2 * 20 + 20 + 20 * 2 + 2),
    (MLPSpec(hidden=(100, 50)), (3, 32, 32), 10, 307_300 + 5_050 + 510),
    (CNNSpec(), (3, 32, 32), 10, None),
    (CNNSpec(channels=(4, 6), pool_after=(1,)), (1, 9, 7), 3, None),
    (RNNSpec(hidden=128), (4,), 10, 10 * 128 + 128 + 128 * 128 + 128 + 128 * 10 + 10),
]


def paper_cnn_parameters():
    """Count the paper's network, written out as its listing has it."""
    total, channels = 0, 3
    for out in (64, 128, 256, 256, 512, 512, 512, 512):
        total += channels * out * 9 + out + 2 * out
        channels = out
    return total + 512 * 10 + 10


@pytest.mark.parametrize(("spec", "shape", "classes", "parameters"), NETWORKS)
def test_parameters_and_flops_are_those_of_the_real_network(spec, shape, classes, parameters):
    data = empty(shape, classes)
    weights = {
        k: w.astype("float32")
        for k, w in initial_weights(spec, data, np.random.default_rng(0)).items()
    }
    network = create_torch(spec, weights, 0).eval()
    found = cost(spec, shape, classes)
    assert found.parameters == sum(p.numel() for p in network.parameters())
    x = torch.zeros(2, *shape)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(x.to(torch.uint8) if isinstance(spec, RNNSpec) else x)
    assert found.flops * 2 == counter.get_total_flops()
    if parameters is not None:
        assert found.parameters == parameters


def test_the_default_cnn_is_the_papers():
    assert cost(CNNSpec(), (3, 32, 32), 10).parameters == paper_cnn_parameters()


def test_the_cnn_matches_the_papers_listing_layer_by_layer():
    spec = CNNSpec(channels=(4, 6, 8, 8), pool_after=(1, 2, 4))
    weights = initial_weights(spec, empty((3, 8, 8), 5), np.random.default_rng(1))
    network = create_torch(spec, weights, 0)
    x = torch.randn(3, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    out = x
    for k in range(1, 5):
        w, b = (torch.from_numpy(weights[f"conv{k}.{n}"]) for n in ("weight", "bias"))
        out = F.conv2d(out, w, b, stride=1, padding=1)
        out = F.relu(F.batch_norm(out, None, None, training=True))
        if k in spec.pool_after:
            out = F.max_pool2d(out, 3, 2, 1)
    head = (torch.from_numpy(weights[f"head.{n}"]) for n in ("weight", "bias"))
    expected = F.linear(out.view(3, -1), *head)
    torch.testing.assert_close(network.train()(x), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("output", ["logits", "softmax"])
def test_the_rnn_follows_its_equations(output):
    spec = RNNSpec(hidden=7, output=output)
    weights = initial_weights(spec, empty((6,), 10), np.random.default_rng(2))
    x = np.random.default_rng(3).integers(0, 10, (5, 6)).astype(np.uint8)
    h = np.zeros((5, 7))
    for t in range(6):
        one_hot = np.eye(10)[x[:, t]]
        h = np.tanh(one_hot @ weights["wx"] + weights["bx"] + h @ weights["wh"] + weights["bh"])
    y = h @ weights["wy"] + weights["by"]
    if output == "softmax":
        y = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
    found = create_torch(spec, weights, 0)(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, y, rtol=1e-12)


shapes = st.tuples(
    st.integers(1, 4), st.lists(st.integers(1, 5), min_size=1, max_size=3), st.integers(2, 4)
)


@settings(max_examples=25, deadline=None)
@given(shapes, st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_the_numpy_gradients_are_the_slopes_of_the_loss(shape, batch, seed):
    inputs, hidden, classes = shape
    rng = np.random.default_rng(seed)
    network = MLPNumpy.create(MLPSpec(hidden=tuple(hidden)), inputs, classes, rng)
    x, y = rng.normal(size=(batch, inputs)), rng.integers(0, classes, batch)
    _, grads = network.loss_and_grads(x, y)
    for name, w in network.weights.items():
        direction = rng.normal(size=w.shape)
        step = 1e-6
        w += step * direction
        above, _ = network.loss_and_grads(x, y)
        w -= 2 * step * direction
        below, _ = network.loss_and_grads(x, y)
        w += step * direction
        # A ReLU's corner inside the step bends the difference; hence the absolute term.
        slope = float(np.vdot(grads[name], direction))
        assert (above - below) / (2 * step) == pytest.approx(slope, rel=1e-4, abs=2e-5)


@settings(max_examples=25, deadline=None)
@given(shapes, st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_the_torch_twin_has_the_same_loss_and_gradients(shape, batch, seed):
    inputs, hidden, classes = shape
    rng = np.random.default_rng(seed)
    spec = MLPSpec(hidden=tuple(hidden))
    network = MLPNumpy.create(spec, inputs, classes, rng)
    twin = create_torch(spec, network.weights, 0)
    x, y = rng.normal(size=(batch, inputs)), rng.integers(0, classes, batch)
    loss, grads = network.loss_and_grads(x, y)
    twin_loss = F.cross_entropy(twin(torch.from_numpy(x)), torch.from_numpy(y))
    twin_loss.backward()
    assert loss == pytest.approx(float(twin_loss.detach()), rel=1e-10)
    for name, g in grads.items():
        twin_grad = twin.get_parameter(name).grad.numpy()
        np.testing.assert_allclose(g, twin_grad, rtol=1e-9, atol=1e-12)


def test_dropout_gradients_are_those_of_the_masked_network():
    rng = np.random.default_rng(0)
    network = MLPNumpy.create(MLPSpec(hidden=(6, 5), dropout=0.4), 3, 2, rng)
    x, y = rng.normal(size=(7, 3)), rng.integers(0, 2, 7)
    _, grads = network.loss_and_grads(x, y, np.random.default_rng(9))
    for name, w in network.weights.items():
        direction = rng.normal(size=w.shape)
        losses = []
        for step in (1e-6, -2e-6):
            w += step * direction
            losses.append(network.loss_and_grads(x, y, np.random.default_rng(9))[0])
        w += 1e-6 * direction
        slope = (losses[0] - losses[1]) / 2e-6
        assert slope == pytest.approx(float(np.vdot(grads[name], direction)), rel=1e-4, abs=1e-6)


def test_dropout_keeps_the_mean_and_rests_in_eval_mode():
    spec = MLPSpec(hidden=(2000,), dropout=0.5)
    weights = initial_weights(spec, empty((1,), 2), np.random.default_rng(0))
    network = create_torch(spec, weights, 3)
    dropped = network.train().dropout(torch.ones(1, 100_000))
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.02)
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    x = torch.ones(1, 1, dtype=torch.float64)
    assert torch.equal(network.eval()(x), network(x))


def test_dropout_masks_depend_on_their_seed_alone():
    spec = MLPSpec(hidden=(50,), dropout=0.5)
    weights = initial_weights(spec, empty((3,), 2), np.random.default_rng(0))
    x = torch.ones(4, 3, dtype=torch.float64)
    first, again, other = (create_torch(spec, weights, seed).train()(x) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    with pytest.raises(ValueError, match="needs rng"):
        MLPNumpy(spec, weights).loss_and_grads(x.numpy(), np.zeros(4, dtype=np.int64))


def test_the_first_weights_are_within_torchs_default_bounds():
    weights = initial_weights(CNNSpec(), empty((3, 32, 32), 10), np.random.default_rng(0))
    assert np.abs(weights["conv2.weight"]).max() <= 1 / np.sqrt(64 * 9)
    assert np.abs(weights["conv2.weight"]).max() > 0.99 / np.sqrt(64 * 9)

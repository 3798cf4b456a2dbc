"""Gradients, twins, parameter counts and FLOPs."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from triptych.chance import dropout_mask, key
from triptych.contracts import Dataset, Split
from triptych.models import MLPNumpy, cost, create_torch, initial_weights
from triptych.models.initial import mlp_weights
from triptych.models.layers_numpy import ACTIVATIONS
from triptych.models.losses_numpy import LOSSES
from triptych.models.mlp_torch import dropout_mask as torch_mask
from triptych.spec import CNNSpec, MLPSpec, RNNSpec


def empty(shape, classes, kind="table"):
    split = Split(np.zeros((1, *shape)), np.zeros(1, dtype=np.int64))
    return Dataset("none", split, split, tuple(map(str, range(classes))), kind, "")


NETWORKS = [
    (MLPSpec(hidden=(20,)), (2,), 2, 2 * 20 + 20 + 20 * 2 + 2),
    (MLPSpec(hidden=(100, 50)), (3, 32, 32), 10, 307_300 + 5_050 + 510),
    (CNNSpec.from_name("small"), (3, 32, 32), 10, 495_360 + 576 + 1_280),
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
    # In float64, where convolutions are PyTorch's own, whose operations it counts.
    network = create_torch(spec, weights, 0).eval().double()
    found = cost(spec, shape, classes)
    assert found.parameters == sum(p.numel() for p in network.parameters())
    x = torch.zeros(2, *shape, dtype=torch.float64)
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


kinds = st.tuples(
    st.sampled_from(sorted(ACTIVATIONS)), st.sampled_from(sorted(LOSSES)),
    st.sampled_from([0.0, 0.4]), st.booleans(),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(shapes, st.integers(1, 6), st.integers(0, 2**32 - 1), kinds)
def test_the_numpy_gradients_are_the_slopes_of_the_loss(shape, batch, seed, kind):
    inputs, hidden, outputs = shape
    activation, loss, dropout, weighted = kind
    rng = np.random.default_rng(seed)
    spec = MLPSpec(hidden=tuple(hidden), activation=activation, dropout=dropout)
    network = MLPNumpy(spec, mlp_weights(spec, inputs, outputs, rng), loss, seed)
    x, y = rng.normal(size=(batch, inputs)), rng.integers(0, outputs, batch)
    if loss != "softmax":
        y = rng.integers(0, 2, (batch, outputs)).astype(float)
    weight = rng.uniform(0, 2, batch) if weighted else None
    _, grads = network.loss_and_grads(x, y, weight, seed)
    for name, w in network.weights.items():
        direction = rng.normal(size=w.shape)
        step = 1e-6
        w += step * direction
        above, _ = network.loss_and_grads(x, y, weight, seed)
        w -= 2 * step * direction
        below, _ = network.loss_and_grads(x, y, weight, seed)
        w += step * direction
        # A ReLU's corner inside the step bends the difference; hence the absolute term.
        slope = float(np.vdot(grads[name], direction))
        assert (above - below) / (2 * step) == pytest.approx(slope, rel=1e-4, abs=2e-5)


def test_the_derivatives_at_zero_are_those_of_torch():
    x = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    for name, function in ACTIVATIONS.items():
        y, backward = function(np.zeros((1, 3)))
        network = create_torch(MLPSpec(hidden=(3,), activation=name), {})
        twin = network.activation(x)
        (slope,) = torch.autograd.grad(twin.sum(), x)
        np.testing.assert_allclose(twin.detach(), y, atol=1e-15)
        np.testing.assert_allclose(slope, backward(np.ones((1, 3))), atol=1e-15)


@pytest.mark.parametrize("name", ["tanh", "logistic", "gelu"])
def test_activations_and_losses_stay_finite_far_out(name):
    x = np.array([[-1e4, -800.0, 0.0, 800.0, 1e4]])
    y, backward = ACTIVATIONS[name](x)
    assert np.isfinite(y).all()
    assert np.isfinite(backward(np.ones_like(x))).all()
    for loss, t in (("softmax", np.array([0])), ("sigmoid", np.ones_like(x))):
        value, backward = LOSSES[loss](x, t, np.ones(1))
        assert np.isfinite(value)
        assert np.isfinite(backward()).all()


def test_dropout_keeps_the_mean_and_rests_in_eval_mode():
    spec = MLPSpec(hidden=(2000,), dropout=0.5)
    weights = initial_weights(spec, empty((1,), 2), np.random.default_rng(0))
    network = create_torch(spec, weights, 3)
    mask = dropout_mask(3, 0, 0, (1, 100_000), 0.5)
    assert mask.mean() == pytest.approx(1.0, abs=0.02)
    assert set(np.unique(mask)) == {0.0, 2.0}
    x = torch.ones(1, 1, dtype=torch.float64)
    assert torch.equal(network.eval()(x), network(x))
    assert not torch.equal(network.train()(x), network.eval()(x))


@pytest.mark.parametrize("seed", [0, 5, 2**63 + 11, 2**64 - 1])
def test_both_twins_drop_the_same_units(seed):
    like = torch.empty(13, 7, dtype=torch.float64)
    for step, layer, p in ((0, 0, 0.5), (1, 0, 0.1), (70_000, 2, 0.9)):
        mask = dropout_mask(seed, step, layer, (13, 7), p)
        theirs = torch_mask(int(key(seed, step, layer)), like, p)
        assert np.array_equal(mask, theirs.numpy())


def test_dropout_masks_depend_on_seed_step_and_layer_alone():
    masks = [dropout_mask(*place, (40, 10), 0.5) for place in itertools.product((1, 2), repeat=3)]
    assert all(not np.array_equal(a, b) for a, b in itertools.combinations(masks, 2))
    assert np.array_equal(masks[0], dropout_mask(1, 1, 1, (40, 10), 0.5))


def test_the_first_weights_are_within_torchs_default_bounds():
    weights = initial_weights(CNNSpec(), empty((3, 32, 32), 10), np.random.default_rng(0))
    assert np.abs(weights["conv2.weight"]).max() <= 1 / np.sqrt(64 * 9)
    assert np.abs(weights["conv2.weight"]).max() > 0.99 / np.sqrt(64 * 9)

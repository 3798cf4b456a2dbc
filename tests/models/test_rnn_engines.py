"""Recurrent networks: the NumPy one against PyTorch and against differences; padding; pieces."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from triptych.contracts import NonFiniteStep, Split, lengths_of
from triptych.models import RNNNumpy, cost, create_torch, rnn_numpy, rnn_torch
from triptych.models.initial import rnn_weights
from triptych.models.rnn_layers_numpy import softmax
from triptych.spec import OptimizerSpec, RNNSpec, TrainSpec
from triptych.training import NumpyLearner
from triptych.training.torch_learner import TorchLearner

BATCH, STEPS, SYMBOLS, CLASSES = 9, 7, 6, 4
KINDS = ["symbols", "padded symbols", "vectors", "padded vectors"]
CELLS = [
    RNNSpec(cell=cell, hidden=5, layers=layers, bidirectional=both)
    for cell, layers, both in itertools.product(("elman", "lstm", "gru"), (1, 2), (False, True))
]
NAMES = [f"{c.cell}-{c.layers}-{'both' if c.bidirectional else 'forward'}" for c in CELLS]


def sequences(kind, seed=0, batch=BATCH, steps=STEPS):
    """Return sequences of unequal length, the first of which is the longest, if padded."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, steps + 1, batch)
    lengths[0], lengths[1] = steps, 1
    past = np.arange(steps) >= lengths[:, None]
    if kind.endswith("symbols"):
        x = rng.integers(0, SYMBOLS, (batch, steps)).astype(np.uint8)
        return np.where(past, -1, x.astype(np.int8)) if "padded" in kind else x
    x = rng.normal(size=(batch, steps, SYMBOLS))
    return np.where(past[:, :, None], np.nan, x) if "padded" in kind else x


def task(kind, spec, seed=0):
    rng = np.random.default_rng(seed + 1)
    weights = rnn_weights(spec, SYMBOLS, CLASSES, rng)
    weight = rng.uniform(0, 2, BATCH)
    return sequences(kind, seed), rng.integers(0, CLASSES, BATCH), weights, weight


def torch_loss(network, x, y, weight):
    loss_B = F.cross_entropy(network(torch.from_numpy(x)), torch.from_numpy(y), reduction="none")
    if weight is None:
        return loss_B.mean()
    return (torch.from_numpy(weight) * loss_B).sum() / weight.sum()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("output", ["logits", "softmax"])
@pytest.mark.parametrize("init", ["uniform", "latch"])
@pytest.mark.parametrize("weighted", [False, True])
def test_numpy_and_torch_have_the_same_outputs_losses_and_gradients(kind, output, init, weighted):
    spec = RNNSpec(hidden=5, output=output, init=init)
    x, y, weights, weight = task(kind, spec)
    weight = weight if weighted else None
    ours, theirs = RNNNumpy(spec, weights), create_torch(spec, weights)
    outputs = theirs(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(ours.outputs(x), outputs, rtol=1e-12, atol=1e-14)
    loss, grads = ours.loss_and_grads(x, y, weight)
    their_loss = torch_loss(theirs, x, y, weight)
    assert loss == pytest.approx(float(their_loss.detach()), rel=1e-13)
    assert ours.loss(ours.outputs(x), y, weight) == pytest.approx(loss, rel=1e-13)
    their_loss.backward()
    assert list(grads) == list(weights) == [name for name, _ in theirs.named_parameters()]
    for name, p in theirs.named_parameters():
        np.testing.assert_allclose(grads[name], p.grad.numpy(), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("kind", ["padded symbols", "padded vectors"])
@pytest.mark.parametrize("output", ["logits", "softmax"])
def test_the_gradients_are_the_slopes_of_the_loss(kind, output):
    spec = RNNSpec(hidden=5, output=output)
    x, y, weights, weight = task(kind, spec, seed=3)
    network = RNNNumpy(spec, weights)
    _, grads = network.loss_and_grads(x, y, weight)
    for name, w in weights.items():
        for place in np.ndindex(w.shape):
            before, found = w[place], []
            for step in (1e-5, -1e-5):
                w[place] = before + step
                found.append(network.loss_and_grads(x, y, weight)[0])
            w[place] = before
            slope = (found[0] - found[1]) / 2e-5
            assert grads[name][place] == pytest.approx(slope, rel=1e-6, abs=1e-9)


def test_the_slope_of_softmax_is_that_of_its_values():
    z, dp = np.random.default_rng(0).normal(size=(2, 3, 4))
    p, backward = softmax(z)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    theirs = torch.from_numpy(z).requires_grad_()
    F.softmax(theirs, dim=1).backward(torch.from_numpy(dp))
    np.testing.assert_allclose(backward(dp), theirs.grad.numpy(), atol=1e-15)
    assert np.isfinite(softmax(1e4 * z)[0]).all()


@pytest.mark.parametrize("name", ["sgd", "adam", "rmsprop"])
@pytest.mark.parametrize("kind", KINDS)
def test_after_20_clipped_steps_the_weights_are_the_same(name, kind):
    spec = RNNSpec(hidden=5)
    x, y, weights, weight = task(kind, spec)
    clip = 0.05  # far below the norms of all steps
    train = TrainSpec(dtype="float64", clip_norm=clip, l2=0.01, optimizer=OptimizerSpec(name=name))
    split = Split(x, y, weight)
    ours = NumpyLearner(RNNNumpy(spec, {k: w.copy() for k, w in weights.items()}), split, train)
    theirs = TorchLearner(create_torch(spec, weights), split, train)
    order = np.random.default_rng(0).integers(0, BATCH, 20 * 4)
    plain = NumpyLearner(
        RNNNumpy(spec, {k: w.copy() for k, w in weights.items()}),
        split, TrainSpec(dtype="float64", l2=0.01, optimizer=OptimizerSpec(name=name)),
    )  # fmt: skip
    lrs = np.full(20, 0.005)
    losses = [each.fit(order, 4, lrs) for each in (ours, theirs, plain)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-12)
    assert np.abs(losses[0] - losses[2]).max() > 1e-6  # it was clipped
    for key, w in theirs.weights().items():
        np.testing.assert_allclose(ours.weights()[key], w, rtol=1e-11, atol=1e-13)
    for key, m in theirs.moments().items():
        np.testing.assert_allclose(ours.moments()[key], m, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(ours.outputs(x), theirs.outputs(x), rtol=1e-11)
    scores = ours.evaluate(split), theirs.evaluate(split)
    assert scores[0].loss == pytest.approx(scores[1].loss, rel=1e-12)
    assert scores[0].accuracy == scores[1].accuracy


def test_the_gradient_of_each_state_is_that_of_autograd():
    spec = RNNSpec(hidden=5)
    x, y, weights, _ = task("padded symbols", spec)
    found = RNNNumpy(spec, weights).state_gradients(x, y)
    assert found.shape == (STEPS + 1, BATCH, 5)
    w = {name: torch.from_numpy(value) for name, value in weights.items()}
    states = [torch.zeros(BATCH, 5, dtype=torch.float64, requires_grad=True)]
    length = torch.from_numpy(lengths_of(x))
    for t in range(STEPS):
        z = w["wx"][x[:, t]] + w["bx"] + states[-1] @ w["wh"] + w["bh"]
        states.append(torch.where((t < length)[:, None], torch.tanh(z), states[-1]))
        states[-1].retain_grad()
    F.cross_entropy(states[-1] @ w["wy"] + w["by"], torch.from_numpy(y)).backward()
    norms = np.linalg.norm(found, axis=2)
    theirs = torch.stack([h.grad for h in states]).norm(dim=2).numpy()
    np.testing.assert_allclose(norms, theirs, rtol=1e-12)
    assert (norms > 0).all()


@pytest.mark.fault(10)
@pytest.mark.parametrize("kind", ["padded symbols", "padded vectors"])
@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_padding_never_changes_a_result(kind, engine):
    spec = RNNSpec(hidden=5)
    x, y, weights, _ = task(kind, spec)
    wide = np.full((BATCH, STEPS + 5, *x.shape[2:]), -1 if x.ndim == 2 else np.nan, x.dtype)
    wide[:, :STEPS] = x
    if engine == "numpy":
        network = RNNNumpy(spec, weights)
        np.testing.assert_array_equal(network.outputs(x), network.outputs(wide))
        grads = [network.loss_and_grads(part, y)[1] for part in (x, wide)]
    else:
        network, grads = create_torch(spec, weights), []
        for part in (x, wide):
            network.zero_grad()
            torch_loss(network, part, y, None).backward()
            grads.append({name: p.grad.numpy() for name, p in network.named_parameters()})
    for name in weights:
        np.testing.assert_array_equal(grads[0][name], grads[1][name])


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_alone_gives_what_it_gives_in_the_batch(kind):
    spec = RNNSpec(hidden=5)
    x, _, weights, _ = task(kind, spec)
    network = RNNNumpy(spec, weights)
    whole = network.outputs(x)
    for row, length in enumerate(lengths_of(x)):
        alone = network.outputs(x[row : row + 1, :length])
        np.testing.assert_allclose(alone[0], whole[row], rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_5000_steps_in_pieces_equal_one_pass(kind, monkeypatch):
    spec = RNNSpec(hidden=4, init="latch")
    weights = rnn_weights(spec, SYMBOLS, CLASSES, np.random.default_rng(0))
    x = sequences(kind, batch=4, steps=5000)
    networks = RNNNumpy(spec, weights), create_torch(spec, weights)

    def outputs():
        with torch.inference_mode():
            return networks[0].outputs(x), networks[1](torch.from_numpy(x)).numpy()

    pieces = outputs()
    monkeypatch.setattr(rnn_torch, "_STEPS_AT_ONCE", 5000)
    monkeypatch.setattr(rnn_numpy, "_STEPS_AT_ONCE", 5000)
    whole = outputs()
    np.testing.assert_array_equal(pieces[0], whole[0])
    # As where there are many rows: seven steps of four rows of four units.
    monkeypatch.setattr(rnn_numpy, "_VALUES_AT_ONCE", 7 * 4 * 4)
    np.testing.assert_array_equal(networks[0].outputs(x), whole[0])
    np.testing.assert_allclose(pieces[1], whole[1], rtol=1e-13)
    np.testing.assert_allclose(pieces[0], pieces[1], rtol=1e-11)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("spec", [RNNSpec(hidden=4), CELLS[2], CELLS[7]])
def test_what_is_not_finite_within_a_sequence_ends_the_training(spec, value):
    x, y, weights, _ = task("padded vectors", spec)
    x[0, 2, 1] = value
    train = TrainSpec(dtype="float64")
    learners = [TorchLearner(create_torch(spec, weights), Split(x, y), train)]
    if spec.is_vanilla:
        learners.append(NumpyLearner(RNNNumpy(spec, weights), Split(x, y), train))
    for one in learners:
        with pytest.raises(NonFiniteStep):
            one.fit(np.arange(BATCH), BATCH, np.ones(1))


def test_no_rows_give_no_outputs():
    for spec in (RNNSpec(hidden=4), *CELLS):
        weights = rnn_weights(spec, SYMBOLS, CLASSES, np.random.default_rng(0))
        split = Split(sequences("symbols"), np.zeros(BATCH, np.int64))
        train = TrainSpec(dtype="float64")
        learners = [TorchLearner(create_torch(spec, weights), split, train)]
        if spec.is_vanilla:
            learners.append(NumpyLearner(RNNNumpy(spec, weights), split, train))
        for one in learners:
            assert one.outputs(split.x[:0]).shape == (0, CLASSES)


def by_torch_alone(spec, weights, x):
    """Return the outputs row by row, without padding, by PyTorch's own module and nothing else."""
    kind = {"elman": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[spec.cell]
    cells = kind(SYMBOLS, spec.hidden, spec.layers, bidirectional=spec.bidirectional).double()
    head = {k: torch.from_numpy(weights[k]) for k in ("wy", "by")}
    named = {k[6:]: torch.from_numpy(w) for k, w in weights.items() if k.startswith("cells.")}
    cells.load_state_dict(named)
    rows = []
    for row, length in zip(x, lengths_of(x), strict=True):
        seen = torch.from_numpy(row[:length])
        vectors = F.one_hot(seen.long(), SYMBOLS).double() if x.ndim == 2 else seen
        out, _ = cells(vectors[:, None])
        last = out[-1, 0]
        if spec.bidirectional:
            last = torch.cat([out[-1, 0, : spec.hidden], out[0, 0, spec.hidden :]])
        rows.append(last @ head["wy"] + head["by"])
    return torch.stack(rows).detach().numpy()


def cells_of(spec):
    # The vanilla one is a network of its own; here it is to be PyTorch's module all the same.
    rng = np.random.default_rng(4)
    if not spec.is_vanilla:
        weights = rnn_weights(spec, SYMBOLS, CLASSES, rng)
        return weights, create_torch(spec, weights)
    w = rnn_weights(spec, SYMBOLS, CLASSES, rng)
    weights = {
        "cells.weight_ih_l0": w["wx"].T.copy(), "cells.weight_hh_l0": w["wh"].T.copy(),
        "cells.bias_ih_l0": w["bx"], "cells.bias_hh_l0": w["bh"], "wy": w["wy"], "by": w["by"],
    }  # fmt: skip
    return weights, create_torch(spec, w)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spec", CELLS, ids=NAMES)
def test_cells_give_what_torchs_own_modules_give_for_each_row_without_padding(spec, kind):
    x = sequences(kind)
    weights, network = cells_of(spec)
    found = network(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, by_torch_alone(spec, weights, x), rtol=1e-12, atol=1e-14)


@pytest.mark.fault(10)
@pytest.mark.parametrize("spec", CELLS, ids=NAMES)
def test_padding_changes_neither_outputs_nor_gradients_of_cells(spec):
    x, y = sequences("padded symbols"), np.arange(BATCH) % CLASSES
    _, network = cells_of(spec)
    wide = np.concatenate([x, np.full((BATCH, 4), -1, np.int8)], axis=1)
    grads = []
    for part in (x, wide):
        network.zero_grad()
        torch_loss(network, part, y, None).backward()
        grads.append([p.grad.numpy().copy() for p in network.parameters()])
    for a, b in zip(*grads, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-14)
    # Alone, and in another company.
    found = network(torch.from_numpy(x)).detach().numpy()
    order = np.array([3, 1, 8, 0])
    again = network(torch.from_numpy(x[order])).detach().numpy()
    np.testing.assert_allclose(again, found[order], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("spec", [c for c in CELLS if not c.bidirectional and not c.is_vanilla])
def test_cells_in_pieces_equal_one_pass_with_their_gradients(spec, monkeypatch):
    x, y = sequences("padded symbols", steps=23), np.arange(BATCH) % CLASSES
    _, network = cells_of(spec)
    found = []
    for steps in (1000, 5):
        monkeypatch.setattr(rnn_torch, "_STEPS_AT_ONCE", steps)
        network.zero_grad()
        loss = torch_loss(network, x, y, None)
        loss.backward()
        found.append([float(loss.detach()), *(p.grad.numpy().copy() for p in network.parameters())])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("shape", [(STEPS,), (STEPS, SYMBOLS)])
@pytest.mark.parametrize("spec", CELLS, ids=NAMES)
def test_parameters_are_as_many_as_counted(spec, shape):
    _, network = cells_of(spec)
    found = cost(spec, shape, CLASSES, SYMBOLS)
    assert found.parameters == sum(p.numel() for p in network.parameters())


def test_the_multiply_adds_of_the_numpy_network_are_half_its_flops():
    spec = RNNSpec(hidden=5)
    network = RNNNumpy(spec, rnn_weights(spec, SYMBOLS, CLASSES, np.random.default_rng(0)))
    # Symbols are looked up, not multiplied.
    assert 2 * network.products((STEPS, SYMBOLS)) == cost(spec, (STEPS, SYMBOLS), CLASSES).flops
    looked_up = STEPS * SYMBOLS * 5
    assert network.products((STEPS,)) == network.products((STEPS, SYMBOLS)) - looked_up

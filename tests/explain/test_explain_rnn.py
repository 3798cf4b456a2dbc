"""What is found in a recurrent network is what its equations say."""

import numpy as np
import pytest

from triptych.contracts import Split
from triptych.explain import gradient_flow, hidden_states
from triptych.models import RNNNumpy
from triptych.models.initial import rnn_weights
from triptych.spec import RNNSpec


def network(hidden=12, **fields):
    spec = RNNSpec(hidden=hidden, **fields)
    return RNNNumpy(spec, rnn_weights(spec, 10, 10, np.random.default_rng(0)))


def strings(count=60, steps=40):
    x = np.random.default_rng(1).integers(0, 10, (count, steps), dtype=np.uint8)
    return Split(x, x[:, 0].astype(np.int64))


def test_the_gradient_of_a_linear_network_shrinks_by_its_recurrent_weight():
    net = network()
    # So small that tanh is a line, and every step back halves the gradient.
    for name in ("wx", "bx", "bh"):
        net.weights[name] *= 1e-9
    net.weights["wh"] = 0.5 * np.eye(12)
    found = gradient_flow(net, net, strings(steps=20))
    np.testing.assert_array_equal(found.arrays["back"], np.arange(21))
    np.testing.assert_allclose(found.arrays["after"], 0.5 ** np.arange(21), rtol=1e-9)


def test_the_gradient_starts_at_one_and_vanishes_under_first_weights():
    found = gradient_flow(network(), network(output="softmax"), strings(steps=90)).arrays
    assert len(found["back"]) == 60
    assert found["back"][-1] == 90
    for line in (found["before"], found["after"]):
        assert line[0] == 1
        assert line[-1] < 1e-6


def test_a_gradient_of_zero_has_a_place_on_a_logarithmic_axis():
    net = network()
    net.weights["wh"] = np.zeros((12, 12))
    assert np.isfinite(gradient_flow(net, net, strings()).arrays["after"]).all()


def test_a_latch_goes_to_a_place_of_its_own_for_each_sign_pattern():
    net = network(init="latch")
    found = hidden_states(net, strings(steps=200)).arrays
    paths, labels, late = found["paths"], found["labels"], int(found["late"])
    assert paths.shape == (20, len(found["times"]), 2)
    assert sorted(set(labels)) == list(range(10))
    ends = paths[:, -late:].mean(axis=1)
    same = [np.linalg.norm(a - b) for a, b in zip(ends[::2], ends[1::2], strict=True)]
    apart = [np.linalg.norm(a - b) for i, a in enumerate(ends[::2]) for b in ends[::2][:i]]
    assert max(same) < np.median(apart)


def test_the_two_axes_are_those_of_most_variance():
    net = network(hidden=8)
    rows = strings(steps=30)
    found = hidden_states(net, rows).arrays
    labels = rows.y
    chosen = np.concatenate([np.flatnonzero(labels == c)[:2] for c in range(10)])
    h_NH = net.states(rows.x[chosen])[0].reshape(-1, 8)
    values = np.sort(np.linalg.eigvalsh(np.cov(h_NH.T)))[::-1]
    np.testing.assert_allclose(found["explained"], values[:2] / values.sum(), rtol=1e-9)
    assert list(found["times"][-10:]) == list(range(21, 31))


@pytest.mark.parametrize(("steps", "hidden"), [(1, 1), (2, 12), (3, 2)])
def test_a_short_string_or_a_single_unit_still_gives_findings(steps, hidden):
    net = network(hidden=hidden)
    found = hidden_states(net, strings(steps=steps)).arrays
    assert np.isfinite(found["paths"]).all()
    assert found["paths"].shape[2] == 2
    assert len(gradient_flow(net, net, strings(steps=steps)).arrays["back"]) == steps + 1

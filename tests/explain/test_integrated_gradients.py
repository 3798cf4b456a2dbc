"""Predictions shared out among inputs: the axioms of Sundararajan, Taly and Yan, 2017."""

import numpy as np
import pytest

from triptych.contracts import Split
from triptych.engines.learners import create_mlp
from triptych.explain import (
    Asked,
    Judged,
    Rows,
    attribute,
    class_shares,
    columns_rested_on,
    first_rows,
    pixels_rested_on,
)
from triptych.models import create_forward
from triptych.models.initial import cnn_weights, mlp_weights, whitened_weights
from triptych.spec import CNNSpec, MLPSpec, RNNSpec, TrainSpec

VGG = CNNSpec(channels=(4, 6), pool_after=(1,))
WHITENED = CNNSpec(design="whitened", channels=(8, 8), pool_after=(1,))


def mlp(activation="tanh", inputs=5, classes=3, hidden=(8, 6), seed=0):
    spec = MLPSpec(hidden=hidden, activation=activation)
    weights = mlp_weights(spec, inputs, classes, np.random.default_rng(seed))
    return spec, {name: 2 * w + 0.1 for name, w in weights.items()}


def cnn(spec=VGG, seed=0):
    rng = np.random.default_rng(seed)
    weights = (cnn_weights if spec.design == "vgg" else whitened_weights)(spec, 3, 4, rng)
    return {
        name: rng.uniform(0.5, 1.5, w.shape) if "running_var" in name else
        w + 0.3 * rng.normal(size=w.shape)
        for name, w in weights.items()
    }  # fmt: skip


def rows(count=6, inputs=5, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, inputs)), rng.normal(size=inputs)


@pytest.mark.parametrize("loss", ["softmax", "sigmoid", "squared"])
@pytest.mark.parametrize("activation", ["tanh", "logistic", "gelu", "identity"])
def test_shares_sum_to_the_difference_of_outputs(activation, loss):
    x, plain = rows()
    asked = Asked(create_forward(*mlp(activation)), loss)
    found = attribute(asked, x, plain, np.arange(6) % 3)
    np.testing.assert_allclose(found.sums, found.predicted - found.plain, atol=1e-2 / 2)
    # What is left is the rule for the integral: with many points of a smooth path it vanishes.
    fine = Asked(create_forward(*mlp(activation)), loss, most=32)
    coarse = attribute(fine, x, plain, np.arange(6) % 3)
    assert np.abs(coarse.sums - (coarse.predicted - coarse.plain)).max() < 2e-2


def test_with_ever_more_points_the_sum_comes_as_near_as_rounding(monkeypatch):
    monkeypatch.setattr("triptych.explain.integrated_gradients._TOLERANCE", 0.0)
    x, plain = rows()
    for most, nearest in ((256, 1e-4), (4096, 1e-6)):
        asked = Asked(create_forward(*mlp("tanh")), "softmax", most=most)
        found = attribute(asked, x, plain, np.zeros(6, np.int64))
        np.testing.assert_allclose(found.sums, found.predicted - found.plain, atol=nearest)


def test_kinks_leave_little_and_more_points_are_taken_until_they_do():
    x, plain = rows()
    asked = Asked(create_forward(*mlp("relu")), "softmax")
    found = attribute(asked, x, plain, np.arange(6) % 3)
    differences = found.predicted - found.plain
    gaps = np.abs(found.sums - differences)
    assert (gaps <= 0.01 * np.maximum(np.abs(differences), 0.01)).all()


def test_of_a_linear_network_each_input_gets_its_weight_times_its_change():
    spec, weights = mlp("identity", hidden=(), classes=1)
    x, plain = rows()
    asked = Asked(create_forward(spec, weights), "squared", scale=3.0, shift=7.0)
    found = attribute(asked, x, plain, np.zeros(6, np.int64))
    np.testing.assert_allclose(found.shares, 3 * (x - plain) * weights["w1"][:, 0])
    np.testing.assert_allclose(found.predicted, 3 * (x @ weights["w1"] + weights["b1"])[:, 0] + 7)


def test_an_input_that_is_not_read_gets_nothing():
    spec, weights = mlp("relu")
    weights["w1"][2] = 0
    x, plain = rows()
    found = attribute(Asked(create_forward(spec, weights), "softmax"), x, plain, np.zeros(6, int))
    assert (found.shares[:, 2] == 0).all()
    assert (found.shares[:, 0] != 0).all()


def slope_by_differences(value, x, step):
    found = np.empty_like(x)
    for place in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[place] += step
        down[place] -= step
        found[place] = (value(up) - value(down)) / (2 * step)
    return found


@pytest.mark.parametrize("loss", ["softmax", "sigmoid", "squared"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_slopes_are_those_of_finite_differences(activation, loss):
    asked = Asked(create_forward(*mlp(activation)), loss, scale=2.0, temperature=1.5)
    x, _ = rows(1)
    _, slope = asked.at(x, 1)
    expected = slope_by_differences(lambda x: asked.at(x, 1)[0][0], x, 1e-6)
    np.testing.assert_allclose(slope, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("spec", [VGG, WHITENED], ids=["vgg", "whitened"])
def test_slopes_of_a_cnn_are_those_of_finite_differences(spec):
    asked = Asked(create_forward(spec, cnn(spec)), "softmax")
    x = np.random.default_rng(0).normal(size=(1, 3, 6, 6))
    _, slope = asked.at(x, 2)
    expected = slope_by_differences(lambda x: asked.at(x, 2)[0][0], x, 1e-2)
    # In float32, across kinks: their direction, and their size.
    assert np.corrcoef(slope.ravel(), expected.ravel())[0, 1] > 0.99
    assert np.linalg.norm(slope) == pytest.approx(np.linalg.norm(expected), rel=0.05)


def test_a_network_of_symbols_has_no_slopes():
    with pytest.raises(Exception, match="'mlp' and 'cnn' only, got 'rnn'"):
        create_forward(RNNSpec(), {})


@pytest.mark.parametrize("engine", ["numpy", "compiled", "torch"])
def test_what_is_explained_is_what_the_engine_predicts(engine):
    spec, weights = mlp("relu")
    x, plain = rows(4)
    split = Split(x, np.array([0, 1, 2, 0]))
    train = TrainSpec(epochs=1, dtype="float64")
    learner = create_mlp(spec, train, engine, weights, split)
    learner.fit(np.arange(4), 2, np.full(2, 0.1))
    asked = Asked(create_forward(spec, learner.weights()), "softmax")
    outputs = np.array([2, 1, 0, 0])
    found = attribute(asked, x, plain, outputs)
    ends = [class_shares(learner.outputs(rows), "softmax") for rows in (x, plain[None])]
    np.testing.assert_allclose(found.predicted, ends[0][np.arange(4), outputs], rtol=1e-10)
    np.testing.assert_allclose(found.plain, ends[1][0, outputs], rtol=1e-10)


def test_columns_of_several_inputs_count_together():
    spec, weights = mlp("tanh")
    x, plain = rows(2)
    x[:, 1:4] = [[0, 1, 0], [0, 0, 0]]
    features = (("age", ""), ("town", "Bern"), ("town", "Genf"), ("town", "Zug"), ("size", ""))
    asked = Asked(create_forward(spec, weights), "softmax")
    found = columns_rested_on(
        asked, Rows(x, plain, np.array([0, 1]), ("a", "b")), features, "probability"
    )
    by_input = attribute(asked, x, plain, np.array([0, 1])).shares
    place = found.labels["features"].index("town")
    np.testing.assert_allclose(found.arrays["shares"][:, place], by_input[:, 1:4].sum(axis=1))
    assert found.labels["texts"][place] == "Genf"
    assert found.labels["texts"][3 + place] == "none of those known"
    assert np.isnan(found.arrays["values"][0, place])
    assert found.arrays["values"][1, found.labels["features"].index("age")] == x[1, 0]
    np.testing.assert_allclose(
        found.arrays["shares"].sum(axis=1) + found.arrays["others"], found.arrays["sums"]
    )


def test_of_many_columns_ten_are_shown_and_the_rest_is_one():
    spec, weights = mlp(inputs=14)
    x, plain = rows(2, 14)
    features = tuple((f"c{k}", "") for k in range(14))
    found = columns_rested_on(
        Asked(create_forward(spec, weights), "softmax"),
        Rows(x, plain, np.array([0, 1]), ("a", "b")), features, "probability",
    )  # fmt: skip
    assert found.arrays["shares"].shape == (2, 10)
    assert "10 columns that count most of 14" in found.caption
    assert np.abs(found.arrays["others"]).max() > 0


@pytest.mark.parametrize("spec", [VGG, WHITENED], ids=["vgg", "whitened"])
def test_pixels_that_add_and_those_that_take_are_kept_apart(spec):
    rng = np.random.default_rng(3)
    x = rng.integers(0, 256, (9, 3, 8, 8), dtype=np.uint8)
    forward = create_forward(spec, cnn(spec))

    def inputs(x):
        return (x - 128.0) / 60

    shares = class_shares(forward(inputs(x))[0], "softmax")
    judged = Judged(x, np.arange(9) % 4, shares, tuple("abcd"), (0.0, 255.0))
    kept = first_rows(judged)
    found = pixels_rested_on(
        Asked(forward, "softmax"), judged, inputs(x[kept]), np.zeros((3, 8, 8))
    )
    toward, against = found.arrays["toward"], found.arrays["against"]
    assert toward.shape == against.shape == (4, 8, 8)
    assert not (toward.astype(bool) & against.astype(bool)).any()
    assert (np.maximum(toward, against).max(axis=(1, 2)) == 255).all()
    np.testing.assert_allclose(
        found.arrays["predicted"], shares[kept, judged.predicted[kept]], rtol=1e-5
    )
    gaps = np.abs(found.arrays["sums"] - (found.arrays["predicted"] - found.arrays["plain"]))
    assert gaps.max() < 0.02
    assert f"{gaps.max():.1g}" in found.caption or "0.000001" in found.caption

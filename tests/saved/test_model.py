"""A model computes the same on every engine, in PyTorch and after it was a file."""

import math
import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest
from every_model import NUMBERS, SPECS, made, model_of, samples_of

import triptych
from triptych.contracts import Dataset, Split
from triptych.errors import DataError, NumericsError, SpecError
from triptych.models import initial_weights, weight_shapes
from triptych.runner.inputs import load_for
from triptych.saved import Model, model_of_run
from triptych.saved import computing as computing_module
from triptych.spec import (
    ArmSpec,
    CNNSpec,
    DigitsSpec,
    MLPSpec,
    PalindromeSpec,
    RNNSpec,
    ToySpec,
    TrainSpec,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def engines_of(model):
    kind, network = model.network.kind, model.network
    if kind == "mlp" or (kind == "rnn" and network.is_vanilla):
        return ("numpy", "compiled", "torch")
    return ("numpy", "torch") if kind == "cnn" and network.design == "vgg" else ("torch",)


@pytest.mark.parametrize("name", SPECS)
def test_every_engine_and_the_torch_module_compute_the_same(name):
    import torch

    model = model_of(name)
    x = samples_of(model)
    first = model.outputs(x)
    assert first.dtype == np.float64
    assert first.shape == (12, model.n_outputs)
    for engine in engines_of(model):
        np.testing.assert_allclose(model.outputs(x, engine=engine), first, rtol=0, atol=1e-10)
    with torch.inference_mode():
        ours = model.to_torch()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(ours, first, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", SPECS)
def test_a_file_holds_all_of_a_model(name, tmp_path):
    model = model_of(name, "float32", facts={"data": "made up", "scores": {"test_loss": 0.5}})
    model.save(tmp_path / "m.safetensors")
    read = triptych.load(tmp_path / "m.safetensors")
    for field in fields(Model):
        ours, theirs = getattr(model, field.name), getattr(read, field.name)
        if field.name in ("standardization", "target") and ours is not None:
            assert np.array_equal(ours.mean, theirs.mean)
            assert np.array_equal(ours.std, theirs.std)
        elif field.name not in ("weights", "engines"):
            assert ours == theirs, field.name
    assert list(read.weights) == list(model.weights)
    x = samples_of(model)
    assert np.array_equal(read.outputs(x), model.outputs(x))
    read.save(tmp_path / "again.safetensors")
    same = [(tmp_path / f"{n}.safetensors").read_bytes() for n in ("m", "again")]
    assert same[0] == same[1]


@pytest.mark.parametrize("name", [n for n, s in SPECS.items() if s[3].get("loss") != "poisson"])
def test_probabilities_and_predictions_are_what_the_loss_makes_of_outputs(name):
    model = model_of(name)
    x = samples_of(model)
    z = model.outputs(x)
    if not model.classes:
        np.testing.assert_allclose(model.predict(x), z * NUMBERS.std + NUMBERS.mean)
        return
    p = model.probabilities(x)
    assert p.dtype == np.float64
    assert p.shape == (12, len(model.classes))
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    t = model.temperature
    if name == "rnn two softmaxes":
        want = z ** (1 / t) / (z ** (1 / t)).sum(axis=1, keepdims=True)
    elif model.loss == "softmax":
        want = np.exp(z / t) / np.exp(z / t).sum(axis=1, keepdims=True)
    elif model.n_outputs == 1:
        want = np.hstack([1 / (1 + np.exp(z / t)), 1 / (1 + np.exp(-z / t))])
    else:
        want = 1 / (1 + np.exp(-z / t))
        want /= want.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(p, want, rtol=1e-12)
    told = model.predict(x)
    known = model.labels or model.classes
    assert told.tolist() == [known[k] for k in p.argmax(axis=1)]


def test_counts_are_exponentials_of_outputs():
    model = model_of("mlp counts")
    x = samples_of(model)
    np.testing.assert_allclose(model.predict(x), np.exp(model.outputs(x)))
    with pytest.raises(SpecError, match="tells numbers"):
        model.probabilities(x)


def test_a_model_of_squared_errors_tells_classes_but_no_probabilities():
    model = model_of("mlp relu", loss="squared", classes=("a", "b", "c"))
    x = samples_of(model)
    assert set(model.predict(x)) <= {"a", "b", "c"}
    with pytest.raises(SpecError, match="'squared' makes none"):
        model.probabilities(x)


@pytest.mark.parametrize("name", ["mlp pictures", "cnn whitened", "lstm layers both ways"])
def test_batches_change_nothing_and_no_rows_make_no_outputs(name, monkeypatch):
    model = model_of(name)
    x = samples_of(model)
    whole = model.outputs(x)
    monkeypatch.setattr(computing_module, "_VALUES_AT_ONCE", 1)
    seen = []
    learner = next(iter(model.engines.learners.values()))
    outputs = learner.outputs
    monkeypatch.setattr(learner, "outputs", lambda x: seen.append(len(x)) or outputs(x))
    np.testing.assert_allclose(model.outputs(x), whole, atol=1e-12)
    assert seen == [1] * 12
    assert model.outputs(x[:0]).shape == (0, model.n_outputs)


def test_long_sequences_come_in_small_batches():
    model = model_of("lstm")
    assert computing_module._rows_at_once(model, np.zeros((10, 1_000_000, 2))) == 1


@pytest.mark.parametrize(
    ("name", "x", "says"),
    [
        ("mlp relu", np.zeros((3, 5)), r"\(n, 6\) that the network reads, got \(3, 5\)"),
        ("mlp relu", np.full((3, 6), "a"), "must hold numbers, got dtype <U1"),
        ("mlp pictures", np.zeros((3, 40)), r"\(n, 2, 5, 4\)"),
        ("rnn vectors", np.zeros((3, 4, 3)), r"\(n, steps, 2\)"),
        ("rnn symbols", np.zeros((3, 4)), "as integers, got dtype float64"),
        ("rnn symbols", np.array([[0, 6]]), "symbols are 0 to 5, got 6"),
        ("rnn symbols", np.array([[1, 2], [-1, -1]]), "a sequence is empty"),
    ],
)
def test_samples_that_do_not_fit_are_refused(name, x, says):
    with pytest.raises(DataError, match=says):
        model_of(name).outputs(x)


def test_an_output_that_is_not_finite_is_an_error_and_no_answer():
    model = model_of("mlp relu", "float32")
    x = samples_of(model)
    x[4] = 1e39
    x[7, 2] = math.nan
    with pytest.raises(NumericsError, match="row 5: .* 2 of 12 rows"):
        model.predict(x)


def test_time_stamps_are_told_apart_also_in_float32():
    scale = replace(NUMBERS, mean=np.array([1.7e9, 0.0]), std=np.array([30.0, 1.0]))
    wide = made(MLPSpec(hidden=(4,)), (2,), 2, standardization=scale)
    narrow = made(MLPSpec(hidden=(4,)), (2,), 2, standardization=scale, dtype="float32")
    x = np.array([[1.7e9 + s, 0.0] for s in range(5)])
    np.testing.assert_allclose(narrow.outputs(x), wide.outputs(x), atol=1e-5)
    assert len(np.unique(narrow.outputs(x)[:, 0])) == 5


@pytest.mark.parametrize(
    ("name", "engine", "says"),
    [
        ("cnn vgg", "compiled", "'compiled' computes no CNN"),
        ("cnn whitened", "numpy", "'numpy' computes no CNN of design 'whitened'"),
        ("lstm", "numpy", "one Elman layer"),
        ("mlp relu", "jax", "must be one of auto"),
    ],
)
def test_an_engine_that_cannot_compute_it_is_refused(name, engine, says):
    model = model_of(name)
    with pytest.raises(SpecError, match=says):
        model.outputs(samples_of(model), engine=engine)


def test_few_rows_of_an_mlp_or_a_small_rnn_never_load_pytorch(tmp_path):
    for name in ("mlp relu", "rnn symbols", "cnn vgg"):
        model_of(name).save(tmp_path / f"{name}.safetensors")
    code = (
        "import sys, numpy as np, triptych\n"
        "for name, x in (('mlp relu', np.zeros((9, 6))), ('rnn symbols', np.zeros((9, 5), int)),\n"
        "                ('cnn vgg', np.zeros((9, 2, 9, 7), np.uint8))):\n"
        f"    triptych.load({str(tmp_path)!r} + f'/{{name}}.safetensors').predict(x)\n"
        "print([m for m in ('torch', 'sklearn', 'numba') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "[]\n"


def test_an_engine_is_started_once_it_would_have_paid(monkeypatch):
    model, x = model_of("rnn symbols"), np.zeros((10, 100), np.int8)
    flops = 10 * computing_module._flops(model, x)
    monkeypatch.setattr(computing_module, "_STEPPED", {"numpy": 2.0, "compiled": 1.0})
    monkeypatch.setitem(computing_module._STARTS, "compiled", 2.5 * flops)
    chosen = [computing_module._chosen(model, x, "cpu") for _ in range(4)]
    assert chosen == ["numpy", "numpy", "compiled", "compiled"]


@pytest.mark.parametrize("name", SPECS)
def test_the_shapes_of_weights_are_those_that_are_drawn(name):
    network, shape, outputs, own = SPECS[name]
    integers = "symbols" in own
    nothing = Split(np.zeros((0, *shape), np.int8 if integers else float), np.zeros(0, np.int64))
    names = tuple(map(str, range(outputs)))
    data = Dataset("none", nothing, nothing, names, "table", "", symbols=own.get("symbols"))
    drawn = initial_weights(network, data, np.random.default_rng(0))
    found = weight_shapes(network, shape, outputs, own.get("symbols"))
    assert list(found.items()) == [(n, w.shape) for n, w in drawn.items()]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"loss": "hinge"}, "loss: must be one of"),
        ({"dtype": "float16"}, "dtype: must be"),
        ({"classes": ("a", "b")}, "with 3 outputs does not tell 2"),
        ({"classes": ("a", "b", "b")}, "each there once"),
        ({"classes": (1, 2, 3)}, "must be texts"),
        ({"temperature": 0.0}, "above 0"),
        ({"temperature": math.nan}, "above 0"),
        ({"sample_shape": (5,)}, r"'w1' must have shape \(5, 9\)"),
        ({"sample_shape": (2, 2, 2, 2)}, "does not read"),
        ({"symbols": 3}, "symbols: are those of sequences"),
        ({"target": NUMBERS}, "target: must be finite, with std above 0, for shape"),
        ({"labels": (1, 2)}, "one for each class"),
        ({"labels": (1, "b", 2.0)}, "of one kind"),
        ({"standardization": NUMBERS}, "standardization: must be finite"),
        ({"network": CNNSpec()}, "does not read"),
        ({"weights": {}}, "'w1' must have shape"),
    ],
)
def test_parts_that_do_not_fit_make_no_model(change, says):
    with pytest.raises(SpecError, match=says):
        replace(model_of("mlp relu"), **change)


def test_the_model_of_a_run_computes_what_its_learner_does():
    from triptych.engines import create_learner

    train = TrainSpec(epochs=1)
    for arm in (
        ArmSpec(data=ToySpec(source="moons"), network=MLPSpec(hidden=(4,)), train=train),
        ArmSpec(data=DigitsSpec(), network=CNNSpec(channels=(4,), pool_after=()), train=train),
        ArmSpec(data=PalindromeSpec(length=5), network=MLPSpec(hidden=(4,)), train=train),
    ):
        data = load_for(arm, 0, None)
        learner = create_learner(arm, "numpy", data, 0, "cpu")
        model = model_of_run(arm, data, learner.weights(), {"seed": 0})
        want = learner.outputs(data.test.x[:20])
        np.testing.assert_allclose(model.outputs(data.test.x[:20]), want, atol=1e-6)
        assert model.facts["data"] == data.name
        assert model.facts["fingerprint"] == data.fingerprint
        assert model.facts["seed"] == 0
        assert model.predict(data.test.x[:1])[0] in data.classes


def test_pictures_as_steps_have_a_scale_for_each_and_so_one_length():
    arm = ArmSpec(data=DigitsSpec(), network=RNNSpec(hidden=3), train=TrainSpec(epochs=1))
    data = load_for(arm, 0, None)
    weights = initial_weights(arm.network, data, np.random.default_rng(0))
    model = model_of_run(arm, data, weights)
    x = data.test.x[:9]
    for engine in ("numpy", "torch"):
        np.testing.assert_allclose(
            model.outputs(x, engine=engine), model.outputs(x.astype(float)), atol=1e-5
        )
    with pytest.raises(DataError, match=r"\(n, 8, 8\)"):
        model.outputs(x[:, :5])


def test_how_long_sequences_were_in_training_takes_no_memory():
    model = replace(model_of("rnn symbols"), sample_shape=(2**31,))
    assert model.outputs(samples_of(model)).shape == (12, 3)


def test_a_scrambled_arm_makes_no_model():
    arm = ArmSpec(data=DigitsSpec(), network=MLPSpec(), train=TrainSpec(), scrambled=True)
    with pytest.raises(SpecError, match="scrambled"):
        model_of_run(arm, load_for(arm, 0, None), {})


def test_facts_that_are_no_json_are_refused_and_nothing_is_written(tmp_path):
    model = model_of("mlp relu", facts={"made": {1, 2}})
    with pytest.raises(SpecError, match="cannot be kept as JSON"):
        model.save(tmp_path / "m.safetensors")
    many = model_of("mlp relu", facts={"text": "x" * 8_000_000})
    with pytest.raises(SpecError, match="header would take"):
        many.save(tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())

"""The ONNX file of a model of one's own data takes what stands there, and tells the same."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import triptych
from triptych.data import load, read_prepared
from triptych.data.dates import day_of
from triptych.models import initial_weights
from triptych.saved import model_of_run
from triptych.spec import (
    ArmSpec,
    CNNSpec,
    FolderSpec,
    MLPSpec,
    RNNSpec,
    SequenceFileSpec,
    TableSpec,
    TrainSpec,
)

onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.usefixtures("one_thread")


def exported(spec, network, folder, **train):
    """Return a model with first weights, as its file holds it, a session of its ONNX, and notes."""
    data = load(spec, 0)
    arm = ArmSpec(data=spec, network=network, train=TrainSpec(epochs=1, **train))
    weights = initial_weights(network, data, np.random.default_rng(5))
    model_of_run(arm, data, weights, temperature=1.5).save(folder / "m.safetensors")
    model = triptych.load(folder / "m.safetensors")
    notes = model.to_onnx(folder / "m.onnx").notes
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        folder / "m.onnx", options, providers=["CPUExecutionProvider"]
    )
    return model, session, notes


def table_file(path, rows=120):
    rng = np.random.default_rng(0)
    lines = ["income,when,day,town,street,outputs,kind,price"]
    for k in range(rows):
        day = np.datetime64("2019-12-20") + int(rng.integers(0, 900))
        income = "" if k % 11 == 3 else f"{rng.normal(50_000, 9_000):.2f}"
        town = "" if k % 13 == 5 else ("Bern", "Rome", "Ulm, Donau")[k % 3]
        clock = f"{day} {k % 24:02d}:{k % 60:02d}:00"
        when = "" if k % 17 == 2 else str(day)
        price = 100_000 + 1_000 * (k % 5) + k
        lines.append(f'{income},{clock},{when},"{town}",s{k % 70},{k % 4},{"nyx"[k % 3]},{price}')
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("target", "other", "loss"), [("kind", "price", "softmax"), ("price", "kind", "squared")]
)
def test_cells_of_a_table_are_all_that_the_graph_needs(target, other, loss, tmp_path):
    path = tmp_path / "t.csv"
    table_file(path)
    spec = TableSpec(
        path=str(path), target=target, ignore=(other,), missing="fill", many_texts="frequent"
    )
    model, session, notes = exported(spec, MLPSpec(hidden=(8,)), tmp_path, loss=loss)
    kinds = {i.name: i.type for i in session.get_inputs()}
    cells = {name: [] for name in kinds}
    with path.open() as file:
        for row in csv.DictReader(file):
            for name in kinds:
                text = row[name.removeprefix("column ")]
                if kinds[name] == "tensor(string)":
                    cells[name].append(text)
                elif name in ("when", "day"):
                    cells[name].append(day_of(text) if text else np.nan)
                else:
                    cells[name].append(float(text or "nan"))
    fed = {
        name: np.array(values, object if kinds[name] == "tensor(string)" else float)[:, None]
        for name, values in cells.items()
    }
    _, found = session.run(None, fed)
    (some,) = read_prepared(model.preparation, path)
    if loss == "softmax":
        np.testing.assert_allclose(found, model.probabilities(some.x), atol=1e-5)
        assert json.loads(session.get_modelmeta().custom_metadata_map["classes"]) == ["n", "x", "y"]
    else:
        np.testing.assert_allclose(found, model.predict(some.x), rtol=1e-5)
    assert {"income", "when", "day", "town", "street", "column outputs"} == set(kinds)
    assert sum("takes dates as days" in note for note in notes) == 2


@pytest.mark.parametrize(
    "network",
    [MLPSpec(hidden=(8,)), CNNSpec(channels=(4,), pool_after=(1,)), CNNSpec.from_name("small")],
    ids=["mlp", "vgg", "whitened"],
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pictures_are_fed_as_bytes(network, mode, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for k in range(6):
            shape = (8, 10, 3) if mode == "RGB" else (8, 10)
            picture = Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))
            picture.save(tmp_path / "pets" / name / f"{k}.png")
    model, session, _ = exported(FolderSpec(path=str(tmp_path / "pets")), network, tmp_path)
    (some,) = read_prepared(model.preparation, tmp_path / "pets")
    assert some.x.dtype == np.uint8
    assert session.get_inputs()[0].type == "tensor(uint8)"
    _, shares = session.run(None, {"x": some.x})
    np.testing.assert_allclose(shares, model.probabilities(some.x), atol=1e-5)


@pytest.mark.parametrize("network", [RNNSpec(hidden=6), RNNSpec(hidden=6, cell="lstm", layers=2)])
def test_symbols_are_fed_as_places_that_the_metadata_name(network, tmp_path):
    words = ["ab", "abc", "a", "b", "ba", "bcc", "bcca", "acb", "bac", "aabb"]
    path = tmp_path / "words.txt"
    path.write_text("".join(f"{word[0]}\t{word}\n" for word in words))
    model, session, notes = exported(SequenceFileSpec(path=str(path)), network, tmp_path)
    known = json.loads(session.get_modelmeta().custom_metadata_map["symbols"])
    assert known == ["a", "b", "c"]
    assert "places in the metadata" in notes[0]
    places = np.full((len(words), 4), -1, np.int64)
    for row, word in enumerate(words):
        places[row, : len(word)] = [known.index(letter) for letter in word]
    (some,) = read_prepared(model.preparation, path)
    _, shares = session.run(None, {"x": places})
    np.testing.assert_allclose(shares, model.probabilities(some.x), atol=1e-5)


def test_vectors_are_fed_as_they_were_measured(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["id,time,heat,load,kind"]
    steps = {k: 1 + k % 5 for k in range(12)}
    given = np.full((12, 5, 2), np.nan)
    for k, count in steps.items():
        for t in range(count):
            heat, load = 1.7e9 + 30 * rng.normal(), rng.normal(-3, 0.2)
            given[k, t] = heat, load
            lines.append(f"{k:02d},{t},{heat!r},{load!r},{'uv'[k % 2]}")
    path = tmp_path / "steps.csv"
    path.write_text("\n".join(lines) + "\n")
    spec = SequenceFileSpec(path=str(path), layout="table", target="kind")
    model, session, _ = exported(spec, RNNSpec(hidden=6, cell="gru"), tmp_path)
    assert session.get_inputs()[0].type == "tensor(double)"
    _, shares = session.run(None, {"x": given})
    (some,) = read_prepared(model.preparation, path)
    np.testing.assert_allclose(shares, model.probabilities(some.x), atol=1e-5)


def test_the_examples_in_the_page_on_models_name_what_there_is():
    text = (Path(__file__).parents[2] / "docs" / "models.md").read_text("utf-8")
    for name in ("predict", "probabilities", "outputs", "to_torch", "to_onnx", "facts"):
        assert f"model.{name}" in text
        assert hasattr(triptych.Model, name) or name in triptych.Model.__dataclass_fields__

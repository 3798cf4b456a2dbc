"""``triptych inspect`` and ``triptych export`` say what a model is, and what they did."""

import json

import numpy as np
import pytest
from every_model import INPUTS, SPECS, TABLE, model_of, of_columns

from triptych.cli import main
from triptych.data.picture_preparation import PicturePreparation
from triptych.data.sequence_preparation import SequenceForm, SequencePreparation

NAMES = ("cat", "dog", "cow")
FACTS = {
    "made_by": "triptych train", "data": "people.csv", "train_rows": 12_000, "test_rows": 3_000,
    "fingerprint": "ab" * 32, "seed": 0, "notes": ["3 rows are there twice."],
    "scores": {"test_accuracy": 0.934, "test_loss": 0.2},
    "references": {"gradient boosting": {"test_accuracy": 0.95}, "\x1b[1mlinear": {}},
    "environment": {"python": "3.13", "numpy": "2.4"}, "found": {"learning rate": 0.01},
}  # fmt: skip


def of_table(**fields):
    return of_columns(**{"facts": FACTS, "temperature": 1.25, **fields})


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return ended.value.code, out, err


def test_inspect_tells_network_inputs_origin_and_scores(tmp_path, capsys):
    of_table().save(tmp_path / "m.safetensors")
    code, out, err = run(capsys, "inspect", tmp_path / "m.safetensors")
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "network MLP, hidden layers 20-10, relu" in lines
    assert "tells 3 classes: cat, dog, cow" in lines
    assert "probabilities softmax of the outputs, divided by a temperature of 1.25" in lines
    assert "age number, standardised: mean 41.5, deviation 12.0; empty cells count as 40.0" in lines
    assert (
        "=cmd() text, an input for each of 2 words: a␛[31m, b; all others share one more" in lines
    )
    day = "date, standardised: mean 2022-01-08, deviation 400 days; month, weekday and time of day"
    assert any(line.startswith(f"[red]day {day}") for line in lines)
    assert "train rows 12,000" in lines
    assert "note 3 rows are there twice." in lines
    assert 'found {"learning rate": 0.01}' in lines
    assert "score this model gradient boosting ␛[1mlinear" in lines
    assert "test accuracy 0.934 0.950 –" in lines
    assert "python 3.13" in lines


def test_inspect_tells_programs_all_but_the_weights(tmp_path, capsys):
    model = of_table()
    model.save(tmp_path / "m.safetensors")
    code, out, _ = run(capsys, "inspect", tmp_path / "m.safetensors", "--json")
    table = json.loads(out)
    assert code == 0
    assert table["parameters"] == model.parameters == sum(w.size for w in model.weights.values())
    assert table["network"]["hidden"] == [20, 10]
    assert table["preparation"] == json.loads(json.dumps(TABLE.as_dict()))
    assert table["facts"] == FACTS


@pytest.mark.parametrize("name", SPECS)
def test_inspect_can_tell_every_network(name, tmp_path, capsys):
    model = model_of(name)
    model.save(tmp_path / "m.safetensors")
    code, out, err = run(capsys, "inspect", tmp_path / "m.safetensors")
    assert (code, err) == (0, "")
    assert model.network.kind.upper() in out
    assert "Trained on" not in out  # nothing is known of it


FORM = SequenceForm(layout="lines", label="first")
PICTURES = PicturePreparation(classes=NAMES, size=(9, 7), channels=3, scaled=True)
SYMBOLS = SequencePreparation(classes=NAMES, form=FORM, steps="strings", strings=tuple("abcdef"),
                              longest=7)  # fmt: skip
VECTORS = SequencePreparation(classes=NAMES, form=FORM, steps="vectors", features=("x", "y"),
                              mean=(1.0, 2.0), std=(0.5, 3.0), longest=7)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "fields", "says"),
    [
        ("cnn whitened", {"preparation": PICTURES}, "pictures RGB, 9 x 7 pixels, standardised"),
        ("gru", {"preparation": SYMBOLS}, "symbols 6 known: a, b, c, d, e, f"),
        ("lstm", {"preparation": VECTORS, "standardization": None},
         "y standardised: mean 2.00, deviation 3.00"),
    ],
)  # fmt: skip
def test_inspect_tells_how_pictures_and_sequences_are_prepared(
    name, fields, says, tmp_path, capsys
):
    if name == "cnn whitened":
        fields["preparation"] = PicturePreparation(
            classes=model_of(name).classes, size=(9, 7), channels=3, scaled=True
        )
    model_of(name, **fields).save(tmp_path / "m.safetensors")
    _, out, _ = run(capsys, "inspect", tmp_path / "m.safetensors")
    assert says in [" ".join(line.split()) for line in out.splitlines()]


@pytest.mark.parametrize(
    "facts",
    [
        {"scores": [1], "references": "none", "environment": 7, "notes": "text", "features": {}},
        {"scores": {"a": None, "b": "<b>"}, "references": {"r": 1}, "data": [[["x"]]], "seed": {}},
        {"features": [1, [2], ["a", "b", "c"]], "environment": {"k" * 900: "v" * 900}},
        {f"fact {k}": "x" for k in range(5000)},
    ],
)
def test_facts_of_any_kind_are_shown_without_a_traceback(facts, tmp_path, capsys):
    of_table(facts=facts).save(tmp_path / "m.safetensors")
    code, out, err = run(capsys, "inspect", tmp_path / "m.safetensors")
    assert (code, err) == (0, "")
    assert len(out) < 100_000


def test_a_file_that_is_no_model_ends_with_code_5_and_one_line(tmp_path, capsys):
    (tmp_path / "m.safetensors").write_bytes(b"\x80\x05no model")
    for command in (["inspect"], ["export", "--onnx", tmp_path / "m.onnx"]):
        code, out, err = run(capsys, *command, tmp_path / "m.safetensors")
        assert (code, out) == (5, "")
        assert err.count("\n") == 1
        assert "pickled code" in err


def test_export_writes_a_graph_that_takes_the_columns_by_name(tmp_path, capsys):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = of_table()
    model.save(tmp_path / "m.safetensors")
    path = tmp_path / "m.onnx"
    code, out, err = run(capsys, "export", tmp_path / "m.safetensors", "--onnx", path)
    assert (code, err) == (0, "")
    assert "input '[red]day' takes dates as days from 1970-01-01" in out
    assert "input 'age': double (batch, 1)\n" in out
    assert "output 'probabilities': float (batch, 3)\n" in out
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    cells = {
        "age": np.array([[30.0], [np.nan]]), "=cmd()": np.array([["b"], ["new"]], object),
        "[red]day": np.array([[19_000.25], [18_000.0]]),
    }  # fmt: skip
    _, shares = session.run(None, cells)
    x = np.zeros((2, INPUTS))
    from triptych.data.columns import Column, column_of_texts

    read = (
        Column("age", cells["age"][:, 0]), column_of_texts("=cmd()", ["b", "new"]),
        Column("[red]day", cells["[red]day"][:, 0], dated=True),
    )  # fmt: skip
    for column, cell, first in zip(TABLE.columns, read, (0, 1, 4), strict=True):
        column.set_inputs(x[:, first : first + len(column.inputs)], cell)
    np.testing.assert_allclose(shares, model.probabilities(x), atol=1e-5)

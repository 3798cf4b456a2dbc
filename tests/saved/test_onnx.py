"""The ONNX file of a model computes what the model does, for any number of rows and steps."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from every_model import LONGEST, SPECS, TABLE, made, model_of, of_columns, samples_of

from triptych.data.dates import day_of, days_of
from triptych.data.table_columns import PreparedColumn
from triptych.errors import SpecError
from triptych.saved.onnx_graph import Graph
from triptych.saved.onnx_tables import add_columns
from triptych.spec import MLPSpec

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.usefixtures("one_thread")


def session_of(content):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])


def fed(model, x):
    """Return samples in the dtype that the graph takes."""
    return x.astype(np.int64 if model.symbols is not None else np.float32)


@pytest.mark.parametrize("name", SPECS)
def test_every_network_computes_the_same_in_onnxruntime(name, tmp_path):
    model = model_of(name, "float32")
    path = tmp_path / "m.onnx"
    written = model.to_onnx(path)
    assert written.notes == ()
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
    session = session_of(path.read_bytes())
    for count, longest in ((1, 1), (12, LONGEST), (7, 2 * LONGEST)):
        x = samples_of(model, count, longest)
        named = [output.name for output in session.get_outputs()]
        found = dict(zip(named, session.run(None, {"x": fed(model, x)}), strict=True))
        outputs = model.outputs(x)
        np.testing.assert_allclose(found["outputs"], outputs, rtol=1e-5, atol=1e-5)
        if model.classes:
            shares = model.probabilities(x)
            np.testing.assert_allclose(found["probabilities"], shares, rtol=0, atol=1e-5)
        else:
            told = model.predict(x)
            np.testing.assert_allclose(found["numbers"], told, rtol=1e-5, atol=1e-5)
    assert [*written.outputs] == named
    assert [*written.inputs] == ["x"]
    metadata = session.get_modelmeta().custom_metadata_map
    assert metadata["summary"] == model.summary
    assert tuple(json.loads(metadata.get("classes", "[]"))) == model.classes


def test_a_model_of_float64_is_written_in_float32(tmp_path):
    model = model_of("mlp relu")
    model.to_onnx(tmp_path / "m.onnx")
    x = samples_of(model)
    (outputs, _) = session_of((tmp_path / "m.onnx").read_bytes()).run(None, {"x": fed(model, x)})
    assert outputs.dtype == np.float32
    np.testing.assert_allclose(outputs, model.outputs(x), atol=1e-5)


@pytest.mark.fault(38)
def test_the_file_holds_all_and_names_no_other(tmp_path):
    model_of("cnn whitened").to_onnx(tmp_path / "m.onnx")
    read = onnx.load_model(tmp_path / "m.onnx", load_external_data=False)
    assert all(not t.external_data for t in read.graph.initializer)
    assert all(t.data_location == onnx.TensorProto.DEFAULT for t in read.graph.initializer)
    assert {o.domain for o in read.opset_import} == {"", "ai.onnx.ml"}


def test_without_onnx_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(SpecError, match=r"pip install 'triptych\[onnx\]'"):
        model_of("mlp relu").to_onnx(tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


COLUMNS = (
    PreparedColumn("age", "number", 40.0, 12.0, fill=38.0),
    PreparedColumn("stamp", "number", 1.7e9, 30.0),
    PreparedColumn("town", "text", words=("Bern", "Rome", "Ulm"), seen=(True, False, True),
                   shared=True),
    PreparedColumn("outputs", "text", words=("a", "b"), seen=(True, True)),
    PreparedColumn("day", "date", 19_000.0, 400.0, fill=19_100.0),
    PreparedColumn("when", "date", 19_000.0, 400.0, timed=True),
)  # fmt: skip


def prepared_by_onnx(columns, cells):
    graph = Graph()
    x, notes = add_columns(graph, columns)
    graph.output(x, "outputs", "float", ["batch", sum(len(c.inputs) for c in columns)])
    session = session_of(graph.to_bytes({}))
    assert [i.name for i in session.get_inputs()] == list(cells)
    return session.run(None, cells)[0], notes


def test_tables_are_prepared_as_in_training():
    from triptych.data.columns import Column, column_of_texts

    texts = ["Ulm", "Rome", "Bern", "Paris", ""], ["b", "z", "", "a", "b"]
    moments = ["2024-02-29T13:45:00", "1969-12-31", "2000-01-01", "0001-01-01", "9999-12-31"]
    days = np.array([day_of(m) for m in moments])
    gaps = np.where([False, True, False, False, False], np.nan, np.floor(days))
    values = {
        "age": np.array([1.0, np.nan, 40.0, 1e6, -3.0]),
        "stamp": 1.7e9 + np.arange(5.0), "day": gaps, "when": days,
    }  # fmt: skip
    cells = {
        "age": values["age"], "stamp": values["stamp"], "town": np.array(texts[0], object),
        "column outputs": np.array(texts[1], object), "day": gaps, "when": days,
    }  # fmt: skip
    found, notes = prepared_by_onnx(COLUMNS, {n: v[:, None] for n, v in cells.items()})
    parts = []
    for column in COLUMNS:
        if column.kind == "text":
            listed = texts[0] if column.name == "town" else texts[1]
            read = column_of_texts(column.name, [t or None for t in listed])
        else:
            read = Column(column.name, values[column.name], dated=column.kind == "date")
        part = np.zeros((5, len(column.inputs)))
        column.set_inputs(part, read)
        parts.append(part)
    np.testing.assert_allclose(found, np.hstack(parts), rtol=1e-6, atol=1e-6)
    assert len(notes) == 4
    assert "input 'day' takes dates as days from 1970-01-01" in notes[1]


def test_every_month_of_four_centuries_is_told():
    column = PreparedColumn("day", "date", fill=0.0)
    months = np.arange("1800-01", "2200-01", dtype="datetime64[M]")
    ends = np.concatenate([months.astype("M8[D]"), months.astype("M8[D]") - 1])
    days = days_of(ends)
    found, _ = prepared_by_onnx((column,), {"day": days[:, None]})
    turn = (ends.astype("M8[M]").astype(int) % 12) / 12
    np.testing.assert_allclose(found[:, 1], np.sin(2 * np.pi * turn), atol=1e-6)
    np.testing.assert_allclose(found[:, 2], np.cos(2 * np.pi * turn), atol=1e-6)


def test_a_name_that_is_no_unicode_is_refused(tmp_path):
    first = replace(TABLE.columns[0], name="half a letter \ud800")
    prepared = replace(TABLE, columns=(first, *TABLE.columns[1:]))
    with pytest.raises(SpecError, match="a name cannot be written as ONNX: .*surrogates"):
        of_columns(preparation=prepared).to_onnx(tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_more_weights_than_a_file_can_hold_are_refused(tmp_path, monkeypatch):
    import triptych.saved.onnx_export as export_module

    monkeypatch.setattr(export_module, "_MOST_BYTES", 100)
    with pytest.raises(SpecError, match="at most 2 GB"):
        made(MLPSpec(hidden=(9,)), (6,), 3).to_onnx(tmp_path / "m.onnx")

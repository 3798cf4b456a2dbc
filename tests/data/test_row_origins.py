"""Rows of a table are called by their lines, and shown as they stand there."""

import csv
import json

import numpy as np
import pytest

from triptych import cli
from triptych.data import load
from triptych.runner import read_result
from triptych.spec import BundledSpec, TableSpec

HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m\u202e"


@pytest.fixture
def flowers(tmp_path):
    draw = np.random.default_rng(0)
    rows = [["width", "soil", "species"]]
    for k in range(60):
        width = f"{draw.normal(2.5 * (k % 2)):.3f}"
        rows.append([width if k % 7 else "", "clay" if k % 3 else HOSTILE, f"s{k % 2}"])
    with (tmp_path / "flowers.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return tmp_path / "flowers.csv"


@pytest.mark.parametrize("missing", ["fill", "drop"])
def test_the_origin_of_a_test_row_is_its_line_with_its_cells(flowers, missing):
    data = load(TableSpec(path=str(flowers), target="species", missing=missing), 0)
    lines = flowers.read_text().split("\n")
    for row in range(len(data.test)):
        origin = data.origin(row)
        word, line = origin.place.split()
        assert word == "line"
        width, soil, species = next(csv.reader([lines[int(line) - 1]]))
        assert origin.cells["soil"] == soil
        assert (origin.cells["width"] == "") == (width == "")
        assert not width or float(origin.cells["width"]) == float(width)
        assert data.classes[data.test.y[row]] == species


def test_tables_without_lines_have_rows():
    from sklearn.datasets import load_iris

    data = load(BundledSpec(source="iris"), 0)
    iris = load_iris()
    for row in range(len(data.test)):
        origin = data.origin(row)
        at = int(origin.place.removeprefix("row ")) - 1
        assert iris.target[at] == data.test.y[row]
        assert [float(cell) for cell in origin.cells.values()] == iris.data[at].tolist()


def test_the_worst_mistakes_name_lines_and_show_cells(flowers, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.toml").write_text(
        'title = "t"\nseeds = 1\n[data]\nsource = "table"\npath = "flowers.csv"\n'
        'target = "species"\nmissing = "fill"\ntest_size = 0.5\n[arm.a]\nengine = "numpy"\n'
        'network = { kind = "mlp", hidden = [3] }\ntrain = { epochs = 1, batch_size = 8 }\n'
    )
    with pytest.raises(SystemExit) as left:
        cli.main(["run", "s.toml", "--out", "out", "--json"])
    assert left.value.code == 0
    out, told = capsys.readouterr()
    found = {one["kind"]: one for one in json.loads(out)["runs"][0]["findings"]}
    lines = flowers.read_text().split("\n")
    labels = found["mistakes"]["labels"]
    assert labels["features"] == ["width", "soil"]
    for k, place in enumerate(labels["places"]):
        width, soil, species = next(csv.reader([lines[int(place.removeprefix("line ")) - 1]]))
        assert labels["cells"][2 * k + 1] == soil
        assert labels["true"][k] == species
        assert not width or float(labels["cells"][2 * k]) == float(width)
    assert found["integrated gradients"]["labels"]["rows"][0].startswith("line ")
    html = read_result(tmp_path / "out").to_html()
    assert labels["places"][0] in html
    for text in (html, told):
        assert "\x1b[31m" not in text
        assert "\u202e" not in text
    assert "<img src=x" not in html

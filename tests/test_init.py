"""``triptych init``: what data are taken for, and a first study that runs as it is."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import triptych.spec
from triptych import cli
from triptych.data import load
from triptych.data.looks import look
from triptych.errors import DataError
from triptych.records import StudyFolder
from triptych.runner import Setting, execute_study, read_result
from triptych.spec import TableSpec, ToySpec, parse_study, read_study
from triptych.studies.starter import describe, starter

HAS_TABLES = hasattr(triptych.spec, "TableSpec")
STEPS = "id,time,label,v\n" + "\n".join(
    f"{k},{t},{'ab'[k % 2]},{k * t}" for k in range(12) for t in range(3)
)
ROWS = "id,petal,sepal,species\n" + "\n".join(
    f"{k},{k % 7},{k % 5},{'xyz'[k % 3]}" for k in range(60)
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments):
    with pytest.raises(SystemExit) as left:
        cli.main(["init", *arguments])
    return left.value.code


def pictures(root, sizes=((8, 8),), each=5, names=("a cat", "<b>dog")):
    draw = np.random.default_rng(0)
    for name in names:
        (root / name).mkdir(parents=True)
        for i in range(each):
            size = sizes[i % len(sizes)]
            x = draw.integers(0, 256, (*size, 3), dtype=np.uint8)
            Image.fromarray(x).save(root / name / f"{i}.png")


def words(path, between="\t"):
    draw = np.random.default_rng(0)
    texts = ["".join(draw.choice(list("abc"), draw.integers(1, 7))) for _ in range(50)]
    path.write_text("".join(f"{text[0]}{between}{text}\n" for text in texts))


@pytest.mark.parametrize(
    ("name", "text", "target", "found"),
    [
        ("w.txt", "a\tab\nb\tba\n", None, {"source": "sequences"}),
        ("w.txt", "ab,a\n", "last", {"source": "sequences", "target": "last"}),
        ("w.tsv", "a\tab\nb\tba\n", None, {"source": "sequences"}),
        ("t.tsv", "x\ty\n1\t0\n2\t1\n", None, {"source": "table", "target": "y"}),
        ("t.tsv", "x\tz\tw\n1\t0\ta\n", "z", {"source": "table", "target": "z"}),
        ("s.csv", STEPS, None, {"source": "sequences"}),
        (
            "s.csv", STEPS.replace("id,time,label", "ID,t,Class"), None,
            {"source": "sequences", "id": "ID", "time": "t", "target": "Class"},
        ),
        ("s.csv", STEPS, "time", {"source": "table", "target": "time"}),
        ("t.csv", ROWS, None, {"source": "table", "target": "species", "ignore": ["id"]}),
        ("t.csv", "a;b;kind\n1;2;x\n", None, {"source": "table", "target": "kind"}),
        ("t.csv", ROWS, "id", {"source": "table", "target": "id"}),
        (
            "t.csv", "a,b,c\n1,,2\n", None,
            {"source": "table", "target": "c", "ignore": ["b"], "missing": "fill"},
        ),
        ("j.jsonl", '{"label": 1, "sequence": [1]}\n', None, {"source": "sequences"}),
        (
            "j.json", '{"why": "long text", "Class": 1, "notes": [1, 2]}\n', None,
            {"source": "sequences", "target": "Class", "sequence": "notes"},
        ),
        ("j.ndjson", "not json", None, {"source": "sequences"}),
    ],
)  # fmt: skip
def test_data_are_told_by_looking_at_them(here, name, text, target, found):
    (here / name).write_text(text)
    assert look(here / name, target) == {"path": str(here / name), **found}


def test_columns_of_arrays_are_told_by_their_names(here):
    x = np.arange(120.0)
    names = np.array([f"name {k}" for k in range(120)])
    np.savez(here / "t.npz", Class=np.arange(120) % 2, who=names, a=np.where(x == 3, np.nan, x))
    found = {"source": "table", "path": str(here / "t.npz"), "missing": "fill"}
    assert look(here / "t.npz") == {**found, "target": "Class", "ignore": ["who"]}
    assert look(here / "t.npz", "who") == {**found, "target": "who"}
    with pytest.raises(DataError, match=r"t\.npz: there is no column 'clas'. Did you .*'Class'"):
        look(here / "t.npz", "clas")


def test_dates_of_a_parquet_file_are_inputs_and_lists_are_left_out(here, capsys):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    day = pyarrow.array(range(20), pyarrow.int32()).cast(pyarrow.date32())
    columns = {
        "day": day,
        "a": [k % 7 for k in range(20)],
        "tags": [[1]] * 20,
        "kind": ["x", "y"] * 10,
    }
    parquet.write_table(pyarrow.table(columns), here / "t.parquet")
    assert call("t.parquet") == 0
    assert "note: left out, in ignore: 'tags'" in capsys.readouterr().out
    assert read_study(here / "study.toml").arms["linear"].data.target == "kind"
    assert call("t.parquet", "--target", "tags", "--force") == 3
    assert "column 'tags' is of kind 'list<" in capsys.readouterr().err
    (here / "t.parquet").write_text("no")
    assert call("t.parquet", "--force") == 3
    assert "this is no whole Parquet file" in capsys.readouterr().err


def test_texts_of_too_many_kinds_are_left_out_and_said(here, capsys):
    rows = [f"{k % 7},2024-01-{k % 28 + 1:02},remark {k},{'xyz'[k % 3]}" for k in range(60)]
    (here / "t.csv").write_text("a,day,remark,kind\n" + "\n".join(rows))
    assert call("t.csv") == 0
    assert "note: left out, in ignore: 'remark': ids, or too many" in capsys.readouterr().out
    assert read_study(here / "study.toml").arms["linear"].data.ignore == ("remark",)
    (here / "t.csv").write_text(
        "remark,kind\n" + "\n".join(f"r{k},{'xy'[k % 2]}" for k in range(60))
    )
    with pytest.raises(DataError, match="'remark' has 60 different texts"):
        load(TableSpec(**look(here / "t.csv")), 0)
    # What may have been meant as numbers is told instead, by its place.
    rows = [f'{k % 7},"1,{k:02}",{"xyz"[k % 3]}' for k in range(60)]
    (here / "t.csv").write_text("a,price,kind\n" + "\n".join(rows))
    assert call("t.csv", "--force") == 3
    assert "line 2 column 'price': '1,00' is not a number" in capsys.readouterr().err


def test_bad_pictures_are_left_out_where_that_is_asked_for(here, capsys):
    pictures(here / "p")
    (here / "p" / "a cat" / "0.png").write_text("hello")
    assert call("p") == 3
    assert "leave them out with --skip-bad (in a study: skip_bad = true)" in capsys.readouterr().err
    assert call("p", "--skip-bad") == 0
    assert "a cat/0.png (not a picture); they are left out" in capsys.readouterr().out
    assert read_study(here / "study.toml").arms["mlp"].data.skip_bad
    words(here / "w.txt")
    assert call("w.txt", "--skip-bad", "--force") == 2
    assert "--skip-bad: needs a folder of pictures" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "target", "says"),
    [
        ("x.xlsx", "x", None, "cannot tell what this is by its ending, '.xlsx'. Give a folder"),
        ("t.csv", ROWS, "specie", "there is no column 'specie'. Did you mean 'species'"),
        ("t.csv", "a,b\n", None, "there is a header only"),
        ("t.csv", "", None, "the file is empty"),
        ("t.csv", 'a,b\n"x,1\n', None, "a quote that opens in this row is never closed"),
        ("j.jsonl", '{"label": 1, "s": [1]}\n', "lable", "no column 'lable'. Did you mean 'label'"),
    ],
)
def test_what_cannot_be_told_is_said(here, name, text, target, says):
    (here / name).write_text(text)
    with pytest.raises(DataError, match=says):
        look(here / name, target)
    with pytest.raises(DataError, match="nowhere: there is no such file or folder"):
        look(here / "nowhere")


@pytest.mark.parametrize(
    ("sizes", "size"),
    [
        (((8, 8),), None),
        (((64, 40),), None),
        (((8, 8), (9, 7)), [8, 8]),
        (((80, 90),), [64, 64]),
        (((400, 300), (200, 300)), [64, 64]),
    ],
)
def test_large_pictures_and_those_of_several_sizes_are_scaled(here, sizes, size):
    pictures(here / "p", sizes)
    assert look(here / "p").get("size") == size


def run_starter(path, folder):
    """Run every arm of a starter for an epoch, on one seed."""
    study = read_study(path)
    for line in path.read_text().splitlines():
        assert len(line) <= 120
    text = path.read_text()
    text = re.sub(r"epochs = \d+", "epochs = 1", text)
    path.write_text(text)
    list(execute_study(read_study(path).with_seeds(1), StudyFolder(folder), Setting()))
    record = read_result(folder).record
    assert [run.status for run in record.runs] == ["finished"] * len(study.arms)
    return record


def test_a_starter_on_pictures_runs(here, capsys, one_thread):
    pictures(here / "my pets", ((8, 8), (12, 10)), each=10)
    (here / "studies").mkdir()
    assert call("my pets", "--out", "studies/pets.toml") == 0
    said = capsys.readouterr().out
    assert "my pets: 20 pictures, 9 x 9, scaled, colour, 2 classes: <b>dog, a cat" in said
    assert "Wrote studies/pets.toml: 3 arms, 2 claims" in said
    study = read_study(here / "studies" / "pets.toml")
    assert study.seeds == "auto"
    assert study.budget == "5 min"
    assert Path(study.arms["mlp"].data.path).resolve() == here.resolve() / "my pets"
    assert 'path = "../my pets"' in (here / "studies" / "pets.toml").read_text()
    record = run_starter(here / "studies" / "pets.toml", here / "out")
    assert {run.data for run in record.runs} == {"my pets"}


def test_a_starter_on_sequences_runs(here, capsys, one_thread):
    words(here / "words.txt")
    assert call("words.txt") == 0
    said = capsys.readouterr().out
    assert "words.txt: 50 sequences, at most 6 steps, 3 symbols, 3 classes: a, b, c" in said
    assert "note: words.txt: " in said
    run_starter(here / "study.toml", here / "out")


def test_a_starter_on_steps_of_numbers_names_their_columns(here, capsys):
    (here / "s.csv").write_text(STEPS.replace("id,time,label", "ID,t,Class"))
    assert call("s.csv") == 0
    assert "12 sequences, at most 3 steps, 1 feature, 2 classes: a, b" in capsys.readouterr().out
    data = read_study(here / "study.toml").arms["small"].data
    assert (data.id, data.time, data.target) == ("ID", "t", "Class")


def test_without_data_a_starter_is_of_the_digits(here, capsys):
    assert call() == 0
    assert "digits: 1,797 pictures, 8 x 8, grey, 10 classes" in capsys.readouterr().out
    study = read_study(here / "study.toml")
    assert {arm.data.source for arm in study.arms.values()} == {"digits"}
    assert call("--target", "x", "--force") == 2
    assert "--target: needs DATA, got 'x' alone" in capsys.readouterr().err


def test_a_starter_on_a_table_has_a_linear_model_to_beat(here, one_thread):
    data = load(ToySpec(source="moons"), 0)
    text = starter({"source": "moons"}, data)
    assert parse_study(text).arms["linear"].network.hidden == ()
    assert describe(data, {"target": "y"}) == (
        "a table, 1,000 rows, 2 inputs, target 'y', 2 classes: 0, 1"
    )
    (here / "moons.toml").write_text(text)
    run_starter(here / "moons.toml", here / "out")


@pytest.mark.skipif(not HAS_TABLES, reason="needs the source 'table'")
@pytest.mark.parametrize(
    ("text", "metric"),
    [
        (ROWS, "test_accuracy"),
        ("a,b\n" + "\n".join(f"{k % 9},{k * 1.5}" for k in range(60)), "test_r2"),
        ("a,b,c\n" + "\n".join(f"{k % 9 or ''},{k % 4},{k * 1.5}" for k in range(60)), "test_r2"),
    ],
)
def test_a_starter_on_a_file_of_rows_runs(here, capsys, text, metric, one_thread):
    (here / "t.csv").write_text(text)
    assert call("t.csv") == 0
    study = read_study(here / "study.toml")
    assert all(metric in test for claim in study.claims for test in claim.tests)
    said = re.search(r"# A claim compares (?:.*\n#)+", (here / "study.toml").read_text()).group()
    assert (metric in said, "test_accuracy" in said) == (True, metric == "test_accuracy")
    run_starter(here / "study.toml", here / "out")


def test_hostile_names_stay_names(here, capsys):
    name = 'a"] #[arm.x] \u202eb'
    pictures(here / name, names=("x\n[arm.y]", "\x1b[31mred"))
    assert call(name) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\u202e" not in said
    study = read_study(here / "study.toml")
    assert set(study.arms) == {"mlp", "small", "large"}
    assert study.title == f"Which network for {name}?"
    (here / name).rename(here / "a\nb")
    assert call("a\nb", "--force") == 2
    assert r"data.path: must name a file or folder, got 'a\nb'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["w.txt"], 2, "'study.toml' is there already; name another, or add --force"),
        (["w.txt", "--out", "w.txt"], 2, "a study ends in .toml, got 'w.txt'"),
        (["w.txt", "--out", "no/s.toml"], 2, "there is no folder 'no'"),
        (["nowhere", "--out", "a.toml"], 3, "nowhere: there is no such file or folder"),
        (["empty", "--out", "a.toml"], 3, "has no sub-folders"),
        (["w.txt", "--target", "firts", "--out", "a.toml"], 3, "target must be 'first' or 'last'"),
        (["bad.txt", "--out", "a.toml"], 3, "byte 3 is not utf-8"),
    ],
)
def test_nothing_is_written_where_something_is_wrong(here, capsys, arguments, code, says):
    words(here / "w.txt")
    (here / "study.toml").write_text("mine")
    (here / "empty").mkdir()
    (here / "bad.txt").write_bytes(b"a\tx\xff\n")
    before = sorted(p.name for p in here.iterdir())
    assert call(*arguments) == code
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert (here / "study.toml").read_text() == "mine"
    assert sorted(p.name for p in here.iterdir()) == before
    assert call("w.txt", "--force") == 0
    assert read_study(here / "study.toml").title == "Which network for w.txt?"


def test_text_in_another_encoding_is_read_where_it_is_named(here):
    lines = "".join(f"é\té{'ab'[k % 2] * k}\na\t{'b' * (k + 1)}\n" for k in range(4))
    (here / "w.txt").write_bytes(lines.encode("cp1252"))
    assert call("w.txt", "--encoding", "cp1252") == 0
    assert read_study(here / "study.toml").arms["gru"].data.encoding == "cp1252"


def test_json_lines_are_read_by_the_fields_that_were_found(here, capsys):
    records = [{"text": f"a{'b' * k}", "Class": k % 2} for k in range(8)]
    (here / "j.jsonl").write_text("\n".join(map(json.dumps, records)))
    assert call("j.jsonl") == 0
    assert "8 sequences, at most 8 steps, 2 symbols, 2 classes: 0, 1" in capsys.readouterr().out

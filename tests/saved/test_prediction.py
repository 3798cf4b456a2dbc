"""``triptych predict``: rows of any file or folder, as CSV or JSON, in bounded memory."""

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn_models import drawn_model, fill_folder, kept, table_text, words_text

from triptych import predict_file
from triptych.data import read_prepared
from triptych.saved import Remarks
from triptych.saved.prediction_text import Writer, spreadsheet_cell
from triptych.spec import FolderSpec, SequenceFileSpec, TableSpec


def parsed(text):
    rows = list(csv.reader(io.StringIO(text)))
    return rows[0], rows[1:]


def whole(model, path, **settings):
    """Return all rows of a file at once, prepared."""
    parts = list(read_prepared(model.preparation, path, **settings))
    return np.concatenate([part.x for part in parts]), [p for part in parts for p in part.places]


def test_a_table_is_predicted_row_by_row(table_model, call):
    code, out, err = call("predict", "m.safetensors", "t.csv")
    assert (code, err) == (0, "")
    head, rows = parsed(out)
    assert head == ["row", "prediction", "p(x)", "p(y)", "p(z)"]
    x, places = whole(table_model, "t.csv")
    assert [row[0] for row in rows] == places
    assert places[:2] == ["line 2", "line 3"]
    assert [row[1] for row in rows] == table_model.predict(x).tolist()
    shares = np.array([row[2:] for row in rows], float)
    np.testing.assert_allclose(shares, table_model.probabilities(x), rtol=1e-5)


def test_lines_of_json_hold_the_same(table_model, call):
    code, out, _ = call("predict", "m.safetensors", "t.csv", "--json")
    assert code == 0
    lines = [json.loads(line) for line in out.splitlines()]
    x, places = whole(table_model, "t.csv")
    assert [line["row"] for line in lines] == places
    assert [line["prediction"] for line in lines] == table_model.predict(x).tolist()
    assert lines[0]["probabilities"] == dict(
        zip("xyz", table_model.probabilities(x)[0].tolist(), strict=True)
    )
    _, out, _ = call("predict", "m.safetensors", "t.csv", "--json", "--no-probabilities")
    assert json.loads(out.splitlines()[0]) == {
        "row": "line 2", "prediction": lines[0]["prediction"]
    }  # fmt: skip


def test_probabilities_may_be_left_out(table_model, call):
    _, out, _ = call("predict", "m.safetensors", "t.csv", "--no-probabilities")
    assert parsed(out)[0] == ["row", "prediction"]


def test_numbers_are_told_in_their_own_unit_and_have_no_probabilities(here, call):
    draw = np.random.default_rng(0)
    rows = [f"{a:.3f},{1e6 + 5e4 * a:.1f}" for a in draw.normal(size=50)]
    (here / "n.csv").write_text("\n".join(["a,price", *rows]))
    model = kept(drawn_model(TableSpec(path="n.csv", target="price"), "squared")[0])
    code, out, _ = call("predict", "m.safetensors", "n.csv")
    assert code == 0
    head, rows = parsed(out)
    assert head == ["row", "prediction"]
    told = np.array([row[1] for row in rows], float)
    np.testing.assert_allclose(told, model.predict(whole(model, "n.csv")[0])[:, 0], rtol=1e-8)
    assert 9e5 < told.mean() < 1.1e6
    code, _, err = call("predict", "m.safetensors", "n.csv", "--probabilities")
    assert code == 2
    assert err == "triptych: --probabilities: the model has none; it tells numbers.\n"
    _, out, _ = call("predict", "m.safetensors", "n.csv", "--json")
    assert json.loads(out.splitlines()[0])["prediction"] == pytest.approx(told[0], rel=1e-8)


def test_pictures_are_called_by_their_names(folder_model, here, call):
    code, out, err = call("predict", "m.safetensors", "pets")
    assert (code, err) == (0, "")
    _, rows = parsed(out)
    assert [row[0] for row in rows][:2] == ["cat/0.png", "cat/1.png"]
    x, _ = whole(folder_model, here / "pets")
    assert [row[1] for row in rows] == folder_model.predict(x).tolist()
    _, out, _ = call("predict", "m.safetensors", "pets/dog/3.png")
    assert parsed(out)[1] == [["3.png", *rows[9][1:]]]


def test_bad_pictures_are_refused_or_left_out_and_told(folder_model, here, call):
    (here / "pets" / "dog" / "bad.png").write_bytes(b"no picture")
    code, out, err = call("predict", "m.safetensors", "pets", "--out", "p.csv")
    assert code == 3
    assert "1 of 13 files cannot be used: dog/bad.png (not a picture)" in err
    assert not (here / "p.csv").exists()
    code, out, err = call("predict", "m.safetensors", "pets", "--skip-bad")
    assert code == 0
    assert len(parsed(out)[1]) == 12
    assert "note: 1 of 13 files cannot be used: dog/bad.png (not a picture); they are left" in err


def test_sequences_need_no_labels(words_model, here, call):
    (here / "new.txt").write_text("abc\nb\nbbbbbbbb\n")
    code, out, err = call("predict", "m.safetensors", "new.txt")
    assert code == 0
    assert [row[0] for row in parsed(out)[1]] == ["line 1", "line 2", "line 3"]
    assert err == (
        "triptych: note: 1 row with values of 'length' that no training row had: '8 steps' (1).\n"
    )


@pytest.mark.parametrize("rows", [1, 7, 65_536])
def test_rows_come_out_alike_however_many_are_taken_at_a_time(words_model, rows):
    parts = list(predict_file(words_model, "words.txt", rows=rows))
    assert max(map(len, parts)) <= rows
    shares = np.concatenate([part.probabilities for part in parts])
    x, _ = whole(words_model, "words.txt")
    np.testing.assert_allclose(shares, words_model.probabilities(x), atol=1e-6)


def test_what_training_rows_had_not_is_said_at_the_end(table_model, here, call):
    lines = ["extra,b,a,city"] + [f"0,1,{k},{'QRU'[k % 3]}" for k in range(60)]
    (here / "new.csv").write_text("\n".join(lines))
    code, out, err = call("predict", "m.safetensors", "new.csv")
    assert code == 0
    assert len(parsed(out)[1]) == 60
    assert err.splitlines() == [
        "triptych: note: 40 rows with values of 'city' that no training row had: 'Q' (20), 'U' "
        "(20).",
        "triptych: note: new.csv: 'extra' is not read.",
    ]


def test_only_some_of_many_new_values_are_kept_and_named():
    remarks = Remarks()
    for k in range(3_000):
        remarks.hear(made(f"v{k}", 1 + (k == 7)))
    (line,) = remarks.lines
    assert line.startswith("3,001 rows with values of 'c' that no training row had: 'v7' (2), ")
    assert line.endswith(", ....")
    assert sum(map(len, remarks._values.values())) == 1_000


def made(value, count):
    from triptych.contracts import Prepared

    return Prepared(np.zeros((count, 1)), None, ("1",) * count, {"c": {value: count}})


def test_a_file_is_written_whole_or_not_at_all(table_model, here, call, monkeypatch):
    code, out, err = call("predict", "m.safetensors", "t.csv", "--out", "p.csv")
    assert (code, out) == (0, "")
    assert err == "Wrote p.csv: 90 rows predicted.\n"
    before = (here / "p.csv").read_bytes()
    assert len(before.splitlines()) == 91
    (here / "new.csv").write_text(table_text() + "1,2,R,p0\n")
    monkeypatch.setattr("triptych.data.text_files._BLOCK_BYTES", 512)  # some were written by then
    code, _, err = call("predict", "m.safetensors", "new.csv", "--out", "p.csv")
    assert code == 3
    assert err == "triptych: new.csv line 92: 4 fields, expected 5.\n"
    assert (here / "p.csv").read_bytes() == before
    assert sorted(p.name for p in here.iterdir()) == ["m.safetensors", "new.csv", "p.csv", "t.csv"]


@pytest.mark.parametrize(
    ("out", "says"),
    [
        ("t.csv", "--out: 't.csv' is DATA itself; name another file."),
        ("./m.safetensors", "--out: 'm.safetensors' is MODEL itself; name another file."),
        ("folder", "--out: 'folder' is no file; name one to write."),
        ("pipe", "--out: 'pipe' is no file; name one to write."),
    ],
)
def test_nothing_that_is_read_and_no_device_is_written_over(table_model, here, call, out, says):
    (here / "folder").mkdir()
    os.mkfifo(here / "pipe")
    before = (here / "t.csv").read_bytes(), (here / "m.safetensors").read_bytes()
    code, _, err = call("predict", "m.safetensors", "t.csv", "--out", out)
    assert code == 2
    assert err == f"triptych: {says}\n"
    assert before == ((here / "t.csv").read_bytes(), (here / "m.safetensors").read_bytes())


def test_a_folder_that_is_not_there_and_a_full_disk_are_said(table_model, here, call):
    code, _, err = call("predict", "m.safetensors", "t.csv", "--out", "nowhere/p.csv")
    assert code == 4
    assert err == "triptych: cannot write nowhere/p.csv: No such file or directory.\n"
    if Path("/dev/full").exists():
        (here / "p.csv.partial").symlink_to("/dev/full")
        code, _, err = call("predict", "m.safetensors", "t.csv", "--out", "p.csv")
        assert code == 4
        assert err.startswith("triptych: no space left to write p.csv")
        assert not (here / "p.csv").exists()


@pytest.mark.fault(39)
def test_names_in_data_are_text_to_spreadsheets_and_terminals(here, call):
    kinds = ('=cmd()|"calc"', "+1+1", "-2", "@x", "\x1b[31mred", "<img onerror=x>", 'x,"y"')
    text = ["a,kind"]
    for k in range(70):
        name = kinds[k % 7].replace('"', '""')
        text.append(f'{k % 7}.{k},"{name}"')
    (here / "h.csv").write_text("\n".join(text))
    model = kept(drawn_model(TableSpec(path="h.csv", target="kind", text=("kind",)))[0])
    _, out, err = call("predict", "m.safetensors", "h.csv")
    assert "\x1b" not in out + err
    head, rows = parsed(out)
    assert {row[1] for row in rows} <= {spreadsheet_cell(name) for name in kinds}
    assert all(cell[:1] not in "=+@" for cell in (*head, *(c for row in rows for c in row)))
    assert 'p(=cmd()|"calc")' in head
    _, out, err = call("evaluate", "m.safetensors", "h.csv")
    assert "\x1b" not in out + err
    every = Writer(replace(model)).head
    assert parsed(every)[0][2:] == [f"p({name})".replace("\x1b", "␛") for name in model.classes]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=cmd()", "'=cmd()"), ("+1+1", "'+1+1"), ("-2", "-2"), ("-2e3", "-2e3"), ("@a", "'@a"),
        ("-cmd()", "'-cmd()"), (" =a", "' =a"), ("\uff1da", "'\uff1da"), ("a=b", "a=b"), ("", ""),
        ("\t=a", "␉=a"), ("a\u202eb", "a�b"), ("caf\u00e9", "café"), ("a\udcffb", "a�b"),
    ],
)  # fmt: skip
def test_cells_of_texts(text, cell):
    assert spreadsheet_cell(text) == cell


@pytest.mark.fault(39)
def test_hostile_names_of_pictures_are_text_too(here, call):
    fill_folder(here / "pets", names=("=cat", "do\x1b[31mg"))
    kept(drawn_model(FolderSpec(path="pets"))[0])
    (here / "pets" / "=cat" / "=1+1.png").write_bytes(
        (here / "pets" / "=cat" / "0.png").read_bytes()
    )
    (here / "pets" / "=cat" / "\x1b]0;x\x07.png").write_bytes(b"")
    code, _, err = call("predict", "m.safetensors", "pets")
    assert code == 3
    assert err.isprintable() or err.rstrip("\n").isprintable()
    code, out, err = call("predict", "m.safetensors", "pets", "--skip-bad")
    assert code == 0
    assert "\x1b" not in out + err
    assert {row[0][:2] for row in parsed(out)[1]} == {"'=", "do"}


def test_a_reader_that_leaves_early_is_no_error(table_model, here):
    (here / "long.csv").write_text(table_text(60_000))
    command = f"{sys.executable} -m triptych predict m.safetensors long.csv | head -n 2"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 2


def test_files_are_read_as_they_are_predicted_not_before(table_model, here):
    (here / "new.csv").write_text(table_text() + "1,2,R,p0\n")
    some = predict_file(table_model, "new.csv", rows=10)
    assert len(next(some)) == 10  # the last line, which is at fault, was not come to


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_memory_does_not_grow_with_the_file(table_model, here):
    lines = table_text(1_000).splitlines()
    code = (
        "import sys, triptych\n"
        "from pathlib import Path\n"
        "from triptych.data import text_files\n"
        "text_files._BLOCK_BYTES = 1 << 16\n"
        "model = triptych.load('m.safetensors')\n"
        "rows = sum(map(len, triptych.predict_file(model, sys.argv[1], rows=1000)))\n"
        "print(rows, Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    taken = []
    for thousands in (10, 120):
        (here / "new.csv").write_text("\n".join([lines[0], *(lines[1:] * thousands)]))
        command = [sys.executable, "-c", code, "new.csv"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows, kilobytes = map(int, done.stdout.split())
        assert rows == 1_000 * thousands
        taken.append(kilobytes)
    assert taken[1] < taken[0] + 15_000  # as Python's texts, all cells would take three times that


def test_a_model_without_a_preparation_says_so(here, table_model, call):
    kept(replace(table_model, preparation=None))
    for command in ("predict", "evaluate"):
        code, _, err = call(command, "m.safetensors", "t.csv")
        assert code == 2
        assert err.startswith("triptych: the model reads arrays, and does not say how a file")


def test_labels_are_not_looked_at(here, words_model, call):
    (here / "q.txt").write_text(words_text(("?", "!")))
    code, out, err = call("predict", "m.safetensors", "q.txt")
    assert (code, err) == (0, "")
    assert out == call("predict", "m.safetensors", "words.txt")[1]
    model, _ = drawn_model(SequenceFileSpec(path="words.txt"))
    assert model.classes == ("a", "b")

"""Bad input of ``predict`` and ``evaluate``: each fault is made to happen, and gets its word.

The numbers are those of the list of faults that the project keeps: A data, E files of others, G
environment.
"""

import io
import json
import os
import pickle
import socket
import struct
import sys
import zipfile
import zlib

import numpy as np
import pytest
from drawn_models import HEAD, drawn_model, kept, table_text

from triptych.spec import TableSpec

ROW = "1,2,R,p0,x"
BOTH = ("predict", "evaluate")


def refused(call, data, code, says, command="predict", *options):
    found, out, err = call(command, "m.safetensors", data, *options)
    assert (found, out) == (code, ""), err
    assert err.count("\n") == 1
    assert err.startswith("triptych: ")
    assert says in err, err


def table(*rows):
    return "\n".join([HEAD, *rows]) + "\n"


# A. Data


@pytest.mark.fault(1, 3, 4, 5, 6, 7)
@pytest.mark.parametrize("command", BOTH)
@pytest.mark.parametrize(
    ("text", "says"),
    [
        # 1. Rows that are no rows
        (table(ROW, "1,2,R,p0"), "new.csv line 3: 4 fields, expected 5"),
        (table(ROW, "1,2,R,p0,x,y"), "new.csv line 3: 6 fields, expected 5"),
        (table(ROW, "", ROW), "new.csv line 3: the line is blank; remove it"),
        # 3. Numbers that are none here
        (table('"1,5",2,R,p0,x'), "new.csv line 2 column 'a': '1,5' is not a number; 1234.5 is"),
        (table("1_000,2,R,p0,x"), "line 2 column 'a': '1_000' is not a number"),
        (table("\u0661,2,R,p0,x"), "line 2 column 'a': '\u0661' is not a number"),
        (table("1e999,2,R,p0,x"), "line 2 column 'a': no number is as large"),
        (table("0x10,2,R,p0,x"), "line 2 column 'a': '0x10' is not a number"),
        (table("red,2,R,p0,x"), "line 2 column 'a': 'red' is not a number"),
        # 4. What breaks the grammar
        (table(f"1,2,{'R' * 140_000},p0,x"), "new.csv line 2: a cell has more than 131,072"),
        (table('1,2,"R,p0,x'), "new.csv line 2: a quote that opens in this row"),
        (table('1,2,"R"S,p0,x'), "new.csv line 2: text follows a closing quote"),
        (table("1,2,R\0,p0,x"), "new.csv line 2: there is a NUL byte"),
        # 5. Cells without a number
        (table(ROW, ",2,R,p0,x"), "new.csv line 3 column 'a': the cell is empty, and no training"),
        (table(ROW, "NaN,2,R,p0,x"), "new.csv line 3 column 'a': the cell is empty"),
        (table(ROW, "inf,2,R,p0,x"), "new.csv line 3 column 'a': no number is as large"),
        # 6. Nothing to read
        ("", "new.csv: the file is empty"),
        ("\n\n  \n", "new.csv: the file is empty"),
        (HEAD + "\n", "new.csv: there are no rows"),
        # 7. Columns
        ("a,a,city,who,kind\n1,2,R,p0,x\n", "new.csv line 1: there are two columns 'a'"),
        ("a,,city,who,kind\n1,2,R,p0,x\n", "new.csv line 1: column 2 has no name"),
        ("a,bb,city,who,kind\n1,2,R,p0,x\n", "there is no column 'b', which is needed. Did you"),
    ],
)
def test_tables_are_refused_by_line_and_column(table_model, here, call, command, text, says):
    (here / "new.csv").write_text(text)
    refused(call, "new.csv", 3, says, command)


@pytest.mark.fault(1)
def test_1_what_is_at_fault_far_down_leaves_no_file(table_model, here, call, monkeypatch):
    monkeypatch.setattr("triptych.data.text_files._BLOCK_BYTES", 512)  # some were written by then
    (here / "new.csv").write_text(table(*[ROW] * 500, "1,2,R,p0"))
    refused(call, "new.csv", 3, "new.csv line 502: 4 fields", "predict", "--out", "p.csv")
    assert not list(here.glob("p.csv*"))


@pytest.mark.fault(2)
def test_2_encodings(table_model, here, call):
    text = table("1,2,Zürich,p0,x")
    (here / "new.csv").write_bytes(text.encode("utf-8-sig"))
    assert call("predict", "m.safetensors", "new.csv")[0] == 0
    (here / "new.csv").write_bytes(text.encode("utf-16"))
    refused(call, "new.csv", 3, "new.csv: this is UTF-16 by its first bytes")
    assert call("predict", "m.safetensors", "new.csv", "--encoding", "utf-16")[0] == 0
    (here / "new.csv").write_bytes(text.encode("cp1252"))
    refused(call, "new.csv", 3, "new.csv line 2: byte 23 is not utf-8; pass encoding=")
    for command in BOTH:
        code, _, err = call(command, "m.safetensors", "new.csv", "--encoding", "cp1252")
        assert code == 0
        assert "'Zürich' (1)" in err
    refused(call, "new.csv", 3, "unknown encoding: klingon", "predict", "--encoding", "klingon")


@pytest.mark.fault(5)
def test_5_filled_as_in_training_where_training_had_gaps(here, call):
    (here / "t.csv").write_text(table_text() + ",1,R,p0,x\n")
    kept(drawn_model(TableSpec(path="t.csv", target="kind", ignore=("who",), missing="fill"))[0])
    (here / "new.csv").write_text(table(",2,,p0,x"))
    assert call("predict", "m.safetensors", "new.csv")[0] == 0
    (here / "new.csv").write_text(table("1,2,R,p0,"))
    refused(call, "new.csv", 3, "line 2 column 'kind': the cell is empty", "evaluate")


@pytest.mark.fault(6)
def test_6_one_row_and_one_class_can_be_predicted_and_scored(table_model, here, call):
    (here / "new.csv").write_text(table(ROW))
    code, out, _ = call("predict", "m.safetensors", "new.csv")
    assert code == 0
    assert len(out.splitlines()) == 2
    code, out, err = call("evaluate", "m.safetensors", "new.csv", "--json")
    assert code == 0
    assert json.loads(out)["rows"] == 1
    assert "no row is of 'y', 'z'; no mean counts them." in err


@pytest.mark.fault(7)
def test_7_and_10_columns_that_are_asked_for_and_not_there(table_model, call):
    refused(call, "t.csv", 3, "there is no column 'who2'", "evaluate", "--group", "who2")
    refused(call, "t.csv", 3, "there is no column 'knd'", "evaluate", "--target", "knd")


@pytest.mark.fault(8)
def test_8_parquet(table_model, here, call):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"a": [1.0] * 40, "b": [2.0] * 40, "city": ["R"] * 40, "kind": ["x"] * 40}
    parquet.write_table(pyarrow.table(columns), "new.parquet")
    assert call("predict", "m.safetensors", "new.parquet")[0] == 0
    whole = (here / "new.parquet").read_bytes()
    for cut in (0, 10, len(whole) // 2, len(whole) - 9):
        (here / "cut.parquet").write_bytes(whole[:cut])
        refused(call, "cut.parquet", 3, "cut.parquet: ")
    nested = pyarrow.table({**columns, "a": [[1.0]] * 40})
    parquet.write_table(nested, "nested.parquet")
    refused(call, "nested.parquet", 3, "'a'")


@pytest.mark.fault(9)
def test_9_pictures(folder_model, here, call):
    cat = here / "pets" / "cat"
    whole = (cat / "0.png").read_bytes()
    (cat / "cut.png").write_bytes(whole[:-30])
    (cat / "empty.png").write_bytes(b"")
    (cat / "text.png").write_text("no picture")
    (cat / "loop.png").symlink_to(cat / "loop.png")
    for command in BOTH:
        refused(call, "pets", 3, "4 of 16 files cannot be used: cat/cut.png (", command)
        code, _, err = call(command, "m.safetensors", "pets", "--skip-bad")
        assert code == 0
        assert "note: 4 of 16 files cannot be used" in err
    (cat / "up").symlink_to(here / "pets")
    refused(call, "pets", 3, "links to a folder that it is in; remove the link")
    refused(call, "t.csv", 3, "there is no such folder")
    refused(call, "pets/cat/1.png", 3, "one picture has no label", "evaluate")
    refused(call, "pets/cat/text.png", 3, "pets/cat/text.png: cannot be used: not a picture.")


@pytest.mark.fault(10)
def test_10_sequences(words_model, here, call):
    for text, says in (
        ("abc\n\nab\n", "new.txt line 2: the line is blank"),
        ("", "new.txt: the file is empty"),
        ("abc\nabz\n", "new.txt line 2, step 2: 'z' is no symbol that the model knows"),
        ("a\t\n", "new.txt line 1: the sequence is empty"),
    ):
        (here / "new.txt").write_text(text)
        refused(call, "new.txt", 3, says)
    (here / "new.txt").write_text("abc\n")
    refused(call, "new.txt", 3, "new.txt line 1: 1 field, expected 2", "evaluate")
    refused(call, "words.txt", 3, "target must be 'first' or", "evaluate", "--target", "label")


@pytest.mark.fault(11)
def test_11_labels_outside_those_that_are_known(table_model, words_model, here, call):
    (here / "new.txt").write_text("q\tabc\nq\tab\n")
    refused(call, "new.txt", 3, "no row has a class that the model knows; it tells 'a', 'b'",
            "evaluate")  # fmt: skip
    (here / "new.txt").write_text("q\tabc\na\tab\n")
    code, _, err = call("evaluate", "m.safetensors", "new.txt")
    assert code == 0
    assert "1 of 2 rows are of classes that the model does not know" in err


def test_the_wrong_kind_of_data(table_model, here, call):
    (here / "pets").mkdir()
    (here / "x.jpeg").write_bytes(b"")
    refused(call, "pets", 3, "pets: a table ends in .csv, .tsv, .parquet, .npz")
    refused(call, "x.jpeg", 3, "x.jpeg: a table ends in")
    refused(call, "nowhere.csv", 3, "nowhere.csv: there is no such file")
    refused(call, "a\0b.csv", 3, "a␀b.csv: ")


# E. Files of others


class Canary:
    """Leaves a file where it is unpickled."""

    def __reduce__(self):
        return (open, ("canary", "w"))


@pytest.mark.fault(33)
@pytest.mark.parametrize("name", ["m.pt", "m.npy", "m.npz", "m.pkl", "m.safetensors"])
@pytest.mark.parametrize("command", BOTH)
def test_33_a_pickle_for_a_model_is_never_loaded(table_model, here, call, name, command):
    (here / name).write_bytes(pickle.dumps(Canary()))
    code, _, err = call(command, name, "t.csv")
    assert code == 5
    assert name in err
    assert not (here / "canary").exists()


@pytest.mark.fault(33)
def test_33_a_pickle_among_the_data_is_never_loaded(table_model, here, call):
    np.savez("new.npz", a=np.array([Canary()] * 3, dtype=object), b=np.zeros(3), city=["R"] * 3)
    refused(call, "new.npz", 5, "pickled")
    (here / "new.npz").write_bytes(pickle.dumps(Canary()))
    refused(call, "new.npz", 5, "pickled")
    assert not (here / "canary").exists()


def changed(here, change):
    """Write the model with its header changed."""
    raw = (here / "m.safetensors").read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    change(header)
    text = json.dumps(header).encode()
    (here / "bad.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + size :])


def inner(key, value):
    def change(header):
        table = json.loads(header["__metadata__"]["triptych"])
        *path, last = key.split(".")
        place = table
        for part in path:
            place = place[part]
        place[last] = value
        header["__metadata__"]["triptych"] = json.dumps(table)

    return change


def gap(header):
    header["w1"]["data_offsets"] = [n + 4 for n in header["w1"]["data_offsets"]]


def lying(header):
    header["w1"]["shape"] = [1 << 40, 1 << 20]


@pytest.mark.fault(34, 37)
@pytest.mark.parametrize(
    "change",
    [
        gap, lying, lambda header: header.pop("w1"),
        lambda header: header.update(w9={**header["b1"]}),
        # 37. Nothing in a file names code, a path or a URL.
        inner("network.kind", "os.system"), inner("network.class", "x"),
        inner("network.kind", "http://example.org/x"), inner("preparation.kind", "../../x"),
        inner("preparation.code", "x"), inner("preparation.columns", []),
        inner("preparation.told.name", 3), inner("temperature", "NaN"), inner("extra", 1),
    ],
)  # fmt: skip
def test_34_and_37_models_that_are_not_to_the_letter(table_model, here, call, change):
    changed(here, change)
    for command in BOTH:
        code, out, err = call(command, "bad.safetensors", "t.csv")
        assert (code, out) == (5, ""), err
        assert err.count("\n") == 1


@pytest.mark.fault(36)
def test_36_bombs_are_refused_before_they_take_memory(table_model, folder_model, here, call):
    body = b"IHDR" + (60_000).to_bytes(4) * 2 + b"\x08\x02\0\0\0"
    head = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)
    (here / "pets" / "cat" / "bomb.png").write_bytes(head + (4).to_bytes(4) + b"IDAT" + b"\0" * 8)
    refused(call, "pets", 3, "cat/bomb.png (more than 50 million)")


@pytest.mark.fault(36)
def test_36_arrays_that_blow_up_or_lie(table_model, here, call):
    np.savez_compressed("new.npz", a=np.zeros(10_000_000), b=np.zeros(3))
    refused(call, "new.npz", 5, "times as many")
    header = io.BytesIO()
    claim = {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
    np.lib.format.write_array_header_1_0(header, claim)
    with zipfile.ZipFile("new.npz", "w") as archive:
        archive.writestr("a.npy", header.getvalue())
    refused(call, "new.npz", 3, "new.npz: ")


@pytest.mark.fault(39)
def test_39_an_error_holds_nothing_that_a_terminal_obeys(table_model, here, call):
    name = "\x1b[31m\u202ered.csv"
    (here / name).write_text(table("1,2,R,p0"))
    for command in BOTH:
        code, _, err = call(command, "m.safetensors", name)
        assert code == 3
        assert err.rstrip("\n").isprintable()
    (here / "new.csv").write_text(HEAD.replace("b", "\x1b[2Jb") + "\n1,2,R,p0,x\n")
    _, _, err = call("predict", "m.safetensors", "new.csv")
    assert err.rstrip("\n").isprintable()


# G. Environment


@pytest.mark.fault(47, 48)
def test_47_and_48_neither_home_nor_network_is_needed(table_model, call, monkeypatch):
    def no_network(*_, **__):
        raise AssertionError("nothing here needs a network")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(socket, "socket", no_network)
    for command in BOTH:
        assert call(command, "m.safetensors", "t.csv")[0] == 0


@pytest.mark.fault(50)
def test_50_what_is_not_installed_is_named(table_model, here, call, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (here / "new.parquet").write_bytes(b"PAR1")
    refused(call, "new.parquet", 3, "pip install")
    refused(call, "new.parquet", 3, "triptych[parquet]")


def test_a_model_that_cannot_be_read_is_named(table_model, here, call):
    for command in BOTH:
        code, _, err = call(command, "nowhere.safetensors", "t.csv")
        assert (code, "nowhere.safetensors" in err) == (3, True)
    (here / "pipe").mkdir()
    code, _, _ = call("predict", "pipe", "t.csv")
    assert code in (3, 5)
    os.mkfifo(here / "fifo")
    code, _, _ = call("predict", "fifo", "t.csv")
    assert code in (3, 5)

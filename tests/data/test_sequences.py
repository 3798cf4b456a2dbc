"""Sequences from files: what is read, and every fault named by file, line and place."""

import json

import numpy as np
import pytest

import triptych
from triptych import RNNClassifier, read_sequences
from triptych.data.text_files import LONGEST_LINE
from triptych.errors import DataError

TABLE = "id,time,label,a,b\nx,2,up,3,0.5\ny,1,down,-1,+.5e1\nx,1,up,2,4\n"


@pytest.fixture
def file(tmp_path):
    def write(text, name="seq.txt", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return path

    return write


@pytest.mark.parametrize(
    ("text", "settings", "x", "y"),
    [
        ("en\tthe\nde\tdas\n", {}, [list("the"), list("das")], ["en", "de"]),
        ("en,the\r\nde,das", {}, [list("the"), list("das")], ["en", "de"]),
        ("the\ten\ndas\tde\n", {"target": "last"}, [list("the"), list("das")], ["en", "de"]),
        ("1\tGO LEFT\n0\tLEFT\n\n\n", {}, [["GO", "LEFT"], ["LEFT"]], [1, 0]),
        ("01\ta,b\n0\tc\n", {}, [["a", ",", "b"], ["c"]], ["01", "0"]),
        ("\ufeffen,ä\nde,ß\n", {}, [["ä"], ["ß"]], ["en", "de"]),
        ("en,a\u2028b\nde,c\n", {}, [["a", "\u2028", "b"], ["c"]], ["en", "de"]),
    ],
)
def test_lines_hold_a_label_and_symbols(file, text, settings, x, y):
    found = read_sequences(file(text), **settings)
    assert found.x == x
    assert found.y.tolist() == y
    assert found.features == ()
    assert found.ids == ("1", "2")
    assert len(found) == 2


def test_a_table_is_sorted_by_time_within_each_id(file):
    for text in (TABLE, TABLE.replace("\n", "\r\n"), TABLE.replace("time", '"time"')):
        found = read_sequences(str(file(text, "t.csv")))
        assert found.features == ("a", "b")
        assert found.ids == ("x", "y")
        assert found.y.tolist() == ["up", "down"]
        assert [x.tolist() for x in found.x] == [[[2, 4], [3, 0.5]], [[-1, 5]]]
    other = TABLE.replace("id,time,label", "who,when,what").replace(",2,up", ",2024-03-01,up")
    other = other.replace(",1,", ",2024-02-01T10:00,")
    again = read_sequences(file(other, "t.csv"), id="who", time="when", target="what")
    assert [x.tolist() for x in again.x] == [x.tolist() for x in found.x]


@pytest.mark.parametrize(
    ("sequences", "x", "width"),
    [
        (["ab", "b"], [["a", "b"], ["b"]], 0),
        ([["GO", "LEFT"], ["GO"]], [["GO", "LEFT"], ["GO"]], 0),
        ([[1, 2], [3]], [[1, 2], [3]], 0),
        ([[1, 2], [0.5]], [[[1], [2]], [[0.5]]], 1),
        ([[[1, 2], [3, 4.5]], [[5, 6]]], [[[1, 2], [3, 4.5]], [[5, 6]]], 2),
    ],
)
def test_json_lines_hold_numbers_strings_or_vectors(file, sequences, x, width):
    records = [{"s": s, "l": k, "more": None} for k, s in enumerate(sequences)]
    path = file("\n".join(map(json.dumps, records)), "a.jsonl")
    found = read_sequences(path, sequence="s", target="l")
    assert [np.asarray(row).tolist() for row in found.x] == x
    assert found.y.tolist() == [0, 1]
    assert len(found.features) == width
    kinds = {row.dtype for row in found.x if isinstance(row, np.ndarray)}
    assert kinds <= ({np.dtype(np.float64)} if width else {np.dtype(np.int64)})


def test_what_is_read_can_be_learnt(file):
    text = "".join(f"{w[0]}\t{w}\n" for w in ["abc", "ab", "ba", "bcca", "b"] * 10)
    found = read_sequences(file(text))
    model = RNNClassifier(hidden=16, max_iter=20, learning_rate_init=0.01, random_state=0)
    assert model.fit(found.x, found.y).score(found.x, found.y) == 1.0
    assert triptych.read_sequences is read_sequences


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "seq.txt: the file is empty"),
        (" \n\n", "seq.txt: the file is empty"),
        ("en\tthe\nde\n", "seq.txt line 2: 1 field, expected 2: label and sequence, with a tab"),
        ("en,a,b\nde,c\n", "seq.txt line 1: 3 fields, expected 2: .* with a comma"),
        ("en\tthe\n\nde\tdas\n", "seq.txt line 2: the line is blank"),
        ("en\tthe\n\tdas\n", "seq.txt line 2: there is no label before or after 'das'"),
        ("en\tthe\nde\t \n", "seq.txt line 2: the sequence is empty"),
        (b"en\ta\nde\t\xff\n", "seq.txt line 2: byte 8 is not utf-8; pass encoding="),
        ("en\ta\nde\tb\0\n", "seq.txt line 2: there is a NUL byte"),
        ("en\ta".encode("utf-16"), "UTF-16 by its first bytes; pass encoding='utf-16'"),
        ("en\t" + "a" * LONGEST_LINE, "seq.txt line 1: 16,777,219 characters, at most 16,777,216"),
    ],
)
def test_lines_that_cannot_be_used_are_named(file, text, says):
    with pytest.raises(DataError, match=says) as caught:
        read_sequences(file(text))
    assert "\n" not in str(caught.value)


@pytest.mark.fault(10)
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (TABLE, "id,time,label,a,b\n", "t.csv: there is a header only"),
        (TABLE, "", "t.csv: the file is empty"),
        ("y,1,down,-1,+.5e1", "y,1,down,-1", "line 3: 4 fields, expected 5"),
        ("y,1,down", ",1,down", "line 3: there is no 'id'"),
        ("y,1,down", "y,1,", "line 3: there is no label in column 'label'"),
        ("x,1,up", "x,1,down",
         "line 4: id 'x' has label 'down' here and 'up' on line 2; a sequence has one"),
        ("x,1,up", "x,2.0,up", "line 4: id 'x' has time 2.0 twice, first on line 2"),
        ("x,1,up", "x,noon,up", "line 4, column 'time': 'noon' is no time; a number or an ISO"),
        ("x,1,up", "x,,up", "line 4, column 'time': '' is no time"),
        ("x,1,up", "x,inf,up", "line 4, column 'time': 'inf' is no time"),
        ("x,1,up", "x,2024-01-01,up", "times of id 'x' cannot be compared: numbers and dates"),
        ("-1,+.5e1", "-1,five", "line 3, column 'b': 'five' is not a number"),
        ("-1,+.5e1", '-1,"1,5"', "line 3, column 'b': '1,5' is not a number"),
        ("-1,+.5e1", "-1,1_000", "line 3, column 'b': '1_000' is not a number"),
        ("-1,+.5e1", "-1,٣", "line 3, column 'b': .* is not a number"),
        ("-1,+.5e1", ",1e999", r"2 cells are empty or not finite, the first: line 3 column 'a'"),
        ("-1,+.5e1", "-inf,NaN", "2 cells are empty or not finite"),
        ("label", "lable", "line 1: there is no column 'label'; pass target=. Did you mean"),
        ("id", "who", "line 1: there is no column 'id'; pass id=. There are: 'who', 'time'"),
        ("a,b", "a,a", "line 1: there are two columns 'a'"),
        ("a,b", "a,", "line 1: column 5 has no name"),
        ("-1,+.5e1", '-1,"5', "line 3: a quote that opens in this row is never closed"),
        ("-1,+.5e1", "-1," + "5" * 140_000, r"line 3: a cell has more than 131,072 characters"),
        ("x,1,up", "\nx,1,up", "line 4: the line is blank"),
    ],
)  # fmt: skip
def test_tables_that_cannot_be_used_are_named(file, old, new, says):
    assert old in TABLE
    with pytest.raises(DataError, match=says) as caught:
        read_sequences(file(TABLE.replace(old, new, 1), "t.csv"))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("t.csv")


def test_a_table_needs_three_columns_and_a_feature(file):
    path = file("id,time,label\nx,1,up\n", "t.csv")
    with pytest.raises(DataError, match="no column of features"):
        read_sequences(path)
    with pytest.raises(DataError, match="must be three columns"):
        read_sequences(path, time="id")


GOOD = '{"sequence": [1, 2], "label": "a"}'


@pytest.mark.fault(10)
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("[1]", "must be an object of two fields"),
        ("{", "column 2: not JSON: Expecting property name"),
        ("", "the line is blank"),
        ('{"sequence": [1]}', "there is no field 'label'. There are: 'sequence'"),
        ('{"sequenc": [1], "label": "a"}', "no field 'sequence'. Did you mean 'sequenc'"),
        ('{"sequence": [1], "label": "a", "label": "b"}', "the field 'label' is there twice"),
        ('{"sequence": [1], "label": null}', "the label is missing"),
        ('{"sequence": [1], "label": ""}', "the label is missing"),
        ('{"sequence": [1], "label": 1.5}', "must be a string or an integer, got 1.5"),
        ('{"sequence": [1], "label": 3}', "labels must be of one kind, got 3 after 'a'"),
        ('{"sequence": [], "label": "a"}', "the sequence is empty"),
        ('{"sequence": "", "label": "a"}', "the sequence is empty"),
        ('{"sequence": 5, "label": "a"}', "must be a list or a string, got 5"),
        ('{"sequence": [1, NaN], "label": "a"}', "NaN is not a finite number"),
        ('{"sequence": [1, 1e999], "label": "a"}', "step 1: inf is not a finite number"),
        ('{"sequence": [1, null], "label": "a"}', "step 1: neither number, string nor list"),
        ('{"sequence": [1, true], "label": "a"}', "step 1: neither number, string nor list"),
        ('{"sequence": [1, "b"], "label": "a"}', "step 1 is of strings, step 0 of integers"),
        ('{"sequence": ["b"], "label": "a"}', "a sequence of strings; line 1 is one of integers"),
        ('{"sequence": [[1, 2], [1]], "label": "a"}', "1 features in step 1, 2 in step 0"),
        ('{"sequence": [[1, "x"]], "label": "a"}', "step 0: features must be numbers"),
        ('{"sequence": [[]], "label": "a"}', "step 0: features must be numbers"),
        ('{"sequence": [[[1]]], "label": "a"}', "step 0: features must be numbers"),
        ('{"sequence": [99999999999999999999], "label": "a"}', "too large an integer"),
        (
            '{"sequence": [' + "9" * 5000 + '], "label": "a"}',
            "a number has more digits than can be read",
        ),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_json_that_cannot_be_used_is_named(file, line, says):
    with pytest.raises(DataError, match=f"a.jsonl line 2.*{says}") as caught:
        read_sequences(file(f"{GOOD}\n{line}\n{GOOD}\n", "a.jsonl"))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_json_vectors_must_be_alike(file):
    lines = ['{"sequence": [[1, 2]], "label": 0}', '{"sequence": [[1]], "label": 1}']
    with pytest.raises(DataError, match="line 2: 1 features a step, line 1 has 2"):
        read_sequences(file("\n".join(lines), "a.jsonl"))


def test_files_and_layouts_that_are_not_there_are_named(file, tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        read_sequences(tmp_path / "none.txt")
    with pytest.raises(DataError, match="there is no such file"):
        read_sequences(tmp_path, layout="lines")
    with pytest.raises(DataError, match="pass layout='lines', 'table' or 'json', got '.dat'"):
        read_sequences(file("a\tb", "x.dat"))
    with pytest.raises(DataError, match="got layout 'xml'"):
        read_sequences(file("a\tb"), layout="xml")
    with pytest.raises(DataError, match="target must be 'first' or 'last'"):
        read_sequences(file("a\tb"), target="label")
    for encoding in ("klingon", "hex"):
        with pytest.raises(DataError, match="pass an encoding of text"):
            read_sequences(file("a\tb"), encoding=encoding)
    assert read_sequences(file("a\tä", encoding="cp1252"), encoding="cp1252").x == [["ä"]]
    assert read_sequences(file("a\tä", encoding="utf-16"), encoding="utf-16").x == [["ä"]]

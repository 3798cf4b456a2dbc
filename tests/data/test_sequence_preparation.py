"""Sequences prepared as those that were trained on, from files of every layout and any size."""

import json
import random

import pytest

from triptych.contracts import lengths_of
from triptych.data import load, preparation_of, read_prepared
from triptych.errors import DataError, UnsafeFileError
from triptych.spec import SequenceFileSpec

WORDS = ["ab", "abc", "a", "b", "ba", "bcc", "bcca", "acb", "bac", "aabb"]


def lines(words=WORDS, between="\t"):
    return "".join(f"{word[0]}{between}{word}\n" for word in words)


def spaced(words=WORDS):
    return "".join(f"{' '.join(word)}, {word[0]}\n" for word in words)


def json_lines(kind):
    draw = random.Random(0)
    made = []
    for k in range(20):
        steps = {
            "strings": [draw.choice(["up", "down", "left"]) for _ in range(1 + k % 4)],
            "text": "".join(draw.choices("xyz", k=1 + k % 5)),
            "integers": [draw.randint(-3, 300) for _ in range(1 + k % 4)],
            "numbers": [draw.random() + 1e9 for _ in range(2 + k % 3)],
            "vectors": [[draw.random(), draw.randint(0, 9)] for _ in range(2 + k % 3)],
        }[kind]
        made.append({"label": k % 2, "sequence": steps, "who": f"w{k % 3}"})
    return "\n".join(map(json.dumps, made))


def table(ids=range(20), steps=3):
    draw = random.Random(1)
    rows = [
        (f"s{k}", t, "ab"[k % 2], draw.random() * 1e6, draw.randint(0, 5))
        for k in ids
        for t in range(steps + k % 2)
    ]
    draw.shuffle(rows)
    return "id,time,label,v,w\n" + "\n".join(",".join(map(str, row)) for row in rows)


FILES = {
    "words.txt": (lines(), {}),
    "words.csv": (spaced(), {"layout": "lines", "target": "last"}),
    "strings.jsonl": (json_lines("strings"), {}),
    "text.jsonl": (json_lines("text"), {}),
    "integers.jsonl": (json_lines("integers"), {}),
    "numbers.jsonl": (json_lines("numbers"), {}),
    "vectors.jsonl": (json_lines("vectors"), {}),
    "steps.csv": (table(), {}),
}


@pytest.fixture
def write(tmp_path):
    def make(text, name="words.txt"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return make


def parts_of(data, path, **settings):
    return list(read_prepared(data.preparation, path, **settings))


def steps_of(x):
    return [row[:n].tobytes() for row, n in zip(x, lengths_of(x), strict=True)]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("rows", [1, 4, 65_536])
def test_rows_of_a_data_set_are_prepared_to_the_same_bits(write, name, rows):
    text, settings = FILES[name]
    path = write(text, name)
    data = load(SequenceFileSpec(path=str(path), **settings), 0)
    preparation = preparation_of(json.loads(json.dumps(data.preparation.as_dict())))
    assert preparation == data.preparation
    found = {}
    for part in read_prepared(preparation, path, rows=rows, needs_target=True):
        assert len(part) <= rows
        assert part.x.dtype == data.train.x.dtype
        assert part.x.shape[1] == lengths_of(part.x).max()
        for steps, label in zip(steps_of(part.x), part.y.tolist(), strict=True):
            found.setdefault((steps, label), 0)
            found[steps, label] += 1
    for split in (data.train, data.test):
        for pair in zip(steps_of(split.x), split.y.tolist(), strict=True):
            found[pair] -= 1
    assert set(found.values()) == {0}


def test_lines_need_no_label_to_be_predicted(write):
    data = load(SequenceFileSpec(path=str(write(lines()))), 0)
    (part,) = parts_of(data, write("abc\nb\n", "new.txt"))
    assert part.y is None
    assert part.x.tolist() == [[0, 1, 2], [1, -1, -1]]
    assert part.places == ("line 1", "line 2")
    (part,) = parts_of(data, write("?\tabc\n?\tb\n", "labelled.txt"))
    assert part.x.tolist() == [[0, 1, 2], [1, -1, -1]]
    for text, says in (
        ("abc\na\tb\n", "new.txt line 2: there is a label here and none on line 1"),
        ("a\tabc\nb\n", "new.txt line 2: 1 field, expected 2"),
        ("abc\n\nb\n", "new.txt line 2: the line is blank"),
        ("", "new.txt: the file is empty"),
    ):
        with pytest.raises(DataError, match=says):
            parts_of(data, write(text, "new.txt"))
    with pytest.raises(DataError, match="line 1: 1 field, expected 2"):
        parts_of(data, write("abc\n", "new.txt"), needs_target=True)


def test_an_unknown_symbol_is_named_by_line_and_step(write):
    data = load(SequenceFileSpec(path=str(write(lines()))), 0)
    path = write("abc\nab\nabz\n", "new.txt")
    with pytest.raises(DataError, match="new.txt line 3, step 2: 'z' is no symbol that the model"):
        parts_of(data, path, rows=2)
    with pytest.raises(DataError, match="'B' is no symbol .* the nearest known is 'b'"):
        parts_of(data, write("aB\n", "new.txt"))
    data = load(SequenceFileSpec(path=str(write(json_lines("integers"), "i.jsonl"))), 0)
    record = {"sequence": [data.preparation.integers[0], 7777]}
    with pytest.raises(DataError, match="n.jsonl line 1, step 1: 7777 is no symbol"):
        parts_of(data, write(json.dumps(record), "n.jsonl"))


def test_longer_sequences_and_unknown_labels_are_counted(write):
    data = load(SequenceFileSpec(path=str(write(lines()))), 0)
    long = "ab" * 10
    text = f"a\t{long}\nq\tab\nq\t{long}\n"
    (part,) = parts_of(data, write(text, "new.txt"), needs_target=True)
    assert part.y.tolist() == [0, -1, -1]
    assert part.unseen == {"length": {"20 steps": 2}, "first": {"q": 2}}


@pytest.mark.parametrize(
    ("kind", "record", "says"),
    [
        ("strings", {"sequence": [1, 2]}, "a sequence of integers; .* symbols that are strings"),
        ("integers", {"sequence": [1.5]}, "a sequence of numbers; .* symbols that are integers"),
        ("numbers", {"sequence": [[1, 2]]}, "a sequence of vectors of 2 numbers; the model reads"),
        ("vectors", {"sequence": [[1, 2, 3]]}, "vectors of 3 numbers; .* vectors of 2 numbers"),
        ("vectors", {"sequence": [1, 2]}, "a sequence of integers; .* vectors of 2 numbers"),
        ("strings", {"steps": ["up"]}, "there is no field 'sequence'"),
        ("strings", {"sequence": []}, "the sequence is empty"),
        ("strings", [1], "must be an object"),
    ],
)
def test_steps_of_another_kind_are_refused(write, kind, record, says):
    data = load(SequenceFileSpec(path=str(write(json_lines(kind), "a.jsonl"))), 0)
    with pytest.raises(DataError, match=f"new.jsonl line 1: .*{says}|line 1: {says}"):
        parts_of(data, write(json.dumps(record), "new.jsonl"))


def test_whole_numbers_are_read_where_numbers_were_trained_on(write):
    data = load(SequenceFileSpec(path=str(write(json_lines("numbers"), "a.jsonl"))), 0)
    text = '{"sequence": [1, 2]}\n{"sequence": [[1.0], [2.0]]}'
    (part,) = parts_of(data, write(text, "new.jsonl"))
    assert part.x.shape == (2, 2, 1)
    assert part.x[0].tolist() == part.x[1].tolist()


def test_columns_of_a_table_are_found_by_name(write):
    data = load(SequenceFileSpec(path=str(write(table(), "s.csv"))), 0)
    rows = "w,extra,time,v,id\n" + "\n".join(f"{k},x,{2 - k},{k * 10},only" for k in range(3))
    (part,) = parts_of(data, write(rows, "new.csv"))
    plain = preparation_of({**data.preparation.as_dict(), "mean": [0, 0], "std": [1, 1]})
    (raw,) = read_prepared(plain, write(rows, "new.csv"))
    assert raw.x.tolist() == [[[20, 2], [10, 1], [0, 0]]]
    assert part.x.shape == (1, 3, 2)
    assert part.places == ("only",)
    assert part.notes == ("columns that the model does not read: 'extra'",)
    for text, says in (
        ("id,time,v\na,0,1\n", "new.csv line 1: there is no column 'w'"),
        ("id,time,v,w\na,0,1,\n", "new.csv: 1 cell is empty or not finite, .* line 2 column 'w'"),
        ("id,time,v,w\na,0,1,x\n", "new.csv line 2, column 'w': 'x' is not a number"),
        ("id,time,v,w\na,0,1,2\na,0,1,2\n", "new.csv line 3: id 'a' has time 0.0 twice"),
        ("id,time,v,w\n", "new.csv: there is a header only"),
        ("id,time,v,w\na,0,1\n", "new.csv line 2: 3 fields, expected 4"),
    ):
        with pytest.raises(DataError, match=says):
            parts_of(data, write(text, "new.csv"))
    with pytest.raises(DataError, match="there is no column 'label'"):
        parts_of(data, write(rows, "new.csv"), needs_target=True)


def test_rows_of_one_id_must_follow_each_other_in_a_large_table_only(write, monkeypatch):
    data = load(SequenceFileSpec(path=str(write(table(), "s.csv"))), 0)
    text = "id,time,v,w\na,0,1,2\nb,0,1,2\na,1,1,2\n"
    (part,) = parts_of(data, write(text, "new.csv"))
    assert part.places == ("a", "b")
    assert lengths_of(part.x).tolist() == [2, 1]
    monkeypatch.setattr("triptych.data.sequence_stream._GATHERED_BYTES", 10)
    with pytest.raises(DataError, match="line 4: the rows of id 'a' do not follow each other"):
        parts_of(data, write(text, "new.csv"))
    (part,) = parts_of(data, write("id,time,v,w\na,0,1,2\na,1,1,2\nb,0,1,2\n", "new.csv"))
    assert lengths_of(part.x).tolist() == [2, 1]


def test_groups_are_a_column_or_a_field(write):
    path = write(json_lines("text"), "a.jsonl")
    data = load(SequenceFileSpec(path=str(path)), 0)
    (part,) = parts_of(data, path, group="who")
    assert part.groups[:4] == ("w0", "w1", "w2", "w0")
    with pytest.raises(DataError, match="there is no field 'whose'. Did you mean 'who'"):
        parts_of(data, path, group="whose")
    path = write(lines())
    data = load(SequenceFileSpec(path=str(path)), 0)
    with pytest.raises(DataError, match="lines of symbols have no column 'who'"):
        parts_of(data, path, group="who")


def test_long_sequences_come_in_parts_that_memory_can_hold(write, monkeypatch):
    path = write(lines())
    data = load(SequenceFileSpec(path=str(path)), 0)
    monkeypatch.setattr("triptych.data.sequence_stream._VALUES", 12)
    parts = parts_of(data, path)
    assert all(part.x.size <= 12 for part in parts)
    assert sum(map(len, parts)) == 10


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"extra": 1}, "preparation: unknown key 'extra'"),
        ({"strings": ["b", "a"]}, "strings: must be the symbols, sorted"),
        ({"strings": ["a", "a"]}, "strings: must be the symbols, sorted and all different"),
        ({"strings": []}, "strings: must be the symbols"),
        ({"integers": [1]}, "integers: must be the symbols, .* and none else"),
        ({"integers": [2**63]}, r"integers\[0\]: must be a whole number of 64 bits"),
        ({"steps": "words"}, "steps: must be 'strings' or 'integers' or 'vectors'"),
        ({"features": ["v"]}, "features, mean, std: must be as many"),
        ({"mean": [0.0]}, "features, mean, std: must be as many"),
        ({"longest": 0}, "longest: must be a whole number from 1 on"),
        ({"form": {"layout": "lines"}}, "form: the key 'label' is missing"),
        ({"form": []}, "form: must be an object"),
    ],
)
def test_a_preparation_of_others_is_taken_to_the_letter_or_not_at_all(write, change, says):
    plain = load(SequenceFileSpec(path=str(write(lines()))), 0).preparation.as_dict()
    with pytest.raises(UnsafeFileError, match=says):
        preparation_of({**plain, **change})
    for key in plain:
        with pytest.raises(UnsafeFileError, match=key):
            preparation_of({k: v for k, v in plain.items() if k != key})
    for layout, label in (("lines", "middle"), ("csv", "first")):
        form = {**plain["form"], "layout": layout, "label": label}
        with pytest.raises(
            UnsafeFileError, match=f"must be .*{label if layout == 'lines' else layout}"
        ):
            preparation_of({**plain, "form": form})


@pytest.mark.parametrize("number", [float("nan"), float("inf"), "1", None, 0.0, -1.0])
def test_deviations_are_finite_and_above_0(write, number):
    path = write(json_lines("vectors"), "a.jsonl")
    plain = load(SequenceFileSpec(path=str(path)), 0).preparation.as_dict()
    with pytest.raises(UnsafeFileError, match="std"):
        preparation_of({**plain, "std": [1.0, number]})

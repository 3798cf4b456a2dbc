"""Sequences from a file as a data set: the layouts of `lengths_of`, split, scaled."""

import json
import random

import numpy as np
import pytest

from triptych.contracts import lengths_of
from triptych.data import load
from triptych.errors import DataError, SpecError
from triptych.spec import SequenceFileSpec

WORDS = ["ab", "abc", "a", "b", "ba", "bcc", "bcca", "acb", "bac", "aabb"]


@pytest.fixture
def file(tmp_path):
    def write(text, name="words.txt"):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def lines(words):
    return "".join(f"{word[0]}\t{word}\n" for word in words)


def test_symbols_become_signed_places_cut_to_the_longest(file):
    data = load(SequenceFileSpec(path=file(lines(WORDS)), test_size=0.3), 0)
    assert data.name == "words.txt"
    assert data.kind == "sequences"
    assert data.classes == ("a", "b")
    assert data.symbols == data.step_inputs == 3
    for split in (data.train, data.test):
        lengths = lengths_of(split.x)
        assert split.x.dtype == np.int8
        assert split.x.shape[1] == lengths.max()
        texts = ["".join("abc"[s] for s in row[row >= 0]) for row in split.x]
        assert [text[0] for text in texts] == ["ab"[k] for k in split.y]
        assert set(texts) <= set(WORDS)
    assert len(data.train) + len(data.test) == 10
    assert load(SequenceFileSpec(path=file(lines(WORDS)), test_size=0.3), 1).fingerprint != (
        data.fingerprint
    )


@pytest.mark.parametrize("seed", range(4))
def test_equal_sequences_stay_on_one_side(file, seed):
    data = load(SequenceFileSpec(path=file(lines(WORDS * 3))), seed)
    train, test = ({bytes(row[row >= 0]) for row in split.x} for split in (data.train, data.test))
    assert not train & test
    assert (len(data.train), len(data.test)) == (24, 6)
    assert data.notes == (
        "words.txt: 20 of 30 sequences are copies of another; copies stay on one side of the "
        "split.",
    )


def test_numbers_are_scaled_by_the_training_rows_in_double_precision(file):
    draw = random.Random(0)
    start = 1_700_000_000  # today's seconds, which float32 tells apart by 128
    records = [
        {"label": k % 2, "sequence": [[start + draw.random(), k % 2] for _ in range(2 + k % 3)]}
        for k in range(30)
    ]
    path = file("\n".join(map(json.dumps, records)), "a.jsonl")
    data = load(SequenceFileSpec(path=path), 0)
    steps = data.train.x[~np.isnan(data.train.x[..., 0])]
    np.testing.assert_allclose(steps.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(steps.std(axis=0), 1, atol=1e-3)
    assert data.symbols is None
    assert data.step_inputs == 2
    assert len(np.unique(data.train.x[..., 0])) > 20
    assert data.classes == ("0", "1")


def test_a_table_is_read_by_its_columns(file):
    rows = ["who,when,what,v"]
    rows += [f"{k},{t},{'up' if k % 2 else 'down'},{k * t}" for k in range(8) for t in range(3)]
    path = file("\n".join(rows), "t.csv")
    data = load(SequenceFileSpec(path=path, id="who", time="when", target="what"), 0)
    assert data.train.x.shape[1:] == (3, 1)
    assert data.classes == ("down", "up")
    with pytest.raises(DataError, match="t.csv line 1: there is no column 'id'"):
        load(SequenceFileSpec(path=path), 0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a\tx\na\ty\n", r"words.txt: need 2 classes, found 1 \('a'\)"),
        ("a\tx\na\ty\nb\tz\n", "each class needs 2 sequences that differ, .* 'b' has fewer"),
        ("a\tx\na\t\n", "words.txt line 2: the sequence is empty"),
    ],
)
def test_faults_are_named(file, text, says):
    with pytest.raises(DataError, match=says):
        load(SequenceFileSpec(path=file(text)), 0)


def test_a_file_that_is_not_there_and_one_that_grows_too_large(file, monkeypatch):
    with pytest.raises(DataError, match="nowhere.txt: there is no such file"):
        load(SequenceFileSpec(path="nowhere.txt"), 0)
    with pytest.raises(SpecError, match="path: must name a file or folder, got ''"):
        SequenceFileSpec(path="")
    monkeypatch.setattr("triptych.data.sequence_files.MOST_BYTES", 30)
    with pytest.raises(DataError, match="10 sequences of up to 4 steps take 0.0 GB, padded"):
        load(SequenceFileSpec(path=file(lines(WORDS), "other.txt")), 0)

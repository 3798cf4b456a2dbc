"""Faults in pictures and sequences, at every door that takes them.

The numbers are those of docs/faults.md.
"""

import json
import os
import re

import numpy as np
import pytest
from PIL import Image

import triptych
from triptych.data import load
from triptych.errors import DataError
from triptych.spec import FolderSpec, SequenceFileSpec

STUDY = """
seeds = 1
[data]
source = "SOURCE"
path = "PATH"
[arm.a]
engine = "numpy"
network = { kind = "rnn", hidden = 3 }
train = { epochs = 1, batch_size = 4 }
"""


def is_refused(here, call, path, says):
    """Ask every door for one line with exit code 3, and that nothing was made or changed."""
    source = "folder" if (here / path).is_dir() else "sequences"
    (here / "s.toml").write_text(STUDY.replace("SOURCE", source).replace("PATH", path))
    before = {file: file.lstat().st_mtime_ns for file in here.rglob("*")}
    doors = (
        ("run", "s.toml"),
        ("check", "s.toml"),
        ("train", path, "--seeds", "1"),
        ("init", path),
    )
    for arguments in doors:
        code, _, err = call(*arguments)
        assert (code, err.count("\n")) == (3, 1), (arguments, err)
        assert re.search(says, err), (arguments, err)
    assert {file: file.lstat().st_mtime_ns for file in here.rglob("*")} == before


@pytest.fixture
def pets(here):
    """Return a folder of two classes with six pictures each."""
    draw = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (here / "pets" / name).mkdir(parents=True)
        for k in range(6):
            x = draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(x).save(here / "pets" / name / f"{k}.png")
    return here / "pets"


def cut(pets):
    whole = (pets / "cat/0.png").read_bytes()
    (pets / "cat/0.png").write_bytes(whole[: len(whole) // 2])


def animal(pets):
    """Make a TIFF with the name of a PNG."""
    Image.new("L", (8, 8)).save(pets / "x.tif")
    (pets / "x.tif").replace(pets / "cat/0.png")


def of_labels(text, encoding="utf-8"):
    return lambda pets: (pets / "labels.csv").write_bytes(text.encode(encoding))


@pytest.mark.fault(9)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (cut, r"pets: 1 of 12 files cannot be used: cat/0\.png \(damaged: .*\)\. Remove them, or"),
        (lambda pets: (pets / "cat/0.png").write_bytes(b""), r"1 of 12 .*: cat/0\.png \(empty\)"),
        (lambda pets: (pets / "cat/0.png").write_text("x"), r"cat/0\.png \(not a picture\)"),
        (animal, r"cat/0\.png \(not a picture\)"),
        (lambda pets: os.mkfifo(pets / "cat/f.png"), r"1 of 13 .*: cat/f\.png \(not a file\)"),
        (
            lambda pets: (pets / "cat/z.png").symlink_to("z.png"),
            r"1 of 13 .*: cat/z\.png \(Too many levels of symbolic links\)",
        ),
        (
            lambda pets: (pets / "cat/z.png").symlink_to("x"),
            r"z\.png \(No such file or directory\)",
        ),
        (
            lambda pets: (pets / "cat/loop").symlink_to(pets),
            r"pets/cat/loop/cat: links to a folder that it is in; remove the link\.",
        ),
        (
            lambda pets: (pets / "bird").symlink_to("bird"),
            r"pets/bird: this link leads to nothing, or to itself; remove it\.",
        ),
        (lambda pets: (pets / "bird").symlink_to("x"), r"pets/bird: this link leads to nothing"),
        (
            lambda pets: (pets / "cow").mkdir(),
            r"pets: no pictures in 'cow'; files ending in \.bmp,",
        ),
    ],
)
def test_pictures_that_cannot_be_used_are_named_at_every_door(here, pets, call, change, says):
    change(pets)
    is_refused(here, call, "pets", says)


@pytest.mark.fault(9)
def test_ten_of_many_bad_pictures_are_listed_and_all_are_counted(here, pets, call, one_thread):
    for k in range(15):
        (pets / "cat" / f"b{k:02}.png").write_text("x")
    listed = ", ".join(rf"cat/b{k:02}\.png \(not a picture\)" for k in range(10))
    is_refused(
        here, call, "pets", rf"15 of 27 files cannot be used: {listed}, \.\.\.\. Remove them, or "
        r"leave them out with --skip-bad \(in a study: skip_bad = true\)\.",
    )  # fmt: skip
    data = load(FolderSpec(path="pets", skip_bad=True), 0)
    assert len(data.train) + len(data.test) == 12
    assert data.notes[0].startswith("pets: 15 of 27 files cannot be used: cat/b00.png (not a pict")
    code, out, _ = call("init", "pets", "--skip-bad")
    assert code == 0
    assert "note: pets: 15 of 27 files cannot be used: cat/b00.png" in out
    text = (here / "s.toml").read_text().replace('path = "pets"', 'path = "pets"\nskip_bad = true')
    (here / "s.toml").write_text(text)
    assert call("run", "s.toml", "--out", "o")[0] == 0
    assert "15 of 27 files cannot be used" in (here / "o" / "report.html").read_text()


@pytest.mark.fault(9)
def test_pictures_beside_the_folders_of_classes_are_counted(pets):
    Image.new("RGB", (8, 8)).save(pets / "loose.png")
    (pets / "readme.txt").write_text("x")
    data = load(FolderSpec(path="pets"), 0)
    assert data.notes == ("pets: 1 picture without a label is left out.",)


@pytest.mark.fault(1, 2, 9)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (of_labels("file,label\ncat/0.png,a,4\n"), r"labels\.csv line 2: 3 fields, expected 2\."),
        (
            of_labels("file,label\ncat/0.png,ä\n", "cp1252"),
            r"labels\.csv line 2: byte 21 is not utf-8; save it as UTF-8\.",
        ),
        (
            of_labels("file,label\ncat/0.png,a\ncat/9.png,b\n"),
            r"labels\.csv: 1 of 2 pictures are not there: line 3 'cat/9\.png'\. Correct",
        ),
        (
            of_labels("file,label\n../x.png,a\n"),
            r"line 2: '\.\./x\.png' names no file in the folder",
        ),
        (of_labels("file,label\ncat/0.png,\n"), r"line 2: there is no label of 'cat/0\.png'\."),
    ],
)
def test_a_file_of_labels_is_read_as_strictly(here, pets, call, change, says):
    change(pets)
    for door in (("train", "pets"), ("init", "pets")):
        code, _, err = call(*door)
        assert (code, err.count("\n")) == (3, 1)
        assert re.search(says, err), err
    with pytest.raises(DataError, match=says):
        load(FolderSpec(path="pets", labels="labels.csv"), 0)


WORDS = ["ab", "abc", "a", "b", "ba", "bcc", "bcca", "acb", "bac", "aabb"]
LINES = [f"{word[0]}\t{word}" for word in WORDS]
OBJECTS = [json.dumps({"sequence": list(word), "label": word[0]}) for word in WORDS]
NUMBERS = [json.dumps({"sequence": [1.5, k + 0.5], "label": "ab"[k % 2]}) for k in range(9)]
STEPS = ["id,time,label,u,v"]
STEPS += [f"{i},{s},{'ab'[i % 2]},{i / 2 + s},{s * 1.5}" for i in range(8) for s in range(3)]


def lines(*more, of=LINES):
    return "\n".join([*of, *more]) + "\n"


def objects(sequence, of=OBJECTS):
    return lines(f'{{"sequence": {sequence}, "label": "a"}}', of=of)


def steps(*more):
    return lines(*more, of=STEPS)


@pytest.mark.fault(10)
@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("w.txt", lines("a\t"), r"line 11: the sequence is empty; leave it and its label out\."),
        ("w.txt", lines("", "a\tab"), r"line 11: the line is blank; remove it\."),
        ("w.txt", lines("\tab"), r"line 11: there is no label before or after 'ab'\."),
        ("w.txt", lines("a\tb\tc"), r"line 11: 3 fields, expected 2: label and sequence, with a"),
        ("w.txt", lines("ab"), r"line 11: 1 field, expected 2"),
        ("w.txt", lines("a\tab\0"), r"line 11: there is a NUL byte"),
        ("w.txt", "", r"w\.txt: the file is empty\."),
        ("w.txt", lines(of=["a\tab", "a\tabc"]), r"w\.txt: need 2 classes, found 1 \('a'\)\."),
        ("w.jsonl", objects("[]"), r"line 11: the sequence is empty; leave it and its label"),
        ("w.jsonl", objects('""'), r"line 11: the sequence is empty; leave it and its label"),
        ("w.jsonl", objects("[1]"), r"line 11: a sequence of integers; line 1 is one of strings\."),
        ("w.jsonl", objects('["a", 2]'), r"line 11: step 1 is of integers, step 0 of strings\."),
        ("w.jsonl", objects('[], "label": 1'), r"line 11: the field 'label' is there twice\."),
        ("w.jsonl", objects("[NaN]", NUMBERS), r"line 10: NaN is not a finite number\."),
        ("w.jsonl", objects("[1e999]", NUMBERS), r"line 10, step 0: inf is not a finite number\."),
        pytest.param(
            "w.jsonl", lines("[" * 100_000, of=OBJECTS), r"line 11: nested too deeply\.",
            marks=pytest.mark.fault(15),
        ),
        ("w.jsonl", objects(f"[{'9' * 5000}]"), r"line 11: a number has more digits than can be"),
        ("w.json", f"[{', '.join(OBJECTS)}]", r"json line 1: must be an object .* Each line is"),
        ("w.json", "[\n1\n]\n", r"json line 1 column 2: not JSON: .* Each line is one sequence, "),
        ("w.csv", steps("9,0,a,1"), r"w\.csv line 26: 4 fields, expected 5\."),
        (
            "w.csv", steps("9,0,a,,1", "9,1,a,nan,inf"),
            r"3 cells are empty or not finite, the first: line 26 column 'u', line 27 column 'u', ",
        ),
        ("w.csv", steps('9,0,a,"1,5",1'), r"line 26, column 'u': '1,5' is not a number\."),
        ("w.csv", steps("9,0,a,1,1", "9,1,b,1,1"), r"line 27: id '9' has label 'b' here and"),
        ("w.csv", steps("9,0,a,1,1", "9,0,a,1,1"), r"line 27: id '9' has time 0\.0 twice, first"),
    ],
)  # fmt: skip
def test_sequences_that_cannot_be_used_are_named_at_every_door(here, call, file, text, says):
    (here / file).write_text(text)
    is_refused(here, call, file, says)
    with pytest.raises(DataError, match=says):
        load(SequenceFileSpec(path=file), 0)


@pytest.mark.fault(10)
def test_a_symbol_that_no_training_sequence_had_is_named():
    model = triptych.RNNClassifier(max_iter=1, random_state=0).fit(["ab", "bc"] * 9, [0, 1] * 9)
    with pytest.raises(
        ValueError, match=r"X\[1\]\[0\] is an unknown symbol, 'B': the nearest known"
    ):
        model.predict(["ab", "Ba"])


def test_a_link_of_the_system_that_leads_nowhere_is_no_class(call, pets):
    (pets / ".#notes.txt").symlink_to("somebody@somewhere.17")  # an editor's lock
    code, out, _ = call("init", "pets")
    assert (code, "2 classes" in out) == (0, True)

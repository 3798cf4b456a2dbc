"""A table's preparation is plain data: what it does to one file it does to any, to the bit."""

import copy
import json
import math

import numpy as np
import pytest

from triptych.data import load, preparation_of, read_prepared
from triptych.data.arrange import arrange
from triptych.data.table_preparation import TablePreparation
from triptych.errors import DataError, UnsafeFileError
from triptych.spec import BundledSpec, TableSpec

HEADER = "size,colour,day,zip,y"


def rows_of(count=60, gaps=False):
    draw = np.random.default_rng(0)
    for k in range(count):
        size = "" if gaps and k % 7 == 3 else repr(float(draw.normal() * 1e3))
        colour = "" if gaps and k % 11 == 5 else ["red", "green", "blue"][k % 3]
        day = "" if gaps and k % 13 == 6 else f"20{k % 24:02}-{k % 12 + 1:02}-{k % 28 + 1:02}"
        yield f"{size},{colour},{day},0{k % 4},{'no' if k % 3 else 'yes'}"


def write(folder, rows, header=HEADER, name="x.csv"):
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def spec(path, **changes):
    return TableSpec(**{"path": str(path), "target": "y", "text": ("zip",), **changes})


def everything(preparation, path, **options):
    parts = list(read_prepared(preparation, path, **options))
    x = np.concatenate([part.x for part in parts])
    y = None if parts[0].y is None else np.concatenate([part.y for part in parts])
    return x, y, [place for part in parts for place in part.places]


def by_row(x, y):
    return sorted((a.tobytes(), b.tobytes()) for a, b in zip(x, np.asarray(y), strict=True))


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("rows", [7, 65_536])
def test_rows_that_are_read_again_are_those_of_the_data_set_to_the_bit(tmp_path, gaps, rows):
    path = write(tmp_path, rows_of(gaps=gaps))
    data = load(spec(path, missing="fill" if gaps else "refuse"), 3)
    again = preparation_of(json.loads(json.dumps(data.preparation.as_dict())))
    assert again == data.preparation
    x, y, places = everything(again, path, rows=rows, needs_target=True)
    ours = [np.concatenate([getattr(s, name) for s in (data.train, data.test)]) for name in "xy"]
    assert x.dtype == ours[0].dtype
    assert by_row(x, y) == by_row(*ours)
    assert places == [f"line {k + 2}" for k in range(60)]


@pytest.mark.parametrize("source", ["iris", "wine", "diabetes"])
def test_a_bundled_table_is_prepared_in_the_same_way(tmp_path, source):
    data = load(BundledSpec(source=source), 0)
    prepared = data.preparation
    assert (prepared.kind, prepared.classes) == ("table", data.classes)
    scale = prepared.target
    raw_x = data.test.x * [c.deviation for c in prepared.columns]
    raw_x += [c.mean for c in prepared.columns]
    names = ",".join([*(c.name for c in prepared.columns), prepared.told.name])
    if scale is None:
        told = [data.classes[k] for k in data.test.y]
    else:
        told = (data.test.y * scale.std + scale.mean)[:, 0].tolist()
    lines = [
        ",".join([*map(repr, row), str(t)]) for row, t in zip(raw_x.tolist(), told, strict=True)
    ]
    x, y, _ = everything(prepared, write(tmp_path, lines, names), needs_target=True)
    np.testing.assert_allclose(x, data.test.x, atol=1e-9)
    np.testing.assert_allclose(y, data.test.y, atol=1e-9)


def test_a_preparation_stays_where_data_are_laid_out_for_another_network():
    data = load(BundledSpec(source="iris"), 0)
    for reads in ("pictures", "sequences"):
        assert arrange(data, reads, 0, scrambled=True).preparation is data.preparation


def test_a_preparation_knows_what_was_left_out_and_what_inputs_are(tmp_path):
    data = load(spec(write(tmp_path, rows_of()), ignore=("size",)), 0)
    prepared = data.preparation
    assert prepared.left_out == ("size",)
    assert prepared.features == data.features
    assert [name for name, _ in data.features] == ["colour"] * 3 + ["day"] * 5 + ["zip"] * 4
    assert [c.kind for c in prepared.columns] == ["text", "date", "text"]


def test_classes_are_told_by_name_whatever_codes_a_file_gives_them(tmp_path):
    path = write(tmp_path, [f"{k},{k % 3 + 5}" for k in range(30)], "a,y")
    prepared = load(spec(path, text=()), 0).preparation
    assert prepared.classes == ("5", "6", "7")
    other = write(tmp_path, ["1,7.0", "2,9", "3,05", "4,9"], "a,y", "z.csv")
    (part,) = read_prepared(prepared, other, needs_target=True)
    assert part.y.tolist() == [2, -1, 0, -1]
    assert part.unseen == {"y": {"9": 2}}


@pytest.fixture
def plain(tmp_path):
    data = load(spec(write(tmp_path, rows_of(gaps=True)), missing="fill"), 0)
    return json.loads(json.dumps(data.preparation.as_dict()))


def changed(value, path, new):
    out = copy.deepcopy(value)
    place = out
    for key in path[:-1]:
        place = place[key]
    if new is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = new
    return out


@pytest.mark.parametrize(
    ("path", "new", "message"),
    [
        (["kind"], "pictures?", r"preparation\.kind: must be 'table'"),
        (["kind"], KeyError, r"preparation\.kind: must be"),
        (["columns"], KeyError, "the key 'columns' is missing"),
        (["columns"], {}, r"preparation\.columns: must be a list"),
        (["columns"], [], r"columns: there are none"),
        (["code"], "import os", "unknown key 'code'"),
        (["columns", 0, "mean"], math.nan, r"columns\[0\]\.mean: must be a finite number"),
        (["columns", 0, "mean"], 10**400, r"columns\[0\]\.mean: must be a finite number"),
        (["columns", 0, "mean"], "1", r"columns\[0\]\.mean: must be a number"),
        (["columns", 0, "mean"], True, r"columns\[0\]\.mean: must be a number"),
        (["columns", 0, "deviation"], 0, r"deviation: must be a number above 0"),
        (["columns", 0, "fill"], None, "fill does not fit"),
        (["columns", 0, "kind"], "eval", r"kind: must be 'number' or 'text' or 'date'"),
        (["columns", 0, "words"], ["a"], "must say of each word whether it was seen"),
        (["columns", 1, "words"], ["a", "a", "b"], "two of its values are the same"),
        (["columns", 1, "seen"], [1, 1, 1], r"seen\[0\]: must be true or false"),
        (["columns", 1, "name"], "size", "names of its columns: two of its values are the same"),
        (["told", "classes"], ["a"], "two are the least"),
        (["told", "classes"], [], "two are the least"),
        (["told", "mean"], math.inf, r"told\.mean: must be a finite number"),
        (["empty"], "guess", "must be 'fill' or 'refuse'"),
        (["left_out"], [3], r"left_out\[0\]: must be a text"),
    ],
)
def test_what_is_no_preparation_is_refused(plain, path, new, message):
    assert preparation_of(plain).as_dict() == plain
    with pytest.raises(UnsafeFileError, match=message):
        preparation_of(changed(plain, path, new))


@pytest.mark.parametrize("value", [None, [], "table", 3, {"kind": ["table"]}])
def test_what_is_no_object_is_refused(value):
    with pytest.raises(UnsafeFileError, match=r"^preparation"):
        preparation_of(value)


def test_rare_texts_share_an_input_where_that_is_asked_for(tmp_path):
    names = [f"n{k:03}" for k in range(80)]
    rows = [f"{k},{names[k % 80 if k < 240 else k % 10]},{k % 2}" for k in range(640)]
    path = write(tmp_path, rows, "a,name,y")
    with pytest.raises(DataError, match=r"80 different texts, .* many_texts = 'frequent'"):
        load(spec(path, text=()), 0)
    widths = set()
    for seed in range(4):
        data = load(spec(path, text=(), many_texts="frequent"), seed)
        column = data.preparation.columns[1]
        widths.add(data.sample_shape)
        assert len(column.words) == 50
        assert set(names[:10]) <= set(column.words)  # those that come most often
        x = np.concatenate([data.train.x, data.test.x])
        assert (x[:, 1:].sum(axis=1) == 1).all()
        assert x[:, -1].sum() == 3 * 30  # 30 names that come thrice
        assert data.features[-1] == ("name", "(any other)")
    assert widths == {(52,)}
    assert "of 'name' the 50 most frequent have inputs, and the others share" in data.notes[0]
    (part,) = read_prepared(data.preparation, write(tmp_path, ["1,new", "2,n000"], "a,name"))
    assert part.x[:, -1].tolist() == [1, 0]
    assert part.unseen == {}


def test_a_preparation_is_frozen_and_says_what_it_is(plain):
    prepared = preparation_of(plain)
    assert isinstance(prepared, TablePreparation)
    assert prepared.target is None
    with pytest.raises(AttributeError):
        prepared.fills = False

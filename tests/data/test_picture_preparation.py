"""Pictures prepared as those that were trained on: a folder of any shape, or one file."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from triptych.data import load, preparation_of, read_prepared
from triptych.errors import DataError, UnsafeFileError
from triptych.spec import FolderSpec


def picture(seed, height=6, width=6, channels=3):
    shape = (height, width, channels) if channels == 3 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def fill(root, names=("cat", "dog"), each=10, channels=3, sizes=((6, 6),)):
    for k, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for i in range(each):
            x = picture(100 * k + i, *sizes[i % len(sizes)], channels)
            Image.fromarray(x).save(root / name / f"{i}.png")


@pytest.fixture
def folder(tmp_path):
    fill(tmp_path / "pets")
    return tmp_path / "pets"


def prepared(preparation, path, **settings):
    parts = list(read_prepared(preparation, path, **settings))
    return np.concatenate([part.x for part in parts]), parts


@pytest.mark.parametrize("size", [None, (4, 5)])
@pytest.mark.parametrize("rows", [3, 65_536])
def test_rows_of_a_data_set_are_prepared_to_the_same_bits(folder, size, rows):
    data = load(FolderSpec(path=str(folder), size=size), 0)
    preparation = preparation_of(json.loads(json.dumps(data.preparation.as_dict())))
    assert preparation == data.preparation
    x, parts = prepared(preparation, folder, rows=rows, needs_target=True)
    y = np.concatenate([part.y for part in parts])
    assert x.dtype == np.uint8
    assert x.shape == (20, *data.sample_shape)
    for split in (data.train, data.test):
        for row, label in zip(split.x, split.y, strict=True):
            same = (x == row).all(axis=(1, 2, 3))
            assert y[same].tolist() == [label]
    assert max(map(len, parts)) <= rows


def test_a_folder_needs_no_classes_and_may_be_of_any_depth(folder, tmp_path):
    preparation = load(FolderSpec(path=str(folder)), 0).preparation
    flat = tmp_path / "flat"
    (flat / "deep" / "er").mkdir(parents=True)
    Image.fromarray(picture(1)).save(flat / "b.png")
    Image.fromarray(picture(2)).save(flat / "deep" / "er" / "a.png")
    (flat / "notes.txt").write_text("x")
    x, (part,) = prepared(preparation, flat)
    assert part.places == ("b.png", "deep/er/a.png")
    assert part.y is None
    assert part.notes == ("flat: files that are no pictures by name were left out: 1 '.txt'.",)
    np.testing.assert_array_equal(x[0], np.moveaxis(picture(1), -1, 0))
    x, (part,) = prepared(preparation, flat / "b.png")
    assert part.places == ("b.png",)
    np.testing.assert_array_equal(x[0], np.moveaxis(picture(1), -1, 0))


def test_classes_that_the_model_does_not_know_are_minus_one_and_counted(folder, tmp_path):
    preparation = load(FolderSpec(path=str(folder)), 0).preparation
    fill(tmp_path / "new", ("cow", "dog"), 3)
    _, (part,) = prepared(preparation, tmp_path / "new", needs_target=True)
    assert part.y.tolist() == [-1, -1, -1, 1, 1, 1]
    assert part.unseen == {"label": {"cow": 3}}


def test_colour_and_sizes_that_training_had_not_are_told(tmp_path):
    fill(tmp_path / "grey", channels=1)
    preparation = load(FolderSpec(path=str(tmp_path / "grey")), 0).preparation
    assert preparation.channels == 1
    fill(tmp_path / "new", each=2, sizes=((6, 6), (9, 4)))
    x, (part,) = prepared(preparation, tmp_path / "new")
    assert x.shape == (4, 1, 6, 6)
    assert part.unseen == {
        "colour": {"in colour, read as grey": 4}, "size": {"9 x 4, scaled": 2}
    }  # fmt: skip
    scaled = load(FolderSpec(path=str(tmp_path / "grey"), size=(6, 6)), 0).preparation
    _, (part,) = prepared(scaled, tmp_path / "new")
    assert "size" not in part.unseen


def test_bad_files_are_all_listed_or_left_out_and_told(folder, tmp_path):
    preparation = load(FolderSpec(path=str(folder)), 0).preparation
    whole = (folder / "cat" / "0.png").read_bytes()
    (folder / "cat" / "cut.png").write_bytes(whole[: len(whole) // 2])
    for k in range(12):
        (folder / "dog" / f"bad{k}.png").write_bytes(b"")
    (folder / "dog" / "loop.png").symlink_to(folder / "dog" / "loop.png")
    with pytest.raises(DataError) as caught:
        prepared(preparation, folder, rows=4)
    said = str(caught.value)
    assert "14 of 34 files cannot be used: cat/cut.png (damaged: " in said
    assert said.count("(empty)") == 9
    assert said.endswith("Remove them, or leave them out with --skip-bad.")
    x, parts = prepared(preparation, folder, rows=4, skip_bad=True)
    assert len(x) == 20
    assert [part.notes for part in parts[:-1]] == [()] * (len(parts) - 1)
    assert parts[-1].notes[0].startswith("14 of 34 files cannot be used")
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "a.png").write_bytes(b"x")
    with pytest.raises(DataError, match="1 of 1 files cannot be used"):
        prepared(preparation, tmp_path / "none", skip_bad=True)


def test_folders_that_hold_nothing_to_read_are_named(folder, tmp_path):
    preparation = load(FolderSpec(path=str(folder)), 0).preparation
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="there are no pictures; files ending in .bmp"):
        prepared(preparation, tmp_path / "empty")
    with pytest.raises(DataError, match="there is no such folder"):
        prepared(preparation, tmp_path / "nowhere")
    with pytest.raises(DataError, match="one picture has no label"):
        prepared(preparation, folder / "cat" / "1.png", needs_target=True)
    (folder / "dog" / "up").symlink_to(folder)
    with pytest.raises(DataError, match="links to a folder that it is in; remove the link"):
        prepared(preparation, folder)


def test_pictures_come_in_parts_that_memory_can_hold(folder, monkeypatch):
    preparation = load(FolderSpec(path=str(folder)), 0).preparation
    monkeypatch.setattr("triptych.data.picture_stream._BYTES", 3 * 6 * 6 * 7)
    _, parts = prepared(preparation, folder)
    assert [len(part) for part in parts] == [7, 7, 6]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"extra": 1}, "preparation: unknown key 'extra'"),
        ({"size": None}, "preparation.size: must be a list, got None"),
        ({"size": [6]}, "size: must be height and width of 50,000,000 pixels"),
        ({"size": [50_000, 50_000]}, "size: must be height and width of 50,000,000 pixels"),
        ({"size": [0, 6]}, r"size\[0\]: must be a whole number from 1 on, got 0"),
        ({"channels": 2}, "channels: must be 1 or 3, got 2"),
        ({"channels": True}, "channels: must be a whole number .*, got True"),
        ({"scaled": 1}, "scaled: must be true or false, got 1"),
        ({"classes": ["a", "a"]}, "classes: two of its values are the same"),
        ({"classes": [["a"], "b"]}, r"classes\[0\]: must be a text"),
        ({"kind": "pictur"}, "pictur"),
    ],
)
def test_a_preparation_of_others_is_taken_to_the_letter_or_not_at_all(folder, change, says):
    plain = load(FolderSpec(path=str(folder)), 0).preparation.as_dict()
    with pytest.raises(UnsafeFileError, match=says):
        preparation_of({**plain, **change})
    for key in plain:
        with pytest.raises(UnsafeFileError, match=key):
            preparation_of({k: v for k, v in plain.items() if k != key})


def test_a_pipe_among_pictures_is_not_waited_for(folder):
    preparation = load(FolderSpec(path=str(folder)), 0).preparation
    os.mkfifo(folder / "cat" / "pipe.png")
    with pytest.raises(DataError, match=r"cat/pipe.png \(not a file\)"):
        prepared(preparation, folder)

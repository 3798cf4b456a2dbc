"""A file of labels beside pictures: found by its header, every fault of it named by line."""

import numpy as np
import pytest
from PIL import Image

from triptych.data import load, read_prepared
from triptych.data.looks import look
from triptych.errors import DataError, SpecError
from triptych.spec import FolderSpec, structure_one
from triptych.spec.sources import DataSpec


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "birds"
    (root / "more").mkdir(parents=True)
    draw = np.random.default_rng(0)
    lines = ["file,label,by"]
    for k in range(12):
        name = f"{'more/' if k % 3 else ''}{k}.png"
        Image.fromarray(draw.integers(0, 256, (5, 5, 3)).astype(np.uint8)).save(root / name)
        lines.append(f"{name},{('wren', 'owl')[k % 2]},me")
    (root / "labels.csv").write_text("\n".join(lines))
    return root


def read(folder, **settings):
    return load(FolderSpec(path=str(folder), labels="labels.csv", **settings), 0)


def rewrite(folder, old, new):
    path = folder / "labels.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_labels_are_the_classes_of_pictures_wherever_they_lie(folder):
    data = read(folder)
    assert data.classes == ("owl", "wren")
    assert len(data.train) + len(data.test) == 12
    assert np.bincount(data.test.y).tolist() == [1, 1]
    first = np.moveaxis(np.asarray(Image.open(folder / "0.png")), -1, 0)
    x, y = np.concatenate([data.train.x, data.test.x]), np.concatenate([data.train.y, data.test.y])
    assert y[(x == first).all(axis=(1, 2, 3))].tolist() == [1]
    assert data.notes == ()


def test_pictures_without_a_label_are_left_out_and_counted(folder):
    Image.new("RGB", (5, 5)).save(folder / "more" / "stray.png")
    (folder / "a.txt").write_text("x")
    assert read(folder).notes == (
        "birds: 1 picture without a label is left out.",
        "birds: files that are no pictures by name were left out: 1 '.txt'.",
    )


def test_it_is_found_by_its_header(folder):
    (folder / "a.csv").write_text("x,y\n1,2\n")
    (folder / "b.csv").mkdir()
    found = look(folder)
    assert found == {"source": "folder", "path": str(folder), "labels": "labels.csv"}
    assert load(structure_one(DataSpec, found, "data"), 0).classes == ("owl", "wren")
    rewrite(folder, "file,label", "Filename,CLASS")
    assert look(folder)["labels"] == "labels.csv"
    rewrite(folder, "Filename,CLASS", "Filename,what")
    with pytest.raises(DataError, match="no pictures in|need 2 classes|has pictures but no sub-"):
        look(folder)


def test_a_model_is_scored_by_labels_of_another_folder(folder):
    preparation = read(folder).preparation
    rewrite(folder, "0.png,wren", "0.png,eagle")
    (part,) = read_prepared(preparation, folder, needs_target=True)
    assert sorted(part.y.tolist()) == [-1] + [0] * 6 + [1] * 5
    assert part.unseen == {"label": {"eagle": 1}}
    (part,) = read_prepared(preparation, folder)
    assert part.y is None
    assert len(part) == 12


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("file,label", "name,label", "line 1: there is no column called file or filename or"),
        ("file,label", "file,tag", "line 1: there is no column called label or class or"),
        ("by", "image", "line 1: there is 2 columns called file or"),
        ("0.png,wren", "0.png,", "line 2: there is no label of '0.png'"),
        ("0.png,wren", ",wren", "line 2: '' names no file in the folder of its pictures"),
        ("0.png,wren", "../x.png,wren", "line 2: '../x.png' names no file in the folder"),
        ("0.png,wren", "/etc/passwd,wren", "line 2: '/etc/passwd' names no file in the folder"),
        ("0.png,wren", "out.png,wren", "line 2: 'out.png' names no file in the folder"),
        ("0.png,wren", "more/1.png,wren", "line 3: 'more/1.png' is there twice, first on line 2"),
        (
            "0.png,wren", "no.png,wren",
            "1 of 12 pictures are not there: line 2 'no.png'. Correct their names",
        ),
        ("0.png,wren", "more,wren", "1 of 12 pictures are not there: line 2 'more'"),
        ("0.png,wren,me", "0.png,wren", "line 2: 2 fields, expected 3"),
        ("0.png,wren", '0.png,"wr\x00en"', "NUL"),
    ],
)  # fmt: skip
def test_faults_are_named_by_line(folder, old, new, says):
    (folder / "out.png").symlink_to("/etc/passwd")
    rewrite(folder, old, new)
    with pytest.raises(DataError, match=says):
        read(folder)


def test_only_ten_pictures_that_are_not_there_are_listed(folder):
    for k in range(12):
        (folder / f"{'more/' if k % 3 else ''}{k}.png").unlink()
    with pytest.raises(DataError, match=r"12 of 12 .* line 11 'more/7.png', line 12|, \.\.\.\."):
        read(folder)


@pytest.mark.parametrize("name", ["", "..", "../labels.csv", "/labels.csv", "a/b.csv", "a\nb"])
def test_it_lies_in_the_folder_itself(folder, name):
    with pytest.raises(SpecError, match="labels: must name a file in the folder, got"):
        FolderSpec(path=str(folder), labels=name)


def test_one_that_is_not_there_and_a_folder_without_any(folder):
    with pytest.raises(DataError, match="no.csv: there is no such file"):
        load(FolderSpec(path=str(folder), labels="no.csv"), 0)
    (folder / "labels.csv").write_text("file,label\n")
    with pytest.raises(DataError, match="birds/labels.csv: there is a header only, no rows"):
        read(folder)
    (folder / "labels.csv").unlink()
    for k in range(0, 12, 3):
        (folder / f"{k}.png").unlink()
    (folder / "more").rename(folder / ".more")
    with pytest.raises(DataError, match="has no sub-folders; .* labels = 'labels.csv'"):
        load(FolderSpec(path=str(folder)), 0)

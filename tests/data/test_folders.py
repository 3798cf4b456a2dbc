"""Pictures from a folder: how each kind is read, how they are split, every fault named."""

import os
import re
import zlib

import numpy as np
import pytest
from PIL import Image

from triptych.data import load
from triptych.data.folders import list_folder, survey
from triptych.data.picture_files import BadPicture, read_header, read_pixels
from triptych.errors import DataError, SpecError
from triptych.spec import FolderSpec

CLASSES = ("cat", "two words", "<img src=x onerror=alert(1)>")


def picture(seed, height=6, width=6, channels=3):
    shape = (height, width, channels) if channels == 3 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pets"
    for k, name in enumerate(CLASSES):
        (root / name).mkdir(parents=True)
        for i in range(10):
            Image.fromarray(picture(100 * k + i)).save(root / name / f"{i}.png")
    return root


def read(folder, seed=0, **settings):
    return load(FolderSpec(path=str(folder), **settings), seed)


def rows(data):
    return {row.tobytes() for row in data.train.x}, {row.tobytes() for row in data.test.x}


def test_sub_folders_are_classes_and_each_is_split_by_the_seed(folder):
    data = read(folder)
    assert data.name == "pets"
    assert data.kind == "pictures"
    assert data.classes == tuple(sorted(CLASSES))
    assert data.train.x.shape == (24, 3, 6, 6)
    assert data.train.x.dtype == np.uint8
    assert np.bincount(data.test.y).tolist() == [2, 2, 2]
    train, test = rows(data)
    assert not train & test
    assert read(folder).fingerprint == data.fingerprint
    assert read(folder, seed=1).fingerprint != data.fingerprint
    assert data.notes == ()
    first = np.moveaxis(picture(0), -1, 0)
    label = data.classes.index("cat")
    x, y = np.concatenate([data.train.x, data.test.x]), np.concatenate([data.train.y, data.test.y])
    assert y[(x == first).all(axis=(1, 2, 3))].tolist() == [label]


def test_a_changed_file_is_read_anew(folder):
    before = read(folder).fingerprint
    Image.fromarray(picture(77)).save(folder / "cat" / "3.png")
    os.utime(folder / "cat" / "3.png", ns=(1, 1))
    assert read(folder).fingerprint != before


@pytest.mark.parametrize("seed", range(5))
def test_copies_stay_on_one_side_and_are_told(folder, seed):
    for i in range(4):
        Image.fromarray(picture(0)).save(folder / "cat" / f"copy{i}.bmp")
    Image.fromarray(picture(1)).save(folder / "two words" / "same.png")
    data = read(folder, seed)
    train, test = rows(data)
    assert not train & test
    # The same for every seed, so that seeds can be trained together.
    assert (len(data.train), len(data.test)) == (28, 7)
    groups = data.train.groups  # so that early stopping does not part them either
    assert groups is None or len({*groups}) == len(train) < len(groups)
    assert data.notes == (
        "pets: 5 of 35 pictures are copies of another; copies stay on one side of the split.",
        "pets: 1 pictures are copies of one in another class, so no network can tell all of them.",
    )


def test_pictures_of_several_sizes_need_one(folder):
    Image.fromarray(picture(5, 4, 9)).save(folder / "cat" / "wide.png")
    with pytest.raises(DataError, match=r"2 sizes, 6 x 6 \(30\), 4 x 9 \(1\); scale .* size = \["):
        read(folder)
    data = read(folder, size=(5, 7))
    assert data.sample_shape == (3, 5, 7)
    with pytest.raises(SpecError, match=r"size: must be \[height, width\], got \[5\]"):
        FolderSpec(path="x", size=(5,))
    with pytest.raises(SpecError, match="size: 1 not in"):
        FolderSpec(path="x", size=(1, 5))


def test_more_pictures_than_memory_are_refused_before_any_is_read(folder, monkeypatch):
    monkeypatch.setattr("triptych.data.folders.MOST_BYTES", 1_000_000_000)
    with pytest.raises(DataError, match=r"30 pictures of 4096 x 4096 pixels take 1\.5 GB"):
        read(folder, size=(4096, 4096))


def test_grey_stays_one_channel_unless_any_picture_has_colour(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "p" / name).mkdir(parents=True)
        for i in range(3):
            grey = Image.fromarray(picture(10 * ord(name) + i, channels=1))
            grey.save(tmp_path / "p" / name / f"{i}.png")
    assert read(tmp_path / "p").sample_shape == (1, 6, 6)
    Image.fromarray(picture(9)).save(tmp_path / "p" / "a" / "colour.png")
    assert read(tmp_path / "p").sample_shape == (3, 6, 6)


def pixels(path, channels=3):
    header = read_header(path)
    return header, np.moveaxis(read_pixels(path, channels, header.size), 0, -1)


@pytest.mark.fault(9)
def test_16_bit_grey_is_scaled_not_cut_off(tmp_path):
    values = np.array([[0, 257, 32_768], [65_535, 128, 129]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    header, x = pixels(tmp_path / "deep.png", 1)
    assert header.has_colour is False
    assert x[..., 0].tolist() == [[0, 1, 128], [255, 0, 1]]


@pytest.mark.fault(9)
def test_cmyk_palettes_and_transparency_become_rgb_over_white(tmp_path):
    Image.new("CMYK", (3, 2), (0, 255, 255, 0)).save(tmp_path / "print.jpg", quality=100)
    _, red = pixels(tmp_path / "print.jpg")
    assert np.abs(red.astype(int) - [255, 0, 0]).max() < 10
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "palette.gif")
    assert pixels(tmp_path / "palette.gif")[1][0].tolist() == [[10, 20, 30], [40, 50, 60]]
    Image.new("RGBA", (2, 2), (200, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (pixels(tmp_path / "clear.png")[1] == 255).all()
    Image.new("LA", (2, 2), (0, 255)).save(tmp_path / "ink.png")
    header, x = pixels(tmp_path / "ink.png", 1)
    assert header.has_colour is False
    assert (x == 0).all()


@pytest.mark.fault(9)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_as_exif_says(tmp_path, orientation):
    stored = np.zeros((16, 8, 3), np.uint8)
    stored[:8, :4] = 255  # the bright quarter
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    header, x = pixels(tmp_path / "a.png")
    turns = {
        1: stored, 2: stored[:, ::-1], 3: stored[::-1, ::-1], 4: stored[::-1],
        5: stored.swapaxes(0, 1), 6: np.rot90(stored, -1), 7: np.rot90(stored, 2).swapaxes(0, 1),
        8: np.rot90(stored),
    }  # fmt: skip
    assert header.size == x.shape[:2] == ((16, 8) if orientation < 5 else (8, 16))
    np.testing.assert_array_equal(x, turns[orientation])


def png_header(width, height):
    """Return the start of a PNG that claims so many pixels."""
    body = b"IHDR" + width.to_bytes(4) + height.to_bytes(4) + b"\x08\x02\0\0\0"
    head = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)
    return head + (4).to_bytes(4) + b"IDAT" + b"\0" * 8


@pytest.mark.fault(9)
def test_every_bad_file_is_listed_with_its_reason(folder):
    cat = folder / "cat"
    whole = (cat / "0.png").read_bytes()
    (cat / "cut.png").write_bytes(whole[: len(whole) // 2])
    (cat / "empty.png").write_bytes(b"")
    (cat / "text.jpg").write_text("no picture")
    (cat / "loop.png").symlink_to(cat / "loop2.png")
    (cat / "loop2.png").symlink_to(cat / "loop.png")
    (cat / "bomb.png").write_bytes(png_header(60_000, 60_000))
    (cat / "big.png").write_bytes(png_header(8_000, 8_000))
    os.mkfifo(cat / "pipe.png")
    with pytest.raises(DataError) as caught:
        read(folder)
    said = str(caught.value)
    assert "8 of 38 files cannot be used" in said
    for words in (
        "cat/cut.png (damaged: ", "cat/empty.png (empty)", "cat/text.jpg (not a picture)",
        "cat/loop.png (Too many levels of symbolic links)", "cat/pipe.png (not a file)",
        "cat/bomb.png (more than 50 million)",
        "cat/big.png (8,000 x 8,000 pixels, more than 50 million)",
    ):  # fmt: skip
        assert words in said
    assert "\n" not in said
    data = read(folder, skip_bad=True)
    assert len(data.train) + len(data.test) == 30
    assert "8 of 38 files cannot be used" in data.notes[0]
    assert data.notes[0].endswith("; they are left out.")


@pytest.mark.fault(9)
def test_only_ten_bad_files_are_listed(folder):
    for k in range(25):
        (folder / "cat" / f"bad{k}.png").write_bytes(b"x")
    with pytest.raises(DataError, match=r"25 of 55 files .*, \.\.\.\. Remove them") as caught:
        read(folder)
    assert str(caught.value).count("not a picture") == 10


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda root: None, "there is no such folder"),
        (lambda root: root.write_text("x"), "this is a file, not a folder"),
        (lambda root: root.mkdir(), "has no sub-folders; put the pictures of each class in one"),
        (lambda root: (root / ".git").mkdir(parents=True), "has no sub-folders"),
        (
            lambda root: (root / "train").mkdir(parents=True) or (root / "test").mkdir(),
            "'test', 'train', which are no classes; name one of them",
        ),
        (lambda root: (root / "cat").mkdir(parents=True), "no pictures in 'cat'"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named(tmp_path, make, says):
    make(tmp_path / "p")
    with pytest.raises(DataError, match=re.escape(says)):
        read(tmp_path / "p")


def test_pictures_without_classes_are_told_where_to_go(tmp_path):
    Image.fromarray(picture(0)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="has pictures but no sub-folders"):
        read(tmp_path)


def test_a_class_needs_two_pictures_that_differ_and_a_folder_two_classes(folder, tmp_path):
    (tmp_path / "one").mkdir()
    (folder / "cat").rename(tmp_path / "one" / "cat")
    with pytest.raises(DataError, match=r"one: need 2 classes, found 1 \('cat'\)"):
        read(tmp_path / "one")
    (folder / "dog").mkdir()
    for k in range(3):
        Image.fromarray(picture(1)).save(folder / "dog" / f"{k}.png")
    with pytest.raises(DataError, match="needs 2 pictures that differ, .* 'dog' has fewer"):
        read(folder)


@pytest.mark.fault(9)
def test_a_link_back_ends_in_a_word_and_links_elsewhere_are_followed(folder, tmp_path):
    (folder / "cat").rename(tmp_path / "elsewhere")
    (folder / "cat").symlink_to(tmp_path / "elsewhere")
    assert len(read(folder).classes) == 3
    (folder / "two words" / "up").symlink_to(folder)
    with pytest.raises(DataError, match="links to a folder that it is in; remove the link"):
        read(folder)


def test_other_files_are_left_out_and_counted(folder):
    (folder / "cat" / "Thumbs.db").write_bytes(b"x")
    (folder / "cat" / ".hidden").write_bytes(b"x")
    (folder / "cat" / "a.tif").write_bytes(b"x")
    (folder / "cat" / "b.TIF").write_bytes(b"x")
    (folder / "loose.txt").write_text("not in a class")
    assert read(folder).notes == (
        "pets: files that are no pictures by name were left out: 2 '.tif'.",
    )


def test_a_survey_decodes_nothing(folder):
    (folder / "cat" / "big.png").write_bytes(png_header(7_000, 7_000))
    found = survey(list_folder(folder))
    assert found.sizes == {(6, 6): 30, (7_000, 7_000): 1}
    assert found.bad == {}


@pytest.mark.parametrize("end", ["png", "jpg", "bmp", "gif", "webp", "ppm"])
def test_a_damaged_file_is_read_or_refused_but_never_ends_the_program(tmp_path, end):
    path = tmp_path / f"a.{end}"
    Image.fromarray(picture(0, 20, 20)).save(path)
    whole, draw = path.read_bytes(), np.random.default_rng(0)
    reasons = []
    for _ in range(100):
        damaged = bytearray(whole)
        for place in draw.integers(0, len(whole), draw.integers(1, 6)):
            damaged[place] = draw.integers(256)
        path.write_bytes(damaged[: draw.integers(1, len(whole) + 1)])
        try:
            header = read_header(path)
            assert header.size[0] * header.size[1] <= 50_000_000
            assert read_pixels(path, 3, (8, 8)).shape == (3, 8, 8)
        except BadPicture as error:
            reasons.append(str(error))
    assert reasons
    assert all(0 < len(reason) < 100 for reason in reasons)

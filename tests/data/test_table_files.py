"""Tables from files: what is read, and every fault named by file, line, column and what to do."""

import io
import os
import pickle
import struct
import sys
import time
import zipfile

import numpy as np
import pytest

from triptych.data.table_files import read_columns
from triptych.data.text_files import number_of
from triptych.errors import DataError, SpecError, UnsafeFileError
from triptych.spec import TableSpec

CSV = "size,colour,price\n1.5,red,10\n-2,blue,20\n+.5e1,red,30\n"


@pytest.fixture
def file(tmp_path):
    def write(content, name="x.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


def read(path, **settings):
    return read_columns(TableSpec(path=str(path), target="price", **settings))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (CSV, "x.csv"),
        (CSV.replace("\n", "\r\n"), "x.csv"),
        ("\ufeff" + CSV + "\n\n", "x.CSV"),
        (CSV.replace(",", ";"), "x.csv"),
        (CSV.replace(",", "\t"), "x.tsv"),
        (CSV.replace("red", '" red"').replace("size", '"size"'), "x.csv"),
    ],
)
def test_columns_are_numbers_or_texts(file, text, name):
    table = read(file(text, name))
    assert [column.name for column in table.columns] == ["size", "colour", "price"]
    assert table["size"].values.tolist() == [1.5, -2, 5]
    assert table["colour"].words == ("blue", "red")
    assert table["colour"].values.tolist() == [1, 0, 1]
    assert table["price"].words == ()
    assert table.lines.tolist() == [2, 3, 4]


@pytest.mark.parametrize("empty", ["", " ", "NA", "nan", "None", "null"])
def test_empty_cells_are_kept_as_such(file, empty):
    table = read(file(CSV.replace("1.5", empty).replace("blue", "")))
    assert np.isnan(table["size"].values).tolist() == [True, False, False]
    assert np.isnan(table["colour"].values).tolist() == [False, True, False]
    assert table["colour"].words == ("red",)


@pytest.mark.parametrize(
    "cells", [["1", "-2.", "+.5e1", "007"], ["1e999", "2"], ["1", " 2"], ['"1\n2"', "3"], ["", "1"]]
)
def test_numbers_read_together_are_those_read_one_by_one(file, cells):
    text = "a,price\n" + "".join(f"{cell},1\n" for cell in cells)
    try:
        expected = [number_of(cell.strip('"')) for cell in cells]
    except ValueError:
        with pytest.raises(DataError, match="is not a number"):
            read(file(text))
    else:
        np.testing.assert_array_equal(read(file(text))["a"].values, expected)


def test_columns_are_left_out_and_numbers_taken_as_names(file):
    table = read(file("zip,price,id\n01,1,a\n1,2,b\n"), ignore=["id"], text=["zip"])
    assert [column.name for column in table.columns] == ["zip", "price"]
    assert table["zip"].words == ("01", "1")


def test_another_encoding_can_be_asked_for(file):
    path = file("größe,price\n1,2\n3,4\n", encoding="cp1252")
    assert read(path, encoding="cp1252").columns[0].name == "größe"
    with pytest.raises(DataError, match=r"^x\.csv line 1: byte 2 is not utf-8; pass encoding="):
        read(path)
    with pytest.raises(DataError, match="this is UTF-16 by its first bytes"):
        read(file(CSV, encoding="utf-16"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("-2,blue,20", "-2,blue,20,7", r"x\.csv line 3: 4 fields, expected 3"),
        ("-2,blue,20", "-2,blue", r"x\.csv line 3: 2 fields, expected 3"),
        ("-2,blue,20", "", r"x\.csv line 3: the line is blank; remove it"),
        (
            "-2,",
            '"1,5",',
            r"line 3 column 'size': '1,5' is not a number, and 2 of 3 cells .* text =",
        ),
        ("-2,", "1_000,", "'1_000' is not a number"),
        ("-2,", "١٢,", "'١٢' is not a number"),
        (
            "blue",
            "12",
            r"line 2 column 'colour': 'red' is not a number, and 1 of 3 cells of the column are",
        ),
        ("blue", '"bl', r"x\.csv line 3: a quote that opens in this row is never closed"),
        ("blue", "b\0lue", r"x\.csv line 3: there is a NUL byte"),
        ("blue", "b" * 200_000, r"x\.csv line 3: a cell has more than 131,072 characters\.$"),
        ("size", "price", r"x\.csv line 1: there are two columns 'price'"),
        ("size", "", r"x\.csv line 1: column 1 has no name"),
    ],
)
def test_a_fault_is_told_by_line_and_column(file, old, new, message):
    with pytest.raises(DataError, match=message):
        read(file(CSV.replace(old, new)))


@pytest.mark.parametrize("cell", ["1,5", "1_000", "١٢", "12 %", "1.000,5", "1 000"])
def test_a_column_of_what_was_meant_as_numbers_is_not_taken_for_names(file, cell):
    text = f"size,price\n{cell},1\n{cell},2\n".replace(cell, f'"{cell}"')
    with pytest.raises(DataError, match=r"line 2 column 'size': .* is not a number; 1234\.5"):
        read(file(text))
    assert read(file(text), text=["size"])["size"].words == (cell,)


@pytest.mark.parametrize(("cell", "helps"), [("1.234,5", True), ("-1,5", True), ("1_000", False)])
def test_of_decimal_commas_it_is_said_what_reads_them(file, cell, helps):
    with pytest.raises(DataError, match=r"\(--text\) to take its cells as names") as caught:
        read(file(f'size,price\n"{cell}",1\n"{cell}",2\n'))
    assert ("pandas.read_csv(FILE, sep=';', decimal=',')" in str(caught.value)) == helps


def test_a_long_cell_takes_no_long_time(file):
    cells = ["1 " * 60_000 + "x", "1," * 60_000 + "x", "9" * 120_000 + "x", "1e" * 60_000]
    text = "a,price\n" + "".join(f'"{cell}",1\n' for cell in cells)
    start = time.process_time()
    assert len(read(file(text))["a"].words) == 4
    assert time.process_time() - start < 2


def test_dates_are_days_and_may_be_texts(file):
    path = file("day,price\n2024-01-01,1\n2024-01-03,2\n")
    column = read(path)["day"]
    assert (column.kind, np.diff(column.values).tolist()) == ("date", [2.0])
    assert read(path, text=["day"])["day"].words == ("2024-01-01", "2024-01-03")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("a,price\n", "there is a header only, no rows"),
        ("a,price\n1,2\n", "there is one row only"),
    ],
)
def test_too_few_rows_are_refused(file, text, message):
    with pytest.raises(DataError, match=message):
        read(file(text))


@pytest.mark.parametrize("parameter", ["ignore", "text"])
def test_a_column_that_is_not_there_gets_the_nearest_name(file, parameter):
    with pytest.raises(
        DataError, match=rf"there is no column 'color'; correct {parameter}\. Did you .*'colour'\?"
    ):
        read(file(CSV), **{parameter: ["color"]})


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv: there is no such file"):
        read(tmp_path / "nowhere.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="there is no such file"):
        read(tmp_path / "folder.csv")
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "nowhere.npz")
    with pytest.raises(SpecError, match=r"path: must end in \.csv, \.tsv, \.parquet, \.npz"):
        read(tmp_path / "x.xlsx")


def test_a_changed_file_is_read_again(file):
    path = file(CSV)
    assert len(read(path)) == 3
    path.write_text(CSV + "4,red,40\n")
    assert len(read(path)) == 4
    before = path.stat()
    path.write_text(CSV + "4,red,50\n")  # of the same size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert read(path)["price"].values[-1] == 50


def npz(tmp_path, **arrays):
    path = tmp_path / "x.npz"
    np.savez(path, **arrays)
    return path


def test_arrays_are_columns(tmp_path):
    x = np.asfortranarray([[1, 2], [3, 4], [5, 6]])
    arrays = {"x": x, "kind": np.array(["a", "b", "a"]), "price": np.array([[True], [False], [1]])}
    table = read(npz(tmp_path, **arrays))
    assert [column.name for column in table.columns] == ["x[0]", "x[1]", "kind", "price"]
    assert table["x[1]"].values.tolist() == [2, 4, 6]
    assert table["kind"].words == ("a", "b")
    assert table["price"].values.tolist() == [1, 0, 1]
    assert table.place(1, "kind") == "row 2 column 'kind'"
    assert [c.name for c in read(npz(tmp_path, **arrays), ignore=["x"]).columns] == [
        "kind", "price",
    ]  # fmt: skip


def test_numbers_of_arrays_can_be_names_too(tmp_path):
    path = npz(tmp_path, code=np.array([7.0, np.nan, 1.5]), price=np.arange(3))
    table = read(path, text=["code"])
    assert table["code"].words == ("1.5", "7")
    np.testing.assert_array_equal(table["code"].values, [1, np.nan, 0])
    with pytest.raises(DataError, match=r"x\.npz: there is no column 'kode'; correct text"):
        read(path, text=["kode"])


class Payload:
    """Would make a file where it was unpickled."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return open, (self.mark, "w")


def test_a_pickle_is_never_loaded(tmp_path):
    mark = tmp_path / "mark"
    whole = npz(tmp_path, x=np.array([Payload(mark), Payload(mark)], dtype=object))
    with pytest.raises(UnsafeFileError, match="array 'x' contains pickled code"):
        read(whole)
    renamed = tmp_path / "y.npz"
    renamed.write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(UnsafeFileError, match=r"y\.npz contains pickled code"):
        read(renamed)
    assert not mark.exists()


def test_arrays_that_are_no_columns_are_refused(tmp_path):
    numbers = np.arange(3.0)
    for array in (numbers.astype(complex), np.zeros((3, 2, 2)), np.float64(3), numbers.astype("S")):
        with pytest.raises(DataError, match="numbers, texts or dates"):
            read(npz(tmp_path, x=array, price=numbers))
    with pytest.raises(DataError, match="must have one length, got 'x' 4, 'price' 3"):
        read(npz(tmp_path, x=np.arange(4), price=numbers))
    cut = npz(tmp_path, price=numbers)
    cut.write_bytes(cut.read_bytes()[:-9])
    with pytest.raises(DataError, match="this is no whole .npz file"):
        read(cut)


def lying(tmp_path, shape, content, compression=zipfile.ZIP_STORED):
    header = io.BytesIO()
    told = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, told)
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("x.npy", header.getvalue() + content)
    return path


def test_an_array_that_claims_more_than_it_holds_is_refused(tmp_path):
    for shape in ((10**12,), (1 << 20,), (-1,)):
        with pytest.raises(DataError, match=r"claims .* does not hold as many|more than the"):
            read(lying(tmp_path, shape, bytes(80)))
    with pytest.raises(DataError, match="claims 3 values"):
        read(lying(tmp_path, (3,), bytes(80)))


def test_an_array_that_blows_up_is_refused(tmp_path):
    bomb = lying(tmp_path, (1 << 18,), bytes(1 << 21), zipfile.ZIP_DEFLATED)
    with pytest.raises(UnsafeFileError, match="more than 100 times as many"):
        read(bomb)


def test_without_pyarrow_parquet_says_what_to_install(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"x\.parquet: .* pip install 'triptych\[parquet\]'"):
        read(file(b"PAR1", "x.parquet"))


@pytest.fixture
def parquet(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    def write(**columns):
        path = tmp_path / "x.parquet"
        parquet.write_table(arrow.table(columns), path)
        return path

    return write


def test_parquet_has_numbers_texts_and_gaps(parquet):
    arrow = pytest.importorskip("pyarrow")
    path = parquet(
        size=[1.5, None, 3.0], old=[True, False, None], price=[1, 2, 3],
        colour=arrow.array(["red", None, "blue"]).dictionary_encode(), kind=["a", "b", ""],
    )  # fmt: skip
    table = read(path)
    np.testing.assert_array_equal(table["size"].values, [1.5, np.nan, 3])
    np.testing.assert_array_equal(table["old"].values, [1, 0, np.nan])
    assert table["colour"].words == ("blue", "red")
    np.testing.assert_array_equal(table["colour"].values, [1, np.nan, 0])
    np.testing.assert_array_equal(table["kind"].values, [0, 1, np.nan])
    assert [c.name for c in read(path, ignore=["size", "kind"]).columns] == [
        "old", "price", "colour",
    ]  # fmt: skip


@pytest.mark.fault(8)
def test_nested_parquet_is_refused(parquet):
    path = parquet(tags=[[1], [2, 3]], price=[1, 2])
    with pytest.raises(DataError, match=r"x\.parquet: column 'tags' is of kind 'list<.*ignore ="):
        read(path)
    assert len(read(path, ignore=["tags"])) == 2


@pytest.mark.fault(8)
def test_damaged_parquet_is_an_error_and_no_crash(parquet):
    path = parquet(size=[float(k) for k in range(50)], price=list(range(50)))
    whole = path.read_bytes()
    place = len(whole) - 8 - struct.unpack("<I", whole[-8:-4])[0]
    rng = np.random.default_rng(0)
    for cut in (0, 4, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match="this is no whole Parquet file"):
            read(path)
    for _ in range(100):
        damaged = bytearray(whole)
        for at in rng.integers(place, len(whole), 3):
            damaged[at] = rng.integers(256)
        path.write_bytes(bytes(damaged))
        try:
            read(path)
        except DataError as error:
            assert str(error).startswith("x.parquet: ")  # noqa: PT017 (some files survive it)

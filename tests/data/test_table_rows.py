"""Rows of other files are read by the names of their columns, and every fault has its place."""

import io
import json
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest

from triptych.data import load, read_prepared, text_files
from triptych.errors import DataError, UnsafeFileError
from triptych.spec import TableSpec

HEADER = "size,colour,day,y"
ROWS = [
    f"{k / 3!r},{['red', 'blue'][k % 2]},2024-{k % 12 + 1:02}-01,{'no' if k % 3 else 'yes'}"
    for k in range(40)
]


def write(folder, rows, header=HEADER, name="new.csv"):
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def prepared(tmp_path):
    return load(TableSpec(path=str(write(tmp_path, ROWS, name="x.csv")), target="y"), 0).preparation


@pytest.fixture
def filling(tmp_path):
    path = write(tmp_path, ROWS, name="x.csv")
    return load(TableSpec(path=str(path), target="y", missing="fill"), 0).preparation


@pytest.fixture
def numeric(tmp_path):
    rows = [f"{k},{k * k},{k / 7!r}" for k in range(50)]
    path = write(tmp_path, rows, "a,b,y", "n.csv")
    return load(TableSpec(path=str(path), target="y"), 0).preparation


def only(parts):
    (part,) = parts
    return part


def test_columns_are_found_by_name_in_any_order_and_others_are_said(tmp_path, prepared):
    straight = only(read_prepared(prepared, write(tmp_path, ["1.5,red,2024-03-04,yes"])))
    path = write(tmp_path, ["x,2024-03-04,red,7,1.5"], "id,day,colour,more,size", "z.csv")
    turned = only(read_prepared(prepared, path))
    assert np.array_equal(straight.x, turned.x)
    assert straight.notes == ()
    assert turned.notes == ("z.csv: 'id' and 'more' are not read.",)
    assert turned.y is None
    assert turned.places == ("line 2",)


def test_what_is_said_of_a_file_is_said_with_its_first_rows(tmp_path, prepared):
    path = write(tmp_path, [f"{row},1" for row in ROWS], f"{HEADER},more")
    notes = [part.notes for part in read_prepared(prepared, path, rows=15)]
    assert notes == [("new.csv: 'more' is not read.",), (), ()]


def test_a_column_that_is_missing_gets_the_nearest_name(tmp_path, prepared):
    path = write(tmp_path, ["1,red,2024-03-04"], "size,color,day")
    with pytest.raises(
        DataError, match=r"^new\.csv line 1: there is no column 'colour', .* mean 'color'\?"
    ):
        next(read_prepared(prepared, path))
    with pytest.raises(DataError, match=r"column 'size', which is needed \(3 such columns"):
        next(read_prepared(prepared, write(tmp_path, ["1,2"], "a,b")))
    good = write(tmp_path, ["1,red,2024-03-04"], "size,colour,day")
    for options, name in (({"needs_target": True}, "y"), ({"group": "who"}, "who")):
        with pytest.raises(DataError, match=f"there is no column '{name}', which is needed"):
            next(read_prepared(prepared, good, **options))


def test_texts_that_no_training_row_had_are_counted_and_have_no_input(tmp_path, prepared):
    rows = ["1,green,2024-01-01", "2,red,2024-01-01", "3,green,2024-01-01", "4,,2024-01-01"]
    path = write(tmp_path, rows[:3], "size,colour,day")
    part = only(read_prepared(prepared, path))
    assert part.unseen == {"colour": {"green": 2}}
    assert part.x[:, 1:3].tolist() == [[0, 0], [0, 1], [0, 0]]


def test_of_many_unseen_texts_some_are_told_and_the_others_counted(tmp_path, prepared):
    rows = [f"1,n{k},2024-01-01" for k in range(500)] + ["1,n0,2024-01-01"] * 3
    path = write(tmp_path, rows, "size,colour,day")
    total, different = 0, set()
    for part in read_prepared(prepared, path, rows=50):
        total += sum(part.unseen["colour"].values())
        different |= set(part.unseen["colour"])
    assert total == 503
    assert len(different) == 101
    assert "" in different


def test_cells_of_a_group_are_told_as_they_are_written(tmp_path, numeric):
    path = write(tmp_path, ["1,2,3,007", "4,5,6, a ", "7,8,9,"], "a,b,y,who")
    part = only(read_prepared(numeric, path, group="who", needs_target=True))
    assert part.groups == ("007", "a", "")
    assert part.notes == ()
    scale = numeric.target
    assert (part.y * scale.std + scale.mean).ravel() == pytest.approx([3, 6, 9])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("one,red,2024-01-01,no", r"line 3 column 'size': 'one' is not a number"),
        ('"1,5",red,2024-01-01,no', r"line 3 column 'size': '1,5' is not a number; 1234\.5 is"),
        ("1_000,red,2024-01-01,no", r"line 3 column 'size': '1_000' is not a number"),
        ("١٢,red,2024-01-01,no", r"line 3 column 'size': '١٢' is not a number"),
        ("1e999,red,2024-01-01,no", r"line 3 column 'size': no number is as large"),
        ("-inf,red,2024-01-01,no", r"line 3 column 'size': no number is as large"),
        (",red,2024-01-01,no", r"line 3 column 'size': the cell is empty, .* missing = 'fill'"),
        ("NA,red,2024-01-01,no", r"line 3 column 'size': the cell is empty"),
        ("1, ,2024-01-01,no", r"line 3 column 'colour': the cell is empty"),
        ("1,red,,no", r"line 3 column 'day': the cell is empty"),
        ("1,red,1.2.2024,no", r"line 3 column 'day': '1\.2\.2024' is no date; 2024-01-31 is"),
        ("1,red,2024-02-30,no", r"line 3 column 'day': '2024-02-30' is no date"),
        ("1,red,2024-01-01,", r"line 3 column 'y': the cell is empty, and a row without it"),
        ("1,red,2024-01-01", r"line 3: 3 fields, expected 4"),
        ("1,red,2024-01-01,no,1", r"line 3: 5 fields, expected 4"),
        ("", r"line 3: the line is blank; remove it"),
        ('1,"red,2024-01-01,no', r"line 3: a quote that opens in this row is never closed"),
        ("1,r\0ed,2024-01-01,no", r"line 3: there is a NUL byte"),
        (f"1,{'r' * 200_000},2024-01-01,no", r"line 3: a cell has more than 131,072 characters"),
    ],
)
def test_a_fault_is_told_by_line_column_and_value(tmp_path, prepared, row, message):
    path = write(tmp_path, [ROWS[0], row, ROWS[1]])
    with pytest.raises(DataError, match=rf"^new\.csv {message}"):
        list(read_prepared(prepared, path, needs_target=True))


@pytest.mark.parametrize(
    "cell", ["1_000", "١٢", "1e", "0x1", "--1", ".", "1 2", "e5", "1e5e5", "+"]
)
@pytest.mark.parametrize("at", [0, 70])
def test_the_quick_way_refuses_what_the_careful_one_does(tmp_path, numeric, cell, at):
    rows = [f"{k},{k}" for k in range(100)]
    rows[at] = f"{cell},1"
    path = write(tmp_path, rows, "a,b")
    with pytest.raises(
        DataError, match=rf"^new\.csv line {at + 2} column 'a': '.*' is not a number"
    ):
        list(read_prepared(numeric, path, rows=30))


@pytest.mark.parametrize("row", ["1", "1,2,3", "1,2\n3"])
def test_the_quick_way_counts_the_cells_of_each_row(tmp_path, numeric, row):
    path = write(tmp_path, ["1,2", "1,2", row, "1,2"], "a,b")
    with pytest.raises(DataError, match=r"line \d: \d fields?, expected 2"):
        list(read_prepared(numeric, path))


@pytest.mark.parametrize(
    "cell", ["1", "-2.", "+.5e1", "007", "1e-300", "0.1", "123456789.123456789"]
)
def test_the_quick_way_reads_the_numbers_of_the_careful_one(tmp_path, numeric, cell):
    quick = only(read_prepared(numeric, write(tmp_path, [f"{cell},1"], "a,b")))
    careful = only(read_prepared(numeric, write(tmp_path, [f'"{cell}",1'], "a,b", "q.csv")))
    assert quick.x.tobytes() == careful.x.tobytes()
    column = numeric.columns[0]
    assert quick.x[0, 0] == (float(cell) - column.mean) / column.deviation


def test_empty_cells_are_filled_as_they_were_in_training(tmp_path, filling):
    path = write(tmp_path, [",,", "NA,red,2024-05-01"], "size,colour,day")
    part = only(read_prepared(filling, path))
    column = filling.columns[0]
    assert part.x[:, 0].tolist() == [(column.fill - column.mean) / column.deviation] * 2
    assert part.x[0, 1:3].tolist() == [0, 0]
    assert part.x[0, 4:].tolist() == [0] * 4  # neither month nor weekday
    assert part.unseen == {}


@pytest.mark.parametrize(
    ("text", "name", "encoding"),
    [
        ("\ufeffa,b\n1,2\n3,4\n", "t.csv", "utf-8"),
        ("a,b\r\n1,2\r\n3,4\r\n\r\n \r\n", "t.csv", "utf-8"),
        ("a;b\n1;2\n3;4", "t.csv", "utf-8"),
        ("a\tb\n1\t2\n3\t4\n", "t.tsv", "utf-8"),
        ("a,b\n1,2\n3,4\n", "t.csv", "utf-16"),
        ("a,é,b\n1,,2\n3,,4\n", "t.CSV", "cp1252"),
        ('"a","b"\n"1","2"\n3,4\n', "t.csv", "utf-8"),
    ],
)
def test_files_may_be_written_in_many_ways(tmp_path, numeric, text, name, encoding):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    parts = list(read_prepared(numeric, path, encoding=encoding))
    expected = only(read_prepared(numeric, write(tmp_path, ["1,2", "3,4"], "a,b", "e.csv")))
    assert b"".join(part.x.tobytes() for part in parts) == expected.x.tobytes()


def test_a_decimal_comma_is_no_second_cell(tmp_path, numeric):
    path = write(tmp_path, ["1,5;2"], "a;b")
    with pytest.raises(DataError, match=r"line 2 column 'a': '1,5' is not a number"):
        list(read_prepared(numeric, path))


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(text_files, "_BLOCK_BYTES", 1 << 14)


@pytest.mark.usefixtures("small_blocks")
def test_another_encoding_is_told_by_line_and_byte_far_into_a_file(tmp_path, numeric):
    path = write(tmp_path, ["1,2"] * 30_000, "a,b")
    with path.open("ab") as file:
        file.write(b"\xe9,1\n")
    where = r"^new\.csv line 30002: byte 120004 is not utf-8; pass encoding="
    with pytest.raises(DataError, match=where):
        sum(map(len, read_prepared(numeric, path)))


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "the file is empty"), ("\n\n", "the file is empty"), ("a,b\n", "there are no rows")],
)
def test_a_file_without_rows_is_refused(tmp_path, numeric, text, message):
    path = tmp_path / "new.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        list(read_prepared(numeric, path))


def test_a_file_that_is_none_or_no_table_is_named(tmp_path, numeric):
    for name in ("none.csv", "none.npz", "none.parquet"):
        with pytest.raises(DataError, match=r"none\.\w+: there is no such file"):
            list(read_prepared(numeric, tmp_path / name))
    with pytest.raises(DataError, match=r"x\.txt: a table ends in \.csv"):
        list(read_prepared(numeric, tmp_path / "x.txt"))


def test_cells_with_line_breaks_reach_over_the_pieces_of_a_file(tmp_path, prepared):
    rows = [f'{k},"re\nd",2024-01-01' if k % 3 else f"{k},red,2024-01-01" for k in range(50)]
    path = write(tmp_path, rows, "size,colour,day")
    whole = only(read_prepared(prepared, path))
    for count in (1, 2, 7):
        parts = list(read_prepared(prepared, path, rows=count))
        assert max(map(len, parts)) <= count
        assert np.array_equal(np.concatenate([part.x for part in parts]), whole.x)
        assert sum((part.places for part in parts), ()) == whole.places
    assert whole.unseen == {"colour": {"re\nd": 33}}
    assert whole.places[-1] == f"line {51 + 33}"


def saved(tmp_path, **arrays):
    path = tmp_path / "new.npz"
    np.savez(path, **arrays)
    return path


def arrays_of(count=100):
    draw = np.random.default_rng(0)
    return {
        "x": draw.normal(size=(count, 3)),
        "f": np.asfortranarray(draw.normal(size=(count, 2))),
        "kind": np.array(["a", "b"])[np.arange(count) % 2],
        "when": np.datetime64("2024-01-01", "D") + np.arange(count),
        "y": np.arange(count) % 2,
    }


@pytest.mark.parametrize("rows", [9, 1000])
def test_arrays_are_streamed_in_any_order_and_layout(tmp_path, rows):
    path = saved(tmp_path, **arrays_of())
    data = load(TableSpec(path=str(path), target="y"), 0)
    parts = list(read_prepared(data.preparation, path, rows=rows, needs_target=True, group="kind"))
    x = np.concatenate([part.x for part in parts])
    both = np.concatenate([data.train.x, data.test.x])
    assert sorted(map(bytes, x)) == sorted(map(bytes, both))
    assert sum((part.places for part in parts), ())[-1] == "row 100"
    assert parts[0].groups[:3] == ("a", "b", "a")
    some = {k: v for k, v in arrays_of().items() if k != "y"}
    turned = saved(tmp_path, more=np.arange(100), **dict(reversed(some.items())))
    again = list(read_prepared(data.preparation, turned, rows=rows))
    assert np.array_equal(np.concatenate([part.x for part in again]), x)
    assert again[0].notes == ("new.npz: 'more' is not read.",)


def test_arrays_of_another_kind_are_refused_by_row_and_column(tmp_path):
    data = load(TableSpec(path=str(saved(tmp_path, **arrays_of())), target="y"), 0)

    def read(**changes):
        path = saved(tmp_path, **{**arrays_of(), **changes})
        return list(read_prepared(data.preparation, path, rows=30))

    texts = np.array(["1"] * 99 + ["x"])
    with pytest.raises(DataError, match=r"^new\.npz row 1 column 'when': 3 is a number, and"):
        read(when=np.full(100, 3.0))
    with pytest.raises(DataError, match=r"^new\.npz row 100 column 'when': 'x' is no date"):
        read(when=np.array(["2024-01-01"] * 99 + ["x"]))
    assert read(kind=np.arange(100))[0].unseen["kind"]["7"] == 1
    with pytest.raises(DataError, match=r"row 4 column 'x\[1\]': the cell is empty"):
        read(x=np.where(np.arange(300).reshape(100, 3) == 10, np.nan, 1.0))
    with pytest.raises(UnsafeFileError, match="'kind' contains pickled code"):
        read(kind=texts.astype(object))


def test_an_array_that_claims_more_than_it_holds_is_refused_before_it_is_read(tmp_path, numeric):
    header = io.BytesIO()
    told = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
    np.lib.format.write_array_header_1_0(header, told)
    with zipfile.ZipFile(tmp_path / "new.npz", "w") as archive:
        archive.writestr("a.npy", header.getvalue() + bytes(80))
    with pytest.raises(DataError, match="claims 1,000,000,000,000 values, and does not hold"):
        list(read_prepared(numeric, tmp_path / "new.npz"))


@pytest.mark.parametrize("rows", [9, 1000])
def test_parquet_is_streamed(tmp_path, rows):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    held = arrays_of()
    columns = {f"x{k}": held["x"][:, k] for k in range(3)}
    columns |= {k: held[k] for k in ("kind", "when", "y")}
    path = tmp_path / "t.parquet"
    parquet.write_table(arrow.table(columns), path, row_group_size=40)
    data = load(TableSpec(path=str(path), target="y"), 0)
    assert [c.kind for c in data.preparation.columns] == ["number"] * 3 + ["text", "date"]
    more = {**columns, "tags": [[1]] * 100}
    parquet.write_table(arrow.table(more), path)
    parts = list(read_prepared(data.preparation, path, rows=rows, needs_target=True))
    x = np.concatenate([part.x for part in parts])
    both = np.concatenate([data.train.x, data.test.x])
    assert sorted(map(bytes, x)) == sorted(map(bytes, both))
    assert parts[0].notes == ("t.parquet: 'tags' is not read.",)
    assert max(map(len, parts)) <= rows
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="this is no whole Parquet file"):
        list(read_prepared(data.preparation, path))


def peak_of(preparation, path):
    tracemalloc.start()
    rows = sum(map(len, read_prepared(preparation, path)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return rows, peak


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("cell", ["1.25", '"1.25"'])
def test_memory_does_not_grow_with_the_file(tmp_path, numeric, cell):
    peaks = []
    for count in (4_000, 20_000):
        path = tmp_path / f"{count}.csv"
        path.write_text("a,b\n" + f"{cell},3.5\n" * count)
        rows, peak = peak_of(numeric, path)
        assert rows == count
        peaks.append(peak)
    assert peaks[1] < 1.2 * peaks[0]


READ = """
import json, sys
from pathlib import Path
from triptych.data import preparation_of, read_prepared
prepared = preparation_of(json.loads(sys.argv[1]))
print(sum(map(len, read_prepared(prepared, sys.argv[2]))))
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_hundred_megabytes_are_read_in_bounded_memory(tmp_path, prepared):
    path, hundred = tmp_path / "large.csv", "\n".join(ROWS * 100) + "\n"
    with path.open("w") as file:
        file.write(f"{HEADER}\n")
        for _ in range(900):
            file.write(hundred)
    assert path.stat().st_size > 100e6
    given = json.dumps(prepared.as_dict())
    out = subprocess.run(
        [sys.executable, "-c", READ, given, str(path)], capture_output=True, text=True, check=True
    ).stdout
    rows, kilobytes = map(int, out.split())
    assert rows == 900 * 100 * 40
    assert kilobytes < 250_000

"""Faults in tables, at every door that takes one: each is one line that says where and what to do.

The numbers are those of docs/faults.md.
"""

import re
from pathlib import Path

import numpy as np
import pytest

import triptych
from taken_up import After
from triptych.cli import main
from triptych.data import load
from triptych.errors import DataError
from triptych.records import StudyFolder
from triptych.runner import Setting, execute_runs
from triptych.spec import TableSpec, parse_study
from triptych.studies import find_study
from triptych.training import loop

ROWS = tuple(f"{k}.5,{k % 7},{'ab'[k % 2]}" for k in range(40))
STUDY = """
seeds = 1
[data]
source = "table"
path = "FILE"
target = "y"
[arm.a]
engine = "numpy"
network = { kind = "mlp", hidden = [3] }
train = { epochs = 1, batch_size = 8 }
"""


def table(*changes, head="p,q,y"):
    """Return a table of 40 rows, of which some are others: row 0 stands on line 2."""
    rows = list(ROWS)
    for k, row in changes:
        rows[k] = row
    return "\n".join([head, *rows]) + "\n"


def every(change):
    return "\n".join(["p,q,y", *map(change, ROWS)]) + "\n"


def doors(file):
    """Return the commands that read a table to learn from it."""
    return (
        ("run", "s.toml"),
        ("check", "s.toml"),
        ("train", file, "--target", "y", "--seeds", "1"),
        ("init", file, "--target", "y"),
    )


def is_refused(here, call, file, says, only=()):
    """Ask every door for one line with exit code 3, and that nothing was made or changed."""
    (here / "s.toml").write_text(STUDY.replace("FILE", file))
    before = {path: path.stat().st_mtime_ns for path in here.rglob("*")}
    for arguments in doors(file):
        if only and arguments[0] not in only:
            continue
        code, _, err = call(*arguments)
        assert (code, err.count("\n")) == (3, 1), (arguments, err)
        assert re.search(says, err), (arguments, err)
        assert err.startswith("triptych: ")
    assert {path: path.stat().st_mtime_ns for path in here.rglob("*")} == before


def marked(mark, *cases):
    """Return cases of one fault, each with its mark."""
    return [
        pytest.param(*case, marks=mark, id=f"{mark.args[0]}-{k}") for k, case in enumerate(cases)
    ]


RAGGED = marked(
    pytest.mark.fault(1),
    (table((15, "1,2,a,4")), r"x\.csv line 17: 4 fields, expected 3\."),
    (table((15, "1,2")), r"x\.csv line 17: 2 fields, expected 3\."),
    (table((39, "Total")), r"x\.csv line 41: 1 field, expected 3\."),
    (table((3, "Smith, John,3,a")), r"x\.csv line 5: 4 fields, expected 3\."),
    (every(lambda row: row + ","), r"x\.csv line 2: 4 fields, expected 3\."),
    (every(lambda row: row.replace(",", ";")), r"x\.csv line 2: 1 field, expected 3\."),
    (table((15, "")), r"x\.csv line 17: the line is blank; remove it\."),
    (table((3, '"x\ny",2,a,4')), r"x\.csv line 6: 4 fields, expected 3\."),
)
NUMBERS = marked(
    pytest.mark.fault(3),
    *(
        (
            table((3, f'"{cell}",2,a')),
            rf"x\.csv line 5 column 'p': '{re.escape(cell)}' is not a number, and 39 of 40 cells "
            r".* Correct it, or name 'p' in text = \[\.\.\.\] \(--text\)",
        )
        for cell in (
            "1,5", "1_000", "\u0661\u0662", "0x1F", "1.2.3", "$5", "1d5", "\uff11", "\u22125",
            "1 000", "1e", "12 %", "n/a", "true",
        )
    ),
    (every(lambda row: "$" + row), r"x\.csv line 2 column 'p': '\$0\.5' is not a number"),
    (every(lambda row: "\u2212" + row), r"line 2 column 'p': '\u22120\.5' is not a number"),
    *(
        (
            table((3, f"{cell},2,a")),
            r"1 cell is infinite or past the largest number, the first: line 5 column 'p'\.",
        )
        for cell in ("1e999", "-1e999", "9" * 500)
    ),
)  # fmt: skip
GRAMMAR = marked(
    pytest.mark.fault(4),
    (table((3, "x" * 131_073 + ",2,a")), r"line 5: a cell has more than 131,072 characters\.$"),
    (table(head="p" * 131_073 + ",q,y"), r"line 1: a cell has more than 131,072 characters\.$"),
    (table((3, '"1,2,a')), r"x\.csv line 5: a quote that opens in this row is never closed\."),
    (table((39, '1,2,"a')), r"x\.csv line 41: a quote that opens in this row is never closed\."),
    (table(head='"p,q,y'), r"x\.csv line 1: a quote that opens in this row is never closed\."),
    (
        table((3, '"1,2,a'), (20, "x" * 131_073 + ",2,a")),
        r"line 5: a cell has more than 131,072 characters, up to line 22; is a quote never closed",
    ),
    (table((3, "1\0,2,a")), r"x\.csv line 5: there is a NUL byte; this is no text file"),
    (table(head="p\0,q,y"), r"x\.csv line 1: there is a NUL byte"),
    (table((3, '"1"2,3,a')), r"x\.csv line 5: text follows a closing quote"),
    (table((3, "1\r2,3,a")), r"x\.csv line 5: there is a carriage return within the line"),
    (table().replace("\n", "\r"), r"x\.csv line 1: there is a carriage return within the line"),
)
SMALL = marked(
    pytest.mark.fault(6),
    ("", r"x\.csv: the file is empty\."),
    ("\n \n", r"x\.csv: the file is empty\."),
    ("p,q,y\n", r"x\.csv: there is a header only, no rows\."),
    ("p,q,y\n1,2,a\n", r"x\.csv: there is one row only; two are the least"),
    (every(lambda row: row[:-1] + "cat"), r"target 'y': need 2 classes, found 1 \('cat'\)\."),
    (every(lambda row: row[:-1] + "2.5"), r"target 'y' is 2\.5 in every row; there is nothing"),
    ("p,q,y\n1,2,a\n2,3,b\n3,3,b\n", r"class 'a' has one row only, copies of it aside; two are"),
    ("y\na\nb\na\n", r"x\.csv line 1: there is no column beside the target\."),
)
COLUMNS = marked(
    pytest.mark.fault(7),
    (table(head="p,p,y"), r"x\.csv line 1: there are two columns 'p'\."),
    (table(head="p, p ,y"), r"x\.csv line 1: there are two columns 'p'\."),
    (table(head="p,,y"), r"x\.csv line 1: column 2 has no name\."),
    (table(head="p,q,yy"), r"x\.csv.*: there is no column 'y'.* Did you mean 'yy'\?"),
    (table(head="p,q,Y"), r"x\.csv.*: there is no column 'y'.* Did you mean 'Y'\?"),
    ("\n".join(ROWS), r"there is no column 'y'.* Is there no header\? The first line .* '0\.5'\."),
    (table().replace(",", "|"), r"there is no column 'y'.* There are: 'p\|q\|y'\."),
)


@pytest.mark.parametrize(("text", "says"), [*RAGGED, *NUMBERS, *GRAMMAR, *SMALL, *COLUMNS])
def test_a_fault_in_a_table_is_one_line_at_every_door(here, call, text, says):
    (here / "x.csv").write_text(text, newline="")
    is_refused(here, call, "x.csv", says)


@pytest.mark.fault(1)
def test_python_gets_the_same_words_and_debug_shows_where_they_come_from(here):
    (here / "x.csv").write_text(table((15, "1,2,a,4")))
    says = r"^x\.csv line 17: 4 fields, expected 3\.$"
    with pytest.raises(DataError, match=says):
        load(TableSpec(path="x.csv", target="y"), 0)
    with pytest.raises(DataError, match=says):
        triptych.train("x.csv", "y")
    with pytest.raises(DataError, match=says):
        triptych.run(parse_study(STUDY.replace("FILE", "x.csv")))
    with pytest.raises(DataError, match=says) as caught:
        main(["train", "x.csv", "--target", "y", "--debug"])
    assert any("csv_rows" in str(frame.path) for frame in caught.traceback)
    assert sorted(path.name for path in here.iterdir()) == ["x.csv"]


UMLAUT = table().replace("a\n", "Zürich\n")


@pytest.mark.fault(2)
@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (
            UMLAUT.encode("cp1252"),
            r"x\.csv line 2: byte 13 is not utf-8; pass encoding= \(--encoding\), for .* 'cp1252'",
        ),
        (table(head="größe,q,y").encode("cp1252"), r"x\.csv line 1: byte 2 is not utf-8; pass"),
        (table().encode() + b"3,4,\xc3", r"x\.csv line 42: byte 360 is not utf-8; pass"),
        (
            UMLAUT.encode("utf-16"),
            r"this is UTF-16 by its first bytes; pass encoding='utf-16' \(--",
        ),
        (
            UMLAUT.encode("utf-32"),
            r"this is UTF-32 by its first bytes; pass encoding='utf-32' \(--",
        ),
        (table().encode("utf-16-le"), r"line 1: there is a NUL byte; .* \(--encoding utf-16-le\)"),
        (b"\x1f\x8b\x08" + bytes(9), r"this is a gzip archive by its first bytes; unpack it\."),
        (
            b"PK\x03\x04" + bytes(9),
            r"this is a zip archive or a spreadsheet .*, or save it as CSV\.",
        ),
        (b"PAR1" + bytes(9), r"a Parquet file by its first bytes; let its name end in \.parquet\."),
    ],
)
def test_another_encoding_is_told_by_its_byte_and_what_reads_it(here, call, raw, says):
    (here / "x.csv").write_bytes(raw)
    is_refused(here, call, "x.csv", says)


@pytest.mark.fault(2)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-32"])
def test_a_mark_is_left_out_and_a_named_encoding_is_read(here, call, encoding):
    (here / "x.csv").write_bytes(UMLAUT.encode(encoding))
    named = () if encoding == "utf-8-sig" else ("--encoding", encoding)
    assert call("init", "x.csv", "--target", "y", *named)[0] == 0
    study = (here / "study.toml").read_text()
    assert ("encoding" in study) == bool(named)
    data = load(next(iter(parse_study(study).arms.values())).data, 0)
    assert data.classes == ("Zürich", "b")
    assert data.features[0] == ("p", "")


def gaps(here, cell):
    """Write files of every kind in which five cells of column p are so."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    lines = [f"{cell},{row.partition(',')[2]}" if k < 5 else row for k, row in enumerate(ROWS)]
    (here / "x.csv").write_text("\n".join(["p,q,y", *lines]))
    (here / "x.tsv").write_text("\n".join(["p,q,y", *lines]).replace(",", "\t"))
    p = np.arange(40.0) ** 2
    p[:5] = float(cell or "nan")
    columns = {"p": p, "q": np.arange(40.0), "y": np.array(["a", "b"] * 20)}
    np.savez(here / "x.npz", **columns)
    parquet.write_table(pyarrow.table(columns), here / "x.parquet")
    return ("x.csv", "x.tsv", "x.npz", "x.parquet")


@pytest.mark.fault(5)
@pytest.mark.parametrize("cell", ["", "nan"])
def test_empty_cells_are_counted_and_the_first_three_named(here, call, cell):
    for file in gaps(here, cell):
        row = "row {}".format if file.endswith(("npz", "parquet")) else "line {}".format
        first = 1 if file.endswith(("npz", "parquet")) else 2
        places = ", ".join(f"{row(first + k)} column 'p'" for k in range(3))
        says = (
            rf"{re.escape(file)}: 5 cells are empty or not finite, the first: {places}\. Fill "
            r"them, leave out their rows, or set missing = 'fill' or 'drop' \(--missing fill\)\."
        )
        is_refused(here, call, file, says, only=("run", "check", "train"))
        spec = {"path": file, "target": "y"}
        filled = load(TableSpec(**spec, missing="fill"), 0)
        assert len(filled.train) + len(filled.test) == 40
        assert "5 empty cells are filled: numbers with the median" in filled.notes[0]
        dropped = load(TableSpec(**spec, missing="drop"), 0)
        assert len(dropped.train) + len(dropped.test) == 35


@pytest.mark.fault(5)
@pytest.mark.parametrize("cell", ["inf", "-inf"])
def test_infinite_cells_are_never_filled(here, call, cell):
    for file in gaps(here, cell):
        is_refused(
            here, call, file, r"5 cells are infinite or past the largest number, the first: "
        )
        with pytest.raises(DataError, match=r"5 cells are infinite .* Correct them\.$"):
            load(TableSpec(path=file, target="y", missing="fill"), 0)


@pytest.mark.fault(5)
def test_an_empty_target_is_never_filled_and_says_so_at_once(here, call):
    (here / "x.csv").write_text(table((3, "1,2,")))
    is_refused(
        here, call, "x.csv", r"1 cell is empty .*: line 5 column 'y'\. A target is never filled: "
        r"leave out those rows, or set missing = 'drop' \(--missing drop\)\.",
        only=("run", "check", "train"),
    )  # fmt: skip


@pytest.mark.fault(6)
def test_a_constant_column_is_told_and_has_scale_1(here):
    (here / "x.csv").write_text(every(lambda row: "7," + row.partition(",")[2]))
    data = load(TableSpec(path="x.csv", target="y"), 0)
    assert "'p' never changes" in data.notes[0]
    assert data.preparation.columns[0].deviation == 1.0
    assert (data.train.x[:, 0] == 0).all()


@pytest.mark.fault(6)
def test_files_with_columns_of_their_own_need_rows_and_classes_too(here, call):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    for rows, kinds, says in (
        (0, "ab", r"there are no rows\."), (1, "ab", r"there is one row only"),
        (40, "aa", r"target 'y': need 2 classes, found 1 \('a'\)"),
    ):  # fmt: skip
        y = np.array(list(kinds) * 20, dtype="U1")[:rows]
        columns = {"p": np.arange(40.0)[:rows], "y": y}
        np.savez(here / "x.npz", **columns)
        parquet.write_table(pyarrow.table(columns), here / "x.parquet")
        is_refused(here, call, "x.npz", rf"x\.npz: {says}")
        is_refused(here, call, "x.parquet", rf"x\.parquet: {says}")
    np.savez(here / "x.npz")
    is_refused(here, call, "x.npz", r"x\.npz: there are no arrays\.")


@pytest.mark.fault(7)
def test_columns_of_other_files_that_are_there_twice_or_not_at_all(here, call):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    arrays = [pyarrow.array([1.0, 2.0]), pyarrow.array([1, 3]), pyarrow.array(["a", "b"])]
    twice = pyarrow.Table.from_arrays(arrays, names=["p", "p", "y"])
    parquet.write_table(twice, here / "x.parquet")
    is_refused(here, call, "x.parquet", r"x\.parquet: there are two columns 'p'\.")
    other = pyarrow.Table.from_arrays(arrays, names=["p", "q", "Y"])
    parquet.write_table(other, here / "x.parquet")
    is_refused(here, call, "x.parquet", r"there is no column 'y'.* Did you mean 'Y'\?")
    np.savez(here / "x.npz", **{"p": np.ones((4, 2)), "p[0]": np.ones(4), "y": np.arange(4)})
    is_refused(here, call, "x.npz", r"x\.npz: there are two columns 'p\[0\]'\.")
    np.savez(here / "x.npz", p=np.ones(4), yy=np.arange(4))
    is_refused(here, call, "x.npz", r"there is no column 'y'.* Did you mean 'yy'\?")


@pytest.mark.fault(8)
def test_parquet_that_is_cut_or_lies_is_an_error_and_takes_no_memory(here, call):
    pyarrow = pytest.importorskip("pyarrow")
    import resource

    from pyarrow import parquet

    columns = {"p": np.arange(40.0), "y": ["a", "b"] * 20}
    parquet.write_table(pyarrow.table(columns), here / "whole.parquet")
    whole = (here / "whole.parquet").read_bytes()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lies = [whole[:-8] + size.to_bytes(4, "little") + b"PAR1" for size in (0, 2**31 - 1, 2**32 - 1)]
    for content in (*(whole[: len(whole) * k // 10] for k in (0, 1, 5, 9)), *lies, b"p,y\n1,2\n"):
        (here / "x.parquet").write_bytes(content)
        is_refused(
            here, call, "x.parquet", r"x\.parquet: this is no whole Parquet file: .*[^.]\.$",
            only=("run", "train"),
        )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 200_000  # kB


@pytest.mark.fault(8)
def test_a_group_of_rows_that_claims_too_much_is_refused_before_it_is_read(here, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(
        pyarrow.table({"p": np.zeros(1 << 20), "y": np.zeros(1 << 20)}), "x.parquet"
    )
    monkeypatch.setattr("triptych.data.parquet_files.MOST_VALUES", 1 << 10)
    monkeypatch.delattr(parquet.ParquetFile, "iter_batches")
    with pytest.raises(
        DataError, match=r"x\.parquet: a group of rows unpacks to [\d,]+ bytes, and"
    ):
        load(TableSpec(path="x.parquet", target="y"), 0)


@pytest.mark.fault(8)
def test_nested_columns_are_named_and_may_be_left_out(here, call):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    for nested in ([[1.0]] * 40, [{"a": 1}] * 40, [b"x"] * 40):
        columns = {"p": nested, "q": np.arange(40.0) % 7, "y": ["a", "b"] * 20}
        parquet.write_table(pyarrow.table(columns), here / "x.parquet")
        is_refused(
            here, call, "x.parquet", r"column 'p' is of kind '(list|struct|binary).*; numbers, "
            r"texts and dates can be learnt from\. .* name it in ignore = \[\.\.\.\]\.",
            only=("run", "check"),
        )  # fmt: skip
        assert call("init", "x.parquet", "--target", "y")[0] == 0
        assert 'ignore = ["p"]' in (here / "study.toml").read_text()
        (here / "study.toml").unlink()


@pytest.mark.fault(12)
def test_data_that_changed_since_a_checkpoint_are_refused_with_both_fingerprints(
    here, call, monkeypatch, one_thread
):
    monkeypatch.setattr(loop, "_SECONDS_BETWEEN_PROGRESS", 0.0)
    (here / "x.csv").write_text(table())
    text = STUDY.replace("FILE", "x.csv").replace("epochs = 1", "epochs = 4")
    (here / "s.toml").write_text(text)
    folder, study = StudyFolder(Path("triptych-runs/s")), find_study("s.toml")
    folder.start(study)
    arm = study.arms["a"]
    with pytest.raises(KeyboardInterrupt):
        list(execute_runs("a", arm, (0,), folder, Setting(checkpoint=0.0), After(9)))
    run = folder.run("a", 0)
    before = {path: path.read_bytes() for path in run.path.iterdir()}
    assert any(path.name.startswith("checkpoint") for path in before)
    (here / "x.csv").write_text(table((3, "77,2,a")))
    code, _, err = call("run", "s.toml")
    assert code == 4
    says = (
        r"a, seed 0: its data have changed since its checkpoint: fingerprint "
        r"([0-9a-f]{12}) ≠ ([0-9a-f]{12})\. Put them back, or "
        r"'triptych runs delete triptych-runs/s/runs/a/seed-0' lets"
    )
    assert re.search(says, err), err
    assert {path: path.read_bytes() for path in run.path.iterdir()} == before
    (here / "x.csv").write_text(table())
    code, out, _ = call("run", "s.toml")
    assert code == 0
    assert "goes on after step 9" in out


@pytest.mark.fault(2)
def test_a_table_may_begin_with_the_letters_of_a_mark(here, call):
    (here / "t.csv").write_text(
        "PAR1,%PDF-,y\n" + "".join(f"{k * k % 19},{k * 7 % 23},{'ab'[k % 2]}\n" for k in range(40))
    )
    assert "2 inputs, target 'y'" in call("train", "t.csv", "--seeds", "1")[1]

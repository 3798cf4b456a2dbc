"""CSV in chunks is CSV: whatever pieces it is read in, and whichever way each of them takes."""

import csv
import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.data import text_files
from triptych.data.csv_chunks import TextTable

CELLS = st.text(st.sampled_from('ab1. ,"\n;é'), max_size=5)
NUMBERS = st.sampled_from(["1", "-2.5", "+.5e1", "1e300", "0", "", "x", '"', "1,5", " 3"])


def written(rows, width):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([[f"c{k}" for k in range(width)], *rows])
    return out.getvalue()


@st.composite
def tables(draw):
    width = draw(st.integers(2, 4))
    cells = draw(st.sampled_from([CELLS, NUMBERS, NUMBERS.filter(lambda c: c[:1].isdigit())]))
    return width, draw(st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1))


@settings(max_examples=150, deadline=None)
@given(tables(), st.integers(1, 9), st.integers(3, 60), st.booleans())
def test_rows_are_those_of_pythons_reader(tmp_path_factory, table, most, block, as_written):
    width, rows = table
    text = written(rows, width)
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    path.write_text(text, encoding="utf-8")
    whole, text_files._BLOCK_BYTES = text_files._BLOCK_BYTES, block
    try:
        opened = TextTable(path, "utf-8")
        parts = list(opened.chunks(most, as_written=as_written))
    finally:
        text_files._BLOCK_BYTES = whole
    found, lines = [], []
    for part in parts:
        assert 0 < len(part) <= most
        lines += part.lines.tolist()
        found += zip(*part.columns, strict=True)
    expected = csv.reader(io.StringIO(text))
    assert next(expected) == list(opened.names)
    for cells, line in zip(expected, lines, strict=True):
        row = found.pop(0)
        assert line == expected.line_num
        if isinstance(row[0], np.floating):
            assert [float(cell) for cell in cells] == list(row)
            assert not as_written
        else:
            assert cells == list(row)
    assert not found

"""What columns are, told by looking at them, with the reason."""

import numpy as np
import pytest

from triptych.data.column_looks import look_at_columns


@pytest.fixture
def looks(tmp_path):
    def make(name="x.csv", **columns):
        rows = zip(*columns.values(), strict=True)
        lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        return {look.name: look for look in look_at_columns(tmp_path / name)}

    return make


N = 120
CODES = np.random.default_rng(0).permutation(9000)[:N].tolist()


@pytest.mark.parametrize(
    ("name", "cells", "kind", "reason"),
    [
        ("a", [k / 7 for k in range(N)], "number", "numbers from 0 to 17"),
        ("a", [k % 5 for k in range(N)], "number", "numbers from 0 to 4"),
        ("a", CODES, "number", "numbers from"),
        ("a", ["u", "v"] * 60, "text", "2 different texts"),
        ("a", [f"w{k % 60}" for k in range(N)], "text", "60 different texts"),
        ("a", [f"2024-01-{k % 28 + 1:02}" for k in range(N)], "date", "dates from 2024-01-01 to"),
        ("a", ["2024-01-01T10:00", "2024-01-02"] * 60, "date", "times from 2024-01-01 10:00:00"),
        ("a", [3] * N, "constant", "3 in every row"),
        ("a", ["u"] * N, "constant", "'u' in every row"),
        ("a", [""] * N, "constant", "every cell is empty"),
        ("a", [f"name {k}" for k in range(N)], "id", "120 different texts in 120 rows"),
        ("a", range(17, 17 + N), "id", "it counts the rows"),
        ("PassengerId", CODES, "id", "it is called an id, and has another number in every row"),
        ("row_id", CODES, "id", "it is called an id"),
        ("paid", CODES, "number", "numbers from"),
        ("user_id", [k % 60 for k in range(N)], "number", "numbers from"),
        ("a", [""] + [k / 7 for k in range(N - 1)], "number", "; 1 of 120 cells are empty"),
    ],
)
def test_a_column_is_told_for_what_it_is(looks, name, cells, kind, reason):
    look = looks(**{name: list(cells), "other": list(range(N))[::-1]})[name]
    assert look.kind == kind
    assert reason in look.reason


def test_few_rows_say_little(looks):
    found = looks(a=[f"n{k}" for k in range(6)], b=[5, 9, 2, 4, 1, 0])
    assert [look.kind for look in found.values()] == ["text", "number"]


def test_many_texts_are_told(looks):
    found = looks(a=[f"w{k % 60}" for k in range(N)], b=[f"w{k % 50}" for k in range(N)])
    assert [look.is_wordy for look in found.values()] == [True, False]


def test_columns_that_cannot_be_learnt_from_are_told_too(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(arrow.table({"a": [1.5, 2.5], "tags": [[1], [2]]}), tmp_path / "x.parquet")
    found = look_at_columns(tmp_path / "x.parquet")
    assert [(look.name, look.kind) for look in found] == [("a", "number"), ("tags", "other")]

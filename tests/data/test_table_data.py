"""Tables become data sets: the target is found, nothing of the test rows is used, nothing leaks."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.metrics import r2_score

from triptych.data import load
from triptych.data.table_fitting import columns_standardization
from triptych.data.table_splits import split_rows
from triptych.errors import DataError
from triptych.spec import BundledSpec, TableSpec


@pytest.fixture
def table(tmp_path):
    def make(rows, header="a,kind,y", seed=0, **settings):
        path = tmp_path / "x.csv"
        path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
        return load(TableSpec(path=str(path), target="y", **settings), seed)

    return make


def mixed(count=40):
    return [(k / 7, "uvw"[k % 3], "no" if k % 4 else "yes") for k in range(count)]


def test_numbers_are_standardised_and_texts_one_hot(table):
    data = table(mixed())
    assert (data.name, data.kind, data.classes) == ("x.csv", "table", ("no", "yes"))
    assert data.sample_shape == (4,)
    assert data.outputs == 2
    assert data.train.x[:, 0].mean() == pytest.approx(0, abs=1e-12)
    assert data.train.x[:, 0].std() == pytest.approx(1)
    x = np.concatenate([data.train.x, data.test.x])
    assert set(np.unique(x[:, 1:])) == {0.0, 1.0}
    assert (x[:, 1:].sum(axis=1) == 1).all()
    assert data.notes == (
        "x.csv: 1 column is numbers, standardised on the training rows; texts are one input for "
        "each value: 'kind' (3).",
    )


def test_classes_are_held_out_alike_and_a_seed_fixes_which(table):
    for seed in range(5):
        data = table(mixed(), seed=seed)
        assert np.bincount(data.test.y).tolist() == [6, 2]
        assert np.bincount(data.train.y).tolist() == [24, 8]
    assert table(mixed(), seed=0).fingerprint == table(mixed()).fingerprint != data.fingerprint


def test_what_is_fitted_is_fitted_to_the_training_rows(table):
    rows = [(k, "u", k % 2) for k in range(20)]
    rows[3] = (1000, "rare", 1)
    by_side = {}
    for seed in range(12):
        data = table(rows, seed=seed)
        by_side.setdefault(bool((data.test.x[:, 0] > 100).any()), data)
    far = by_side[True]  # of the test rows: the others do not know of it
    assert far.train.x[:, 0].std() == pytest.approx(1)
    row = far.test.x[far.test.x[:, 0] > 100]
    assert row[0, 1:].tolist() == [0, 0]  # a value that no training row has
    assert by_side[False].train.x[:, 1].sum() == 1
    assert far.sample_shape == by_side[False].sample_shape


def test_seeds_have_one_shape_though_rows_have_copies(table):
    rows = mixed(20) + mixed(20)[:7] + [mixed(20)[0]] * 3
    shapes = set()
    for seed in range(10):
        data = table(rows, seed=seed)
        shapes.add((data.train.x.shape, data.test.x.shape))
        train, test = ({tuple(row) for row in part.x.round(9)} for part in (data.train, data.test))
        assert not train & test
    assert len(shapes) == 1
    assert "exact copies of others (10 of 30) are on one side of the split" in data.notes[0]
    free = [table(rows, seed=seed, duplicates="anywhere") for seed in range(10)]
    leaks = [{*map(tuple, d.train.x.round(9))} & {*map(tuple, d.test.x.round(9))} for d in free]
    assert any(leaks)
    assert "may be on both sides" in free[0].notes[0]


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.99])
def test_a_share_of_the_rows_is_held_out_as_nearly_as_copies_allow(share):
    groups = np.repeat(np.arange(60), np.arange(60) % 3 + 1)
    strata = groups % 2
    sizes = set()
    for seed in range(5):
        train, test = split_rows(groups, strata, share, np.random.default_rng(seed))
        assert sorted([*train, *test]) == list(range(len(groups)))
        assert not set(groups[train]) & set(groups[test])
        assert {0, 1} == set(strata[train]) == set(strata[test])
        sizes.add(len(test))
    assert len(sizes) == 1
    assert abs(sizes.pop() - share * len(groups)) <= 3


def test_rows_that_all_come_twice_can_be_split(table):
    data = table(mixed(21) * 2)
    assert len(data.test) == 8


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["b", "a"], "auto", ("a", "b")),
        ([0, 1], "auto", ("0", "1")),
        ([3, 1, 2], "auto", ("1", "2", "3")),
        ([0, 10, 9], "classification", ("0", "9", "10")),
        ([0.5, 1.5], "classification", ("0.5", "1.5")),
        ([0, 1], "regression", ()),
        ([0.5, 1.5], "auto", ()),
        (range(11), "auto", ()),
        (range(11), "classification", tuple(map(str, range(11)))),
    ],
)
def test_the_task_follows_from_the_target(table, values, task, classes):
    rows = [(k, "u", values[k % len(values)]) for k in range(33)]
    data = table(rows, task=task)
    assert data.classes == classes
    if classes:
        y = np.concatenate([data.train.y, data.test.y])
        assert y.dtype == np.int64
        assert sorted(np.unique(y)) == list(range(len(classes)))
    guessed = task == "auto" and classes and classes[0].isdigit()
    assert ("taken as classes (task = 'regression' takes" in data.notes[0]) == bool(guessed)


def test_a_number_to_tell_is_standardised_and_can_be_had_back(table):
    data = table([(k, "u", 100.0 + k) for k in range(20)], task="regression")
    assert data.train.y.shape == (16, 1)
    assert data.outputs == 1
    assert data.train.y.std() == pytest.approx(1)
    y = np.concatenate([data.train.y, data.test.y]) * data.target.std + data.target.mean
    assert sorted(y.ravel().round(9).tolist()) == [100.0 + k for k in range(20)]
    assert "'y' is standardised too: losses are in its standard deviations" in data.notes[0]


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        ([(1, "u", "cat"), (2, "u", "cat")], {}, r"need 2 classes, found 1 \('cat'\)"),
        ([(1, "u", 7), (2, "u", 7)], {}, r"need 2 classes, found 1 \('7'\)"),
        ([(1, "u", 7), (2, "u", 7)], {"task": "regression"}, "is 7 in every row"),
        ([(1, "u", "a"), (2, "u", "b")], {"task": "regression"}, "holds texts, such as 'a'"),
        ([(1, "u", "a")] * 3 + [(2, "u", "b")], {}, "class 'a' has one row only, copies of it"),
        ([(1, "u", 0.5), (1, "u", 0.5), (3, "u", 0.5)], {"task": "regression"}, "in every row"),
        ([(k, f"n{k}", k % 2) for k in range(60)], {}, "'kind' has 60 different texts, and at"),
        ([(1, "u", 0), (2, "u", 1)], {"ignore": ["a", "kind"]}, "no column beside the target"),
    ],
)
def test_what_cannot_be_told_is_refused(table, rows, settings, message):
    with pytest.raises(DataError, match=rf"^x\.csv.*{message}"):
        table(rows, **settings)


def test_a_target_that_is_not_there_gets_the_nearest_name(table):
    with pytest.raises(
        DataError, match=r"^x\.csv line 1: there is no column 'y'; .*Did you .*'yy'"
    ):
        table([(1, 2), (3, 4)], header="a,yy")


GAPS = [(1, "u", "a"), ("", "u", "b"), (3, "", "a"), (4, "v", "b"), ("NA", "", "a"), (6, "v", "b")]


def test_empty_cells_are_counted_and_the_first_three_named(table):
    first = "line 3 column 'a', line 4 column 'kind', line 6 column 'a'"
    with pytest.raises(DataError, match=rf"4 cells are empty .*, the first: {first}\. .* 'drop'"):
        table(GAPS)


def test_empty_cells_are_filled_from_the_training_rows(table):
    for seed in range(6):
        data = table(GAPS * 4, seed=seed, missing="fill", duplicates="anywhere")
        x = np.concatenate([data.train.x, data.test.x])
        assert np.isfinite(x).all()
        assert (x[:, 1:].sum(axis=1) == 0).sum() == 8
        assert "16 empty cells are filled" in data.notes[0]
        numbers = np.sort(np.unique(data.train.x[:, 0].round(9)))
        assert np.median(data.train.x[:, 0]).round(9) in numbers
    with pytest.raises(DataError, match="A target is never filled"):
        table([*GAPS, (1, "u", "")], missing="fill")


@pytest.mark.parametrize("missing", ["refuse", "fill", "drop"])
def test_a_column_without_any_value_is_refused(table, missing):
    with pytest.raises(DataError, match="column 'a' is empty; name it in ignore"):
        table([("", "u", k % 2) for k in range(6)], missing=missing)


def test_rows_with_empty_cells_are_dropped(table):
    data = table([*GAPS, (7, "u", ""), (8, "w", "a")], missing="drop")
    assert len(data.train) + len(data.test) == 4
    assert "4 rows are left out for empty cells" in data.notes[0]
    with pytest.raises(DataError, match="all rows but 1 have empty cells"):
        table([("", "u", 0), (1, "u", 1), (2, "", 1)], missing="drop")


@pytest.mark.parametrize("missing", ["refuse", "fill", "drop"])
@pytest.mark.parametrize("cell", ["1e999", "-inf"])
def test_numbers_past_the_largest_are_refused(table, cell, missing):
    with pytest.raises(
        DataError,
        match=r"1 cell is infinite or past the largest number, the first: line .* Correct them\.",
    ):
        table([(1, "u", 0), (cell, "u", 1), (2, "u", 1)], missing=missing)


def test_a_constant_column_is_told_and_left_at_0(table):
    data = table([(0.1, "u", k % 2) for k in range(10)], duplicates="anywhere")
    assert "'a' and 'kind' never change" in data.notes[0]
    assert np.unique(data.train.x[:, 0]).tolist() == [0.0]


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e300])
def test_columns_of_any_size_are_standardised(scale):
    x = np.random.default_rng(0).normal(3, 2, size=(50, 2)) * scale
    found = columns_standardization(x)(x, "float64")
    assert found.mean(axis=0) == pytest.approx(0, abs=1e-12)
    assert found.std(axis=0) == pytest.approx(1)


@pytest.mark.parametrize(
    ("source", "rows", "inputs", "outputs"),
    [("iris", 150, 4, 3), ("wine", 178, 13, 3), ("breast_cancer", 569, 30, 2),
     ("diabetes", 442, 10, 1)],
)  # fmt: skip
def test_the_tables_that_come_with_scikit_learn(source, rows, inputs, outputs):
    data = load(BundledSpec(source=source), 3)
    assert len(data.train) + len(data.test) == rows
    assert len(data.test) == pytest.approx(rows / 5, abs=2)
    assert (data.sample_shape, data.outputs, data.name) == ((inputs,), outputs, source)
    assert data.train.x.mean(axis=0) == pytest.approx(np.zeros(inputs), abs=1e-10)


def test_iris_has_one_flower_twice():
    data = load(BundledSpec(source="iris"), 0)
    assert data.classes == tuple(load_iris().target_names)
    assert "exact copies of others (1 of 150)" in data.notes[0]


def test_diabetes_is_told_as_well_as_scikit_learn_does():
    data = load(BundledSpec(source="diabetes"), 0)
    whole = np.c_[data.train.x, np.ones(len(data.train))]
    w = np.linalg.lstsq(whole, data.train.y, rcond=None)[0]
    found = r2_score(data.test.y, np.c_[data.test.x, np.ones(len(data.test))] @ w)
    assert 0.3 < found < 0.7
    y = np.concatenate([data.train.y, data.test.y]) * data.target.std + data.target.mean
    assert sorted(y.ravel().round(6)) == sorted(load_diabetes().target.tolist())

"""Nothing of a group, nothing of the time to come and no copy of a row is on both sides."""

import numpy as np
import pytest

from triptych.chance import stream
from triptych.contracts import Split, latest
from triptych.data import load
from triptych.data.splits import copies
from triptych.data.table_splits import by_content, linked, split_groups
from triptych.errors import DataError, SpecError
from triptych.spec import TableSpec, TrainSpec
from triptych.training import split_rows


@pytest.fixture
def table(tmp_path):
    def make(rows, header, seed=0, **settings):
        path = tmp_path / "x.csv"
        path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
        return load(TableSpec(path=str(path), target="y", **settings), seed)

    return make


def patients(count=30, each=8):
    draw = np.random.default_rng(1)
    return [
        (f"p{k}", round(float(draw.normal()), 6), "ill" if k % 3 == 0 else "well")
        for k in range(count) for _ in range(each)
    ]  # fmt: skip


def raw(data, split, column=0):
    """Return the numbers of one column as they stand in the file."""
    scale = data.preparation.columns[column]
    return (split.x[:, column] * scale.deviation + scale.mean).round(6).tolist()


def test_rows_of_a_group_are_on_one_side_and_classes_alike(table):
    rows = patients()
    who = {a: p for p, a, _ in rows}
    held = set()
    for seed in range(5):
        data = table(rows, "who,a,y", seed, group="who")
        train, test = ({who[a] for a in raw(data, split)} for split in (data.train, data.test))
        assert not train & test
        assert len(train | test) == 30
        assert len(data.test) == 48
        assert np.bincount(data.test.y).tolist() == [16, 32]
        assert [name for name, _ in data.features] == ["a"]
        held.add(frozenset(test))
    assert len(held) == 5
    assert "rows of one 'who' (30 of them) are on one side of the split, 20.0 %" in data.notes[0]
    assert data.preparation.left_out == ("who",)
    assert len(np.unique(data.train.groups)) == 24


def test_groups_may_be_numbers_and_of_any_size(table):
    rows = [(k // (k % 5 + 1), k / 7, k % 2) for k in range(300)]
    shares = []
    for seed in range(5):
        data = table(rows, "who,a,y", seed, group="who", test_size=0.3)
        assert len(data.train) + len(data.test) == 300
        shares.append(len(data.test) / 300)
    assert min(shares) > 0.25
    assert max(shares) < 0.35


def test_copies_of_a_row_bind_groups_together(table):
    rows = patients(12, 4)
    rows += [("p0", 7.5, "well"), ("p1", 7.5, "well"), ("p2", 7.5, "well")]
    for seed in range(8):
        data = table(rows, "who,a,y", seed, group="who")
        sides = [7.5 in raw(data, split) for split in (data.train, data.test)]
        assert sorted(sides) == [False, True]
    assert "share exact copies of rows, which leaves 10 to draw" in data.notes[0]
    free = [table(rows, "who,a,y", s, group="who", duplicates="anywhere") for s in range(8)]
    assert any(7.5 in raw(d, d.train) and 7.5 in raw(d, d.test) for d in free)


def test_groups_that_cannot_be_parted_are_refused(table):
    rows = patients(4, 4)
    with pytest.raises(DataError, match="all rows are of one 'who'. Two groups are the least"):
        table([("p", *row[1:]) for row in rows], "who,a,y", group="who")
    bound = [(p, k % 2, y) for p, _, y in [("a", 0, "u"), ("b", 0, "v")] * 4 for k in range(2)]
    bound = [(who, a, "uv"[a]) for who, a, _ in bound]
    with pytest.raises(
        DataError, match="every 'who' shares exact copies .*duplicates = 'anywhere'"
    ):
        table(bound, "who,a,y", group="who")


def test_a_class_of_one_group_is_told_to_be_on_one_side(table):
    rows = [(k // 4, k, "rare" if k < 4 else "ab"[k % 2]) for k in range(60)]
    notes = {table(rows, "who,a,y", seed, group="who").notes[0] for seed in range(12)}
    assert any("no held-out row is of class 'rare'" in note for note in notes)
    assert all("no training row" in n or "no held-out row" in n for n in notes)


def test_whole_groups_come_near_to_the_share_of_every_class():
    draw = np.random.default_rng(0)
    groups = draw.integers(0, 200, 3000)
    strata = (draw.random(3000) < 0.05 + 0.3 * (groups % 3 == 0)).astype(np.int64)
    for seed in range(5):
        train, test = split_groups(groups, strata, 0.25, np.random.default_rng(seed))
        assert sorted([*train, *test]) == list(range(3000))
        assert not set(groups[train]) & set(groups[test])
        found = np.bincount(strata[test]) / np.bincount(strata)
        assert found == pytest.approx([0.25, 0.25], abs=0.03)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_neither_side_is_ever_empty(share):
    for sizes in ([1, 1], [1, 100], [50, 50, 1]):
        groups = np.repeat(np.arange(len(sizes)), sizes)
        sides = split_groups(groups, np.zeros(len(groups), np.int64), share, stream(0, "split"))
        assert min(map(len, sides)) > 0


def test_the_latest_rows_are_held_out_and_ties_stay_together(table):
    rows = [(f"2024-{m:02}-01", k * 10 + m, "uv"[k % 2]) for k in range(10) for m in range(1, 11)]
    data = table(rows, "day,a,y", time="day", test_size=0.25)
    months = {a: m for k in range(10) for m in range(1, 11) if (a := k * 10 + m)}
    assert {months[round(a)] for a in raw(data, data.test)} in ({8, 9, 10}, {9, 10})
    assert max(months[round(a)] for a in raw(data, data.train)) < min(
        months[round(a)] for a in raw(data, data.test)
    )
    assert len(data.test) in (20, 30)
    assert table(rows, "day,a,y", 5, time="day", test_size=0.25).fingerprint == data.fingerprint
    assert [name for name, _ in data.features] == ["a"]
    assert "on, by 'day', are held out: " in data.notes[0]
    assert "the same for every seed" in data.notes[0]
    again = table(rows, "day,a,y", time="day", test_size=0.25, time_is_input=True)
    assert [name for name, _ in again.features] == ["day"] * 5 + ["a"]
    assert again.preparation.left_out == ()


def test_times_may_be_numbers_and_copies_of_earlier_rows_are_counted(table):
    rows = [(k, k % 5, "uv"[k % 2]) for k in range(50)]
    data = table(rows, "t,a,y", time="t")
    assert len(data.test) == 10
    assert "10 of them are exact copies of earlier rows" in data.notes[0]
    assert data.train.times.max() < data.test.times.min()


def test_times_without_an_order_are_refused(table):
    rows = [(["soon", "later"][k % 2], k, k % 2) for k in range(20)]
    with pytest.raises(DataError, match="time 't' holds texts, such as 'later'; numbers have an"):
        table(rows, "t,a,y", time="t")
    with pytest.raises(DataError, match="time 't' is 3 in every row; nothing is later"):
        table([(3, *row[1:]) for row in rows], "t,a,y", time="t")
    with pytest.raises(DataError, match="A time is never filled; leave out those rows"):
        table([("", 1, 0), *[(k, k, k % 2) for k in range(20)]], "t,a,y", time="t", missing="fill")


@pytest.mark.parametrize("parameter", ["group", "time"])
def test_a_column_to_part_by_that_is_not_there_gets_the_nearest_name(table, parameter):
    with pytest.raises(DataError, match=rf"no column 'whoo'; correct {parameter}\. .* 'who'\?"):
        table(patients(), "who,a,y", **{parameter: "whoo"})


def test_a_class_that_comes_late_is_told(table):
    rows = [(k, k, "new" if k > 45 else "uv"[k % 2]) for k in range(50)]
    assert "no training row is of class 'new'" in table(rows, "t,a,y", time="t").notes[0]


@pytest.mark.parametrize(
    ("times", "count", "held"),
    [
        ([1, 2, 3, 4], 1, 1), ([4, 3, 2, 1], 2, 2), ([1, 1, 2, 2], 1, 2), ([1, 2, 2, 2], 1, 3),
        ([1, 1, 1, 2], 3, 1), ([1, 2, 3, 4], 4, 3), ([5, 5], 1, 0),
    ],
)  # fmt: skip
def test_the_latest_are_about_as_many_as_are_wanted(times, count, held):
    found = latest(np.array(times, float), count)
    assert found.sum() == held
    assert not held or np.array(times)[found].min() > np.array(times)[~found].max()


def test_content_is_numbered_whatever_the_order_of_rows():
    values = np.random.default_rng(0).integers(0, 3, (40, 3)).astype(float)
    numbers = by_content(values, copies(values))
    turned = np.random.default_rng(1).permutation(40)
    assert np.array_equal(by_content(values[turned], copies(values[turned])), numbers[turned])
    assert len(np.unique(numbers)) == len(np.unique(values, axis=0))


def test_groups_are_linked_through_any_number_of_copies():
    groups = np.array([0, 1, 1, 2, 3, 4])
    same = np.array([0, 0, 2, 2, 4, 5])  # 0 with 1, 1 with 2
    found = linked(groups, same)
    assert len({found[0], found[1], found[3]}) == 1
    assert len(np.unique(found)) == 3
    assert linked(groups, np.arange(6)) is groups


def rows_with(groups=None, times=None, count=100):
    return Split(np.zeros((count, 1)), np.zeros(count, np.int64), groups=groups, times=times)


STOPPING = TrainSpec(patience=2, validation=0.2)


def test_rows_that_are_set_aside_part_no_group_and_are_as_many_for_every_seed():
    groups = np.arange(100) // 2
    groups[60:] = np.arange(60, 100)
    for seed in range(10):
        found = split_rows(STOPPING, rows_with(groups), stream(seed, "validation"))
        assert not set(groups[found.fit]) & set(groups[found.validation])
        assert len(found.validation) == 20
        assert sorted([*found.fit, *found.validation]) == list(range(100))


def test_rows_that_all_differ_are_set_aside_as_if_nobody_had_asked():
    plain = split_rows(STOPPING, rows_with(), stream(3, "validation"))
    alone = split_rows(STOPPING, rows_with(np.arange(100)[::-1]), stream(3, "validation"))
    assert np.array_equal(plain.validation, alone.validation)
    assert np.array_equal(plain.fit, alone.fit)


def test_of_large_groups_the_smallest_is_set_aside():
    groups = np.repeat([0, 1, 2], [30, 45, 25])
    found = split_rows(STOPPING, rows_with(groups), stream(0, "validation"))
    assert set(groups[found.validation]) == {2}


def test_the_latest_rows_are_set_aside():
    times = np.random.default_rng(0).permutation(100).astype(float)
    found = split_rows(STOPPING, rows_with(times=times), stream(0, "validation"))
    assert sorted(times[found.validation]) == list(range(80, 100))
    assert times[found.fit].max() == 79


@pytest.mark.parametrize("rows", [rows_with(np.zeros(100, int)), rows_with(times=np.zeros(100))])
def test_rows_that_all_belong_together_cannot_be_set_aside(rows):
    with pytest.raises(SpecError, match="leaves one side empty"):
        split_rows(STOPPING, rows, stream(0, "validation"))


def test_a_split_takes_groups_and_times_along():
    split = rows_with(np.arange(100), np.arange(100.0)).take(np.array([5, 3]))
    assert split.groups.tolist() == [5, 3]
    assert split.times.tolist() == [5, 3]
    assert split.weight is None

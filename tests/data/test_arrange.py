"""Data laid out for other networks, and scrambled: values stay, only their places change."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.contracts import Dataset, Split, Standardization, lengths_of
from triptych.data import arrange, load
from triptych.data.fingerprints import fingerprint
from triptych.errors import DataError
from triptych.models import MLPNumpy
from triptych.spec import DigitsSpec, MLPSpec, PalindromeSpec, ToySpec


def dataset(kind, x_train, x_test, **fields):
    train, test = (Split(x, np.arange(len(x)) % 3) for x in (x_train, x_test))
    name, classes = "made up", ("a", "b", "c")
    return Dataset(name, train, test, classes, kind, fingerprint(train, test), **fields)


def pictures(seed, channels=2, height=3, width=4):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (9, channels, height, width), dtype=np.uint8)
    scale = Standardization(np.full((channels, 1, 1), 3.0), np.full((channels, 1, 1), 2.0))
    return dataset("pictures", x[:6], x[6:], standardization=scale)


def table(seed, columns=5):
    x = np.random.default_rng(seed).normal(size=(9, columns))
    scale = Standardization(np.arange(columns) * 1.0, np.arange(columns) + 1.0)
    return dataset("table", x[:6], x[6:], standardization=scale)


def strings(seed, longest=7, shortest=7):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 3, (9, longest)).astype(np.int8)
    for row in x:
        row[rng.integers(shortest, longest + 1) :] = -1
    x[0, :] = 1  # one of them is the longest
    x = x if shortest < longest else x.astype(np.uint8)
    return dataset("sequences", x[:6], x[6:], symbols=3)


def inputs(data):
    """Return what a network sees of the training rows."""
    x = data.train.x
    return x if data.standardization is None else data.standardization(x, "float64")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.integers(0, 99), st.sampled_from([pictures, table, strings]))
def test_scrambling_moves_values_and_changes_none(draw, seed, make):
    before = make(draw)
    after = arrange(before, None, seed, scrambled=True)
    shape = (6, -1)
    old, new = inputs(before).reshape(shape), inputs(after).reshape(shape)
    np.testing.assert_array_equal(np.sort(old, axis=1), np.sort(new, axis=1))
    # One permutation for all rows: any column of the one is a column of the other.
    assert {c.tobytes() for c in old.T.copy()} == {c.tobytes() for c in new.T.copy()}
    np.testing.assert_array_equal(before.train.y, after.train.y)


@pytest.mark.parametrize("make", [pictures, table, strings])
def test_places_depend_on_the_seed_alone(make):
    one, again, other = (arrange(make(0), None, s, scrambled=True) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.train.x, again.train.x)
    assert one.fingerprint == again.fingerprint
    assert len({one.fingerprint, other.fingerprint, make(0).fingerprint}) == 3
    # Training and test rows take the same way: the same rows come out the same.
    same = make(0)
    same = replace(same, test=same.train)
    moved = arrange(same, None, 1, scrambled=True)
    np.testing.assert_array_equal(moved.train.x, moved.test.x)


def test_a_pixel_moves_with_all_its_channels():
    before = pictures(0)
    after = arrange(before, "pictures", 5, scrambled=True)
    old, new = (d.train.x.reshape(6, 2, -1).transpose(0, 2, 1) for d in (before, after))
    for a, b in zip(old, new, strict=True):
        assert sorted(map(tuple, a)) == sorted(map(tuple, b))
    assert after.train.x.dtype == np.uint8


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.integers(0, 99))
def test_sequences_are_scrambled_within_their_own_length(draw, seed):
    before = strings(draw, shortest=1)
    after = arrange(before, "sequences", seed, scrambled=True)
    np.testing.assert_array_equal(lengths_of(before.train.x), lengths_of(after.train.x))
    old, new = np.sort(before.train.x, axis=1), np.sort(after.train.x, axis=1)
    np.testing.assert_array_equal(old, new)


def test_an_mlp_with_its_first_weights_permuted_sees_no_difference():
    before = load(DigitsSpec(), 0)
    after = arrange(before, "rows", 0, scrambled=True)
    network = MLPNumpy.create(MLPSpec(hidden=(7,)), 64, 10, np.random.default_rng(0))
    numbers = replace(before, train=Split(np.arange(64).reshape(1, 1, 8, 8), np.zeros(1)))
    order = arrange(numbers, "rows", 0, scrambled=True).train.x.ravel()
    weights = {**network.weights, "w1": network.weights["w1"][order]}
    x_before, x_after = (inputs(d).reshape(len(d.train), -1) for d in (before, after))
    assert not np.array_equal(x_before, x_after)
    permuted = MLPNumpy(network.spec, weights).outputs(x_after)
    np.testing.assert_allclose(permuted, network.outputs(x_before), rtol=1e-12, atol=1e-12)


def test_an_rnn_reads_pictures_row_by_row_and_tables_column_by_column():
    data = pictures(0)
    steps = arrange(data, "sequences", 0)
    assert (steps.kind, steps.sample_shape, steps.step_inputs) == ("sequences", (3, 8), 8)
    expected = np.moveaxis(inputs(data), 2, 1).reshape(6, 3, 8)
    np.testing.assert_array_equal(inputs(steps), expected)
    assert steps.arranged == "a row of pixels a step"
    assert steps.fingerprint != data.fingerprint
    data = table(0)
    steps = arrange(data, "sequences", 0)
    np.testing.assert_array_equal(inputs(steps), inputs(data)[:, :, None])


def test_a_cnn_reads_a_table_as_one_line_and_symbols_as_a_picture_of_ones():
    data = table(0)
    line = arrange(data, "pictures", 0)
    np.testing.assert_array_equal(inputs(line), inputs(data)[:, None, None, :])
    data = strings(0)
    picture = arrange(data, "pictures", 0)
    assert picture.sample_shape == (1, 7, 3)
    np.testing.assert_array_equal(inputs(picture).argmax(axis=3)[:, 0], data.train.x)
    assert (inputs(picture).sum(axis=3) == 1).all()


def test_an_mlp_reads_symbols_one_hot():
    data = strings(0)
    rows = arrange(data, "rows", 0)
    assert rows.sample_shape == (21,)
    np.testing.assert_array_equal(rows.train.x.reshape(6, 7, 3).argmax(axis=2), data.train.x)


@pytest.mark.parametrize(
    ("data", "reads"),
    [
        (pictures(0), "rows"), (pictures(0), "pictures"), (table(0), "rows"), (strings(0), None),
        (strings(0, shortest=2), "sequences"),
    ],
)  # fmt: skip
def test_what_is_read_as_it_is_stays_as_it_is(data, reads):
    assert arrange(data, reads, 0) is data


def test_sequences_that_make_no_rows_are_refused():
    with pytest.raises(DataError, match=r"rows need sequences of one length, got \d to 7 steps"):
        arrange(strings(0, shortest=1), "rows", 0)
    vectors = dataset("sequences", np.zeros((6, 4, 2)), np.zeros((3, 4, 2)))
    with pytest.raises(DataError, match="only symbols can become pictures"):
        arrange(vectors, "pictures", 0)
    long = load(PalindromeSpec(length=100_001, train_size=600, test_size=1), 0)
    with pytest.raises(DataError, match=r"600 sequences of 100,000 steps .* more than 2 GB"):
        arrange(long, "rows", 0)


def test_lengths_that_are_judged_later_are_scrambled_too():
    data = load(PalindromeSpec(length=9, train_size=20, test_size=5, probes=(9, 30)), 0)
    moved = arrange(data, "sequences", 0, scrambled=True)
    assert not np.array_equal(moved.probes[30].x, data.probes[30].x)
    # A length has one permutation, wherever it comes.
    same = replace(data, train=data.probes[9])
    again = arrange(same, "sequences", 0, scrambled=True)
    np.testing.assert_array_equal(again.train.x, moved.probes[9].x)


def test_a_table_without_a_scale_is_left_without_one():
    data = load(ToySpec(source="moons", n_samples=20), 0)
    assert arrange(data, "sequences", 0).standardization is None
    assert arrange(data, "pictures", 0).standardization.std.tolist() == [[[1.0]]]

"""Palindromes of any length, and a held-out set that shares no string where that can be."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.contracts import lengths_of
from triptych.data import load
from triptych.data.palindromes import digits_of, mirror
from triptych.errors import SpecError
from triptych.spec import PalindromeSpec


def strings(split):
    return np.concatenate([split.x, split.y[:, None].astype(np.uint8)], axis=1)


def keys(split):
    return {row.tobytes() for row in strings(split)}


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.integers(0, 1000), st.sampled_from(["held-out", "paper"]))
def test_every_string_reads_the_same_backwards(length, seed, split):
    spec = PalindromeSpec(length=length, train_size=30, test_size=10, split=split)
    data = load(spec, seed)
    for part, n in ((data.train, 30), (data.test, 10)):
        whole = strings(part)
        assert whole.shape == (n, length)
        assert whole.max() <= 9
        np.testing.assert_array_equal(whole, whole[:, ::-1])


@pytest.mark.parametrize("length", [3, 4, 5, 11, 12, 19, 40])
def test_no_test_string_is_in_the_training_set(length):
    data = load(PalindromeSpec(length=length, train_size=20_000, test_size=5_000), 0)
    assert not keys(data.train) & keys(data.test)
    assert set(data.train.y) == set(data.test.y) == set(range(10))


def test_a_length_of_5_draws_800_and_200_distinct_strings_and_says_that_it_can_be_memory():
    data = load(PalindromeSpec(length=5), 0)
    assert len(keys(data.train)) == 800
    assert len(keys(data.test)) == 200
    assert any("80,000 training draws of 800 distinct strings" in note for note in data.notes)


def test_the_papers_draw_shares_strings_and_says_how_many():
    data = load(PalindromeSpec(length=5, split="paper"), 0)
    assert len(keys(data.train) | keys(data.test)) == 1000
    assert any("100% of the test strings are in the training set too" in n for n in data.notes)


def test_strings_of_two_digits_cannot_be_held_out_and_the_note_says_so():
    data = load(PalindromeSpec(length=2, train_size=500, test_size=100), 0)
    assert any("none can be held out" in note for note in data.notes)


def test_a_clash_is_drawn_again(monkeypatch):
    # With 10**7 strings and this many draws there are clashes to be found.
    spec = PalindromeSpec(length=13, train_size=300_000, test_size=20_000)
    data = load(spec, 0)
    assert not keys(data.train) & keys(data.test)
    half = np.random.default_rng(1).integers(0, 10, (300_000, 7), dtype=np.uint8)
    other = np.random.default_rng(2).integers(0, 10, (20_000, 7), dtype=np.uint8)
    assert {r.tobytes() for r in half} & {r.tobytes() for r in other}


def test_a_million_digits_work():
    data = load(PalindromeSpec(length=1_000_000, train_size=2, test_size=2), 0)
    assert data.sample_shape == (999_999,)
    assert (data.train.x[:, 0] == data.train.y).all()


def test_digits_of_a_number_are_its_digits():
    np.testing.assert_array_equal(digits_of(np.array([7, 120]), 4), [[0, 0, 0, 7], [0, 1, 2, 0]])
    np.testing.assert_array_equal(mirror(np.array([[1, 2]]), 3), [[1, 2, 1]])
    np.testing.assert_array_equal(mirror(np.array([[1, 2]]), 4), [[1, 2, 2, 1]])


def test_a_seed_fixes_the_strings():
    spec = PalindromeSpec(length=7, train_size=50, test_size=10)
    assert load(spec, 3).fingerprint == load(spec, 3).fingerprint != load(spec, 4).fingerprint


MANY = PalindromeSpec(length=14, shortest=2, train_size=20_003, test_size=2_000)


def by_length(split):
    """Return the whole strings of each length."""
    found = {}
    lengths = lengths_of(split.x)
    for t in np.unique(lengths):
        rows = np.flatnonzero(lengths == t)
        part = split.take(rows)
        found[int(t) + 1] = np.concatenate([part.x[:, :t], part.y[:, None]], axis=1)
    return found


def test_palindromes_of_many_lengths_are_palindromes_about_equally_many_of_each():
    data = load(MANY, 0)
    assert data.name == "palindromes T=2 to 14"
    for split, size in ((data.train, 20_003), (data.test, 2_000)):
        assert split.x.shape == (size, 13)
        assert split.x.dtype == np.int8
        assert split.y.dtype == np.int64
        found = by_length(split)
        assert list(found) == list(range(2, 15))
        counts = [len(strings) for strings in found.values()]
        assert max(counts) - min(counts) <= 1
        for strings in found.values():
            assert set(strings[:, -1]) == set(range(10))
            np.testing.assert_array_equal(strings, strings[:, ::-1])


def test_of_many_lengths_padding_stands_at_the_end_alone():
    data = load(MANY, 0)
    there = data.train.x >= 0
    assert (there[:, :-1] >= there[:, 1:]).all()
    assert there[:, 0].all()
    assert data.train.x.min() == -1
    assert data.train.x.max() == 9


@pytest.mark.parametrize("seed", [0, 1])
def test_of_many_lengths_no_test_string_of_any_length_is_in_the_training_set(seed):
    data = load(MANY, seed)
    train, test = by_length(data.train), by_length(data.test)
    for t in range(3, 15):
        assert not {row.tobytes() for row in train[t]} & {row.tobytes() for row in test[t]}, t
    # Of two digits there are ten strings, which both have.
    assert len(np.unique(train[2], axis=0)) == len(np.unique(test[2], axis=0)) == 10


def test_of_many_lengths_notes_name_each_that_is_not_what_it_seems():
    notes = load(MANY, 0).notes
    assert [n for n in notes if "length 2:" in n and "none can be held out" in n]
    # So many draws of 80 strings can be memory; of 800 they are not ten of each.
    assert [n for n in notes if re.search("length 3:.* 1,53[89] training draws of 80", n)]
    assert not [n for n in notes if "length 5:" in n]
    assert len(notes) == 3  # and that of length 4


def test_a_seed_fixes_the_strings_of_many_lengths_and_each_length_its_own():
    assert load(MANY, 3).fingerprint == load(MANY, 3).fingerprint != load(MANY, 4).fingerprint
    # The strings of a length do not depend on which other lengths there are, given as many.
    longer = replace(MANY, length=27, train_size=40_006, test_size=4_000)
    np.testing.assert_array_equal(
        by_length(load(MANY, 0).train)[13][:1000], by_length(load(longer, 0).train)[13][:1000]
    )


def test_one_length_as_a_range_has_no_padding():
    data = load(PalindromeSpec(length=5, shortest=5, train_size=50, test_size=10), 0)
    assert data.train.x.shape == (50, 4)
    assert data.train.x.min() >= 0
    assert load(PalindromeSpec(length=5, train_size=50, test_size=10), 0).train.x.dtype == np.uint8


def test_probes_are_palindromes_of_their_lengths_drawn_for_each_anew():
    spec = PalindromeSpec(length=5, probes=(8, 31, 1000), probe_size=40)
    data, again, other = load(spec, 0), load(spec, 0), load(spec, 1)
    assert list(data.probes) == [8, 31, 1000]
    for length, split in data.probes.items():
        assert split.x.shape == (40, length - 1)
        whole = strings(split)
        np.testing.assert_array_equal(whole, whole[:, ::-1])
        np.testing.assert_array_equal(split.x, again.probes[length].x)
        assert not np.array_equal(split.x, other.probes[length].x)
    alone = load(replace(spec, probes=(31,)), 0)
    np.testing.assert_array_equal(alone.probes[31].x, data.probes[31].x)
    # Nor do they change what is learnt from.
    plain = load(replace(spec, probes=()), 0)
    assert plain.fingerprint == data.fingerprint
    assert plain.probes == {}


def test_long_probes_are_fewer_and_a_note_says_so():
    data = load(PalindromeSpec(length=5, probes=(100, 1_000_000)), 0)
    assert len(data.probes[100]) == 300
    assert data.probes[1_000_000].x.shape == (20, 999_999)
    (note,) = [n for n in data.notes if "judged" in n]
    assert note.startswith("Palindromes of length 1,000,000: 20 strings are judged, not 300")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"length": 5, "shortest": 6}, "shortest: 6 is above the longest, length 5"),
        ({"length": 9, "shortest": 3, "split": "paper"}, "split: 'paper' draws strings of one"),
        ({"length": 9, "shortest": 3, "test_size": 6}, "must be at least 7, one string of each"),
        ({"shortest": 1}, "shortest: 1 not in"),
        ({"probes": (1,)}, "probes.*: 1 not in"),
        ({"probes": (20_000_000,)}, "probes.*: 20000000 not in"),
        ({"probe_size": 0}, "probe_size: 0 not in"),
    ],
)
def test_lengths_and_probes_that_cannot_be_are_refused(fields, says):
    with pytest.raises(SpecError, match=says):
        PalindromeSpec(**fields)

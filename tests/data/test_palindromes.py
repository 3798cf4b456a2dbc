"""Palindromes of any length, and a held-out set that shares no string where that can be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.data import load
from triptych.data.palindromes import digits_of, mirror
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

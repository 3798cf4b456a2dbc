"""The claim grammar reads what it should and refuses the rest, with the place."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.errors import SpecError
from triptych.spec import Metric, parse_claim

A, B = Metric("a", "test_accuracy"), Metric("b", "test_accuracy")


@pytest.mark.parametrize(
    ("text", "terms", "constant"),
    [
        ("a.test_accuracy > 0.5", ((1, A),), -0.5),
        ("a.test_accuracy < 0.5", ((-1, A),), 0.5),
        ("0.5 >= a.test_accuracy", ((-1, A),), 0.5),
        ("a.test_accuracy - b.test_accuracy > 0.02", ((1, A), (-1, B)), -0.02),
        ("-a.test_accuracy + 2 * b.test_accuracy > 1e-3", ((-1, A), (2, B)), -1e-3),
        ("a.test_accuracy * 4 < b.test_accuracy", ((-4, A), (1, B)), 0),
    ],
)
def test_a_comparison_is_moved_to_the_left_side(text, terms, constant):
    claim = parse_claim(text)
    assert claim.terms == terms
    assert claim.constant == pytest.approx(constant)
    assert claim.relation == ">"


def test_an_equality_has_a_margin():
    claim = parse_claim("a.test_accuracy = b.test_accuracy within 0.01")
    assert (claim.relation, claim.margin) == ("=", 0.01)


def test_epochs_to_names_a_metric_and_a_level():
    ((factor, metric),) = parse_claim("a.epochs_to(train_accuracy, 0.99) <= 60").terms
    assert (factor, metric) == (-1, Metric("a", "epochs_to", "train_accuracy", 0.99))


def test_an_accuracy_can_be_that_at_a_length():
    ((factor, metric),) = parse_claim("a.test_accuracy_at(1000) > 0.99").terms
    assert (factor, metric) == (1, Metric("a", "test_accuracy_at", level=1000.0))
    assert str(metric) == "a.test_accuracy_at(1000)"
    assert str(replace(metric, level=1e6)) == "a.test_accuracy_at(1000000)"
    claim = parse_claim("a.test_accuracy_at(1e6) = b.test_accuracy within 0.1")
    assert claim.unit == "share"
    assert claim.terms[0][1].level == 1_000_000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected a number or an arm"),
        ("a.test_accuracy", "expected one of > <"),
        ("a.test_accuracy > ", "expected a number or an arm"),
        ("a.test_acuracy > 0", "Did you mean 'test_accuracy'"),
        ("a.test_accuracy = 0.5", "needs 'within'"),
        ("a.test_accuracy > 0.5 > 0.2", "expected the end"),
        (
            "a.test_accuracy > b.seconds",
            r"compares seconds \(seconds\) with test_accuracy \(share\), which have no unit in",
        ),
        ("0.5 > 0.2", "names no arm"),
        ("a.test_accuracy > 0.5; import os", "cannot read '; import os'"),
        ("__import__('os').system('x') > 0", "cannot read"),
        ("a.epochs_to(seconds, 1) < 3", "epochs_to cannot take"),
        ("a.test_accuracy_at > 0", r"expected '\(', found '>'"),
        ("a.test_accuracy_at() > 0", "expected a number"),
        ("a.test_accuracy_at(2.5) > 0", "takes a whole number, found 2.5"),
        ("a.test_accuracy_at(1e999) > 0", "takes a whole number, found inf"),
        ("a.test_accuracy_at(-3) > 0", "expected a number, found '-'"),
        ("a.test_accuracy_at(3, 4) > 0", r"expected '\)', found ','"),
        (
            "a.test_accuracy_at(3) > a.test_loss",
            r"compares test_loss \(loss\) with test_accuracy_at",
        ),
    ],
)
def test_what_is_not_a_claim_is_refused_with_its_place(text, words):
    with pytest.raises(SpecError, match=words) as caught:
        parse_claim(text)
    assert "character" in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_but_nothing_else(text):
    with contextlib.suppress(SpecError):
        parse_claim(text)

"""Conditions on runs: a closed grammar, with the units of claims."""

import math

import pytest

from triptych.errors import SpecError
from triptych.spec import bytes_of, parse_condition, seconds_of

RUN = {
    "test_accuracy": 0.9, "train_accuracy": 0.95, "seconds": 4.0, "test_loss": math.nan,
    "epochs": 30.0, "seed": 2.0,
}  # fmt: skip


def holds(text):
    return parse_condition(text).holds(lambda metric: RUN[metric.name])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("test_accuracy > 0.9", False),
        ("test_accuracy >= 0.9", True),
        ("test_accuracy < 0.9", False),
        ("0.9 <= test_accuracy", True),
        ("seed = 2", True),
        ("seed = 3", False),
        ("train_accuracy - test_accuracy > 0.04 and seconds < 5", True),
        ("train_accuracy - test_accuracy > 0.04 and seconds < 4", False),
        ("2 * seconds > 7", True),
        ("seconds > -1", True),
        ("epochs <= 30", True),
        ("test_loss < 1", False),
        ("test_loss >= 1", False),
    ],
)
def test_a_condition_is_true_or_false_of_a_run(text, expected):
    assert holds(text) is expected


def test_levels_and_lengths_are_read():
    condition = parse_condition("epochs_to(test_accuracy, 0.97) < 5 and test_accuracy_at(30) > 0.5")
    asked = []
    condition.holds(lambda metric: asked.append((metric.name, metric.of, metric.level)) or 1.0)
    assert asked == [("epochs_to", "test_accuracy", 0.97), ("test_accuracy_at", "", 30.0)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "unknown metric ''"),
        ("test_acuracy > 0.9", "Did you mean 'test_accuracy'?"),
        ("test_accuracy", "expected one of > < >= <= =, found 'the end'"),
        ("test_accuracy > 0.9 or seed = 1", "expected 'and' or the end, found 'or'"),
        ("test_accuracy > seconds", r"compares seconds \(seconds\) with"),
        ("1 > 0", "names no metric"),
        ("__import__('os') > 1", "where .* character"),
        ("test_accuracy > 0.9; rm", "cannot read '; rm'"),
        ("mlp.test_accuracy > 0.9", "unknown metric 'mlp'"),
        ("test_accuracy >> 0.9", "where"),
    ],
)
def test_anything_else_is_refused_with_its_place(text, words):
    with pytest.raises(SpecError, match=words):
        parse_condition(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "must be a size"), ("GB", "must be a size"), ("-1 GB", "must be a size"),
     ("2 GiB", "unknown unit 'GiB'.*Did you mean"), ("0.1 B", "less than a byte"),
     ("0", "less than a byte"), ("\u0662 GB", "must be a size"), ("9" * 400, "must be a size")],
)  # fmt: skip
def test_a_size_that_is_none_is_refused(text, words):
    with pytest.raises(SpecError, match=f"--disk: .*{words}"):
        bytes_of(text, "--disk")


def test_days_are_times_too():
    assert seconds_of("30 days", "--older-than") == 30 * 86400

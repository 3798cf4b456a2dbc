"""A verdict reads as a sentence that a stranger understands, and its numbers are right."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import made_up_run
from triptych.records import StudyRecord
from triptych.report.charts import log_ticks
from triptych.report.curves import Series, curve_chart
from triptych.report.readings import means, reading, sides, strip
from triptych.report.wording import duration, figure, given, signed, visible
from triptych.spec import ArmSpec, MLPSpec, StudySpec, ToySpec, TrainSpec, parse_claim
from triptych.verdicts import compare

ARM = ArmSpec(data=ToySpec(source="moons"), network=MLPSpec(), train=TrainSpec(), label="An arm")
STUDY = StudySpec(title="t", arms={"a": ARM, "b": replace(ARM, label="Other")}, seeds=6)


def record(a, b, metric="test_accuracy"):
    """Return six seeds' runs whose scores vary by a tenth of a point."""
    runs = [
        made_up_run(STUDY, arm, s, scores={metric: v + s % 3 * 1e-3}, seconds=10 * v)
        for arm, v in (("a", a), ("b", b))
        for s in range(6)
    ]
    return StudyRecord(STUDY, tuple(runs), Path())


def said(test, a=0.9, b=0.7, metric="test_accuracy"):
    comparison = parse_claim(test)
    return reading(comparison, compare(test, comparison, record(a, b, metric)))


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("a.test_accuracy - b.test_accuracy > 0.02", "Difference +20.0 points [19.7, 20.3]"),
        ("b.test_accuracy - a.test_accuracy < 0.02", "Difference −20.0 points [−20.3, −19.7]"),
        ("a.test_accuracy - b.test_accuracy > 0.02", "on 6 seeds; needed: more than 2 points."),
        ("a.test_accuracy >= b.test_accuracy", "needed: at least 0."),
        ("b.test_accuracy <= a.test_accuracy", "Difference −20.0 points"),
        ("b.test_accuracy <= a.test_accuracy", "needed: at most 0."),
        ("a.test_accuracy = b.test_accuracy within 0.01", "needed: within 1 point."),
        ("a.test_accuracy > 0.5", "Measured 0.901 [0.898, 0.904] on 6 seeds"),
        ("a.test_accuracy > 0.5", "needed: more than 0.5."),
        ("0.5 < a.test_accuracy", "Measured 0.901 [0.898, 0.904] on 6 seeds"),
        ("0.5 < a.test_accuracy", "needed: more than 0.5."),
        ("a.test_accuracy < 0.5", "needed: less than 0.5."),
        ("0.5 >= a.test_accuracy", "needed: at most 0.5."),
        ("a.test_accuracy = 0.9 within 0.05", "needed: within 0.05 of 0.9."),
        ("a.seconds < 2 * b.seconds", "Left side minus right side −5.00 s"),
        ("a.epochs_to(test_accuracy, 0.1) < 60", "needed: less than 60 epochs."),
    ],
)
def test_a_comparison_reads_as_it_was_written(test, expected):
    assert expected in said(test)


def test_a_level_that_was_never_reached_is_not_told_as_a_measurement():
    text = said("a.epochs_to(test_accuracy, 0.999) <= 60")
    assert text == "Not reached in 12 epochs, on 6 seeds; needed: at most 60 epochs."


def test_without_seeds_the_reading_says_why():
    test = "a.test_loss < 1"
    comparison = parse_claim(test)
    text = reading(comparison, compare(test, comparison, StudyRecord(STUDY, (), Path())))
    assert text.startswith("Not measured: no seed on which all its arms finished; needed:")


def test_one_seed_has_a_value_and_no_interval():
    test = "a.test_accuracy - b.test_accuracy > 0.02"
    comparison, whole = parse_claim(test), record(0.9, 0.7)
    one = replace(whole, runs=tuple(run for run in whole.runs if run.seed == 0))
    outcome = compare(test, comparison, one)
    assert reading(comparison, outcome).startswith("Difference +20.0 points on 1 seed; needed:")
    assert strip(comparison, outcome) is None


def test_an_open_comparison_ends_with_what_would_decide_it():
    assert said("a.test_accuracy - b.test_accuracy > 0.198").endswith(
        "on 6 seeds; needed: more than 19.8 points (about 3 more seeds would decide)."
    )


def test_means_name_arms_as_people_do_and_give_the_ratio_a_claim_is_about():
    assert means(record(0.9, 0.7), parse_claim("a.seconds > 3 * b.seconds")) == (
        "Mean training time: An arm 9.00 s · Other 7.00 s · ratio 1.29"
    )
    assert "ratio" not in means(record(0.9, 0.7), parse_claim("a.seconds > b.seconds"))


@pytest.mark.parametrize("sign", ["<", ">"])
def test_an_interval_lies_on_the_side_that_the_sentence_says(sign):
    test = f"a.test_accuracy - b.test_accuracy {sign} 0.02"
    comparison = parse_claim(test)
    outcome = compare(test, comparison, record(0.9, 0.7))
    found, drawn = sides(comparison, outcome), strip(comparison, outcome)
    assert found.relation == sign
    assert found.value == pytest.approx(0.2)
    assert 0 < drawn.threshold < drawn.low <= drawn.dot <= drawn.high < 100


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (signed(0.2431, "share"), "+24.3"),
        (signed(-0.0004, "share"), "0.0"),
        (signed(math.nan, "loss"), "–"),
        (figure(math.inf), "–"),
        (figure(12345.6), "12,346"),
        (given(1, "epochs", absolute=True), "1 epoch"),
        (given(-0.02, "share", absolute=False), "−2 points"),
        (duration(3600), "1 h 0 min"),
        (visible("a\u202eb\u200b"), "a�b�"),
    ],
)
def test_numbers_and_letters_read_the_same_everywhere(text, expected):
    assert text == expected


@pytest.mark.parametrize("low", [1e-9, 3e-4, 0.02, 0.9])
@pytest.mark.parametrize("factor", [1.33, 2.0, 30.0, 1e4, 1e14])
def test_a_logarithmic_axis_has_two_to_seven_labels(low, factor):
    ticks = log_ticks(low, low * factor)
    assert 2 <= len(ticks) <= 7
    assert all(low <= tick <= low * factor for tick in ticks)


def drawn(*best, runs=1):
    """Return a loss chart of arms whose losses are the given multiples of one curve."""
    series = []
    for k, times in enumerate(best):
        curve = tuple(
            {"epoch": e, "train_loss": times / e, "test_loss": 2 * times / e} for e in range(1, 9)
        )
        made = [made_up_run(STUDY, "a", s, curve=curve) for s in range(runs)]
        series.append(Series(f"arm {k}", f"var(--c{k + 1})", made))
    return curve_chart(series, "loss", "what <it> shows")


def test_an_arm_that_another_hides_is_drawn_broad_enough_to_be_seen():
    assert drawn(1.0, 1.001).count('stroke-width="5.5"') == 2  # its test and training mean
    assert 'stroke-width="5.5"' not in drawn(1.0, 1.1)


def test_a_chart_can_stand_beside_others_and_has_a_name():
    svg = drawn(1.0).split("<script")[0]
    assert ' id="' not in svg
    assert "clip" not in svg
    assert 'role="img" aria-label="what &lt;it&gt; shows"' in svg

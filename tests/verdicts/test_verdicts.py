"""Verdicts follow from paired intervals, count what is lost, and never guess what is not known."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from triptych.records import DIVERGED, RunRecord, StudyRecord
from triptych.spec import ArmSpec, ClaimSpec, Evidence, MLPSpec, StudySpec, ToySpec, TrainSpec
from triptych.verdicts import compare, interval, judge


def run(arm, seed, accuracy=0.5, **fields):
    base = {
        "arm": arm, "seed": seed, "key": "k", "spec": "s", "status": "finished", "engine": "numpy",
        "data": "moons", "fingerprint": "f", "notes": (), "train_rows": 8, "test_rows": 200,
        "parameters": 1, "flops": 1, "epochs": 10, "seconds": 1.0,
        "scores": {"test_accuracy": accuracy, "train_accuracy": accuracy, "test_loss": 0.4},
    }  # fmt: skip
    return RunRecord(**{**base, **fields})


def record(runs, *claims):
    arm = ArmSpec(data=ToySpec(source="moons"), network=MLPSpec(), train=TrainSpec())
    study = StudySpec(title="t", arms=dict.fromkeys("abc", arm), claims=claims)
    return StudyRecord(study, tuple(runs), Path())


def arms(**values):
    return [run(arm, seed, v) for arm, vs in values.items() for seed, v in enumerate(vs)]


def verdict_of(test, runs):
    (found,) = judge(record(runs, ClaimSpec(says="x", tests=(test,))))
    return found.outcomes[0]


def test_the_interval_is_students():
    values = np.random.default_rng(0).normal(size=7)
    mean, low, high = interval(values.tolist(), 0.05)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (mean, low, high) == pytest.approx((values.mean(), *expected))


@pytest.mark.parametrize(
    ("a", "verdict"),
    [([0.9, 0.91, 0.89], "holds"), ([0.3, 0.31, 0.29], "fails"), ([0.2, 0.5, 0.9], "undecided")],
)
def test_a_claim_holds_fails_or_stays_open_by_its_interval(a, verdict):
    assert verdict_of("a.test_accuracy > 0.5", arms(a=a)).verdict == verdict


def test_arms_are_compared_in_pairs():
    # Unpaired these overlap; seed by seed a is better by the same two points.
    runs = arms(a=[0.52, 0.72, 0.92], b=[0.50, 0.70, 0.90])
    found = verdict_of("a.test_accuracy - b.test_accuracy > 0.01", runs)
    assert found.verdict == "holds"
    assert found.effect == pytest.approx(0.01)


def test_seeds_that_one_arm_lacks_are_left_out():
    runs = arms(a=[0.9, 0.8, 0.7, 0.1], b=[0.5, 0.4, 0.3])
    assert verdict_of("a.test_accuracy > b.test_accuracy", runs).seeds == 3


def test_equal_within_a_margin_can_hold_and_fail():
    runs = arms(a=[0.90, 0.91, 0.92], b=[0.901, 0.909, 0.921], c=[0.5, 0.51, 0.52])
    assert verdict_of("a.test_accuracy = b.test_accuracy within 0.01", runs).verdict == "holds"
    assert verdict_of("a.test_accuracy = c.test_accuracy within 0.01", runs).verdict == "fails"
    wide = arms(a=[0.90, 0.80, 0.99], b=[0.99, 0.85, 0.85])
    assert verdict_of("a.test_accuracy = b.test_accuracy within 0.01", wide).verdict == "undecided"


def test_identical_arms_do_not_differ():
    runs = arms(a=[0.9, 0.8], b=[0.9, 0.8])
    assert verdict_of("a.test_accuracy > b.test_accuracy", runs).verdict == "fails"
    assert verdict_of("a.test_accuracy = b.test_accuracy within 0.001", runs).verdict == "holds"


@pytest.mark.parametrize(("seeds", "words"), [(1, "one seed"), (0, "no seed")])
def test_too_few_seeds_decide_nothing(seeds, words):
    found = verdict_of("a.test_accuracy > 0.5", arms(a=[0.9] * seeds))
    assert found.verdict == "undecided"
    assert words in found.reason


def test_diverged_runs_are_counted_not_used():
    runs = [*arms(a=[0.9, 0.91]), run("a", 2, 0.0, status=DIVERGED)]
    found = verdict_of("a.test_accuracy > 0.5", runs)
    assert (found.verdict, found.seeds, found.reason) == ("holds", 2, "1 run diverged")


def test_a_claim_of_two_tests_needs_both_and_widens_its_intervals():
    runs = arms(a=[0.9, 0.91, 0.92], b=[0.2, 0.21, 0.22])
    tests = ("a.test_accuracy > 0.5", "b.test_accuracy > 0.5")
    (both,) = judge(record(runs, ClaimSpec(says="x", tests=tests)))
    assert [o.verdict for o in both.outcomes] == ["holds", "fails"]
    assert both.verdict == "fails"
    alone = verdict_of(tests[0], runs)
    assert both.outcomes[0].low < alone.low


def test_causes_are_tested_on_the_same_runs():
    cause = Evidence(says="because", test="b.test_accuracy < 0.5")
    claim = ClaimSpec(says="x", tests=("a.test_accuracy > 0.5",), causes=(cause,))
    (found,) = judge(record(arms(a=[0.9, 0.91], b=[0.2, 0.21]), claim))
    assert found.causes[0][1].verdict == "holds"


def curve(*accuracies):
    return tuple({"epoch": k, "train_accuracy": v} for k, v in enumerate(accuracies, 1))


@pytest.mark.parametrize(
    ("test", "epochs", "accuracies", "verdict"),
    [
        ("a.epochs_to(train_accuracy, 0.9) <= 60", 3, (0.5, 0.95, 0.99), "holds"),
        ("a.epochs_to(train_accuracy, 0.9) <= 60", 3, (0.5, 0.6, 0.7), "undecided"),
        ("a.epochs_to(train_accuracy, 0.9) <= 60", 100, (0.5, 0.6, 0.7), "fails"),
        ("a.epochs_to(train_accuracy, 0.9) > 60", 100, (0.5, 0.6, 0.7), "holds"),
        ("a.epochs_to(train_accuracy, 0.9) > 60", 3, (0.5, 0.6, 0.7), "undecided"),
        ("a.epochs_to(train_accuracy, 0.9) > 60", 3, (0.5, 0.95, 0.7), "fails"),
    ],
)
def test_a_level_never_reached_is_only_a_lower_bound(test, epochs, accuracies, verdict):
    runs = [run("a", s, epochs=epochs, curve=curve(*accuracies)) for s in range(3)]
    assert verdict_of(test, runs).verdict == verdict


def test_a_summed_loss_is_the_mean_times_the_rows():
    runs = arms(a=[0.5, 0.5])
    found = compare("", _comparison("a.test_loss_sum > 79"), record(runs))
    assert found.effect == pytest.approx(1.0)


def test_a_figure_that_is_missing_is_not_a_number_to_compare():
    runs = [run("a", s, scores={"test_loss": None}) for s in range(3)]
    assert verdict_of("a.test_loss < 1", runs).seeds == 0


def _comparison(text):
    return Evidence(says="", test=text).comparison

"""Verdicts follow from paired intervals, count what is lost, and never guess what is not known."""

from pathlib import Path

import pytest

from triptych.records import DIVERGED, RunRecord, StudyRecord
from triptych.spec import (
    ArmSpec,
    ClaimSpec,
    Evidence,
    MLPSpec,
    StudySpec,
    ToySpec,
    TrainSpec,
    parse_claim,
)
from triptych.verdicts import compare, judge


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


@pytest.mark.parametrize(
    ("a", "verdict"),
    [
        ([0.9, 0.91, 0.89] * 2, "holds"),
        ([0.3, 0.31, 0.29] * 2, "fails"),
        ([0.2, 0.5, 0.9] * 2, "undecided"),
    ],
)
def test_a_claim_holds_fails_or_stays_open_by_its_interval(a, verdict):
    assert verdict_of("a.test_accuracy > 0.5", arms(a=a)).verdict == verdict


def test_arms_are_compared_in_pairs():
    # Unpaired these overlap; seed by seed a is better by the same two points.
    runs = arms(a=[0.52, 0.62, 0.72, 0.77, 0.82, 0.92], b=[0.50, 0.60, 0.70, 0.75, 0.80, 0.90])
    found = verdict_of("a.test_accuracy - b.test_accuracy > 0.01", runs)
    assert found.verdict == "holds"
    assert found.effect == pytest.approx(0.01)


def test_seeds_that_one_arm_lacks_are_left_out():
    runs = arms(a=[0.9, 0.8, 0.7, 0.1], b=[0.5, 0.4, 0.3])
    assert verdict_of("a.test_accuracy > b.test_accuracy", runs).seeds == 3


def test_equal_within_a_margin_can_hold_and_fail():
    a = [0.90, 0.91, 0.92] * 2
    runs = arms(a=a, b=[0.901, 0.909, 0.921] * 2, c=[0.5, 0.51, 0.52] * 2)
    assert verdict_of("a.test_accuracy = b.test_accuracy within 0.01", runs).verdict == "holds"
    assert verdict_of("a.test_accuracy = c.test_accuracy within 0.01", runs).verdict == "fails"
    wide = arms(a=[0.90, 0.80, 0.99] * 2, b=[0.99, 0.85, 0.85] * 2)
    assert verdict_of("a.test_accuracy = b.test_accuracy within 0.01", wide).verdict == "undecided"


@pytest.mark.parametrize("seeds", [2, 6, 50])
def test_arms_that_never_differ_are_not_shown_to_differ_nor_to_be_exactly_equal(seeds):
    runs = arms(a=[0.9] * seeds, b=[0.9] * seeds)
    found = verdict_of("a.test_accuracy > b.test_accuracy", runs)
    assert (found.verdict, found.effect) == ("undecided", 0.0)
    assert "more than 1,000 more seeds" in found.reason
    # A step of the accuracy is 1 / 200: within ten of them they are equal, within a tenth of one
    # is more than equal scores can show.
    near, nearer = (f"a.test_accuracy = b.test_accuracy within {m}" for m in (0.05, 0.0005))
    assert verdict_of(near, runs).verdict == ("undecided" if seeds < 6 else "holds")
    assert verdict_of(nearer, runs).verdict == "undecided"


@pytest.mark.parametrize(("seeds", "words"), [(1, "one seed"), (0, "no seed")])
def test_too_few_seeds_decide_nothing(seeds, words):
    found = verdict_of("a.test_accuracy > 0.5", arms(a=[0.9] * seeds))
    assert found.verdict == "undecided"
    assert words in found.reason


def test_diverged_runs_are_counted_not_used():
    runs = [*arms(a=[0.9, 0.91] * 3), run("a", 6, 0.0, status=DIVERGED)]
    found = verdict_of("a.test_accuracy > 0.5", runs)
    assert (found.verdict, found.seeds, found.reason) == ("holds", 6, "1 run diverged")


def test_a_claim_of_two_tests_needs_both_and_more_evidence_that_one_fails():
    runs = arms(a=[0.9, 0.91, 0.92] * 2, b=[0.2, 0.21, 0.22] * 2)
    tests = ("a.test_accuracy > 0.5", "b.test_accuracy > 0.5")
    (both,) = judge(record(runs, ClaimSpec(says="x", tests=tests)))
    assert [o.verdict for o in both.outcomes] == ["holds", "fails"]
    assert both.verdict == "fails"
    alone = verdict_of(tests[0], runs)
    assert both.outcomes[0].low == alone.low
    assert both.outcomes[0].high > alone.high


def test_more_claims_have_wider_intervals_and_causes_have_their_own():
    runs = arms(a=[0.9, 0.91, 0.92] * 2)
    why = Evidence(says="because", test="a.test_accuracy > 0.5")
    one = ClaimSpec(says="x", tests=(why.test,), causes=(why,))
    alone = judge(record(runs, one))[0]
    among = judge(record(runs, one, *[ClaimSpec(says="y", tests=(why.test,))] * 9))[0]
    assert among.outcomes[0].low < alone.outcomes[0].low
    assert among.causes[0][1] == alone.causes[0][1] == alone.outcomes[0]


@pytest.mark.parametrize(
    ("test", "a", "words"),
    [
        ("a.test_accuracy > 0.5", [0.9, 0.91], "a verdict takes 6 seeds; about 4 more seeds"),
        ("a.test_accuracy > 0.9", [0.90, 0.98] * 5, "about 6 more seeds would decide"),
        ("a.test_accuracy < 0.94", [0.90, 0.98] * 5, "more than 1,000 more seeds"),
        ("a.test_accuracy = 0.94 within 0.04", [0.90, 0.98] * 5, "about 6 more seeds"),
        ("a.test_accuracy = 0.8 within 0.1", [0.90, 0.98] * 5, "about 6 more seeds"),
        ("a.test_accuracy = 1 within 0.02", [0.90, 0.98] * 5, "about 6 more seeds"),
    ],
)
def test_an_open_comparison_says_what_would_decide_it(test, a, words):
    assert words in verdict_of(test, arms(a=a)).reason


def test_causes_are_tested_on_the_same_runs():
    cause = Evidence(says="because", test="b.test_accuracy < 0.5")
    claim = ClaimSpec(says="x", tests=("a.test_accuracy > 0.5",), causes=(cause,))
    (found,) = judge(record(arms(a=[0.9, 0.91] * 3, b=[0.2, 0.21] * 3), claim))
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
    runs = [run("a", s, epochs=epochs, curve=curve(*accuracies)) for s in range(6)]
    assert verdict_of(test, runs).verdict == verdict


def test_equal_epochs_are_as_sure_as_the_evaluations_are_dense():
    every = [run("a", s, curve=curve(0.5, 0.95)) for s in range(6)]
    tenth = [{**row, "epoch": 10 * row["epoch"]} for row in curve(0.5, 0.95)]
    rare = [run("a", s, curve=tuple(tenth)) for s in range(6)]
    found = verdict_of("a.epochs_to(train_accuracy, 0.9) <= 60", every)
    rarer = verdict_of("a.epochs_to(train_accuracy, 0.9) <= 60", rare)
    assert rarer.high - rarer.low == pytest.approx(10 * (found.high - found.low))


def test_a_summed_loss_is_the_mean_times_the_rows():
    runs = arms(a=[0.5, 0.5])
    found = compare("", _comparison("a.test_loss_sum > 79"), record(runs))
    assert found.effect == pytest.approx(1.0)


def test_a_figure_that_is_missing_is_not_a_number_to_compare():
    runs = [run("a", s, scores={"test_loss": None}) for s in range(3)]
    assert verdict_of("a.test_loss < 1", runs).seeds == 0


def _comparison(text):
    return Evidence(says="", test=text).comparison


def test_a_claim_is_decided_at_its_first_decisive_look_and_stays_so():
    start = [0.9, 0.91, 0.92] * 2
    found = verdict_of("a.test_accuracy > 0.5", arms(a=start))
    assert (found.verdict, found.decided, found.seeds, found.reason) == ("holds", 6, 6, "")
    # The figures are the present ones, of all seeds; the verdict is that of the first six.
    later = verdict_of("a.test_accuracy > 0.5", arms(a=[*start, 0.9, 0.91]))
    assert (later.verdict, later.decided, later.seeds) == ("holds", 6, 8)
    assert later.reason == "decided on the first 6"
    assert later.high - later.low < found.high - found.low
    wild = verdict_of("a.test_accuracy > 0.5", arms(a=[*start, 0.0, 0.0, 0.1]))
    assert (wild.verdict, wild.decided) == ("holds", 6)
    assert wild.low < 0 < wild.high
    assert wild.reason.endswith("of all 9 the interval alone would leave it open")


def test_looks_go_by_seed_in_whatever_order_runs_came():
    values = [0.9, 0.6, 0.7, 0.6, 0.95, 0.5] + [0.9] * 8
    runs = arms(a=values)
    found = verdict_of("a.test_accuracy > 0.5", runs)
    assert 6 < found.decided < len(values)
    shorter = verdict_of("a.test_accuracy > 0.5", runs[: found.decided - 1])
    assert (shorter.verdict, shorter.decided) == ("undecided", 0)
    assert 0 < shorter.more < 20
    assert verdict_of("a.test_accuracy > 0.5", runs[::-1]) == found


def test_a_claim_says_on_how_many_seeds_it_was_decided():
    steady, loose = [0.9, 0.91, 0.92] * 4, [0.9, 0.6, 0.7, 0.6, 0.95, 0.5] + [0.9] * 6
    runs = arms(a=steady, b=loose)
    tests = ("a.test_accuracy > 0.5", "b.test_accuracy > 0.5")
    (both,) = judge(record(runs, ClaimSpec(says="x", tests=tests)))
    assert both.verdict == "holds"
    assert [o.decided for o in both.outcomes] == [6, both.seeds]
    assert both.seeds > 6
    (one_fails,) = judge(
        record(runs, ClaimSpec(says="x", tests=("a.test_accuracy < 0.5", tests[1])))
    )
    assert (one_fails.verdict, one_fails.seeds, one_fails.more) == ("fails", 6, 0)
    (open_,) = judge(record(arms(a=[0.9, 0.2, 0.7]), ClaimSpec(says="x", tests=tests[:1])))
    assert (open_.verdict, open_.seeds) == ("undecided", 3)
    assert open_.more > 3


def test_scores_in_which_classes_count_alike_have_the_step_of_the_rarest_class():
    runs = [
        run("a", seed, steps={"test_macro_f1": 0.1}, scores={"test_macro_f1": 0.9})
        for seed in range(6)
    ]
    assert verdict_of("a.test_macro_f1 > 0.86", runs).verdict == "undecided"
    fine = [run("a", seed, scores={"test_macro_f1": 0.9}) for seed in range(6)]
    assert verdict_of("a.test_macro_f1 > 0.86", fine).verdict == "holds"


def test_an_error_comes_down_to_a_level_and_r2_up_to_it():
    curve = tuple(
        {"epoch": e, "test_rmse": 10.0 - e, "test_r2": e / 10 - 1, "test_accuracy": None}
        for e in range(1, 9)
    )
    one = run("a", 0, epochs=8, curve=curve)

    def reached(text):
        return one.measure(parse_claim(text).terms[0][1])

    assert reached("a.epochs_to(test_rmse, 7) > 0") == (3.0, False)
    assert reached("a.epochs_to(test_rmse, 1) > 0") == (8.0, True)
    assert reached("a.epochs_to(test_r2, -0.5) > 0") == (5.0, False)
    assert reached("a.epochs_to(test_accuracy, 0) > 0") == (8.0, True)

"""Intervals of held-out scores, and the sentence that says whether a network is worth it."""

import math
from pathlib import Path

import pytest

from conftest import made_up_run
from triptych.baseline.intervals import difference_by_chance, score_interval
from triptych.baseline.outcome import lines, verdict
from triptych.records import StudyRecord
from triptych.runner import StudyResult
from triptych.spec import (
    ArmSpec,
    BundledSpec,
    ClaimSpec,
    MLPSpec,
    ReferenceSpec,
    StudySpec,
    TableSpec,
    TrainSpec,
)
from triptych.verdicts import judge

IRIS = BundledSpec(source="iris")


def result(network, boosting, test_rows=360, data=IRIS, metric="test_accuracy"):
    """Return a study of a network and a reference with these test accuracies, seed by seed."""
    arms = {
        "network": ArmSpec(data=data, network=MLPSpec(), train=TrainSpec(), label="MLP, 9 units"),
        "boosting": ArmSpec(
            data=data, network=ReferenceSpec(model="gradient_boosting"), label="gradient boosting"
        ),
    }  # fmt: skip
    test = f"network.{metric} > boosting.{metric}"
    claims = (ClaimSpec(says="The MLP beats gradient boosting.", tests=(test,)),)
    study = StudySpec(title="t", arms=arms, seeds=len(network), claims=claims)
    runs = tuple(
        made_up_run(
            study, arm, seed, test_rows=test_rows,
            scores={metric: score, "test_loss": 1 - score},
        )
        for arm, scores in (("network", network), ("boosting", boosting))
        for seed, score in enumerate(scores)
    )  # fmt: skip
    record = StudyRecord(study, runs, Path("r"))
    return StudyResult(record, judge(record))


@pytest.mark.parametrize(
    ("network", "boosting", "rows", "starts"),
    [
        ([0.9, 0.91] * 6, [0.7, 0.71] * 6, 100, "Worth it: the MLP is better than gradient"),
        ([0.7, 0.71] * 6, [0.9, 0.91] * 6, 100, "Not worth it: gradient boosting is better"),
        ([0.7, 0.9] * 3, [0.9, 0.72] * 3, 100, "Undecided on 6 seeds"),
        ([0.96], [0.94], 20_000, "Worth it: the MLP is better than gradient boosting by 2.0"),
        ([0.94], [0.96], 20_000, "Not worth it: gradient boosting is better than the MLP by 2.0"),
        ([0.96], [0.94], 100, "Undecided: the MLP is ahead of gradient boosting by 2.0"),
        ([0.9], [0.9], 100, "Undecided: gradient boosting does as well as the MLP, and is simpler"),
    ],
)
def test_the_verdict_is_that_of_the_claim_or_of_the_held_out_rows(network, boosting, rows, starts):
    assert verdict(result(network, boosting, rows), "test_accuracy").startswith(starts)


def test_the_network_stands_first_and_then_the_best():
    found = lines(result([0.7] * 2, [0.9] * 2), "test_accuracy")
    assert [line.arm for line in found] == ["network", "boosting"]
    assert found[0].loss == pytest.approx(0.3)


def test_an_interval_over_splits_is_wider_than_that_of_a_mean():
    runs = result([0.8, 0.9, 0.85], [0.5] * 3).record.finished("network")
    low, high = score_interval(runs, "test_accuracy")
    # t of 2 degrees of freedom; rows of splits overlap: 1/3 + 360/1437 instead of 1/3.
    reach = 4.302653 * 0.05 * (1 / 3 + 360 / 1437) ** 0.5
    assert (low, high) == (pytest.approx(0.85 - reach), 1.0)


def test_of_one_split_it_is_wilson_s():
    runs = result([0.5], [0.5], 100).record.finished("network")
    low, high = score_interval(runs, "test_accuracy")
    assert (low, high) == (pytest.approx(0.4038, abs=1e-4), pytest.approx(0.5962, abs=1e-4))
    assert score_interval(runs, "test_balanced_accuracy") is None


ALONG_TIME = TableSpec(path="t.csv", target="y", time="day")


@pytest.mark.parametrize(
    ("network", "boosting", "rows", "starts"),
    [
        # As far apart as where splits differ, and on every seed: of twelve rows it is one.
        ([0.75] * 6, [0.667] * 6, 12, "Undecided: the MLP is ahead of gradient boosting by 8.3"),
        ([0.667] * 6, [0.75] * 6, 12, "Undecided: gradient boosting is ahead of the MLP by 8.3"),
        ([0.75] * 6, [0.667] * 6, 1200, "Worth it: the MLP is better than gradient boosting by"),
        ([0.667] * 6, [0.75] * 6, 1200, "Not worth it: gradient boosting is better than the MLP"),
    ],
)
def test_along_time_rows_decide_and_not_seeds(network, boosting, rows, starts):
    found = result(network, boosting, rows, ALONG_TIME)
    told = verdict(found, "test_accuracy")
    assert told.startswith(starts)
    assert f"on {rows:,} held-out rows" in told


def test_along_time_no_interval_comes_of_seeds():
    found = result([0.4, 0.6], [0.5, 0.5], 100, ALONG_TIME)
    line = lines(found, "test_accuracy")[0]
    assert (line.low, line.high) == (
        pytest.approx(0.4038, abs=1e-4), pytest.approx(0.5962, abs=1e-4)
    )  # fmt: skip
    other = result([0.4, 0.6] * 6, [0.1] * 12, 100, ALONG_TIME, "test_balanced_accuracy")
    assert math.isnan(lines(other, "test_balanced_accuracy")[0].low)
    assert verdict(other, "test_balanced_accuracy").startswith("No verdict: the MLP is ahead")


def test_what_chance_makes_shrinks_with_the_root_of_the_rows():
    assert difference_by_chance(0.5, 0.5, 400) == pytest.approx(
        difference_by_chance(0.5, 0.5, 100) / 2
    )

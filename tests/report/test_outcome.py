"""How a study came out, in words."""

from dataclasses import replace
from pathlib import Path

import pytest

from conftest import made_up_run
from triptych.records import MAX_SEEDS, StudyRecord
from triptych.report.outcome import taken
from triptych.report.wording import budget_text
from triptych.spec import parse_study
from triptych.verdicts import judge

STUDY = """
title = "one arm"
seeds = "auto"
[arm.a]
data = { source = "moons" }
network = { kind = "mlp", hidden = [3] }
train = { epochs = 2 }
[[claim]]
says = "It learns."
test = "a.test_accuracy > 0.5"
"""


@pytest.mark.parametrize(
    ("budget", "text"), [("5", "5 s"), ("5 min", "5 min"), (90, "90 s"), ("1.5h", "1.5h")]
)
def test_a_budget_has_a_unit(budget, text):
    assert budget_text(replace(parse_study(STUDY), budget=budget)) == text


def test_a_claim_that_lost_runs_kept_open_says_so():
    study = parse_study(STUDY)
    runs = tuple(
        made_up_run(study, "a", seed, status="diverged", scores={}, error="loss NaN")
        for seed in range(6)
    )
    record = StudyRecord(study, runs, Path("x"), MAX_SEEDS)
    (verdict,) = judge(record)
    assert taken(record, verdict) == (
        "Open after 0 seeds, the most that this study takes (6 diverged)."
    )

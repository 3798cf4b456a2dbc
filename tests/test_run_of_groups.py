"""Runs of tables whose rows are parted by group or along time: seeds need not have as many rows."""

import numpy as np
import pytest

from triptych.records import StudyFolder
from triptych.runner import Setting, execute_study
from triptych.runner.inputs import load_for
from triptych.spec import parse_study

STUDY = """
title = "Patients"
seeds = 4
[data]
source = "table"
path = "PATH"
target = "ill"
HOW
[arm.a]
network = { kind = "mlp", hidden = [4] }
engine = "compiled"
train = { epochs = 5, batch_size = 8, patience = 3, validation = 0.2 }
"""


@pytest.fixture
def study(tmp_path):
    draw = np.random.default_rng(0)
    rows = ["who,day,age,ill"]
    for who in range(40):
        for _ in range(1 + who % 7):
            day = f"2024-{draw.integers(1, 13):02}-{draw.integers(1, 29):02}"
            rows.append(f"p{who},{day},{draw.normal(40, 9):.4f},{'yes' if who % 3 else 'no'}")
    (tmp_path / "x.csv").write_text("\n".join(rows) + "\n")

    def make(how):
        return parse_study(STUDY.replace("PATH", str(tmp_path / "x.csv")).replace("HOW", how))

    return make


def results(study, folder):
    told = list(execute_study(study, StudyFolder(folder), Setting()))
    records = [event.record for event in told if hasattr(event, "record")]
    return {record.seed: record for record in records}


def test_seeds_of_unequal_rows_are_each_trained_as_alone(study, tmp_path):
    asked = study('group = "who"\nignore = ["day"]')
    arm = asked.arms["a"]
    data = [load_for(arm, seed, None) for seed in range(4)]
    assert len({len(d.train) for d in data}) > 1
    together = results(asked, tmp_path / "together")
    assert [record.status for record in together.values()] == ["finished"] * 4
    for seed in (0, 3):
        alone = results(asked.with_seeds(1, first_seed=seed), tmp_path / f"alone {seed}")[seed]
        assert alone.scores == together[seed].scores
    assert "rows of one 'who' (40 of them) are on one side" in " ".join(together[0].notes)


def test_a_run_along_time_says_so(study, tmp_path):
    found = results(study('time = "day"\nignore = ["who"]').with_seeds(1), tmp_path / "out")
    assert "on, by 'day', are held out" in " ".join(found[0].notes)

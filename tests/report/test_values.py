"""A study as plain values: for programs, data frames and notebooks."""

import json
import sys

import pandas
import polars
import pytest

from conftest import made_up_run
from triptych import cli
from triptych.errors import SpecError
from triptych.records import StudyRecord
from triptych.runner import StudyResult
from triptych.spec import parse_study
from triptych.verdicts import judge

TEXT = """
title = "<b>odd</b> title"
seeds = 2
[data]
source = "moons"
[arm.a]
network = { kind = "mlp", hidden = [3] }
train = { epochs = 2 }
[arm.b]
network = { kind = "mlp", hidden = [4] }
train = { epochs = 2 }
[[claim]]
says = "<i>a</i> is ahead."
test = "a.test_accuracy > b.test_accuracy"
[[claim.cause]]
says = "It has less to learn."
test = "a.train_loss < b.train_loss"
"""


@pytest.fixture
def result(tmp_path):
    study = parse_study(TEXT)
    runs = [made_up_run(study, arm, seed) for arm in "ab" for seed in (0, 1)]
    runs[3] = made_up_run(study, "b", 1, status="diverged", scores={}, error="step 3: loss NaN")
    record = StudyRecord(study, tuple(runs), tmp_path)
    return StudyResult(record, judge(record))


def test_values_have_every_claim_and_run_and_are_json(result):
    found = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    (claim,) = found["claims"]
    assert claim["says"] == "<i>a</i> is ahead."
    assert claim["verdict"] == "undecided"
    assert claim["tests"][0]["test"] == "a.test_accuracy > b.test_accuracy"
    assert claim["tests"][0]["low"] is None  # one pair of seeds has no interval
    assert claim["causes"][0]["says"] == "It has less to learn."
    assert [(run["arm"], run["seed"]) for run in found["runs"]] == [
        ("a", 0), ("a", 1), ("b", 0), ("b", 1),
    ]  # fmt: skip
    assert found["runs"][3]["error"] == "step 3: loss NaN"
    assert "1 diverged" in found["summary"]


def test_a_frame_has_a_row_for_each_run(result, monkeypatch):
    frame = result.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["arm"]) == ["a", "a", "b", "b"]
    assert frame.loc[0, "test_accuracy"] == result.record.runs[0].scores["test_accuracy"]
    assert frame["test_accuracy"].isna().tolist() == [False, False, False, True]
    monkeypatch.setitem(sys.modules, "pandas", None)
    other = result.to_frame()
    assert isinstance(other, polars.DataFrame)
    assert other["status"].to_list() == ["finished"] * 3 + ["diverged"]
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(SpecError, match="pip install pandas"):
        result.to_frame()


def test_a_notebook_shows_claims_with_their_names_escaped(result):
    shown = result._repr_html_()
    assert "undecided" in shown
    assert "&lt;i&gt;a&lt;/i&gt; is ahead." in shown
    assert "&lt;b&gt;odd&lt;/b&gt; title" in shown
    assert "<i>" not in shown


def test_json_is_all_that_the_standard_output_gets(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.toml").write_text(TEXT.replace('"moons"', '"moons"\nn_samples = 40'))
    with pytest.raises(SystemExit) as left:
        cli.main(["run", "s.toml", "--out", "out", "--json"])
    assert left.value.code == 0
    out, told = capsys.readouterr()
    assert len(json.loads(out)["runs"]) == 4
    assert "seed 1" in told
    with pytest.raises(SystemExit):
        cli.main(["report", "out", "--json"])
    again = json.loads(capsys.readouterr().out)
    assert again["claims"] == json.loads(out)["claims"]

"""The end of a study in a terminal: curves, findings and time, in letters that can be shown."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from conftest import made_up_record, made_up_run, table_findings
from triptych.records import Finding, StudyRecord
from triptych.report import study_tables
from triptych.report.finding_lines import finding_line
from triptych.report.sparklines import BLOCKS, PLAIN, sparkline
from triptych.report.times import times, times_line
from triptych.spec import parse_study

STUDY = """
title = "t"
seeds = 1
[data]
source = "moons"
[arm.a]
network = { kind = "mlp", hidden = [3] }
train = { epochs = 12 }
[arm.b]
network = { kind = "mlp", hidden = [4] }
train = { epochs = 12 }
[arm.reference]
network = { kind = "reference", model = "linear" }
"""


@pytest.fixture
def record():
    study = parse_study(STUDY)
    runs = [made_up_run(study, arm, 0) for arm in "ab"]
    runs[0] = replace(
        runs[0], findings=table_findings(), times={"data": 0.5, "evaluation": 0.25, "findings": 0.0}
    )
    runs.append(made_up_run(study, "reference", 0, curve=made_up_run(study, "a", 0).curve[:1]))
    return StudyRecord(study, tuple(runs), made_up_record(study).folder)


def shown(record, *, terminal, encoding="utf-8", width=110):
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, newline="")
    console = Console(file=file, width=width, force_terminal=terminal, color_system=None)
    for table in study_tables(record, ()):
        console.print(table)
    file.flush()
    return raw.getvalue().decode(encoding)


def test_a_terminal_shows_curves_as_blocks_and_their_last_value(record):
    text = shown(record, terminal=True)
    losses = [row["test_loss"] for row in record.runs[0].curve]
    assert sparkline(losses) + f" {losses[-1]:.4f}" in text
    assert sparkline(losses)[0] == "█"
    assert sparkline(losses)[-1] == "▁"
    assert "each on its own scale" in text


def test_where_blocks_cannot_be_written_plain_letters_are(record):
    text = shown(record, terminal=True, encoding="ascii")
    losses = [row["test_loss"] for row in record.runs[0].curve]
    assert sparkline(losses, letters=PLAIN) in text
    assert not set(BLOCKS) & set(text)


def test_a_pipe_gets_numbers(record):
    text = shown(record, terminal=False)
    assert not set(BLOCKS) & set(text)
    assert "first, middle and last evaluation" in text
    losses = [row["test_loss"] for row in record.runs[0].curve]
    assert f"{losses[0]:.2f} → " in text


def test_a_reference_has_no_curve_and_a_study_of_references_no_table(record):
    text = shown(record, terminal=True)
    curves = text[text.index("Curves of") : text.index("What the networks learned")]
    assert "reference" not in curves
    only = replace(record, runs=record.runs[2:])
    assert "Curves of" not in shown(only, terminal=True)


def test_each_finding_has_its_line(record):
    text = shown(record, terminal=True)
    for one in record.runs[0].findings:
        assert finding_line(one)[:30] in text


@pytest.mark.parametrize("kind", ["hologram", "confusion", "calibration", "mistakes"])
def test_what_is_damaged_or_unknown_has_no_line(kind):
    assert finding_line(Finding(kind, "t", "c", {})) == ""


def test_every_kind_of_finding_has_a_line(explained_record, palindrome_record):
    lines = {
        one.kind: finding_line(one)
        for record in (explained_record, palindrome_record)
        for run in record.runs
        for one in run.findings
    }
    assert len(lines) == 10
    for kind, line in lines.items():
        assert line, kind
        assert "\n" not in line


def test_the_most_confused_pair_comes_first(explained_record):
    (one,) = (f for f in explained_record.runs[1].findings if f.kind == "confusion")
    counts = one.arrays["counts"]
    largest = max(counts[0, 1], counts[1, 0])
    assert f"({largest:.0f} of " in finding_line(one).split(",")[0]


def test_hostile_names_reach_no_terminal():
    hostile = "<img src=x onerror=alert(1)>\x1b[31m\u202e[red]=cmd()"
    study = parse_study(STUDY)
    study = replace(study, arms={"a": replace(study.arms["a"], label=hostile)})
    findings = table_findings((hostile, "b", "c"))
    findings = tuple(
        replace(f, labels={n: (hostile,) * len(t) for n, t in f.labels.items()}) for f in findings
    )
    record = StudyRecord(
        study, (made_up_run(study, "a", 0, findings=findings),), made_up_record(study).folder
    )
    text = shown(record, terminal=True, width=400)
    assert "\x1b[31m" not in text
    assert "\u202e" not in text
    assert "␛[31m�[red]=cmd()" in text


def test_time_is_told_by_arm_and_in_all(record):
    a, b, _ = times(record, ["a", "b", "reference"])
    assert (a["all"], a["evaluation"], a["data"], a["findings"]) == (
        "1.00 s", "0.250 s", "0.500 s", "0 s",
    )  # fmt: skip
    assert b["evaluation"] == "–"
    assert times_line(record) == (
        "Time of all runs: training 1.00 s (57%), evaluation 0.250 s (14%), data 0.500 s (29%), "
        "findings 0 s (0%)"
    )
    assert times_line(replace(record, runs=record.runs[1:])) == ""

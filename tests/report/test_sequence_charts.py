"""What the page says of recurrent networks: accuracy by length, and what explains it."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conftest import gradient_flow_finding as flow
from conftest import hidden_states_finding as states
from conftest import made_up_run, without_scripts
from triptych.explain import KINDS
from triptych.records import StudyRecord
from triptych.report import render_html
from triptych.report.drawing import Cell
from triptych.report.findings import WAYS, findings
from triptych.report.readings import means, reading
from triptych.report.sequence_charts import Reach, lengths_chart
from triptych.report.sequences import reaches
from triptych.spec import (
    ArmSpec,
    ClaimSpec,
    PalindromeSpec,
    RNNSpec,
    StudySpec,
    TrainSpec,
    parse_claim,
)
from triptych.verdicts import compare, judge

DATA = PalindromeSpec(length=5, probes=(3, 100, 1_000_000))
ARM = ArmSpec(data=DATA, network=RNNSpec(), train=TrainSpec(), label="An RNN")
STUDY = StudySpec(
    title="t",
    arms={"a": ARM, "b": replace(ARM, label="<b>", network=RNNSpec(cell="gru"))},
    seeds=2,
    claims=(ClaimSpec(says="c", tests=("a.test_accuracy_at(100) > 0.5",)),),
)


def record(findings=(), scores=True, **fields):
    runs = []
    for arm, low in (("a", 0.9), ("b", 0.2)):
        for seed in range(2):
            at = {f"test_accuracy_at({t})": low + 0.05 * seed for t in (3, 100, 1_000_000)}
            found = findings if seed == 0 and arm == "a" else ()
            whole = {"test_accuracy": 0.5, **(at if scores else {})}
            runs.append(made_up_run(STUDY, arm, seed, scores=whole, findings=found, **fields))
    return StudyRecord(STUDY, tuple(runs), Path())


def test_a_study_of_sequences_makes_a_page_of_bounded_size(palindrome_record):
    html = without_scripts(render_html(palindrome_record, judge(palindrome_record), "x"))
    parts = 3
    assert html.count("Accuracy against T") == parts
    assert len(html) < 900_000


def test_every_kind_of_finding_is_drawn():
    assert set(WAYS) == set(KINDS)


def test_accuracy_by_length_is_drawn_and_stands_beside_in_figures():
    (found,) = reaches(record(), ["a", "b"])
    table = found.groups[0].table
    assert table.heads == ("arm", "3", "100", "1,000,000")
    assert table.rows[0] == (("An RNN",), [Cell("0.925", "0.900–0.950")] * 3)
    html = render_html(record(), (), "x")
    assert "Accuracy against T" in html
    assert "0.900–0.950" in html
    assert "1M" in html  # the axis


def test_each_finding_is_drawn_once_with_its_caption_and_a_table():
    html = render_html(record((flow(), states())), (), "x")
    assert html.count("how to read it") == 1
    assert html.count("where it goes") == 1
    assert "75%" in html  # of the variance
    gradients, paths = findings(record((flow(), states())), ["a", "b"])
    table = gradients.groups[0].table
    assert table.heads[:3] == ("steps back", "training", "1")
    assert table.heads[-1] == "100"
    assert [heads for heads, _ in table.rows] == [("An RNN", "before"), ("An RNN", "after")]
    assert [panel.label for panel in paths.groups[0].panels] == ["An RNN"]


def test_arms_without_probes_or_findings_leave_no_empty_figure():
    assert reaches(record(scores=False), ["a", "b"]) == []
    assert findings(record(scores=False), ["a", "b"]) == []
    html = without_scripts(render_html(record(scores=False), (), "x"))
    assert "Accuracy against T" not in html
    assert html.count('role="img"') == 2


def test_what_must_be_known_of_the_strings_stands_in_the_part_that_uses_them():
    note = "Palindromes of length 3: there are only 100."
    html = render_html(record(notes=(note,)), (), "x")
    assert html.count(note) == 2  # at the top, and in the part
    assert html.index("What to know of strings and runs") < html.rindex(note)


def test_many_notes_are_folded_but_all_there():
    notes = tuple(f"note {k}." for k in range(5))
    html = render_html(record(notes=notes), (), "x")
    assert "<strong>5 notes</strong>" in html
    assert all(html.count(note) == 2 for note in notes)


def test_hostile_findings_are_shown_not_obeyed():
    hostile = "<img src=x>\x1b[31m"
    bad = replace(flow(hostile), title=hostile)
    html = without_scripts(render_html(record((bad, replace(states(), title=hostile))), (), "x"))
    assert "<img" not in html
    assert "\x1b" not in html
    assert "<b>" not in html  # an arm's label


@pytest.mark.parametrize("value", [np.nan, 0.0, np.inf])
def test_a_gradient_that_cannot_be_drawn_is_left_out(value):
    finding = flow()
    finding.arrays["after"][5:] = value
    (found,) = findings(record((finding,)), ["a"])
    chart = found.groups[0].panels[0].drawing
    assert "NaN" not in chart
    assert 'role="img"' in chart


def test_lines_that_agree_are_all_to_be_seen():
    same = [Reach(f"arm {k}", f"var(--c{k + 1})", {3: [1.0], 1000: [1.0]}) for k in range(3)]
    svg = lengths_chart(same, "three alike")
    assert {f'stroke-width="{w}"' for w in (2, 5, 8)} <= set(re.findall(r'stroke-width="\d"', svg))


@pytest.mark.parametrize("values", [{5: [0.5]}, {5: [0.1, 0.9], 7: [0.2]}])
def test_one_length_or_missing_seeds_still_make_a_chart(values):
    assert "<path" in lengths_chart([Reach("a", "var(--c1)", values)], "d")


def test_a_drawing_of_paths_stays_small():
    (found,) = findings(record((states(),)), ["a"])
    assert found.size < 15_000


def test_a_claim_about_one_length_reads_in_words():
    test = "a.test_accuracy_at(100) - b.test_accuracy_at(100) > 0.5"
    comparison = parse_claim(test)
    assert means(record(), comparison) == (
        "Mean test accuracy at length 100: An RNN 0.925 · <b> 0.225"
    )
    assert "Difference +70.0 points" in reading(comparison, compare(test, comparison, record()))
    assert judge(record())[0].claim.says == "c"

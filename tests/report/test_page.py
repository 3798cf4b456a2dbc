"""The page says all that a reader must know, escaped, complete and without a network."""

import base64
import gzip
import hashlib
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from rich.console import Console

from conftest import made_up_record, made_up_run, plane_findings, without_scripts
from triptych.records import DIVERGED, StudyRecord
from triptych.report import render_html, study_tables
from triptych.report.charts import COLOURS
from triptych.report.curves import Series, curve_chart
from triptych.report.readings import brief
from triptych.report.times import times
from triptych.spec import (
    ArmSpec,
    ClaimSpec,
    MLPSpec,
    PartSpec,
    ReferenceSpec,
    Reported,
    StudySpec,
    ToySpec,
    TrainSpec,
    parse_study,
)
from triptych.verdicts import judge

VOID = {"meta", "br", "line", "rect", "path"}


class Reader(HTMLParser):
    """Collects text and checks that every tag is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.tags, self.ids, self.links = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [v for k, v in attrs if k == "id"]
        self.links += [v for k, v in attrs if k in ("href", "src")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)


def read(html):
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    reader.words = " ".join(" ".join(reader.text).split())
    return reader


def page(record, command="triptych run it"):
    return read(render_html(record, judge(record), command))


@pytest.fixture(scope="module")
def paper(paper_record):
    return page(paper_record)


def small_study(**fields):
    arm = ArmSpec(data=ToySpec(source="moons"), network=MLPSpec(), train=TrainSpec())
    return StudySpec(**{"title": "t", "arms": {"a": arm}, "seeds": 2, **fields})


def test_columns_that_say_nothing_of_a_part_are_left_out(paper, paper_record):
    assert "Reported and measured" in paper.words
    study = small_study()
    bare = made_up_record(study)
    shown = page(bare).words
    assert "Reported and measured" not in shown
    assert "training accuracy" in shown
    without = [replace(run, scores={"test_accuracy": 0.5}) for run in bare.runs]
    assert "training accuracy" not in page(replace(bare, runs=tuple(without))).words


def test_a_reference_is_a_level_line_from_end_to_end():
    arms = dict(small_study().arms)
    arms["b"] = ArmSpec(data=arms["a"].data, network=ReferenceSpec(model="linear"))
    study = small_study(arms=arms)
    once = {"epoch": 0, "test_loss": 0.5, "test_accuracy": 0.75, "train_accuracy": 0.9}
    runs = {
        "a": [made_up_run(study, "a", seed) for seed in (0, 1)],
        "b": [made_up_run(study, "b", seed, curve=(once,), epochs=0) for seed in (0, 1)],
    }
    series = [
        Series(name, colour, runs[name], is_level=name == "b")
        for name, colour in (("a", "var(--c1)"), ("b", "var(--c8)"))
    ]
    svg = curve_chart(series, "accuracy", "x")
    (line,) = re.findall(r'<path d="([^"]*)"[^>]*var\(--c8\)', svg)
    points = re.findall(r"[ML]([\d.]+),([\d.]+)", line)
    assert len({y for _, y in points}) == 1
    ends = re.findall(r'<path d="M([\d.]+),[^"]*L([\d.]+),[\d.]+"[^>]*var\(--c1\)', svg)
    assert (points[0][0], points[-1][0]) == ends[0]


def test_every_claim_is_there_with_its_verdict_and_causes(paper, paper_record):
    for verdict in judge(paper_record):
        assert verdict.claim.says in paper.words
        for cause, _ in verdict.causes:
            assert cause.says in paper.words
    assert "Of 10 claims" in paper.words


def test_every_reported_figure_stands_there(paper, paper_record):
    for figure in paper_record.study.reported:
        shown = (f"{figure.value:g}", f"{figure.value:.3f}")
        assert any(text in paper.words for text in shown), figure


def test_what_was_cut_what_stands_in_and_how_to_repeat_it_are_there(paper, paper_record):
    for text in (*paper_record.study.cuts, *paper_record.notes, "triptych run it", "made up"):
        assert text in paper.words
    assert "quick scale" in paper.words


def test_a_claim_that_was_measured_on_a_stand_in_says_so_beside_its_verdict(paper, paper_record):
    # Made up, every run was on digits; only the arms meant for CIFAR-10 say that they were not.
    html = render_html(paper_record, judge(paper_record), "x")
    said = "measured on digits, not on cifar10"
    assert html.count(said) == 2 * 5
    real = [replace(r, data="cifar10", notes=()) for r in paper_record.runs]
    assert said not in page(replace(paper_record, runs=tuple(real))).words


def test_the_page_asks_nothing_of_a_network(paper, paper_record):
    assert all(link.startswith("#") for link in paper.links)
    assert {link[1:] for link in paper.links} <= set(paper.ids)
    html = render_html(paper_record, judge(paper_record), "x")
    assert not re.search(r"url\(|@import|<link|<img|<iframe|src=", without_scripts(html))
    assert len(html) < 1_500_000


def test_the_page_lets_in_nothing_but_its_own_style_and_scripts(paper_record):
    html = render_html(paper_record, judge(paper_record), "x")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert "default-src 'none'" in policy
    packed, own = re.findall(
        r'<script(?: type="text/plain" id="vega")?>(.*?)</script>', html, re.DOTALL
    )
    texts = own.encode(), gzip.decompress(base64.b64decode(packed))
    digests = [base64.b64encode(hashlib.sha256(text).digest()).decode() for text in texts]
    assert "script-src " + " ".join(f"'sha256-{one}'" for one in digests) + ";" in policy
    assert "eval" not in policy


def test_a_page_without_charts_does_not_carry_what_would_draw_them():
    html = render_html(StudyRecord(small_study(), (), Path()), (), "x")
    assert 'id="vega"' not in html
    assert len(html) < 100_000


ORDER = (
    "What is asked", "Verdicts", "The evidence", "The part", "What was trained",
    "The same as a table", "Measured", "Times", "Findings: what the networks learned",
    "How to repeat it", "triptych run it", "[arm.a.train]", "Where it ran", "SHA-256",
    "What was cut",
)  # fmt: skip


def test_the_page_tells_in_the_order_in_which_it_is_asked():
    arm = replace(small_study().arms["a"], part="p")
    study = small_study(
        question="What is asked", parts=(PartSpec(name="p", title="The part"),), arms={"a": arm},
        claims=(ClaimSpec(says="c", tests=("a.test_accuracy > 0.1",)),), cuts=("Less of it.",),
    )  # fmt: skip
    runs = tuple(made_up_run(study, "a", s, findings=plane_findings()) for s in range(2))
    words = page(StudyRecord(study, runs, Path())).words
    place = 0
    for text in ORDER:
        place = words.index(text, place)


def test_a_verdict_stands_with_effect_interval_seeds_and_cause_in_one_row(paper_record):
    html = render_html(paper_record, judge(paper_record), "x")
    table = html[html.index('<table class="glance"') : html.index('id="evidence"')]
    rows = [read(row).words for row in re.findall(r"<tr role.*?</tr>", table, re.DOTALL)[1:]]
    verdicts = judge(paper_record)
    assert len(rows) == len(verdicts)
    for row, verdict in zip(rows, verdicts, strict=True):
        assert verdict.claim.says in row
        assert f"{verdict.seeds} seed" in row
        assert row.endswith(verdict.verdict)
        for comparison, outcome in zip(verdict.claim.comparisons, verdict.outcomes, strict=True):
            assert brief(comparison, outcome) in row
        if verdict.causes:
            holding = [cause for cause, outcome in verdict.causes if outcome.verdict == "holds"]
            first = (*holding, *(cause for cause, _ in verdict.causes))[0]
            assert first.says in row
        else:
            assert "No cause was put to the test." in row


def test_times_are_those_of_the_records():
    study = small_study(arms=dict.fromkeys("ab", small_study().arms["a"]))
    runs = [made_up_run(study, "a", s, seconds=1.0 + s, epochs=10) for s in range(2)]
    runs += [made_up_run(study, "b", s, seconds=4.5, shared=True) for s in range(2)]
    runs[1] = replace(runs[1], peak_memory=123.0)
    a, b = times(StudyRecord(study, tuple(runs), Path()), ["a", "b"])
    assert a == {
        "label": "a", "run": "1.50 s", "range": "1.00–2.00", "epoch": "0.150 s", "all": "3.00 s",
        "share": pytest.approx(25.0), "memory": "123 MB",
        "evaluation": "–", "data": "–", "findings": "–",
    }  # fmt: skip
    assert b["all"] == "9.00 s"
    assert "made beside others" in page(StudyRecord(study, tuple(runs), Path())).words


def test_the_study_on_the_page_reads_back_as_it_was_run(paper_record):
    html = render_html(paper_record, judge(paper_record), "x")
    text = re.search(r'aria-label="The study file"><code>(.*?)</code>', html, re.DOTALL)[1]
    assert parse_study(unescape(text)) == paper_record.study


def test_the_summary_says_what_it_took_and_where(paper):
    assert re.search(
        r"Of 10 claims, \d+ holds?, .* \d+ min \d+ s of training on made up", paper.words
    )


def test_ids_are_unique(paper):
    assert len(paper.ids) == len(set(paper.ids))


def test_every_group_of_arms_has_two_charts_and_a_table(paper_record):
    html = without_scripts(render_html(paper_record, judge(paper_record), "x"))
    groups = len({(a.part, a.data, a.train.epochs) for a in paper_record.study.arms.values()})
    assert html.count('role="img"') == 2 * groups
    assert html.count("The same as a table") == groups


@pytest.mark.parametrize("metric", get_args(get_type_hints(Reported)["metric"]))
def test_a_reported_figure_of_any_metric_is_shown(metric):
    figure = Reported(arm="a", metric=metric, value=0.4321, note="as printed on page 7")
    found = page(made_up_record(small_study(reported=(figure,))))
    assert re.search(r"0\.432", found.words)
    assert "as printed on page 7" in found.words


def test_two_figures_for_one_cell_are_both_shown():
    values = [Reported(arm="a", metric="test_accuracy", value=v) for v in (0.8, 0.84)]
    found = page(made_up_record(small_study(reported=tuple(values))))
    assert "0.800; 0.840" in found.words


def test_arms_beyond_the_colours_get_charts_of_their_own():
    arm = small_study().arms["a"]
    study = small_study(arms={f"a{k}": arm for k in range(COLOURS + 1)}, seeds=1)
    record = made_up_record(study)
    html = without_scripts(render_html(record, (), "x"))
    assert html.count('role="img"') == 4
    for name in study.arms:
        assert name in page(record).words


HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m\ud800\u2028‮"


@pytest.mark.fault(39)
def test_hostile_names_are_shown_not_obeyed():
    arm = replace(small_study().arms["a"], label=HOSTILE)
    study = small_study(
        arms={"a": arm},
        title=HOSTILE,
        claims=(ClaimSpec(says=HOSTILE, tests=("a.test_accuracy > 0.1",)),),
    )
    runs = [made_up_run(study, "a", s, notes=(HOSTILE,), data=HOSTILE) for s in range(2)]
    record = StudyRecord(study, tuple(runs), Path())
    html = without_scripts(render_html(record, judge(record), HOSTILE))
    assert "<img" not in html
    assert "&lt;img" in html
    out = StringIO()
    console = Console(file=out, width=200)
    for table in study_tables(record, judge(record)):
        console.print(table)
    for text in (html, out.getvalue()):
        text.encode()  # half a character would not be writable
        assert "\u2028" not in text
        assert "\x1b" not in text
        assert "‮" not in text
        assert "␛[31m" in text


def test_diverged_and_missing_runs_are_counted_and_shown():
    study = small_study(seeds=4)
    runs = [made_up_run(study, "a", s) for s in range(2)]
    runs.append(made_up_run(study, "a", 2, status=DIVERGED, error="step 3: loss nan", scores={}))
    found = page(StudyRecord(study, tuple(runs), Path()))
    assert "1 diverged, 1 missing" in found.words
    assert "a 1 diverged 1 missing 2" in found.words  # the row: arm, and the seeds that count
    assert "step 3: loss nan" in found.words


@pytest.mark.parametrize("claims", [(), (ClaimSpec(says="c", tests=("a.test_loss < 1",)),)])
@pytest.mark.parametrize("seeds", [0, 1])
def test_one_run_or_none_still_makes_a_page(claims, seeds):
    study = small_study(claims=claims)
    runs = tuple(
        made_up_run(study, "a", s, scores={"test_loss": None}, curve=()) for s in range(seeds)
    )
    found = page(StudyRecord(study, runs, Path()))
    assert "No finished evaluation yet" in found.words
    assert ("undecided" in found.words) == bool(claims)


def test_a_metric_that_is_missing_in_a_curve_does_not_stop_the_page():
    study = small_study()
    curve = ({"epoch": 1, "train_loss": None, "test_loss": 0.0, "test_accuracy": 0.5},)
    runs = tuple(made_up_run(study, "a", s, curve=curve) for s in range(2))
    assert 'role="img"' in render_html(StudyRecord(study, runs, Path()), (), "x")


def test_a_piped_table_is_plain_text_with_every_claim(paper_record):
    out = StringIO()
    console = Console(file=out, width=100)
    for table in study_tables(paper_record, judge(paper_record)):
        console.print(table)
    text = out.getvalue()
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100
    words = " ".join(re.sub(r"[│┃]", " ", text).split())
    for claim in paper_record.study.claims:
        assert claim.says in words
    assert "(438.4)" in words


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_a_pipe_that_knows_few_letters_gets_those(paper_record, encoding):
    raw = BytesIO()
    console = Console(file=TextIOWrapper(raw, encoding=encoding, newline=""), width=100)
    for table in study_tables(paper_record, judge(paper_record)):
        console.print(table)
    console.file.flush()
    text = raw.getvalue().decode(encoding)
    for verdict in judge(paper_record):
        assert verdict.verdict in text
    assert {"+ holds", "x fails"} & set(re.findall(r"[+x] \w+", text))


def test_a_page_of_many_long_curves_stays_small():
    study = small_study(seeds=10)
    row = made_up_run(study, "a", 0).curve[-1]
    curve = tuple({**row, "epoch": e} for e in range(1, 2001))
    runs = tuple(made_up_run(study, "a", s, curve=curve) for s in range(10))
    html = without_scripts(render_html(StudyRecord(study, runs, Path()), (), "x"))
    assert len(html) < 500_000


def test_the_made_up_record_is_whole():
    study = small_study()
    assert len(made_up_record(study).runs) == 2

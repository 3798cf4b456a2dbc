"""A study of our own CNN, from its file to its verdict."""

import json

import numpy as np
import pytest

from triptych.data import load
from triptych.engines import choose_engine, threads
from triptych.records import StudyFolder
from triptych.runner import RunEnded, Setting, execute_study, read_result
from triptych.spec import parse_study

TEXT = """
title = "own"
seeds = 6
[data]
source = "digits"
train_limit = 120
test_limit = 60
[arm.ours]
network = { kind = "cnn", preset = "small" }
[arm.ours.train]
recipe = "fast"
epochs = 4
batch_size = 40
judged_rows = 50
augment = { translate = 1 }
views = true
[[claim]]
says = "Views help or do no great harm."
test = "ours.test_views_accuracy > ours.test_accuracy - 1"
"""


def run(study, path):
    events = list(execute_study(study, StudyFolder(path), Setting(device="cpu")))
    return [e.record for e in events if isinstance(e, RunEnded)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("own")
    return parse_study(TEXT), run(parse_study(TEXT), path), path


def test_a_study_with_a_preset_and_a_recipe_runs_to_its_verdict(finished):
    _, (record, *_), path = finished
    assert record.status == "finished"
    assert record.engine.startswith("torch")
    assert [v.verdict for v in read_result(path).verdicts] == ["holds"]
    assert "Views help" in read_result(path).to_html()


def test_the_page_shows_the_views_apart_and_what_was_done_to_pictures(finished):
    page = read_result(finished[2]).to_html()
    for text in (
        "test accuracy over views", "whitened CNN, channels 32-32-128-128-128-128", "muon at 0.18",
        "labels smoothed by 0.2", "shifted by up to 1 px", "pictures at 56%, 100%, 100%",
    ):  # fmt: skip
        assert text in page
    assert "mirrored" not in page


def test_the_score_of_the_views_is_in_the_record_beside_the_plain_one(finished):
    _, (record, *_), path = finished
    assert 0 < record.scores["test_views_accuracy"] <= 1
    assert record.scores["test_accuracy"] == record.curve[-1]["test_accuracy"]
    assert all("test_views_accuracy" not in row for row in record.curve)
    kept = json.loads((path / "runs/ours/seed-0/result.json").read_text())
    assert kept["scores"]["test_views_accuracy"] == record.scores["test_views_accuracy"]


def test_a_claim_on_views_that_were_not_looked_at_is_undecided(finished, tmp_path):
    text = TEXT.replace("views = true\n", "").replace("epochs = 4", "epochs = 1")
    (record, *_) = run(parse_study(text), tmp_path)
    assert "test_views_accuracy" not in record.scores
    assert [v.verdict for v in read_result(tmp_path).verdicts] == ["undecided"]


def test_the_same_study_has_the_same_bits_and_is_kept(finished, tmp_path):
    study, (record, *_), path = finished
    (again, *_) = run(study, tmp_path)
    assert again.scores == record.scores
    one, two = (StudyFolder(p).run("ours", 0).weights() for p in (path, tmp_path))
    assert list(one) == list(two)
    assert all(np.array_equal(w, two[name]) for name, w in one.items())
    events = execute_study(study, StudyFolder(path), Setting(device="cpu"))
    assert [e.kept for e in events if isinstance(e, RunEnded)] == [True] * 6


def test_auto_never_picks_an_engine_that_lacks_what_the_arm_asks_for():
    arm = parse_study(TEXT).arms["ours"]
    assert choose_engine(arm, load(arm.data, 0))[0] == "torch"


def test_keeping_memory_is_left_out_where_the_c_library_cannot_be_asked(monkeypatch):
    class Other:
        """A C library without glibc's mallopt."""

    threads.keep_memory.cache_clear()
    monkeypatch.setattr(threads.ctypes, "CDLL", lambda name: Other())
    threads.keep_memory()
    threads.keep_memory.cache_clear()


def test_where_a_threshold_is_refused_a_smaller_one_is_asked_for(monkeypatch):
    asked = []

    class Older:
        """An older glibc, which takes at most 32 MB."""

        @staticmethod
        def mallopt(what, value):
            asked.append((what, value))
            return int(what == -1 or value <= 1 << 25)

    threads.keep_memory.cache_clear()
    monkeypatch.setattr(threads.ctypes, "CDLL", lambda name: Older)
    threads.keep_memory()
    threads.keep_memory.cache_clear()
    assert asked == [(-3, 1 << 30), (-3, 1 << 25), (-1, (1 << 31) - 1)]

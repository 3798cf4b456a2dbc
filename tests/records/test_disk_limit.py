"""A study's disk use stays within what it may take: weights go, scores stay."""

import os

import pytest

import triptych
from triptych.errors import RunError
from triptych.records import DiskLimit, StudyFolder, disk_use, list_study
from triptych.runner import RunTold, Setting, execute_study
from triptych.spec import parse_study
from triptych.training import Notice

STUDY = """
title = "wide"
seeds = 6
[arm.wide]
engine = "numpy"
data = { source = "moons", n_samples = 40 }
network = { kind = "mlp", hidden = [5000] }
train = { epochs = 1, batch_size = 30 }
"""
# Two layers of 5000 units from two features to two classes, in float32.
WEIGHTS = 4 * (2 * 5000 + 5000 + 5000 * 2 + 2)


def test_old_weights_are_dropped_for_new_ones_and_all_scores_stay(tmp_path):
    most = 3 * WEIGHTS + 60_000
    told = []
    for event in execute_study(parse_study(STUDY), StudyFolder(tmp_path), Setting(disk=most)):
        assert disk_use(tmp_path) <= most
        if isinstance(event, RunTold) and isinstance(event.event, Notice):
            told.append(event.event.text)
    runs = list_study(tmp_path).runs
    assert [run.weights > 0 for run in runs] == [False] * 3 + [True] * 3
    assert all(run.record.scores["test_accuracy"] is not None for run in runs)
    assert len(told) == 3
    assert told[0] == "weights of wide/seed-0 were dropped to stay within 360 kB; scores are kept."


def test_a_run_that_would_not_fit_without_any_weights_is_not_begun(tmp_path):
    study = parse_study(STUDY)
    list(execute_study(study.with_seeds(1), StudyFolder(tmp_path), Setting()))
    before = list_study(tmp_path).runs
    with pytest.raises(RunError, match=r"without any weights, which leaves no room.*--disk"):
        list(execute_study(study, StudyFolder(tmp_path), Setting(disk=10_000)))
    assert list_study(tmp_path).runs[0].weights == before[0].weights
    assert len(list_study(tmp_path).runs) == 1


def test_weights_that_do_not_fit_at_all_are_left_out_and_drop_no_others(tmp_path):
    most = WEIGHTS // 2
    study = parse_study(STUDY.replace("seeds = 6", "seeds = 1"))
    events = list(execute_study(study, StudyFolder(tmp_path), Setting(disk=most)))
    (told,) = (e.event.text for e in events if isinstance(getattr(e, "event", None), Notice))
    assert told == "its weights, 100 kB, do not fit within 50 kB; scores are kept."
    assert list_study(tmp_path).runs[0].status == "finished"


def test_the_oldest_weights_go_first_and_only_as_many_as_needed(kept):
    for seed, age in ((0, 10), (1, 20)):
        for arm, more in (("narrow", 0), ("wide", 5)):
            path = kept / f"runs/{arm}/seed-{seed}/weights.safetensors"
            os.utime(path, (1e9 - age - more,) * 2)
    fits, told = DiskLimit(kept, disk_use(kept) + 100).make_room(101)
    assert fits
    assert told.startswith("weights of wide/seed-1 were dropped")
    assert [run.place for run in list_study(kept).runs if not run.weights] == ["kept/wide/seed-1"]


def test_a_study_that_has_room_keeps_all(kept):
    assert DiskLimit(kept, 10**9).make_room(10**6) == (True, "")
    assert all(run.weights for run in list_study(kept).runs)


def test_python_says_what_was_dropped_too(kept):
    study = StudyFolder(kept).read_study()
    most = disk_use(kept) - 1000
    with pytest.warns(UserWarning, match="were dropped to stay within"):
        triptych.run(study, out=kept, setting=Setting(disk=most))
    assert disk_use(kept) <= most

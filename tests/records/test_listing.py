"""Every run of a study is listed, whatever has become of it."""

import json
import math
import os
import shutil

import pytest

from triptych.errors import RunError, SpecError
from triptych.records import (
    Selection,
    StudyFolder,
    find_run,
    list_studies,
    list_study,
    main_score,
    sorted_runs,
)
from triptych.spec import parse_condition

RESULT = "runs/narrow/seed-1/result.json"


def states(folder):
    return {run.place: run.status for run in list_study(folder).runs}


def test_runs_are_listed_in_the_order_of_arms_and_seeds_with_their_sizes(kept):
    (study,) = list_studies()
    assert [run.place for run in study.runs] == [
        "kept/narrow/seed-0", "kept/narrow/seed-1", "kept/wide/seed-0", "kept/wide/seed-1",
    ]  # fmt: skip
    run = study.runs[0]
    on_disk = [path.stat().st_size for path in run.folder.path.iterdir()]
    assert run.size == sum(on_disk)
    assert run.weights == (run.folder.path / "weights.safetensors").stat().st_size
    assert study.size == sum(p.stat().st_size for p in kept.rglob("*") if p.is_file())
    assert main_score(run) == ("test_accuracy", run.record.scores["test_accuracy"])
    assert run.ended == (run.folder.path / "result.json").stat().st_mtime


DAMAGE = {
    "empty": b"",
    "torn": b'{"arm": "narrow", "se',
    "a list": b"[]",
    "not text": b"\xff\xfe",
    "deep": b"[" * 100_000,
    "no fields": b"{}",
    "an unknown field": None,
    "a seed that is text": None,
    "scores that are text": None,
    "scores that are no table": None,
    "a note that is a number": None,
    "a shape that is text": None,
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_result_is_listed_as_damaged_and_the_others_as_they_are(kept, kind):
    path = kept / RESULT
    table = json.loads(path.read_bytes())
    changes = {
        "an unknown field": {"more": 1}, "a seed that is text": {"seed": "one"},
        "scores that are text": {"scores": {"test_accuracy": "0.9"}},
        "scores that are no table": {"scores": "ab"}, "a note that is a number": {"notes": [1]},
        "a shape that is text": {"sample_shape": ["2"]},
    }  # fmt: skip
    content = DAMAGE[kind]
    path.write_bytes(json.dumps(table | changes[kind]).encode() if content is None else content)
    found = states(kept)
    assert found.pop("kept/narrow/seed-1") == "damaged"
    assert set(found.values()) == {"finished"}
    (run,) = (run for run in list_study(kept).runs if run.status == "damaged")
    assert "damaged" in run.error
    assert f"triptych runs delete {run.folder.path}" in run.error
    assert math.isnan(main_score(run)[1])


@pytest.mark.parametrize(
    "lines", [b"not json\n{}\n", b"[1]\n", b'{"step": 1}\n', b'{"epoch": 1, "test_loss": "x"}\n']
)
def test_damaged_metrics_are_damage_too(kept, lines):
    (kept / "runs/narrow/seed-1/metrics.jsonl").write_bytes(lines)
    assert states(kept)["kept/narrow/seed-1"] == "damaged"


def test_a_damaged_environment_is_damage_too(kept):
    (kept / "runs/narrow/seed-1/environment.json").write_text('{"threads": 2}')
    assert states(kept)["kept/narrow/seed-1"] == "damaged"


def test_a_run_without_a_result_is_unfinished(kept):
    (kept / RESULT).unlink()
    assert states(kept)["kept/narrow/seed-1"] == "unfinished"


def test_runs_of_settings_that_the_study_has_no_more_are_former(kept):
    text = (kept / "study.toml").read_text()
    (kept / "study.toml").write_text(text.replace("hidden = [\n    9,\n]", "hidden = [8]"))
    found = states(kept)
    assert [place for place, status in found.items() if status == "former"] == [
        "kept/wide/seed-0", "kept/wide/seed-1",
    ]  # fmt: skip
    assert found["kept/narrow/seed-0"] == "finished"


def test_a_damaged_study_file_is_told_and_its_runs_are_listed(kept):
    (kept / "study.toml").write_text("nonsense = [")
    study = list_study(kept)
    assert "damaged" in study.error
    assert {run.status for run in study.runs} == {"finished"}


def test_links_and_other_folders_are_none_of_ours(kept, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (kept / "runs/wide/seed-1").rename(elsewhere)
    (kept / "runs/wide/seed-1").symlink_to(elsewhere)
    (kept / "runs/linked").symlink_to(kept / "runs/narrow")
    (kept / "runs/wide/seed-x").mkdir()
    (kept / "runs/wide/seed-07").mkdir()
    (kept / "runs/note.txt").write_text("mine")
    assert list(states(kept)) == ["kept/narrow/seed-0", "kept/narrow/seed-1", "kept/wide/seed-0"]


def test_folders_are_studies_or_hold_studies(kept, tmp_path):
    assert [study.name for study in list_studies([kept.parent])] == ["kept"]
    assert len(list_studies([kept, kept])) == 1
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(RunError, match="nor does it hold any"):
            list_studies([folder])


def test_where_there_is_nothing_there_is_an_empty_list(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert list_studies() == []


@pytest.mark.parametrize(
    ("asked", "places"),
    [
        ({"arms": ("wide",)}, ["wide/seed-0", "wide/seed-1"]),
        ({"seeds": (1,)}, ["narrow/seed-1", "wide/seed-1"]),
        ({"arms": ("wide",), "seeds": (1,)}, ["wide/seed-1"]),
        ({"statuses": ("diverged",)}, []),
        ({"where": parse_condition("epochs = 3 and seed < 1")}, ["narrow/seed-0", "wide/seed-0"]),
        ({"where": parse_condition("parameters > 20")}, ["wide/seed-0", "wide/seed-1"]),
        ({"where": parse_condition("epochs_to(test_accuracy, 1.01) > 1000")}, "all"),
        ({"where": parse_condition("epochs_to(test_accuracy, 1.01) < 1000")}, []),
        ({"older_than": 3600.0}, ["narrow/seed-0"]),
    ],
)
def test_runs_are_selected_by_all_that_is_asked(kept, asked, places):
    old = kept / "runs/narrow/seed-0/result.json"
    os.utime(old, (old.stat().st_mtime - 7200,) * 2)
    runs = list_study(kept).runs
    found = [run.place.removeprefix("kept/") for run in runs if Selection(**asked).takes(run)]
    assert found == (
        [run.place.removeprefix("kept/") for run in runs] if places == "all" else places
    )


def test_runs_are_sorted_and_those_without_the_figure_come_last(kept):
    (kept / RESULT).write_text("{")
    runs = list_study(kept).runs
    by = [run.record.seconds if run.record else None for run in sorted_runs(runs, "-seconds")]
    assert by[:3] == sorted(by[:3], reverse=True)
    assert by[3] is None
    with pytest.raises(SpecError, match="unknown order 'scor'. Did you mean 'score'"):
        sorted_runs(runs, "scor")


def test_a_run_is_found_by_path_by_place_and_by_the_start_of_its_key(kept):
    wanted = kept / "runs/wide/seed-1"
    key = StudyFolder(kept).run("wide", 1).read().key
    for name in (str(wanted), f"{wanted}/", str(wanted.absolute()), "kept/wide/seed-1",
                 f"{kept}/wide/seed-1", key, key[:10], key[:10].upper()):  # fmt: skip
        run = find_run(name)
        assert run.folder.path.samefile(wanted)
        assert (run.arm, run.seed, run.status) == ("wide", 1, "finished")


def test_a_name_that_is_none_or_several_is_refused_with_what_is_near(kept):
    with pytest.raises(
        RunError, match=r"no run 'kept/wid/seed-1'.*Did you mean 'kept/wide/seed-1'"
    ):
        find_run("kept/wid/seed-1")
    with pytest.raises(RunError, match=r"no run 'ab': name its folder, STUDY/ARM/seed-N"):
        find_run("ab")
    shutil.copytree(kept, kept.parent / "copy")
    key = StudyFolder(kept).run("wide", 1).read().key
    with pytest.raises(
        RunError, match=f"2 runs have a key that starts with {key[:8]}: .*copy.*kept"
    ):
        find_run(key[:8])


def test_a_run_outside_of_a_study_is_read_by_its_record(kept, tmp_path):
    (kept / "runs/wide/seed-1").rename(tmp_path / "mine")
    run = find_run("mine")
    assert (run.arm, run.seed, run.status) == ("wide", 1, "finished")

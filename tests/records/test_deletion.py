"""Deleting takes what a run is known to have, and nothing else, ever."""

import shutil
from pathlib import Path

import pytest

from triptych.errors import RunError
from triptych.records import StudyFolder, delete_runs, find_run, list_study


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_deleted_run_is_gone_and_all_else_is_as_it_was(kept):
    before = everything(kept)
    size = find_run("kept/wide/seed-1").size
    (done,) = delete_runs([find_run("kept/wide/seed-1")])
    assert (done.freed, done.why_not) == (size, "")
    left = [name for name in before if not name.startswith("runs/wide/seed-1")]
    assert everything(kept) == left
    assert len(StudyFolder(kept).read().runs) == 3


def test_an_arm_that_has_no_run_left_has_no_folder_left(kept):
    delete_runs([find_run(f"kept/wide/seed-{seed}") for seed in range(2)])
    assert not (kept / "runs/wide").exists()
    assert (kept / "runs/narrow").exists()


def test_damaged_and_unfinished_runs_can_be_deleted(kept):
    (kept / "runs/wide/seed-0/result.json").write_text("{")
    (kept / "runs/wide/seed-1/result.json").unlink()
    (kept / "runs/wide/seed-1/weights.safetensors.partial").write_text("half")
    runs = [run for run in list_study(kept).runs if run.arm == "wide"]
    assert all(not done.why_not for done in delete_runs(runs))
    assert not (kept / "runs/wide").exists()


def test_files_of_somebody_else_stay_and_that_is_said(kept):
    mine = kept / "runs/wide/seed-1/notes.txt"
    mine.write_text("my notes")
    (done,) = delete_runs([find_run("kept/wide/seed-1")])
    assert "notes.txt" in done.why_not
    assert [path.name for path in mine.parent.iterdir()] == ["notes.txt"]


def test_a_study_that_is_running_is_not_touched_and_others_are(kept):
    other = shutil.copytree(kept, kept.parent / "other")
    before = everything(kept)
    with StudyFolder(kept).lock():
        done = delete_runs([find_run("kept/wide/seed-1"), find_run("other/wide/seed-1")])
    assert [(d.run.study, "in use by pid" in d.why_not) for d in done] == [
        ("kept", True), ("other", False),
    ]  # fmt: skip
    assert set(before) <= set(everything(kept))
    assert not (other / "runs/wide/seed-1").exists()


@pytest.mark.parametrize("level", ["run", "arm", "runs"])
def test_nothing_is_deleted_through_a_link(kept, tmp_path, level):
    path = {"run": kept / "runs/wide/seed-1", "arm": kept / "runs/wide", "runs": kept / "runs"}[
        level
    ]
    entry = find_run("kept/wide/seed-1")
    target = tmp_path / "target"
    path.rename(target)
    path.symlink_to(target)
    before = everything(target)
    (done,) = delete_runs([entry])
    assert done.why_not == "it is not a run's folder in a study's"
    assert everything(target) == before


def test_a_linked_file_goes_and_what_it_leads_to_stays(kept, tmp_path):
    weights = kept / "runs/wide/seed-1/weights.safetensors"
    weights.rename(tmp_path / "precious")
    weights.symlink_to(tmp_path / "precious")
    (done,) = delete_runs([find_run("kept/wide/seed-1")])
    assert not done.why_not
    assert (tmp_path / "precious").stat().st_size > 100


@pytest.mark.parametrize("name", ["seed-1", "seed-x", "wide"])
def test_a_folder_that_is_in_no_study_is_never_touched(kept, tmp_path, name):
    shutil.copytree(kept / "runs/wide/seed-1", tmp_path / "a/b" / name)
    run = find_run(str(tmp_path / "a/b" / name))
    (done,) = delete_runs([run])
    assert done.why_not == "it is not a run's folder in a study's"
    assert len(list((tmp_path / "a/b" / name).iterdir())) == 5


def test_a_run_whose_deletion_is_cut_short_is_unfinished(kept, monkeypatch):
    real, count = Path.unlink, []

    def fails_later(self, missing_ok=False):
        count.append(self)
        if len(count) == 3:
            raise PermissionError(13, "Permission denied")
        real(self, missing_ok=missing_ok)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "unlink", fails_later)
        with pytest.raises(RunError, match="cannot delete .*Permission denied"):
            delete_runs([find_run("kept/wide/seed-1")])
    assert list_study(kept).runs[-1].status == "unfinished"
    assert not delete_runs([list_study(kept).runs[-1]])[0].why_not

"""An MLflow store, read back by MLflow's own client."""

from dataclasses import replace
from pathlib import Path

import pytest

from conftest import made_up_run
from triptych.errors import RunError
from triptych.records import StudyRecord
from triptych.runner import read_result
from triptych.tracking import export_mlflow, mlflow_store
from triptych.verdicts import judge

pytest.importorskip("mlflow")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m\u202e=cmd()"


def client_of(folder):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")


def runs_in(folder, title="kept"):
    client = client_of(folder)
    experiment = client.get_experiment_by_name(title)
    found = client.search_runs([experiment.experiment_id], max_results=100)
    by_name = {run.info.run_name: run for run in found}
    assert len(by_name) == len(found)
    return client, by_name


def export(path, folder):
    result = read_result(path)
    done = export_mlflow(result.record, result.verdicts, str(folder), result.write_page())
    return result, done


def test_a_store_has_every_run_below_its_study(kept, store, tmp_path):
    result, done = export(kept, store)
    assert (done.added, done.kept) == (4, 0)
    client, runs = runs_in(store)
    study = runs.pop("kept")
    assert len(runs) == 4
    (verdict,) = result.verdicts
    assert study.data.tags["claim.1"] == f"{verdict.verdict}: Width helps."
    assert "Of 1 claim" in study.data.tags["mlflow.note.content"]
    assert [file.path for file in client.list_artifacts(study.info.run_id)] == ["report.html"]
    page = client.download_artifacts(study.info.run_id, "report.html", str(tmp_path))
    assert Path(page).read_bytes() == (kept / "report.html").read_bytes()
    for record in result.record.runs:
        run = runs[f"{record.arm}, seed {record.seed}"]
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == study.info.run_id
        hidden = {"narrow": "[3]", "wide": "[9]"}[record.arm]
        assert run.data.params["network.hidden"] == hidden
        assert run.data.params["train.batch_size"] == "8"
        assert run.data.tags["triptych.fingerprint"] == record.fingerprint
        history = client.get_metric_history(run.info.run_id, "test_loss")
        told = sorted((point.step, point.value) for point in history)
        assert told == [(row["step"], pytest.approx(row["test_loss"])) for row in record.curve]
        final = run.data.metrics["final_test_accuracy"]
        assert final == pytest.approx(record.scores["test_accuracy"])


def test_exporting_again_adds_only_what_is_new(kept, store):
    export(kept, store)
    _, again = export(kept, store)
    assert (again.added, again.kept) == (0, 4)
    client, runs = runs_in(store)
    assert len(runs) == 5
    history = client.get_metric_history(runs["wide, seed 0"].info.run_id, "test_loss")
    assert len(history) == len({point.step for point in history}) == 3


def test_an_export_that_was_cut_short_is_made_whole(kept, store, monkeypatch):
    batches = mlflow_store._batches

    def ends(items, size):
        if any(getattr(item, "key", "") == "test_loss" for item in items):
            raise KeyboardInterrupt
        return batches(items, size)

    monkeypatch.setattr(mlflow_store, "_batches", ends)
    with pytest.raises(KeyboardInterrupt):
        export(kept, store)
    monkeypatch.undo()
    monkeypatch.chdir(store.parent)
    _, done = export(kept, store)
    assert done.added == 4
    _, runs = runs_in(store)
    assert len(runs) == 5
    assert "test_loss" in runs["narrow, seed 0"].data.metrics


def test_nobody_is_told_that_mlflow_is_used(kept, store, monkeypatch):
    told = []
    monkeypatch.setattr("socket.socket.connect", lambda *_: told.append(1))
    export(kept, store)
    assert told == []


@pytest.mark.fault(39)
def test_lost_runs_and_hostile_names(kept, store):
    result = read_result(kept)
    study = replace(result.record.study, title=HOSTILE)
    lost = {"status": "diverged", "error": "step 3: loss NaN", "scores": {"test_loss": None}}
    runs = (
        made_up_run(study, "narrow", 0, key="1", data=HOSTILE),
        made_up_run(study, "wide", 0, key="2", **lost),
    )
    record = StudyRecord(study, runs, kept)
    export_mlflow(record, judge(record), str(store), kept / "report.html")
    _, there = runs_in(store, "<img src=x onerror=alert(1)>␛[31m�=cmd()")
    assert there["wide, seed 0"].info.status == "FAILED"
    assert there["wide, seed 0"].data.tags["triptych.error"] == "step 3: loss NaN"
    for run in there.values():
        for text in (*run.data.params.values(), *run.data.tags.values()):
            assert "\x1b" not in text
            assert "\u202e" not in text


def test_a_store_that_cannot_be_used_is_an_error_of_one_line(kept, tmp_path):
    result = read_result(kept)
    (tmp_path / "file").write_text("mine")
    for where in (str(tmp_path / "file"), "nosuch://store", "sqlite:////dev/null/store.db"):
        with pytest.raises(RunError) as told:
            export_mlflow(result.record, result.verdicts, where, kept / "report.html")
        assert "\n" not in str(told.value)

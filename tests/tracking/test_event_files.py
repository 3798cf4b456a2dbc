"""Event files, read back by TensorBoard's own reader."""

from dataclasses import replace
from pathlib import Path

import pytest

from conftest import made_up_run
from triptych.errors import RunError
from triptych.records import StudyFolder, StudyRecord
from triptych.runner import RunEnded, Setting, execute_study, read_result
from triptych.spec import parse_study
from triptych.tracking import LiveEvents, export_tensorboard
from triptych.tracking.event_files import FILE
from triptych.verdicts import judge

event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m\u202e|=cmd()"


def read(folder):
    found = event_accumulator.EventAccumulator(str(folder), {"scalars": 0, "tensors": 0})
    return found.Reload()


def text(events, tag):
    (one,) = events.Tensors(f"{tag}/text_summary")
    return one.tensor_proto.string_val[0].decode()


@pytest.fixture
def exported(kept, tmp_path):
    result = read_result(kept)
    folder = tmp_path / "events"
    written = export_tensorboard(result.record, result.verdicts, folder)
    return result, folder, written


def test_every_evaluation_is_there_by_its_step(exported):
    result, folder, written = exported
    assert len(written) == 5
    for run in result.record.runs:
        events = read(folder / run.arm / f"seed-{run.seed}")
        for name, tag in (
            ("train_loss", "loss/train"), ("test_loss", "loss/test"),
            ("test_accuracy", "accuracy/test"), ("lr", "lr"), ("epoch", "epoch"),
        ):  # fmt: skip
            points = events.Scalars(tag)
            assert [point.step for point in points] == [row["step"] for row in run.curve]
            assert [point.value for point in points] == pytest.approx(
                [row[name] for row in run.curve], rel=1e-6
            )
        times = [point.wall_time for point in events.Scalars("loss/test")]
        assert times == sorted(times)
        (final,) = events.Scalars("final/test_accuracy")
        assert final.value == pytest.approx(run.scores["test_accuracy"], rel=1e-6)


def test_settings_are_hyperparameters_and_claims_are_texts(exported):
    from tensorboard.plugins.hparams import metadata

    result, folder, _ = exported
    events = read(folder / "wide" / "seed-1")
    plugin = events.PluginTagToContent("hparams")
    start = metadata.parse_session_start_info_plugin_data(plugin[metadata.SESSION_START_INFO_TAG])
    assert start.hparams["network.hidden"].string_value == "[9]"
    assert start.hparams["train.epochs"].number_value == 3
    assert start.hparams["seed"].number_value == 1
    end = metadata.parse_session_end_info_plugin_data(plugin[metadata.SESSION_END_INFO_TAG])
    assert end.status == 1  # success
    whole = read(folder)
    listed = metadata.parse_experiment_plugin_data(
        whole.PluginTagToContent("hparams")[metadata.EXPERIMENT_TAG]
    )
    assert {"arm", "seed", "network.hidden"} < {one.name for one in listed.hparam_infos}
    assert "train.epochs" not in {one.name for one in listed.hparam_infos}  # the same of all
    assert "final/test_accuracy" in {one.name.tag for one in listed.metric_infos}
    (verdict,) = result.verdicts
    assert f"{verdict.verdict}: Width helps." in text(whole, "claims/1")
    assert "kept" in text(whole, "study")
    assert "python" in text(events, "run")


def test_exporting_again_doubles_nothing(exported):
    result, folder, written = exported
    before = {path: path.read_bytes() for path in written}
    again = export_tensorboard(result.record, result.verdicts, folder)
    assert {path: path.read_bytes() for path in again} == before
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sorted(files) == sorted(written)
    assert all(path.name == FILE for path in files)


def test_what_is_not_finite_is_left_out_and_a_lost_run_says_why(tmp_path):
    study = parse_study(STUDY)
    curve = made_up_run(study, "a", 0).curve
    curve = ({**curve[0], "test_loss": None}, {**curve[1], "test_loss": float("nan")}, *curve[2:])
    lost = {"status": "diverged", "error": "step 3: loss NaN", "scores": {}, "curve": curve}
    record = StudyRecord(study, (made_up_run(study, "a", 0, **lost),), tmp_path / "none")
    export_tensorboard(record, (), tmp_path / "events")
    events = read(tmp_path / "events" / "a" / "seed-0")
    assert len(events.Scalars("loss/test")) == len(curve) - 2
    assert len(events.Scalars("loss/train")) == len(curve)
    assert "step 3: loss NaN" in text(events, "run")


STUDY = """
title = "t"
seeds = 1
[data]
source = "moons"
[arm.a]
network = { kind = "mlp", hidden = [3] }
train = { epochs = 2 }
[[claim]]
says = "c"
test = "a.test_accuracy > 0.5"
"""


@pytest.mark.fault(39)
def test_hostile_names_are_texts_that_nothing_obeys(tmp_path):
    study = parse_study(STUDY)
    claim = replace(study.claims[0], says=HOSTILE)
    study = replace(study, title=HOSTILE, claims=(claim,))
    run = made_up_run(study, "a", 0, data=HOSTILE, notes=(HOSTILE,), engine=HOSTILE)
    record = StudyRecord(study, (run,), tmp_path / "none")
    files = export_tensorboard(record, judge(record), tmp_path / "events")
    events, whole = read(tmp_path / "events" / "a" / "seed-0"), read(tmp_path / "events")
    shown = [text(events, "run"), text(whole, "study"), text(whole, "claims/1")]
    for one in shown:
        assert "<img" not in one
        assert "\x1b" not in one
        assert "\u202e" not in one
        assert "onerror=alert&#40;1&#41;&gt;␛" in one
    assert not any(b"\x1b[31m" in path.read_bytes() for path in files)


def test_a_folder_that_cannot_be_used_is_an_error(kept, tmp_path):
    (tmp_path / "file").write_text("mine")
    result = read_result(kept)
    with pytest.raises(RunError, match="it is a file"):
        export_tensorboard(result.record, result.verdicts, tmp_path / "file")
    assert Path(tmp_path / "file").read_text() == "mine"


def test_a_study_can_be_followed_while_it_runs(tmp_path):
    study = parse_study(STUDY.replace("epochs = 2", "epochs = 6").replace("seeds = 1", "seeds = 2"))
    live, seen = LiveEvents(tmp_path / "events"), []
    events = execute_study(study, StudyFolder(tmp_path / "study"), Setting(device="cpu"))
    place = tmp_path / "events" / "a" / "seed-0"
    for event in live.follow(events):
        if isinstance(event, RunEnded) and event.record.seed == 0:
            seen = read(place).Scalars("loss/test")
    result = read_result(tmp_path / "study")
    curve = result.record.runs[0].curve
    assert [point.step for point in seen] == [row["step"] for row in curve]
    # The same file is written whole at the end.
    export_tensorboard(result.record, result.verdicts, tmp_path / "events")
    after = read(place)
    assert [point.step for point in after.Scalars("loss/test")] == [row["step"] for row in curve]
    assert after.Scalars("final/test_loss")

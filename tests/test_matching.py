"""Arms are matched to others before anything is trained, and a later call has the same numbers."""

import json
from dataclasses import replace

import pytest

from triptych.errors import RunError, SpecError
from triptych.live import Watcher
from triptych.records import StudyFolder
from triptych.runner import (
    ArmsMatched,
    RunEnded,
    RunStarted,
    Setting,
    execute_study,
    pace,
    read_result,
)
from triptych.spec import ClaimSpec, GrowthSpec, MatchSpec, parse_study, spec_id, write_study

TEXT = """
title = "as large, as long"
seeds = 2
[data]
source = "digits"
train_limit = 60
test_limit = 20
[arm.mlp]
label = "The MLP"
engine = "numpy"
network = { kind = "mlp", hidden = [100, 50] }
train = { epochs = 2, batch_size = 10 }
match = { arm = "cnn", on = "parameters" }
[arm.cnn]
engine = "numpy"
network = { kind = "cnn", channels = [8, 16], pool_after = [1] }
train = { epochs = 3, batch_size = 10 }
[arm.long]
engine = "compiled"
network = { kind = "mlp", hidden = [9] }
train = { epochs = 2, batch_size = 10 }
match = { arm = "mlp", on = "seconds" }
"""
TIMED = TEXT.replace('arm = "mlp", on = "seconds"', 'arm = "cnn", on = "flops"')


@pytest.fixture
def made_up_pace(monkeypatch):
    """Let each step of a trial take a made-up time, and note which trials were made."""
    made = []

    def made_up(job, events, limit):
        made.append(len(job.learner.weights()))
        return 0.01 if "head.bias" in job.learner.weights() else 0.0013

    monkeypatch.setattr(pace, "_seconds_a_step", made_up)
    return made


def run(study, path):
    return list(execute_study(study, StudyFolder(path), Setting()))


def test_a_matched_arm_is_run_recorded_and_shown_as_what_it_was_given(tmp_path):
    study = parse_study(TIMED)
    events = run(study, tmp_path)
    told = events[0]
    assert isinstance(told, ArmsMatched)
    assert told.notes[0] == (
        "mlp matched to cnn on parameters: 1,441 against 1,466, hidden 100-50 → 18-9."
    )
    record = read_result(tmp_path).record
    assert record.study == told.study
    assert record.study.arms["mlp"].network.hidden == (18, 9)
    assert record.study.arms["mlp"].label == "The MLP"
    assert [run.parameters for run in record.of("mlp")] == [1441, 1441]
    # As a study with these sizes written in it would be recorded.
    written = parse_study(TIMED.replace("[100, 50]", "[18, 9]").replace(
        'match = { arm = "cnn", on = "parameters" }', ""))  # fmt: skip
    assert record.of("mlp")[0].spec == spec_id(written.arms["mlp"])
    page = read_result(tmp_path).to_html()
    assert told.notes[0] in page
    assert "MLP, hidden 18-9" in page
    cnn, long = (record.of(name)[0].flops for name in ("cnn", "long"))
    assert f"long matched to cnn on FLOPs: {long:,} against {cnn:,}, hidden 9 → " in page
    # What was asked for is what is kept.
    assert parse_study((tmp_path / "study.toml").read_text("utf-8")) == study
    again = [e for e in run(study, tmp_path) if isinstance(e, RunEnded)]
    assert len(again) == 6
    assert all(e.kept for e in again)


def test_a_count_that_no_factor_comes_near_is_told_with_its_distance(tmp_path):
    text = TIMED.replace("hidden = [100, 50]", "hidden = [1]")
    note = run(parse_study(text).with_seeds(1), tmp_path)[0].notes[0]
    # 75 parameters a unit, and the bias of each class.
    assert "1,435 against 1,466, hidden 1 → 19; 2.1 % off, as near as one factor comes." in note


def test_epochs_for_the_same_seconds_are_measured_once(tmp_path, made_up_pace):
    study = parse_study(TEXT.replace('arm = "mlp", on = "seconds"', 'arm = "cnn", on = "seconds"'))
    events = run(study, tmp_path)
    # 3 epochs of 6 steps of 10 ms, for epochs of 6 steps of 1.3 ms; each with a warm-up.
    assert len(made_up_pace) == 4
    record = read_result(tmp_path).record
    assert record.study.arms["long"].train.epochs == 23
    assert {run.epochs for run in record.of("long")} == {23}
    note = record.notes[1]
    assert "long matched to cnn on seconds: about 0.179 s against 0.180 s, epochs 2 → 23" in note
    assert "measured on this machine (" in note
    assert note in read_result(tmp_path).to_html()
    # Each is timed alone, though its engine could train all seeds at the same time.
    started = [(e.arm, e.seeds) for e in events if isinstance(e, RunStarted)]
    assert ("long", (0,)) in started
    # Another pace later, another number of seeds: nothing is measured again.
    kept = [e.kept for e in run(study.with_seeds(3), tmp_path) if isinstance(e, RunEnded)]
    assert len(made_up_pace) == 4
    assert kept.count(True) == 6
    assert read_result(tmp_path).record.study.arms["long"].train.epochs == 23
    assert parse_study((tmp_path / "study.toml").read_text("utf-8")) == study.with_seeds(3)


def test_what_is_matched_to_a_changed_arm_is_measured_again(tmp_path, made_up_pace):
    text = TEXT.replace('arm = "mlp", on = "seconds"', 'arm = "cnn", on = "seconds"')
    run(parse_study(text).with_seeds(1), tmp_path)
    run(parse_study(text.replace("epochs = 3", "epochs = 6")).with_seeds(1), tmp_path)
    record = read_result(tmp_path).record
    assert record.study.arms["long"].train.epochs == 46
    assert [run.epochs for run in record.of("long")] == [46]


def test_seconds_come_from_finished_runs_where_there_are_any(tmp_path, made_up_pace):
    text = TEXT.replace('arm = "mlp", on = "seconds"', 'arm = "cnn", on = "seconds"')
    alone = parse_study(text)
    arms = {name: replace(arm, match=None) for name, arm in alone.arms.items() if name != "mlp"}
    claim = ClaimSpec(says="It is fast.", tests=("long.seconds < 99",))  # so that each run is timed
    run(replace(alone, arms=arms, claims=(claim,)), tmp_path)
    run(replace(alone, seeds=1), tmp_path)
    assert not made_up_pace
    record = read_result(tmp_path).record
    assert "by runs made before" in record.notes[1]


def test_a_trial_of_the_real_thing_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(pace, "_WARM_UP", 0.02)
    monkeypatch.setattr(pace, "_TRIAL", 0.1)
    trial = pace.Pace(StudyFolder(tmp_path), range(1), Setting())
    arms = parse_study(TEXT).arms
    seconds, how = trial.seconds("arm.x.match", "mlp", replace(arms["mlp"], match=None))
    an_epoch, _ = trial.seconds_an_epoch("arm.x.match", "mlp", arms["mlp"])
    assert how == "short trials"
    # A busy machine makes them differ, but not by orders of size.
    assert 0.2 < seconds / (2 * an_epoch) < 5
    growing = parse_study(TEXT.replace("batch_size = 10 }\n[arm.long]", (
        "batch_size = 10, recipe = 'fast' }\n[arm.long]")).replace(
        '[arm.cnn]\nengine = "numpy"', '[arm.cnn]\nengine = "torch"')).arms["cnn"]  # fmt: skip
    assert trial.seconds_an_epoch("arm.x.match", "cnn", growing)[0] > 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('arm = "cnn"', 'arm = "cmn"', "arm.mlp.match.arm: unknown arm 'cmn'. Did you mean 'cnn'?"),
        ('arm = "cnn"', 'arm = "mlp"', "arm.mlp.match: an arm cannot be matched to itself."),
        ('arm = "cnn"', 'arm = "long"', "'mlp' to 'long' to 'mlp' is a circle"),
        ("hidden = [100, 50]", "hidden = []", "'mlp' has no hidden layer to scale"),
        ('"parameters"', '"parameter"', "match.on: unknown value 'parameter'. Did you mean"),
        ('arm = "cnn", ', "", "arm.mlp.match: the key 'arm' is missing"),
    ],
)  # fmt: skip
def test_what_cannot_be_matched_is_refused_by_the_study_file(old, new, words):
    with pytest.raises(SpecError) as raised:
        parse_study(TEXT.replace(old, new, 1))
    assert words in str(raised.value)


def test_sizes_that_cannot_be_reached_are_refused_before_anything_is_written(tmp_path):
    small = TIMED.replace("channels = [8, 16]", "channels = [1]")
    with pytest.raises(SpecError, match="arm.mlp.match: the nearest it comes to the 32 parameters"):
        run(parse_study(small), tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_seconds_that_are_not_known_beforehand_are_refused(tmp_path, made_up_pace):
    study = parse_study(TEXT.replace('arm = "mlp", on = "seconds"', 'arm = "cnn", on = "seconds"'))
    cnn = study.arms["cnn"]
    patient = replace(cnn, train=replace(cnn.train, patience=2, validation=0.2))
    with pytest.raises(SpecError, match="'patience' may end 'cnn' at any epoch"):
        run(replace(study, arms={**study.arms, "cnn": patient}), tmp_path / "s")
    short = replace(cnn, train=replace(cnn.train, epochs=1))
    slow = replace(study.arms["long"], train=replace(study.arms["long"].train, batch_size=1))
    # 60 steps an epoch against 6; of a pace that is made up.
    with pytest.raises(SpecError, match="one epoch takes 0.0780 s, longer than the 0.0600 s"):
        run(replace(study, arms={"cnn": short, "long": slow}), tmp_path / "s")
    text = """
    title = "t"
    [data]
    source = "palindromes"
    [arm.a]
    engine = "numpy"
    network = { kind = "rnn", hidden = 4 }
    train = { epochs = 1, batch_size = 20 }
    [arm.b]
    engine = "numpy"
    network = { kind = "rnn", hidden = 4 }
    train = { epochs = 1, batch_size = 20, growth = { stages = 2 } }
    match = { arm = "a", on = "seconds" }
    """
    study = parse_study(text)
    assert study.arms["b"].train.growth == GrowthSpec(stages=2)
    with pytest.raises(SpecError, match="the sequences of 'b' grow while it learns"):
        run(study, tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_a_run_that_patience_ended_says_how_long_it_takes(tmp_path, made_up_pace):
    study = parse_study(TEXT.replace('arm = "mlp", on = "seconds"', 'arm = "cnn", on = "seconds"'))
    mlp = replace(study.arms["long"], match=None)
    patient = replace(mlp, train=replace(mlp.train, epochs=90, patience=1, validation=0.3))
    alone = replace(study, arms={"cnn": patient})
    run(alone, tmp_path)
    mean = sum(r.epochs for r in read_result(tmp_path).record.runs) / 2
    events = run(replace(study, arms={"cnn": patient, "long": study.arms["long"]}), tmp_path)
    # Its seeds were trained together, so their seconds are shares, but epochs are epochs.
    note = events[0].notes[0]
    assert "by short trials and the epochs of runs made before" in note
    steps = 5 * 0.0013  # of 10 of 42 rows
    assert events[0].study.arms["long"].train.epochs == int(mean * steps / (6 * 0.0013))


def test_a_name_that_no_folder_can_have_is_refused_as_ever(tmp_path, made_up_pace):
    for name in ("x" * 300, "a\nb"):
        with pytest.raises(RunError, match="cannot use"):
            run(parse_study(TEXT), tmp_path / name)


def test_a_trial_that_diverges_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(pace, "_seconds_a_step", lambda *_: None)
    study = parse_study(TEXT)
    with pytest.raises(SpecError, match="a short trial of 'mlp' diverged"):
        run(study, tmp_path / "s")


def test_a_damaged_file_of_matches_is_an_error_of_one_line(tmp_path):
    study = parse_study(TIMED).with_seeds(1)
    run(study, tmp_path)
    file = tmp_path / "matched.json"
    whole = json.loads(file.read_text())
    for wrong in ('{"mlp": 3}', "{", json.dumps({**whole, "mlp": {**whole["mlp"], "arm": {}}})):
        file.write_text(wrong)
        with pytest.raises(RunError, match="matched.json"):
            read_result(tmp_path)
    # A folder whose matches are gone has no run of what was asked for.
    file.unlink()
    assert {run.arm for run in read_result(tmp_path).record.runs} == {"cnn"}


def test_a_match_is_written_and_read_back_and_is_no_part_of_an_arm_without_one():
    study = parse_study(TEXT)
    assert study.arms["long"].match == MatchSpec(arm="mlp", on="seconds")
    assert parse_study(write_study(study)) == study
    arm = study.arms["mlp"]
    assert spec_id(arm) != spec_id(replace(arm, match=None))
    # Runs that were made before arms could be matched are still those of their arms.
    assert "match" not in write_study(replace(study, arms={"cnn": study.arms["cnn"]}))


def test_the_terminal_says_what_was_matched(tmp_path):
    from io import StringIO

    from rich.console import Console

    out = StringIO()
    study = parse_study(TIMED).with_seeds(1)
    Watcher(study, Console(file=out, width=200)).watch(
        execute_study(study, StudyFolder(tmp_path), Setting())
    )
    assert "note: mlp matched to cnn on parameters: 1,441 against 1,466" in out.getvalue()

"""A study on seeds from another one than 0: all that counts seeds follows."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

import triptych
from conftest import made_up_run
from triptych import cli
from triptych.errors import SpecError
from triptych.live.board import seeds_table
from triptych.live.state import State
from triptych.records import StudyFolder, list_study
from triptych.runner import (
    ClaimDecided,
    RunEnded,
    RunStarted,
    SeedsEnded,
    Setting,
    estimates,
    execute_study,
    inputs,
    read_result,
)
from triptych.runner.estimates import estimate_study
from triptych.runner.trials import Trial
from triptych.spec import parse_study, write_study
from triptych.studies import find_study

TEXT = """
title = "from five"
seeds = 3
first_seed = 5
[data]
source = "moons"
n_samples = 40
[arm.a]
engine = "numpy"
network = { kind = "mlp", hidden = [3] }
train = { epochs = 2, batch_size = 8 }
[arm.b]
engine = "numpy"
network = { kind = "mlp", hidden = [4] }
train = { epochs = 2, batch_size = 8 }
[[claim]]
says = "A tells something."
test = "a.train_loss > 0.01"
[[claim]]
says = "They are equal, exactly."
test = "a.train_loss = b.train_loss within 0.0001"
"""
AUTO = TEXT.replace("seeds = 3", 'seeds = "auto"\nmax_seeds = 8')
SHIPPED = ("small_pictures", "tables", "home_and_away")


@pytest.fixture
def study():
    return parse_study(TEXT)


def run(study, path, jobs=1):
    return list(execute_study(study, StudyFolder(path), Setting(device="cpu"), jobs))


def ended(events):
    return [(e.record.arm, e.record.seed, e.kept) for e in events if isinstance(e, RunEnded)]


def weights(path):
    return {
        file.parent.relative_to(path).as_posix(): file.read_bytes()
        for file in path.rglob("weights.safetensors")
    }


def explained(path):
    return sorted(file.parent.name for file in path.rglob("findings.json"))


def test_a_study_file_reads_back_with_its_first_seed(study):
    assert (study.first_seed, list(study.all_seeds)) == (5, [5, 6, 7])
    assert parse_study(write_study(study)) == study
    assert list(parse_study(AUTO).all_seeds) == list(range(5, 13))


def test_a_study_from_0_is_written_as_it_was_before_there_was_this_key(study):
    from_0 = write_study(replace(study, first_seed=0))
    assert "first_seed" not in from_0
    assert from_0 == write_study(study).replace("first_seed = 5\n", "")
    assert parse_study(from_0).first_seed == 0


def test_a_scale_may_have_seeds_of_its_own():
    text = TEXT + "[scale.quick]\nseeds = 2\n[scale.full]\nfirst_seed = 70\n"
    assert list(parse_study(text, "quick").all_seeds) == [5, 6]
    assert list(parse_study(text, "full").all_seeds) == [70, 71, 72]


def test_seeds_may_be_asked_for_from_another_one_on(study):
    assert study.with_seeds(None).first_seed == 5
    assert list(study.with_seeds(2, first_seed=9).all_seeds) == [9, 10]
    assert study.with_seeds(None, first_seed=0).first_seed == 0


@pytest.mark.parametrize("value", ["-1", "1_000_000_000", "2.5", "true", '"5"'])
def test_what_cannot_be_a_first_seed_is_refused(value):
    with pytest.raises(SpecError, match="first_seed"):
        parse_study(TEXT.replace("first_seed = 5", f"first_seed = {value}"))


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("scale", ["quick", "full"])
def test_studies_that_were_tuned_on_seeds_from_0_are_judged_on_others(name, scale):
    study = find_study(name, scale)
    assert study.all_seeds[0] == 1000


@pytest.fixture(scope="module")
def fixed(tmp_path_factory):
    path = tmp_path_factory.mktemp("fixed")
    return path, run(parse_study(TEXT), path)


def test_a_fixed_number_of_seeds_is_counted_from_the_first(fixed):
    path, events = fixed
    assert ended(events) == [(arm, seed, False) for seed in (5, 6, 7) for arm in "ab"]
    result = read_result(path)
    assert [(r.arm, r.seed) for r in result.record.runs] == [
        (a, s) for a in "ab" for s in (5, 6, 7)
    ]
    # In pairs: the same rows for both arms of a seed.
    for one, other in zip(result.record.of("a"), result.record.of("b"), strict=True):
        assert one.fingerprint == other.fingerprint
    assert [outcome.seeds for v in result.verdicts for outcome in v.outcomes] == [3, 3]
    html = result.to_html()
    assert "6 runs on 3 seeds (5 to 7), " in html
    assert "missing" not in html


def test_each_run_is_that_of_its_seed_in_a_study_from_0(fixed, study, tmp_path):
    run(replace(study, first_seed=0, seeds=7), tmp_path)
    here, there = weights(fixed[0]), weights(tmp_path)
    for place in ("runs/a/seed-5", "runs/b/seed-6"):
        assert here[place] == there[place]


def test_the_first_seed_is_the_one_that_is_explained(fixed):
    path, _ = fixed
    assert explained(path) == ["seed-5", "seed-5"]
    assert "Of the first seed." in read_result(path).to_html()


def test_a_second_call_keeps_all(fixed, study):
    path, _ = fixed
    assert ended(run(study, path)) == [(a, s, True) for s in (5, 6, 7) for a in "ab"]


def test_two_jobs_make_the_same_runs_on_the_same_seeds(fixed, study, tmp_path):
    run(study, tmp_path, jobs=2)
    assert weights(tmp_path) == weights(fixed[0])
    assert explained(tmp_path) == ["seed-5", "seed-5"]


def test_auto_adds_seeds_from_the_first_on_and_a_study_that_was_cut_short_goes_on(tmp_path):
    study = parse_study(AUTO)
    events = execute_study(study, StudyFolder(tmp_path), Setting(device="cpu"))
    for event in events:
        if isinstance(event, RunStarted) and event.seeds == (8,):
            break
    events.close()
    before = [(arm, seed) for seed in (5, 6, 7) for arm in "ab"]
    assert "Open after 3 seeds: the study was stopped" in read_result(tmp_path).to_html()
    events = run(study, tmp_path)
    assert [(a, s) for a, s, kept in ended(events) if kept] == before
    assert [(a, s) for a, s, _ in ended(events)] == [(a, s) for s in range(5, 13) for a in "ab"]
    (decided,) = (e for e in events if isinstance(e, ClaimDecided))
    assert (decided.number, decided.verdict.verdict) == (1, "holds")
    assert events[-1] == SeedsEnded(
        "max_seeds", "8 seeds, the most that this study takes; 1 claim still open"
    )
    result = read_result(tmp_path)
    assert [v.seeds for v in result.verdicts] == [decided.verdict.seeds, 8]
    assert "16 runs on 8 seeds (5 to 12), " in result.to_html()


def test_seeds_that_train_together_are_those_of_the_study(study, tmp_path):
    arms = {
        name: replace(arm, engine="compiled", train=replace(arm.trained[1], batch_size=1))
        for name, arm in study.arms.items()
    }
    events = run(replace(study, arms=arms), tmp_path)
    assert [e.seeds for e in events if isinstance(e, RunStarted)] == [(5, 6, 7)] * 2
    assert explained(tmp_path) == ["seed-5", "seed-5"]


def test_runs_of_other_seeds_stay_and_are_none_of_the_studys(study, tmp_path):
    run(study, tmp_path)
    events = run(replace(study, first_seed=7), tmp_path)
    assert [(a, s) for a, s, kept in ended(events) if kept] == [("a", 7), ("b", 7)]
    result = read_result(tmp_path)
    assert [run.seed for run in result.record.of("a")] == [7, 8, 9]
    assert {(r.seed, r.status) for r in list_study(tmp_path).runs} == {
        (5, "former"), (6, "former"), (7, "finished"), (8, "finished"), (9, "finished"),
    }  # fmt: skip
    # What explains seed 5 is not told as if it were of this study's first seed.
    assert "Of the first seed." not in result.to_html()
    # Back again: they are the study's once more, and nothing is trained.
    assert all(kept for _, _, kept in ended(run(study, tmp_path)))
    assert "Of the first seed." in read_result(tmp_path).to_html()


@pytest.fixture
def loaded(monkeypatch):
    """Return the seeds that data are loaded for."""
    seeds, load = set(), inputs.load

    def watched(data, seed, *rest):
        seeds.add(seed)
        return load(data, seed, *rest)

    monkeypatch.setattr(inputs, "load", watched)
    return seeds


def test_no_other_seed_is_looked_at(study, tmp_path, loaded):
    text = write_study(study).replace("[arm.b]\n", '[arm.b]\nmatch = {arm="a", on="seconds"}\n')
    matched = parse_study(text)
    assert matched.arms["b"].match is not None
    run(matched, tmp_path)
    assert loaded == {5, 6, 7}


def test_check_tries_the_first_seeds_and_says_which(tmp_path, monkeypatch, loaded, capsys):
    tried = []

    def trial(arm, seeds, setting):
        tried.append(list(seeds))
        return Trial(1.0, 0.0, 1e6)

    monkeypatch.setattr(estimates, "run_trial", trial)
    estimate_study(parse_study(AUTO), Setting(device="cpu"), trials=True)
    assert (tried, loaded) == ([[5], [5]], {5})
    path = tmp_path / "study.toml"
    path.write_text(AUTO)
    assert called("check", path, "--no-trial") == 0
    assert "2 arms on 6 to 8 seeds (5 to 12), until every claim" in said(capsys)
    assert called("check", path, "--no-trial", "--seeds", "2", "--first-seed", "30") == 0
    assert "2 arms on 2 seeds (30 to 31)." in said(capsys)


def called(*arguments):
    with pytest.raises(SystemExit) as left:
        cli.main([str(one) for one in arguments])
    return left.value.code


def said(capsys):
    return " ".join(capsys.readouterr().out.split())


def test_a_command_and_a_call_may_say_the_first_seed(study, tmp_path, capsys):
    path = tmp_path / "study.toml"
    path.write_text(TEXT)
    out = tmp_path / "out"
    assert called("run", path, "--seeds", "1", "--first-seed", "40", "--out", out) == 0
    text = said(capsys)
    assert "seeds: 1, from 40 on; kept in" in text
    assert "a, seed 40: " in text
    assert "2 runs on 1 seed (40), " in text
    again = triptych.run(study, seeds=1, first_seed=40, out=out)
    assert [run.seed for run in again.record.runs] == [40, 40]
    assert called("run", path, "--first-seed", "-1", "--out", out) == 2


@pytest.mark.parametrize(("first", "earlier"), [(0, "0-25"), (1000, "≤1025"), (99_990, "≤100016")])
def test_the_live_table_has_columns_of_the_studys_seeds(study, first, earlier):
    study = replace(study, first_seed=first, seeds=30)
    state = State(study)
    for seed in range(first, first + 28):
        run = made_up_run(study, "a", seed, scores={"test_accuracy": 0.5})
        state.ended["a", seed] = RunEnded(run, kept=False)
    console = Console(width=40, file=io.StringIO())
    console.print(seeds_table(state, 28, 5))
    head, a, b = (line.split() for line in console.file.getvalue().splitlines())
    assert head[:2] == ["seed", earlier]
    shown = range(int(re.sub(r".*\D", "", earlier)) + 1, int(head[-1]) + 1)
    assert head[2:] == [str(seed) for seed in shown]
    assert shown[0] <= first + 28 <= shown[-1] < first + 30
    ran = [seed < first + 28 for seed in shown]
    assert a == ["a", f"{shown[0] - first}✓", *("0.500" if it else "·" for it in ran)]
    assert b == ["b", *("·" for _ in shown)]

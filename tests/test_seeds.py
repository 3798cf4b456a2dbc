"""Seeds are added until every claim is decided, in pairs, and within what they may take."""

import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

import triptych
from conftest import made_up_run, without_scripts
from triptych.live import Watcher
from triptych.records import StudyFolder
from triptych.runner import (
    ClaimDecided,
    RunEnded,
    RunStarted,
    SeedsEnded,
    Setting,
    execute_study,
    read_result,
)
from triptych.runner import executors as executors_module
from triptych.runner import seeds as seeds_module
from triptych.runner import studies as studies_module
from triptych.runner import ways as ways_module
from triptych.spec import parse_study

TEXT = """
title = "until decided"
seeds = "auto"
max_seeds = 12
[data]
source = "moons"
n_samples = 40
[arm.sure]
engine = "numpy"
network = { kind = "mlp", hidden = [3] }
train = { epochs = 1, batch_size = 8 }
[arm.loose]
engine = "numpy"
network = { kind = "mlp", hidden = [3] }
train = { epochs = 1, batch_size = 8 }
[arm.cause]
engine = "numpy"
network = { kind = "mlp", hidden = [3] }
train = { epochs = 1, batch_size = 8 }
[arm.unnamed]
engine = "numpy"
network = { kind = "mlp", hidden = [3] }
train = { epochs = 1, batch_size = 8 }
[[claim]]
says = "Sure is good."
test = "sure.test_accuracy > 0.5"
[[claim]]
says = "Loose is good."
test = "loose.test_accuracy > 0.5"
[[claim.cause]]
says = "By its cause."
test = "cause.test_accuracy > 0.5"
"""

# Open on the first six and seven seeds, decided on more.
LOOSE = [0.9, 0.65, 0.9, 0.55, 0.85, 0.6] + [0.7, 0.65] * 20
ALIKE = [0.9, 0.1] * 30


class World:
    """Stands in for training: scores by arm and seed, and a clock that runs move on."""

    def __init__(self, monkeypatch):
        self.scores = {"sure": [0.9, 0.91, 0.92] * 20, "loose": LOOSE, "cause": [0.8, 0.7] * 30}
        self.seconds = dict.fromkeys(("sure", "loose", "cause", "unnamed"), 1.0)
        self.now = 0.0
        self.made = []
        monkeypatch.setattr(executors_module, "execute_or_fail", self.execute)
        for module in (seeds_module, studies_module):
            monkeypatch.setattr(module.time, "monotonic", lambda: self.now)

    def execute(self, name, arm, seeds, folder, setting, stop=None):
        for seed in seeds:
            run = folder.run(name, seed)
            if run.is_finished():
                yield RunEnded(run.read(), kept=True)
                continue
            self.made.append((name, seed))
            score = self.scores.get(name, ALIKE)[seed]
            seconds = self.seconds[name]
            self.now += seconds
            scores = {"test_accuracy": score, "train_accuracy": score}
            spec = parse_study(TEXT)
            record = made_up_run(
                replace(spec, arms={**spec.arms, name: arm}), name, seed,
                scores=scores, seconds=seconds,
            )  # fmt: skip
            run.start(arm, seed, record.environment)
            run.finish(record, None)
            yield RunEnded(record, kept=False)

    def runs_of(self, name):
        return [seed for arm, seed in self.made if arm == name]


@pytest.fixture
def world(monkeypatch):
    return World(monkeypatch)


@pytest.fixture
def study():
    return parse_study(TEXT)


def run(study, path):
    return list(execute_study(study, StudyFolder(path), Setting()))


def kind(events, which):
    return [event for event in events if isinstance(event, which)]


def test_it_stops_when_every_claim_is_decided_and_says_so(study, world, tmp_path):
    events = run(study, tmp_path)
    first, second = kind(events, ClaimDecided)
    assert (first.number, first.verdict.verdict, first.verdict.seeds) == (1, "holds", 6)
    assert (second.number, second.verdict.verdict) == (2, "holds")
    took = second.verdict.seeds
    assert 7 < took < 12
    assert kind(events, SeedsEnded)[-1].why == "decided"
    # The arms of the decided claim, and the one that no claim names, end at six; causes go on.
    assert [len(world.runs_of(a)) for a in study.arms] == [6, took, took, 6]
    result = read_result(tmp_path)
    assert [(v.verdict, v.seeds) for v in result.verdicts] == [("holds", 6), ("holds", took)]
    assert result.record.stopped == "decided"
    html = without_scripts(result.to_html())
    assert "Decided on 6 seeds." in html
    assert f"Decided on {took} seeds." in html
    assert f"{12 + 2 * took} runs on 6 to {took} seeds, " in html
    assert "missing" not in html


def test_arms_go_seed_by_seed(study, world, tmp_path):
    run(study, tmp_path)
    assert world.made[:24] == [(arm, seed) for seed in range(6) for arm in study.arms]
    assert world.made[24:28] == [("loose", 6), ("cause", 6), ("loose", 7), ("cause", 7)]


def test_a_second_run_does_nothing_new(study, world, tmp_path):
    run(study, tmp_path)
    before, world.made = len(world.made), []
    events = run(study, tmp_path)
    assert world.made == []
    assert [e.kept for e in kind(events, RunEnded)] == [True] * before
    assert read_result(tmp_path).record.stopped == "decided"


def test_it_ends_at_the_most_seeds_and_the_page_says_why(study, world, tmp_path):
    world.scores["loose"] = ALIKE
    (ended,) = kind(run(study, tmp_path), SeedsEnded)
    assert ended.why == "max_seeds"
    assert ended.text == "12 seeds, the most that this study takes; 1 claim still open"
    assert len(world.runs_of("loose")) == 12
    html = read_result(tmp_path).to_html()
    assert "Open after 12 seeds, the most that this study takes." in html
    assert re.search(r"about \d+ more seeds would decide|more than 1,000 more seeds", html)


def test_a_budget_ends_it_between_seeds_and_the_next_call_goes_on(study, world, tmp_path):
    study = replace(study, budget="30 s")
    (ended,) = kind(run(study, tmp_path), SeedsEnded)
    # 24 s for six seeds of four arms, then 2 s a seed of the two that are still needed.
    assert ended.why == "budget"
    assert ended.text == "the budget of 30 s ended; 1 claim still open"
    assert world.now <= 30
    assert len(world.runs_of("loose")) == len(world.runs_of("cause")) == 8
    assert "Open after 8 seeds: the budget of 30 s ended." in read_result(tmp_path).to_html()
    world.made = []
    (ended,) = kind(run(study, tmp_path), SeedsEnded)
    assert ended.why == "decided"
    assert world.runs_of("loose")[0] == 8
    assert world.runs_of("sure") == []


def test_a_budget_for_no_verdict_says_what_it_would_take_and_each_call_goes_on(
    study, world, tmp_path
):
    study = replace(study, budget=5)
    (ended,) = kind(run(study, tmp_path), SeedsEnded)
    assert ended.text == (
        "the budget of 5 s ended; 2 claims still open: there was time for 1 seed of every arm; "
        "a verdict takes 6 seeds, about 24 s in all; the same command goes on"
    )
    assert "24 s" in ended.text
    assert world.made == [(arm, 0) for arm in study.arms]
    assert "20 missing" in read_result(tmp_path).to_html()
    for _ in range(20):
        last = kind(run(replace(study, budget=0.5), tmp_path), SeedsEnded)[-1]
    assert len(world.made) == 24
    assert last.why == "budget"


def test_a_study_that_was_cut_short_says_so_and_goes_on(study, world, tmp_path):
    events = execute_study(study, StudyFolder(tmp_path), Setting())
    for event in events:
        if isinstance(event, RunStarted) and event.seeds == (3,):
            break
    events.close()
    result = read_result(tmp_path)
    assert result.record.stopped == ""
    assert "Open after 3 seeds: the study was stopped before its end." in result.to_html()
    assert kind(run(study, tmp_path), SeedsEnded)[-1].why == "decided"
    assert len(set(world.made)) == len(world.made)


def test_a_fixed_number_is_a_fixed_number(study, world, tmp_path):
    world.scores["loose"] = ALIKE
    events = run(study.with_seeds(7), tmp_path)
    assert not kind(events, (ClaimDecided, SeedsEnded))
    assert [len(world.runs_of(arm)) for arm in study.arms] == [7] * 4
    html = read_result(tmp_path).to_html()
    assert "Open after 7 seeds, all that were asked for." in html
    assert "Decided on 6 seeds." in html
    assert "decided on the first 6" in html


def test_arms_that_train_seeds_together_take_blocks_of_what_is_needed(
    study, world, tmp_path, monkeypatch
):
    monkeypatch.setattr(ways_module, "_together", lambda arm, seeds, *_: seeds)
    events = run(replace(study, max_seeds=30), tmp_path)
    jobs = [(e.arm, e.seeds) for e in kind(events, RunStarted)]
    assert jobs[:4] == [(arm, tuple(range(6))) for arm in study.arms]
    block = len(jobs[4][1])
    assert block > 1
    assert jobs[4:6] == [(arm, tuple(range(6, 6 + block))) for arm in ("loose", "cause")]
    decided = kind(events, ClaimDecided)[1].verdict.seeds
    # The verdict is that of the first look that decided, however many seeds came at a time.
    alone = run(replace(study, max_seeds=30), tmp_path)
    assert kind(alone, ClaimDecided)[1].verdict.seeds == decided


def test_a_block_shrinks_to_the_time_that_is_left(study, world, tmp_path, monkeypatch):
    monkeypatch.setattr(ways_module, "_together", lambda arm, seeds, *_: seeds)
    world.scores["loose"] = [0.9, 0.3, 0.9, 0.5, 0.8, 0.4] * 5
    events = run(replace(study, max_seeds=30, budget="27 s"), tmp_path)
    assert [len(e.seeds) for e in kind(events, RunStarted)] == [6] * 4 + [1] * 2
    assert kind(events, SeedsEnded)[-1].why == "budget"


def test_a_claim_with_an_arm_that_trains_alone_gets_one_seed_at_a_time(
    study, world, tmp_path, monkeypatch
):
    fast = {"loose": 30, "sure": 30, "unnamed": 30, "cause": 1}
    arms = {name: replace(arm, label=name) for name, arm in study.arms.items()}
    monkeypatch.setattr(ways_module, "_together", lambda arm, *_: fast[arm.label])
    events = run(replace(study, arms=arms), tmp_path)
    later = [(e.arm, e.seeds) for e in kind(events, RunStarted) if e.seeds[0] >= 6]
    assert later[:2] == [("loose", (6,)), ("cause", (6,))]


def test_the_watcher_tells_of_claims_and_of_the_end(study, world, tmp_path, capsys):
    console = Console(width=120)
    watcher = Watcher(study, console)
    watcher.watch(execute_study(study, StudyFolder(tmp_path), Setting()))
    said = capsys.readouterr().out
    # Of the plan before the last seed, which is the last that the live view was told of.
    assert [v.more for v in watcher.verdicts] == [0, 1]
    assert watcher._claims() == "2 of 2 claims decided; about 1 more seed for claim 2"
    assert "[ 1/24] sure, seed 0" in said
    assert "Claim 1 holds, on 6 seeds: Sure is good." in said
    assert "No more seeds: every claim is decided." in said


COMPILED = """
title = "compiled"
seeds = "auto"
max_seeds = 8
[data]
source = "moons"
n_samples = 60
[arm.a]
engine = "compiled"
network = { kind = "mlp", hidden = [5] }
train = { epochs = 20, batch_size = 1, dtype = "float64" }
[[claim]]
says = "It learns something."
test = "a.test_accuracy > 0.05"
[[claim]]
says = "It is perfect, exactly."
test = "a.test_accuracy = 1 within 0.0001"
"""


def test_a_compiled_arm_in_blocks_equals_its_seeds_alone(tmp_path):
    study = parse_study(COMPILED)
    events = run(study, tmp_path / "auto")
    started = [e.seeds for e in kind(events, RunStarted)]
    assert started[0] == tuple(range(6))
    assert kind(events, ClaimDecided)[0].verdict.seeds == 6
    result = triptych.run(study, seeds=2, out=tmp_path / "fixed")
    assert [len(result.record.of("a")), result.record.study.budget] == [2, None]
    for seed in range(2):
        ours, theirs = (
            StudyFolder(tmp_path / name).run("a", seed).weights() for name in ("auto", "fixed")
        )
        assert all(np.array_equal(w, theirs[n]) for n, w in ours.items())

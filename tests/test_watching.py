"""What a terminal shows: every run, claims by now, never taller than it is."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from conftest import made_up_run
from triptych.live import Watcher
from triptych.live.forecast import Forecast
from triptych.records import DIVERGED, FAILED
from triptych.runner import RunEnded, RunsPlanned, RunStarted, RunTold
from triptych.spec import parse_study
from triptych.studies import find_study
from triptych.training import Notice, Progress


def watcher(study, width=80, height=24):
    return Watcher(study, Console(width=width, height=height, force_terminal=True,
                                  file=io.StringIO(), color_system=None))  # fmt: skip


def lines(watcher):
    console = Console(width=watcher.console.width, file=io.StringIO(), color_system=None)
    console.print(watcher.view())
    return console.file.getvalue().splitlines()


def end(watcher, arm, seed, kept=False, **fields):
    watcher._take(RunStarted(arm, (seed,)))
    event = RunEnded(made_up_run(watcher.study, arm, seed, **fields), kept=kept)
    watcher._take(event)
    watcher._judge_next = 0
    watcher._judge(event)


def test_each_run_has_a_cell():
    study = find_study("toys").with_seeds(6)
    view = watcher(study)
    end(view, "moons", 0)
    end(view, "circles", 0, status=DIVERGED, error="step 3: loss nan")
    end(view, "moons", 1, status=FAILED, error="its process died")
    view._take(RunStarted("circles", (1, 2)))
    view._take(RunTold("circles", 1, Progress(3, 30, 60, 0.25)))
    shown = lines(view)
    assert shown[0].split() == ["seed", "0", "1", "2", "3", "4", "5"]
    assert shown[1].split() == ["moons", "0.575", "fail", "·", "·", "·", "·"]
    assert shown[2].split() == ["circles", "div.", "50%", "50%", "·", "·", "·"]
    assert shown[3].split() == ["classification", *"······"]
    assert "circles, seeds 1 to 2" in shown[4]
    assert "epoch 3/1500  loss 0.2500" in shown[4]
    assert "run 4 of 18" in shown[-1]
    said = view.console.file.getvalue()
    assert "diverged, step 3: loss nan" in said
    assert "failed, its process died" in said
    assert "test accuracy" not in said


def test_a_claim_has_a_line_with_its_interval_which_narrows():
    study = find_study("toys").with_seeds(9)
    view = watcher(study, width=100)
    for seed in range(9):
        for arm in study.arms:
            end(view, arm, seed)
        claim = next(line for line in lines(view) if line.startswith("1 "))
        if seed < 5:
            assert f"1 ? {seed + 1} of 6 seeds" in claim
            assert "[" not in claim
    assert claim.startswith("1 ✗")
    assert "│" in claim
    assert "●" in claim
    assert "0.595 [0.5" in claim
    widths = []
    for seeds in (6, 9):
        view = watcher(study)
        for seed in range(seeds):
            for arm in study.arms:
                end(view, arm, seed)
        outcome = view.verdicts[2].outcomes[0]
        widths.append(outcome.high - outcome.low)
    assert widths[1] < widths[0] * 1.2


@pytest.mark.parametrize("height", [3, 5, 8, 12, 24, 40, 70])
@pytest.mark.parametrize("width", [40, 80, 140])
def test_it_is_never_taller_or_wider_than_the_terminal(height, width):
    study = find_study("paper").with_seeds(30)
    view = watcher(study, width, height)
    for arm in study.arms:
        end(view, arm, 0)
    for arm in list(study.arms)[:8]:
        view._take(RunStarted(arm, (1,)))
    shown = lines(view)
    assert len(shown) < height
    assert max(map(len, shown)) <= width
    assert any("run 22 of 630" in line for line in shown)


def test_arms_that_have_no_room_are_counted_and_those_that_run_are_shown():
    study = find_study("paper").with_seeds(3)
    view = watcher(study)
    last = list(study.arms)[-1]
    view._take(RunStarted(last, (0,)))
    shown = lines(view)
    assert any(line.startswith(study.arms[last].label[:20]) for line in shown)
    (more,) = [line for line in shown if line.startswith("and ")]
    hidden = int(more.split()[1])
    assert f"and {hidden} more arms: 0 of {3 * hidden} runs done" in more


def test_of_many_seeds_the_present_ones_are_shown_and_the_others_counted():
    study = find_study("toys")
    view = watcher(study)
    view._take(RunsPlanned(dict.fromkeys(study.arms, 30), ()))
    for seed in range(20):
        end(view, "moons", seed)
    view._take(RunStarted("moons", (20,)))
    head, moons = (line.split() for line in lines(view)[:2])
    assert head[:3] == ["seed", "0-11", "12"]
    assert moons[:3] == ["moons", "12✓", "0.635"]
    assert moons[-2:] == ["0%", "·"]


def test_plain_lines_for_a_pipe():
    study = parse_study(
        """
        title = "one"
        seeds = 2
        [arm.a]
        data = { source = "moons" }
        network = { kind = "mlp" }
        train = { epochs = 1 }
        """
    )
    console = Console(width=100, file=io.StringIO())
    view = Watcher(study, console, debug=True)
    run = made_up_run(study, "a", 0)
    lost = replace(run, seed=1, status=FAILED, error="ValueError: no")
    view.watch([
        RunStarted("a", (0,)), RunTold("a", 0, Notice("one row is left out")),
        RunEnded(run, kept=True), RunStarted("a", (1,)),
        RunEnded(lost, kept=False, trace="Traceback: here"),
    ])  # fmt: skip
    assert console.file.getvalue().splitlines() == [
        "note: one row is left out",
        "[1/2] a, seed 0: test accuracy 0.575, train 0.625, kept from before",
        "[2/2] a, seed 1: failed, ValueError: no",
        "Traceback: here",
    ]


def test_runs_without_an_accuracy_show_their_loss():
    study = find_study("toys").with_seeds(1)
    view = watcher(study)
    end(view, "moons", 0, scores={"test_loss": 1.5, "test_accuracy": None})
    assert lines(view)[1].split()[:2] == ["moons", "1.50"]


def test_the_time_left_counts_what_is_under_way_by_how_far_it_is():
    forecast = Forecast(find_study("toys").with_seeds(2))
    for arm in ("moons", "circles", "classification"):
        forecast.ended(arm, 10.0, kept=False)
    assert forecast.seconds_left([]) == pytest.approx(30)
    under_way = [("moons", 1, 0.5, 4.0), ("circles", 1, 0.0, 3.0)]
    assert forecast.seconds_left(under_way) == pytest.approx(10 + 4 + 7)


@pytest.mark.parametrize(("engine", "compiles"), [("compiled", True), ("numpy", False)])
def test_a_first_run_that_compiles_says_why_nothing_moves(engine, compiles):
    study = find_study("toys")
    arms = {**study.arms, "moons": replace(study.arms["moons"], engine=engine)}
    view = watcher(replace(study, arms=arms))
    view._take(RunStarted("moons", (0,)))
    shown = "\n".join(lines(view))
    assert "loading" in shown
    assert ("first time: compiling" in shown) == compiles

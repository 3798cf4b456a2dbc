"""``triptych check``: what a study would take, told before anything is written."""

import math
import re
import signal
import subprocess
from dataclasses import replace

import pytest

from triptych import cli
from triptych.errors import DataError, SpecError
from triptych.runner import Setting, estimates, trials
from triptych.runner.estimates import estimate_study
from triptych.runner.trials import Trial, run_trial
from triptych.spec import (
    ArmSpec,
    CNNSpec,
    DigitsSpec,
    FolderSpec,
    GrowthSpec,
    MLPSpec,
    OptimizerSpec,
    PalindromeSpec,
    RNNSpec,
    ToySpec,
    TrainSpec,
    parse_study,
)

STUDY = """
title = "small"
seeds = "auto"
budget = "BUDGET"
max_seeds = 20

[data]
source = "moons"
n_samples = 100

[arm.a]
network = { kind = "mlp", hidden = [5] }
train = { epochs = 5, batch_size = 10 }

[arm.b]
label = "again"
network = { kind = "mlp", hidden = [5] }
train = { epochs = 5, batch_size = 10 }

[arm.c]
network = { kind = "mlp", hidden = [7] }
train = { epochs = 5, batch_size = 10 }

[[claim]]
says = "It learns."
test = "a.test_accuracy > 0.6"
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.toml").write_text(STUDY.replace("BUDGET", "60 s"))
    return tmp_path


@pytest.fixture
def tried(monkeypatch):
    """Take a second for each run, without any; give the arms that were tried."""
    calls = []

    def trial(arm, seeds, setting):
        calls.append((arm.network.hidden, seeds))
        return Trial(seconds=1.0, once=3.0, memory=5e8 + 1e8 * len(calls))

    monkeypatch.setattr(estimates, "run_trial", trial)
    return calls


def call(*arguments):
    with pytest.raises(SystemExit) as left:
        cli.main(["check", *arguments])
    return left.value.code


def test_each_distinct_arm_is_tried_once_and_nothing_is_written(here, tried, capsys):
    assert call("s.toml") == 0
    said = capsys.readouterr()
    assert [hidden for hidden, _ in tried] == [(5,), (7,)]
    assert said.err == ""
    assert "\x1b" not in said.out
    assert [p.name for p in here.iterdir()] == ["s.toml"]
    rows = [line.split("│") for line in said.out.splitlines() if line.startswith("│ ")]
    found = [[cell.strip() for cell in row[1:-1]] for row in rows]
    engine = found[0][6]
    assert found == [
        ["a", "moons", "80 + 20", "2", "27", "40", engine, "1.00", "600 MB"],
        ["again", "moons", "80 + 20", "2", "27", "40", engine, "1.00", "600 MB"],
        ["c", "moons", "80 + 20", "2", "37", "56", engine, "1.00", "700 MB"],
    ]


@pytest.mark.parametrize(
    ("budget", "says"),
    [
        # Of arms that no claim names there are six runs at most: 3 + 6 + 6 + 20.
        ("35 s", "The budget of 35 s is enough for all 20 seeds."),
        ("34 s", "and cuts what would come after about 19 seeds of 20."),
        ("21 s", "enough for a verdict (6 seeds, about 21 s), and cuts what would come after "
         "about 6 seeds"),
        ("20 s", "warning: the budget of 20 s is enough for 5 seeds of every arm; a verdict takes "
         "6, about 21 s. Give more, or fewer epochs, rows or arms; the same command goes on."),
        ("8 s", "is enough for 1 seed, and two are the least that can be compared of every arm"),
        ("3 s", "is not enough for one seed of every arm; a verdict takes 6"),
    ],
)  # fmt: skip
def test_the_budget_is_held_against_the_runs(here, tried, capsys, budget, says):
    (here / "s.toml").write_text(STUDY.replace("BUDGET", budget))
    assert call("s.toml") == 0
    said = capsys.readouterr().out
    assert says in said
    assert "18 to 32 runs: 3 arms on 6 to 20 seeds, until every claim is decided." in said
    assert "Time: from about 21 s (6 seeds) to 35 s (20), on this machine" in said
    assert "memory: 700 MB." in said


def test_few_seeds_and_no_claims_are_warned_of(here, tried, capsys):
    assert call("s.toml", "--seeds", "3") == 0
    said = capsys.readouterr().out
    assert "9 runs: 3 arms on 3 seeds." in said
    assert "Time: about 12 s, on this machine" in said
    assert "warning: 3 seeds cannot decide anything; a verdict takes 6 at least." in said
    assert "budget" not in said
    text = STUDY.replace('budget = "BUDGET"', "").replace('"auto"', "7")
    (here / "s.toml").write_text(text[: text.index("[[claim]]")])
    assert call("s.toml") == 0
    assert "warning: there is no claim, so there will be figures but no verdict" in (
        capsys.readouterr().out
    )


def test_what_cannot_vary_is_one_number_and_a_reference_has_no_costs(here, tried, capsys):
    text = STUDY.replace("BUDGET", "1 h").replace("max_seeds = 20", "max_seeds = 6")
    forest = '[arm.forest]\nnetwork = { kind = "reference", model = "random_forest" }\n[[claim]]'
    (here / "s.toml").write_text(text.replace("[[claim]]", forest))
    assert call("s.toml", "--no-trial") == 0
    said = capsys.readouterr().out
    assert "24 runs: 4 arms on 6 seeds." in said
    assert re.search(r"│ forest +│ moons +│ 80 \+ 20 │ 2 +│ +– │ +– │", said)


def test_without_trials_runs_are_counted_but_not_timed(here, tried, capsys):
    assert call("s.toml", "--no-trial") == 0
    said = capsys.readouterr().out
    assert tried == []
    assert "18 to 32 runs" in said
    assert "Time:" not in said
    assert re.search(r"│ again .*│ +│ +│$", said, re.MULTILINE)


def test_what_went_wrong_in_a_trial_is_told_by_its_arm(here, monkeypatch, capsys):
    monkeypatch.setattr(
        estimates, "run_trial", lambda arm, *_: Trial(trouble="diverges: step 3: loss inf")
    )
    assert call("s.toml") == 0
    said = capsys.readouterr().out
    assert "warning: arm a: diverges: step 3: loss inf" in said
    assert "Time:" not in said


def test_notes_on_the_data_are_told(here, tried, capsys, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_DATA", str(here))
    data = 'source = "palindromes"\ntrain_size = 500\ntest_size = 9\nlength = 2'
    text = STUDY.replace('source = "moons"\nn_samples = 100', data).replace("BUDGET", "1 h")
    (here / "s.toml").write_text(re.sub(r'kind = "mlp", hidden = \[(\d)\]', r'kind = "rnn"', text))
    monkeypatch.setattr(estimates, "run_trial", lambda *_: Trial(1.0, 1.0, 1e9))
    assert call("s.toml") == 0
    assert capsys.readouterr().out.count("note: Palindromes of length 2: there are only 10") == 1


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        ("epochs = 5", "epoch = 5", 2, "s.toml: arm.a.train.epoch: unknown key. Did you mean"),
        ("hidden = [5]", "hidden = [0]", 2, "arm.a.network.hidden: 0 not in [1, 65536]"),
        ('"moons"', '"moon"', 2, "unknown source 'moon'. Did you mean 'moons'"),
        ("a.test_accuracy", "d.test_accuracy", 2, "claim 'It learns.': unknown arm 'd'"),
        (
            '"moons"\nn_samples = 100',
            '"table"\npath = "n.csv"\ntarget = "y"',
            2,
            "train.loss: 'softmax' does not fit the data of arm 'a'",
        ),
        ('"moons"\nn_samples = 100', '"folder"\npath = "no"', 3, "no: there is no such folder"),
    ],
)
def test_an_error_is_one_line_with_its_code(here, tried, capsys, old, new, code, says):
    (here / "s.toml").write_text(STUDY.replace("BUDGET", "1 h").replace(old, new))
    (here / "n.csv").write_text("x,y\n" + "".join(f"{k},{k}.5\n" for k in range(40)))
    assert call("s.toml") == code
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert tried == []


ARM = ArmSpec(
    data=ToySpec(source="moons", n_samples=100), network=MLPSpec(hidden=(5,)),
    train=TrainSpec(epochs=20, batch_size=10), engine="numpy",
)  # fmt: skip


def test_a_trial_tells_seconds_and_the_memory_of_its_own_process():
    ballast = bytearray(400_000_000)
    found = run_trial(ARM, [0], Setting(), seconds=0.3)
    assert found.trouble == ""
    assert 0.02 < found.seconds < 5  # 160 steps; what it writes alone is 0.02
    assert 0 < found.once < 60
    assert 3e7 < found.memory < len(ballast)
    assert found.gpu_memory == 0


def test_a_trial_ends_as_its_run_would():
    lost = replace(ARM, data=FolderSpec(path="nowhere"))
    with pytest.raises(DataError, match="nowhere: there is no such folder"):
        run_trial(lost, [0], Setting(), seconds=0.1)
    alone = ArmSpec(
        data=DigitsSpec(), network=CNNSpec(channels=(2,), pool_after=(1,)),
        train=TrainSpec(batch_size=1), engine="numpy",
    )  # fmt: skip
    with pytest.raises(SpecError, match="train.batch_size: BatchNorm needs at least 2 rows"):
        run_trial(alone, [0], Setting(), seconds=0.1)


def test_a_trial_that_diverges_or_is_killed_says_so(monkeypatch):
    wild = TrainSpec(epochs=9, batch_size=10, optimizer=OptimizerSpec(lr=10.0))
    arm = replace(
        ARM, data=ToySpec(source="moons", noise=100.0), network=MLPSpec(hidden=(50,) * 3),
        train=wild,
    )  # fmt: skip
    trial = trials._Trial(arm, [0], Setting()).run(5.0)
    assert trial.trouble.startswith("diverges: step ")
    assert math.isnan(trial.seconds)
    killed = subprocess.CompletedProcess([], -signal.SIGKILL, "", "")
    monkeypatch.setattr(trials.subprocess, "run", lambda *_, **__: killed)
    assert "killed by signal 9: out of memory?" in run_trial(ARM, [0], Setting()).trouble
    broken = subprocess.CompletedProcess([], 1, "", "Traceback\nKeyError: 3\n")
    monkeypatch.setattr(trials.subprocess, "run", lambda *_, **__: broken)
    assert run_trial(ARM, [0], Setting()).trouble == "its trial ended early: KeyError: 3"

    def slow(*_, **__):
        raise subprocess.TimeoutExpired([], 1)

    monkeypatch.setattr(trials.subprocess, "run", slow)
    assert "took more than 180 s" in run_trial(ARM, [0], Setting()).trouble


def test_seeds_that_are_trained_together_are_tried_together(monkeypatch):
    seen = []
    monkeypatch.setattr(
        estimates, "run_trial", lambda arm, seeds, setting: seen.append(seeds) or Trial(1, 1, 1)
    )
    study = parse_study(STUDY.replace("BUDGET", "1 h"))
    arms = {name: replace(arm, engine="compiled") for name, arm in study.arms.items()}
    found = estimate_study(replace(study, arms=arms), Setting(), trials=True, told=str)
    assert seen == [range(6)] * 2
    assert found.arms["a"].engine == "compiled"
    trial = trials._Trial(arms["a"], range(3), Setting()).run(0.1)
    assert trial.seconds > 0


def test_what_grows_is_tried_whole_and_accounted_for():
    spec = TrainSpec(batch_size=50, resolutions=(0.5, 1.0))
    arm = ArmSpec(data=DigitsSpec(), network=CNNSpec(channels=(2,), pool_after=()), train=spec)
    pictures = trials._Trial(arm, [0], Setting())
    assert pictures.train.resolutions == ()
    assert pictures.share == (0.25 + 1) / 2
    arm = ArmSpec(
        data=PalindromeSpec(length=6, shortest=3, train_size=40, test_size=20, probes=(8, 100)),
        network=RNNSpec(hidden=4), train=TrainSpec(growth=GrowthSpec(stages=3)), engine="numpy",
    )  # fmt: skip
    sequences = trials._Trial(arm, [0], Setting())
    assert sequences.train.growth.stages == 1
    job = trials.create_job(sequences.as_tried, "numpy", sequences.data[0], 0, "cpu")
    # Where they would take too long to be measured, by the steps that they have.
    a_row, steps = 2.0, (2 + 3 + 4 + 5) / 4
    probes = (300 * 7 + 300 * 99) * a_row / steps
    assert sequences._at_the_end(job, a_row * 60) == pytest.approx(probes)
    assert 0 < sequences._at_the_end(job, 1e-9) < 5

"""The command line: exit codes, one line for an error, quiet pipes, signals."""

import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

from triptych import cli

STUDY = """
title = "small"
seeds = 1
[arm.a]
engine = "numpy"
data = { source = "moons", n_samples = 100 }
network = { kind = "mlp", hidden = [5] }
train = { epochs = EPOCHS, batch_size = 1, eval_every = 5 }
[[claim]]
says = "It learns."
test = "a.test_accuracy > 0.6"
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.toml").write_text(STUDY.replace("EPOCHS", "5"))
    return tmp_path


def call(*arguments):
    with pytest.raises(SystemExit) as left:
        cli.main(list(arguments))
    return left.value.code


def test_a_run_prints_what_it_found_and_where_the_page_is(study, capsys):
    assert call("run", "s.toml") == 0
    said = capsys.readouterr()
    assert "[1/1] a, seed 0: test accuracy" in said.out
    assert "It learns." in said.out
    assert said.err == ""
    assert "\x1b" not in said.out
    assert (study / "triptych-runs" / "s" / "report.html").exists()
    assert call("run", "s.toml") == 0
    assert "kept from before" in capsys.readouterr().out


def test_brackets_in_names_are_letters_like_any_other(study, capsys):
    text = STUDY.replace("EPOCHS", "5").replace('"small"', '"is [/b] \\u001b[31m [red]so[/red]"')
    (study / "s [red]x.toml").write_text(text.replace("[arm.a]", '[arm.a]\nlabel = "[/x]"'))
    assert call("run", "s [red]x.toml") == 0
    said = capsys.readouterr().out
    assert said.startswith("is [/b] ␛[31m [red]so[/red]\narms: 1,")
    assert "[1/1] [/x], seed 0" in said
    assert re.search(r"^Measured *$", said, re.MULTILINE)  # nothing was reported
    assert "The page: triptych-runs/s [red]x/report.html" in said


def test_seeds_are_added_until_the_claims_are_decided(study, capsys):
    assert call("run", "s.toml", "--seeds", "auto", "--budget", "5 min") == 0
    said = capsys.readouterr().out
    assert "seeds: until every claim is decided, 30 at most, for 5 min" in said
    assert "Claim 1 " in said
    assert "No more seeds: every claim is decided." in said
    assert re.search(r"Decided on \d+ seeds", said)


def test_a_report_is_made_again_from_the_folder(study, capsys):
    assert call("run", "s.toml", "--out", "kept") == 0
    (study / "kept" / "report.html").unlink()
    assert call("report", "kept") == 0
    assert "It learns." in (study / "kept" / "report.html").read_text("utf-8")
    assert "The page: kept/report.html" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run"], 2, "required: STUDY"),
        (["rum", "paper"], 2, "invalid choice: 'rum'"),
        (["run", "paper", "--sclae", "full"], 2, "unrecognized arguments: --sclae"),
        (["run", "toys", "--scale", "ful"], 2, "has no scale 'ful'. There are none."),
        (["run", "paper", "--scale", "ful"], 2, "no scale 'ful'. Did you mean 'full'"),
        (["run", "papr"], 2, "unknown study 'papr'. Did you mean 'paper'"),
        (["run", "none.toml"], 2, "cannot read the study none.toml: No such file"),
        (["run", "s.toml", "--seeds", "0"], 2, "invalid number value: '0'"),
        (["run", "s.toml", "--seeds", "two"], 2, "invalid number value: 'two'"),
        (["run", "s.toml", "--jobs", "0"], 2, "--jobs: invalid number value: '0'"),
        (["run", "s.toml", "--budget", "5 min"], 2, "budget: needs seeds = 'auto', got 1"),
        (["run", "s.toml", "--seeds", "auto", "--budget", "5 mn"], 2, "Did you mean 'min'?"),
        (["run", "paper", "--seeds", "9", "--budget", "60"], 2, "needs seeds = 'auto', got 9"),
        (["run", "paper", "--data-dir", "nowhere", "--out", "o"], 3, "nowhere: no CIFAR-10"),
        (
            ["run", "s.toml", "--out", "s.toml"],
            4,
            "cannot use 's.toml' as a run folder: it is a file",
        ),
        (["run", "s.toml", "--out", "a/../b"], 4, "contains '..'"),
        (["run", "s.toml", "--device", "tpu"], 2, "invalid choice: 'tpu'"),
        (["report", "nowhere"], 4, "'nowhere' is not the folder of a study"),
        (["data", "mnist"], 2, "invalid choice: 'mnist'"),
    ],
)
def test_an_error_is_one_line_with_its_code_and_leaves_nothing(
    study, capsys, monkeypatch, arguments, code, words
):
    monkeypatch.setattr("triptych.studies.find_study", _without_toys(code))
    assert call(*arguments) == code
    said = capsys.readouterr()
    assert said.err.startswith("triptych: ")
    assert said.err.count("\n") == 1
    assert words in said.err
    assert "Traceback" not in said.err
    leftover = {p.name for p in study.iterdir()} - {"s.toml"}
    assert leftover == set()


def _without_toys(code):
    """Let the data error come first: the paper's toy arms would train before it."""
    from dataclasses import replace

    from triptych.studies import find_study

    def find(name, scale=None):
        study = find_study(name, scale)
        if code != 3:
            return study
        return replace(
            study, arms={"mlp": study.arms["mlp"]}, claims=(), reported=(), seeds=1, budget=None
        )

    return find


def test_debug_shows_the_traceback(study):
    with pytest.raises(Exception, match="not the folder of a study"):
        cli.main(["report", "nowhere", "--debug"])


def test_all_diverged_is_code_6(study, capsys):
    text = STUDY.replace("EPOCHS", "50").replace("n_samples = 100", "n_samples = 99, noise = 100")
    text = text.replace("eval_every = 5", 'optimizer = { lr = 10 }, dtype = "float32"')
    (study / "s.toml").write_text(text.replace("hidden = [5]", "hidden = [50, 50, 50]"))
    assert call("run", "s.toml") == 6
    assert re.search(r"every run diverged; the first: step \d+: loss", capsys.readouterr().err)


def start(study, epochs, *options, **kwargs):
    (study / "s.toml").write_text(STUDY.replace("EPOCHS", str(epochs)))
    return subprocess.Popen(
        [sys.executable, "-m", "triptych", "run", "s.toml", *options],
        cwd=study, stderr=subprocess.PIPE, **kwargs,
    )  # fmt: skip


@pytest.mark.fault(17)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_with_its_code_and_a_word(study, number, code):
    with start(study, 1_000_000, stdout=subprocess.DEVNULL) as process:
        metrics = study / "triptych-runs" / "s" / "runs" / "a" / "seed-0" / "metrics.jsonl"
        for _ in range(600):
            if metrics.exists() and metrics.stat().st_size:
                break
            time.sleep(0.1)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert process.returncode == code
    assert said.decode().startswith("stopped; finished runs are kept")
    assert said.count(b"\n") == 1


@pytest.mark.fault(17)
def test_a_reader_that_leaves_early_is_no_error(study):
    with start(study, 1, stdout=subprocess.PIPE) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 0
    assert said == b""


def test_a_terminal_gets_a_live_view(study):
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    with start(study, 300, stdout=slave, env=environment) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # the terminal is gone when the process has left
                break
            if not part:
                break
            shown += part
    os.close(master)
    assert process.returncode == 0
    assert b"epoch" in shown
    assert b"loss 0." in shown
    assert b"run 1 of 1" in shown
    assert b"left" in shown

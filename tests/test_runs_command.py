"""The commands on runs: what they print, their exit codes, and what they refuse."""

import json
import os
import pty
import subprocess
import sys

import pytest

from triptych import cli
from triptych.records import StudyFolder, list_study


def call(*arguments):
    with pytest.raises(SystemExit) as left:
        cli.main(list(arguments))
    return left.value.code


def test_a_list_in_a_pipe_is_one_plain_line_a_run_with_a_foot(kept, capsys):
    assert call("runs") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "study", "arm", "seed", "status", "score", "seconds", "epochs", "finished", "size", "key",
    ]  # fmt: skip
    assert [line.split()[1:4] for line in lines[1:5]] == [
        [arm, seed, "finished"] for arm in ("narrow", "wide") for seed in "01"
    ]
    assert all(line.isascii() for line in lines)
    assert lines[5].startswith("kept: 4 runs, ")
    assert lines[5].endswith("of them weights")
    assert lines[6].startswith("In all: 4 runs, ")


def test_a_terminal_gets_a_table_with_lines(kept):
    from rich.console import Console

    from triptych.report.run_tables import runs_table

    console = Console(force_terminal=True, width=120, no_color=True, legacy_windows=False)
    with console.capture() as shown:
        console.print(runs_table(list_study(kept).runs, plain=False))
    assert "\u2503" in shown.get()
    assert shown.get().count("finished") == 5


def test_a_narrow_terminal_gets_every_name_whole(kept):
    from rich.console import Console

    from triptych.report.run_tables import runs_table

    runs = list_study(kept).runs
    for width, there in ((200, True), (80, False), (60, False)):
        console = Console(width=width, color_system=None, legacy_windows=False)
        with console.capture() as shown:
            console.print(runs_table(runs, plain=False, width=width))
        text = shown.get()
        assert "…" not in text
        assert ("epochs" in text, "score" in text) == (there, True)
        assert all(len(line) <= width for line in text.splitlines())


def test_filters_order_and_limit(kept, capsys):
    assert call("runs", "--arm", "wide", "--where", "seconds < 1000", "--sort=-seed",
                "--limit", "1") == 0  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:4] == ["kept", "wide", "1", "finished"]
    assert lines[3].startswith("In all: 1 of 4 runs listed, ")
    assert call("runs", "kept", "--status", "diverged") == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("In all: 0 of 4 runs listed")


def test_programs_get_json(kept, capsys):
    (kept / "runs/wide/seed-1/result.json").write_text("{")
    assert call("runs", "--json", "--arm", "wide") == 0
    told = json.loads(capsys.readouterr().out)
    assert [(run["seed"], run["status"]) for run in told["runs"]] == [
        (0, "finished"), (1, "damaged"),
    ]  # fmt: skip
    assert "damaged" in told["runs"][1]["error"]
    assert told["runs"][0]["scores"]["test_accuracy"] <= 1
    assert told["bytes"] == told["studies"][0]["bytes"] > sum(run["bytes"] for run in told["runs"])


def test_damage_is_told_below_the_list(kept, capsys):
    (kept / "runs/wide/seed-1/result.json").write_text("{")
    assert call("runs") == 0
    assert "kept/wide/seed-1 is damaged: " in capsys.readouterr().out


def test_hostile_names_cannot_reach_the_terminal(kept, capsys):
    (kept / "runs/narrow").rename(kept / "runs/\x1b[31mred\u202e")
    assert call("runs") == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\u202e" not in said


def test_no_runs_at_all_is_no_error(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert call("runs") == 0
    assert "No runs yet" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_two_runs_are_compared(kept, capsys):
    assert call("runs", "compare", "kept/narrow/seed-0", "kept/wide/seed-0") == 0
    said = capsys.readouterr().out
    assert "network.hidden" in said
    assert "The same data." in said
    assert "The same environment." in said
    assert "The curves part at epoch 1" in said
    assert "The weights are of other names, shapes or types." in said


def test_a_comparison_can_be_written_to_an_ascii_pipe(kept):
    done = subprocess.run(
        [sys.executable, "-m", "triptych", "runs", "compare", "kept/wide/seed-0",
         "kept/wide/seed-1"],
        capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stderr == b""
    assert b"The weights differ in 4 tensors" in done.stdout


def test_deleting_says_what_and_does_only_that(kept, capsys):
    assert call("runs", "delete", "kept/wide/seed-1", "--dry-run") == 0
    assert "These would be deleted: 1 run, " in capsys.readouterr().out
    assert len(list_study(kept).runs) == 4
    assert call("runs", "delete", "kept/wide/seed-1", "--yes") == 0
    assert "Deleted 1 run, " in capsys.readouterr().out
    assert [run.place for run in list_study(kept).runs] == [
        "kept/narrow/seed-0", "kept/narrow/seed-1", "kept/wide/seed-0",
    ]  # fmt: skip
    assert call("runs", "delete", "kept", "--older-than", "1 day", "--yes") == 0
    assert "nothing to delete" in capsys.readouterr().out
    assert call("runs", "delete", str(kept), "--arm", "narrow", "--yes") == 0
    assert call("runs", "delete", "--status", "diverged", "--yes") == 0
    assert "nothing to delete" in capsys.readouterr().out
    assert [run.place for run in list_study(kept).runs] == ["kept/wide/seed-0"]


def test_former_runs_are_deleted_by_name(kept):
    text = (kept / "study.toml").read_text()
    (kept / "study.toml").write_text(text.replace("hidden = [\n    9,\n]", "hidden = [8]"))
    assert call("runs", "delete", "--former", "--yes") == 0
    assert {run.arm for run in list_study(kept).runs} == {"narrow"}


@pytest.mark.parametrize(("answer", "left"), [(b"y\n", 3), (b"n\n", 4), (b"\n", 4), (b"\x04", 4)])
def test_a_terminal_is_asked(kept, answer, left):
    master, slave = pty.openpty()
    os.write(master, answer)
    done = subprocess.run(
        [sys.executable, "-m", "triptych", "runs", "delete", "kept/wide/seed-1"],
        stdin=slave, capture_output=True, text=True,
    )  # fmt: skip
    os.close(slave)
    os.close(master)
    assert "Delete 1 run, " in done.stdout
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list_study(kept).runs) == left


def test_a_study_that_is_running_keeps_its_runs_and_that_is_an_error(kept, capsys):
    with StudyFolder(kept).lock():
        assert call("runs", "delete", "kept/wide/seed-1", "--yes") == 4
    assert "stays: 'triptych-runs/kept' is in use by pid" in capsys.readouterr().out
    assert len(list_study(kept).runs) == 4


def test_a_run_is_done_again(kept, capsys):
    assert call("rerun", "kept/wide/seed-1") == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "same bits: the weights and all 3 evaluations are as recorded."
    )
    path = kept / "runs/wide/seed-1/metrics.jsonl"
    path.write_text(path.read_text().replace('"test_loss": 0.', '"test_loss": 1.'))
    assert call("rerun", "kept/wide/seed-1") == 1
    assert "differs: the run did not come out" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["runs", "nowhere"], 4, "'nowhere' is not the folder of a study, nor does it hold any"),
        (["runs", "--arm", "wid"], 2, "--arm: no run of an arm 'wid'. Did you mean 'wide'?"),
        (["runs", "--status", "finishd"], 2, "unknown status 'finishd'. Did you mean 'finished'?"),
        (["runs", "--where", "test_acc > 1"], 2, "where 'test_acc > 1', character"),
        (["runs", "--sort", "spede"], 2, "--sort: unknown order 'spede'"),
        (["runs", "--limit", "0"], 2, "invalid number of runs value: '0'"),
        (["runs", "--seed", "one"], 2, "invalid int value: 'one'"),
        (["runs", "compare", "kept/wide/seed-0"], 2, "required: RUN"),
        (["runs", "compare", "kept/wide/seed-0", "kept/wide/seed-7"], 4, "no run 'kept/wide/s"),
        (["runs", "delete"], 2, "name runs, or say which"),
        (["runs", "delete", "triptych-runs/kept", "--yes"], 2, "name runs, or say which"),
        (["runs", "delete", "kept/wide/seed-0"], 2, "add --yes"),
        (["runs", "delete", "--older-than", "30 dys", "--yes"], 2, "Did you mean 'day"),
        (["rerun", "kept/wide"], 4, "no run 'kept/wide'"),
        (["run", "toys", "--disk", "2 gigs"], 2, "--disk: unknown unit 'gigs'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(kept, capsys, arguments, code, words):
    before = {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()}
    assert call(*arguments) == code
    said = capsys.readouterr()
    assert said.err.startswith("triptych: ")
    assert said.err.count("\n") == 1
    assert words in said.err
    assert {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()} == before


def test_the_limit_on_disk_may_stand_in_the_environment(kept, monkeypatch, capsys):
    monkeypatch.setenv("TRIPTYCH_DISK", "lots")
    assert call("run", str(kept / "study.toml")) == 2
    assert "TRIPTYCH_DISK: must be a size" in capsys.readouterr().err
    monkeypatch.setenv("TRIPTYCH_DISK", "1 GB")
    assert call("run", str(kept / "study.toml"), "--out", str(kept)) == 0
    assert "on disk, of the 1 GB it may" in capsys.readouterr().out

"""Commands that use a model, stopped: what they write is there whole, as before, or not at all."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from closed_output import code_with_output, full_disk, left_by_its_reader
from triptych.saved import load

COMMANDS = [
    ("predict", "m.safetensors", "t.csv"),
    ("predict", "m.safetensors", "t.csv", "--json"),
    ("evaluate", "m.safetensors", "t.csv"),
    ("evaluate", "m.safetensors", "t.csv", "--json"),
    ("inspect", "m.safetensors"),
    ("inspect", "m.safetensors", "--json"),
]
each_command = pytest.mark.parametrize("command", COMMANDS, ids=" ".join)


@pytest.fixture(autouse=True)
def handler_of_before():
    """Put back what a command takes for itself."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.fault(17)
@each_command
def test_a_reader_that_leaves_is_no_error(table_model, here, capsys, command):
    with left_by_its_reader() as pipe:
        assert code_with_output(pipe, *command) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.fault(26)
@each_command
def test_an_output_that_is_full_is_said_in_one_line(table_model, here, capsys, command):
    with full_disk() as file:
        assert code_with_output(file, *command) == 4
    said = capsys.readouterr().err
    assert said == "triptych: cannot write the output: No space left on device.\n"


@pytest.mark.fault(17)
@each_command
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_it_without_a_word(
    table_model, here, call, monkeypatch, command, number, code
):
    def signalled(path):
        signal.raise_signal(number)
        return load(path)

    before = sorted(path.name for path in here.iterdir())
    monkeypatch.setattr("triptych.saved.load", signalled)
    assert call(*command) == (code, "", "")
    assert sorted(path.name for path in here.iterdir()) == before


HARNESS = Path(__file__).parents[1] / "faults" / "fault_outputs.py"


@pytest.mark.fault(17, 25, 26)
@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_whatever_happens_while_a_file_is_written_the_old_one_stays_or_the_new_one_is_whole():
    """Of predict, export and report: killed, interrupted, on a disk that is full or fails."""
    done = subprocess.run(
        [sys.executable, HARNESS, "--every", "29"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert sum(one["trials"] for one in json.loads(done.stdout).values()) >= 20

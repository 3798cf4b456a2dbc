"""Lives of a study's folder, drawn and held against a model: a part of what `folder_machine` does.

It forks, so it is a process of its own.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

MACHINE = Path(__file__).parent / "folder_machine.py"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks")


def lives(*arguments):
    done = subprocess.run(
        [sys.executable, MACHINE, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    figures, *broken = done.stdout.splitlines()
    return json.loads(figures), broken


def test_whatever_happens_to_a_folder_nothing_is_lost_and_nothing_ends_in_a_traceback():
    figures, broken = lives(
        "--examples", 14, "--steps", 20, "--broken", "anywhere", "result_not_seen", "nobody_holds"
    )
    assert figures["steps"] > 80
    assert len(broken) == 3
    assert all(" caught " in line for line in broken)


@pytest.mark.slow
def test_a_thousand_lives_and_every_broken_variant():
    figures, broken = lives("--examples", 1000, "--steps", 40, "--seed", 1, "--broken")
    assert figures["steps"] > 10_000
    assert len(broken) >= 9

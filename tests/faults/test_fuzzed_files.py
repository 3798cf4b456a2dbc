"""A part of the fuzzer, on every change, and what it found before: `make fuzz` has the whole."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from triptych.data import load
from triptych.errors import DataError, RunError
from triptych.records import RunFolder
from triptych.records.files import read_lines
from triptych.spec import TableSpec

FUZZER = Path(__file__).parent / "fuzzer.py"


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and reads memory in /proc")
def test_damaged_and_hostile_files_of_every_format_are_refused_and_broken_readers_are_found():
    done = subprocess.run(
        [sys.executable, FUZZER, "--files", "600"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-3000:]
    rows = {row[0]: row[1:] for row in map(lambda t: re.split(r"  +", t), done.stdout.splitlines())}
    assert int(rows["all"][0]) >= 600
    # Most of what is damaged is refused, and what is not even damaged is read.
    for name in ("csv", "parquet", "npz", "pictures", "cifar10", "sequences", "study", "model"):
        files, clean, *refused = map(int, rows[name][:7])
        assert 0 < clean < files
        assert sum(refused) == files - clean

"""What a whole ``triptych`` process takes; for the benchmarks beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass

# Not ru_maxrss, which begins at what the process had that started this one.
_COMMAND = """
import sys
from pathlib import Path
from triptych import cli
try:
    cli.main(sys.argv[1:])
except SystemExit as left:
    print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0], file=sys.stderr)
    sys.exit(left.code)
"""


@dataclass(frozen=True)
class Taken:
    """Wall seconds, processor seconds, and peak memory in MB."""

    wall: float
    processor: float
    memory: float


def timed(*command: str) -> Taken:
    """Return what ``triptych COMMAND`` takes from process start; it must succeed."""
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", _COMMAND, *command],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"triptych {' '.join(command)} left with {process.returncode}: {said}")
    wall = time.perf_counter() - started
    return Taken(wall, usage.ru_utime + usage.ru_stime, int(said.split()[-1]) * 1024 / 1e6)

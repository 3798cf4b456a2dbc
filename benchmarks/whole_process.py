"""What a whole ``triptych`` process takes; for the benchmarks beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Taken:
    """Wall seconds, processor seconds, and peak memory in MB."""

    wall: float
    processor: float
    memory: float


def timed(*command: str) -> Taken:
    """Return what ``triptych COMMAND`` takes, which must succeed."""
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "triptych", *command], stdout=subprocess.DEVNULL
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"triptych {' '.join(command)} left with {process.returncode}")
    wall = time.perf_counter() - started
    return Taken(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000)

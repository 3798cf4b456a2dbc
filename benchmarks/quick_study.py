"""Time and memory of the paper study at quick scale, and of its page.

    python benchmarks/quick_study.py [--data-dir FOLDER] [--runs 3]

Prints wall seconds and peak memory of ``triptych run paper`` from process start in an empty
folder, then wall seconds of ``triptych report`` (median, smallest and largest of the runs) and
of ``triptych --help``.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def timed(*command: str) -> tuple[float, float]:
    """Return wall seconds and peak memory in MB of ``triptych COMMAND``, which must succeed."""
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "triptych", *command], stdout=subprocess.DEVNULL
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"triptych {' '.join(command)} left with {process.returncode}")
    return time.perf_counter() - started, usage.ru_maxrss / 1000


def spread(values: list[float]) -> str:
    """Return median, smallest and largest."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", help="folder of CIFAR-10; without it the digits stand in")
    parser.add_argument("--runs", type=int, default=3, help="repetitions of the short commands")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    folder = Path(tempfile.mkdtemp())
    try:
        data = ["--data-dir", options.data_dir] if options.data_dir else []
        seconds, memory = timed("run", "paper", "--out", str(folder / "study"), *data)
        print(f"triptych run paper: {seconds:.0f} s, peak memory {memory:.0f} MB")
        reports = [timed("report", str(folder / "study"))[0] for _ in range(options.runs)]
        print(f"triptych report: {spread(reports)} s")
        size = (folder / "study" / "report.html").stat().st_size
        print(f"the page: {size / 1000:.0f} kB")
        helps = [timed("--help")[0] for _ in range(options.runs)]
        print(f"triptych --help: {spread(helps)} s")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

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
import tempfile
from pathlib import Path

from whole_process import timed


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
        taken = timed("run", "paper", "--out", str(folder / "study"), *data)
        print(f"triptych run paper: {taken.wall:.0f} s, peak memory {taken.memory:.0f} MB")
        reports = [timed("report", str(folder / "study")).wall for _ in range(options.runs)]
        print(f"triptych report: {spread(reports)} s")
        size = (folder / "study" / "report.html").stat().st_size
        print(f"the page: {size / 1000:.0f} kB")
        helps = [timed("--help").wall for _ in range(options.runs)]
        print(f"triptych --help: {spread(helps)} s")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

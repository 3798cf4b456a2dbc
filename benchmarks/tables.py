"""How fast tables are read: for training, and for predictions.

    python benchmarks/tables.py [--rows 1000000]

Prints, beside the bars, seconds and peak memory of a process each that reads

- 100,000 rows of 30 columns of a CSV for training: parsed, split, prepared;
- 1,000,000 rows of 10 columns of numbers, some rows at a time, by a preparation;
- the same with three columns of texts and one of dates among the ten, and with empty cells.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

WORDS = np.array(["red", "green", "blue", "grey"])


def write(path: Path, rows: int, kinds: str, *, gaps: bool = False) -> None:
    """Write a CSV with a column for each letter of `kinds`, n, t or d, and a target."""
    draw = np.random.default_rng(0)
    names = [f"{kind}{k}" for k, kind in enumerate(kinds)]
    with path.open("w") as file:
        file.write(",".join([*names, "y"]) + "\n")
        for first in range(0, rows, 50_000):
            count = min(50_000, rows - first)
            columns = [cells(kind, count, draw, gaps=gaps) for kind in kinds]
            columns.append(["no" if k % 3 else "yes" for k in range(count)])
            file.writelines(",".join(row) + "\n" for row in zip(*columns, strict=True))


def cells(kind: str, count: int, draw: np.random.Generator, *, gaps: bool) -> list[str]:
    if kind == "t":
        return WORDS[draw.integers(0, 4, count)].tolist()
    if kind == "d":
        days = np.datetime64("2020-01-01") + draw.integers(0, 1500, count)
        return np.datetime_as_string(days).tolist()
    numbers = [f"{value:.6g}" for value in draw.normal(size=count).tolist()]
    return ["" if gaps and k % 50 == 7 else cell for k, cell in enumerate(numbers)]


def train(path: str) -> int:
    from triptych.data import load
    from triptych.spec import TableSpec

    data = load(TableSpec(path=path, target="y", missing="fill"), 0)
    return len(data.train) + len(data.test)


def predict(path: str, head: str) -> int:
    from triptych.data import load, read_prepared
    from triptych.spec import TableSpec

    prepared = load(TableSpec(path=head, target="y", missing="fill"), 0).preparation
    assert prepared is not None
    return sum(map(len, read_prepared(prepared, path)))


def peak() -> float:
    """Return the most memory that this process has had, in MB."""
    # Not ru_maxrss, which begins at what the process had that started this one.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1000


def timed(*arguments: str) -> tuple[int, str]:
    """Return the rows that this script read in a process of its own, and what that took."""
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments} left with {process.returncode}")
    rows, memory = json.loads(told)
    wall, processor = time.perf_counter() - started, usage.ru_utime + usage.ru_stime
    return rows, f"{processor:.1f} s of a processor, {wall:.1f} s in all, {memory:.0f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--train", nargs=1)
    parser.add_argument("--predict", nargs=2)
    options = parser.parse_args()
    if options.train:
        print(json.dumps([train(*options.train), peak()]))
        return
    if options.predict:
        print(json.dumps([predict(*options.predict), peak()]))
        return
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        path, head = Path(folder) / "rows.csv", Path(folder) / "head.csv"
        for what, kinds, gaps in (
            ("30 numbers", "n" * 30, False),
            ("24 numbers with gaps, 5 texts, a date", "n" * 24 + "ttttt" + "d", True),
        ):
            write(path, 100_000, kinds, gaps=gaps)
            rows, taken = timed("--train", str(path))
            print(f"train   {rows:>9,} x {what}: {taken} (bars 10 s, 1000 MB)")
        for what, kinds, gaps in (
            ("10 numbers", "n" * 10, False),
            ("10 numbers with gaps", "n" * 10, True),
            ("6 numbers, 3 texts, a date", "n" * 6 + "ttt" + "d", False),
        ):
            write(path, options.rows, kinds, gaps=gaps)
            write(head, 1000, kinds, gaps=gaps)
            rows, taken = timed("--predict", str(path), str(head))
            size = path.stat().st_size / 1e6
            print(f"predict {rows:>9,} x {what}, {size:.0f} MB: {taken} (bar 15 s)")


if __name__ == "__main__":
    main()

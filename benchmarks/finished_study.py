"""How long a study takes of which all, or nearly all, has been run before.

    python benchmarks/finished_study.py [--paper] [--data-dir FOLDER] [--runs 5]

Prints, beside the bars: wall and processor seconds, from process start, of ``triptych run toys``
when it is finished; the same with an arm added, of which only that arm may run; and of a hundred
seeds of each of its arms from an empty folder. With ``--paper`` also of the paper study at quick
scale, which has to be run first and takes minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

from triptych.spec import StudySpec, write_study
from triptych.studies import find_study
from whole_process import timed

FINISHED_BAR, SEEDS_BAR, SEEDS = 2.0, 60.0, 100


def runs(folder: Path) -> dict[str, int]:
    """Return when each run of a study ended, by arm and seed, in nanoseconds."""
    return {
        "/".join(path.parts[-3:-1]): path.stat().st_mtime_ns for path in folder.rglob("result.json")
    }


def with_an_arm(study: StudySpec) -> StudySpec:
    """Return a study with one more arm: its first, trained for half as many epochs."""
    arm = next(iter(study.arms.values()))
    added = replace(arm, label="added", train=replace(arm.train, epochs=arm.train.epochs // 2))
    return replace(study, arms={**study.arms, "added": added})


def measure(name: str, folder: Path, repeats: int, options: list[str]) -> None:
    """Run a study, and print what calling it again and adding an arm take."""
    study = find_study(name)
    out = ["--out", str(folder), *options]
    first = timed("run", name, *out).wall
    count = len(runs(folder))
    print(f"{name}: {len(study.arms)} arms, {count} runs; the first call took {first:.1f} s")
    before = runs(folder)
    again = [timed("run", name, *out) for _ in range(repeats)]
    if runs(folder) != before:
        raise SystemExit(f"{name} was not finished: what was called again trained more runs")
    walls = [one.wall for one in again]
    wall, low, high = statistics.median(walls), min(walls), max(walls)
    cpu = statistics.median(one.processor for one in again)
    print(f"  finished, called again: {wall:.2f} s ({low:.2f} to {high:.2f}), {cpu:.2f} s of a "
          f"processor; the bar is {FINISHED_BAR:g} s")  # fmt: skip
    file = folder.parent / f"{name}.toml"
    file.write_text(write_study(with_an_arm(study)))
    added = timed("run", str(file), *out)
    after = runs(folder)
    others = {place for place in after if after[place] != before.get(place)}
    if {place.split("/")[0] for place in others} != {"added"}:
        raise SystemExit(f"{name}: not only the added arm was run: {sorted(others)}")
    taken = sum(json.loads((folder / "runs" / place / "result.json").read_text())["seconds"]
                for place in others)  # fmt: skip
    print(f"  an arm added: {added.wall:.2f} s, {added.processor:.2f} s of a processor, for its "
          f"{len(others)} runs ({taken:.2f} s of training) and no other")  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--paper", action="store_true", help="the paper study too: minutes")
    parser.add_argument("--data-dir", help="folder of CIFAR-10; without it the digits stand in")
    parser.add_argument("--runs", type=int, default=5, help="calls of a finished study")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    home = Path(tempfile.mkdtemp())
    try:
        measure("toys", home / "toys", options.runs, [])
        many = timed("run", "toys", "--seeds", str(SEEDS), "--out", str(home / "seeds"))
        print(f"  {SEEDS} seeds of each arm: {many.wall:.1f} s, {many.processor:.1f} s of a "
              f"processor; the bar is {SEEDS_BAR:g} s")  # fmt: skip
        if options.paper:
            data = ["--data-dir", options.data_dir] if options.data_dir else []
            measure("paper", home / "paper", options.runs, data)
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()

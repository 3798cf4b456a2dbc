"""What ``triptych check`` says a run takes, beside what one takes.

    python benchmarks/check_estimates.py [STUDY ...] [--scale S] [--arms A B] [--seeds 2]

For each distinct arm: the estimated seconds and memory of a run, the measured ones (runs of the
arm alone, in a process of its own, all of them for the second time), and their ratio. Without
STUDY: toys, and the starter on the built-in digits. On a busy machine both are worth little.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from triptych.data import load
from triptych.engines import process_peak
from triptych.records import StudyFolder
from triptych.runner import RunEnded, RunStarted, Setting, execute_study
from triptych.runner.estimates import estimate_study
from triptych.spec import DigitsSpec, StudySpec, parse_study, spec_id, write_study
from triptych.studies import find_study
from triptych.studies.starter import starter


def measure(text: str, seeds: int, data_dir: str | None) -> dict[str, float]:
    """Run a study of one arm twice; return the seconds of a later run, and the peak memory."""
    study = replace(parse_study(text), seeds=seeds, budget=None)
    setting = Setting(Path(data_dir) if data_dir else None)
    seconds: list[float] = []
    for again in (False, True):  # the first imports, and may compile
        started = 0.0
        with tempfile.TemporaryDirectory() as folder:
            for event in execute_study(study, StudyFolder(Path(folder)), setting):
                if isinstance(event, RunStarted):
                    started, runs = time.perf_counter(), len(event.seeds)
                elif isinstance(event, RunEnded) and again and event.record.seed % runs == runs - 1:
                    seconds.append((time.perf_counter() - started) / runs)
    return {"seconds": statistics.median(seconds), "memory": (process_peak() or math.nan) * 1e6}


def measured(study: StudySpec, arm: str, seeds: int, data_dir: str | None) -> dict[str, float]:
    """Run one arm of a study in another process."""
    alone = replace(study, arms={arm: study.arms[arm]}, claims=(), reported=(), seeds=seeds,
                    budget=None)  # fmt: skip
    found = subprocess.run(
        [sys.executable, __file__, "--measure", str(seeds), "--data-dir", data_dir or ""],
        input=write_study(alone), capture_output=True, text=True, check=True,
    )  # fmt: skip
    result: dict[str, float] = json.loads(found.stdout.splitlines()[-1])
    return result


def show(name: str, study: StudySpec, options: argparse.Namespace) -> None:
    """Print a row for each distinct arm of a study."""
    arms = {a: s for a, s in study.arms.items() if not options.arms or a in options.arms}
    distinct = {spec_id(spec): arm for arm, spec in reversed(arms.items())}
    arms = {arm: spec for arm, spec in arms.items() if arm in distinct.values()}
    study = replace(study, arms=arms, claims=(), reported=(), seeds=options.seeds, budget=None)
    setting = Setting(Path(options.data_dir) if options.data_dir else None)
    guess = estimate_study(study, setting, trials=True, told=lambda _: None)
    for arm, found in guess.arms.items():
        real = measured(study, arm, options.seeds, options.data_dir)
        trial = found.trial
        assert trial is not None
        ratio, room = trial.seconds / real["seconds"], trial.memory / real["memory"]
        print(
            f"{name:10} {arm:16} {found.engine:9} {trial.seconds:8.3f} s of {real['seconds']:8.3f}"
            f"  x{ratio:5.2f}   {trial.memory / 1e6:5.0f} MB of {real['memory'] / 1e6:5.0f}"
            f"  x{room:5.2f} {trial.trouble}",
            flush=True,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", nargs="*", metavar="STUDY")
    parser.add_argument("--scale")
    parser.add_argument("--arms", nargs="*", default=[])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--data-dir")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        text = sys.stdin.read()
        print(json.dumps(measure(text, options.measure, options.data_dir)))
        return
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load "
          f"{os.getloadavg()[0]:.1f}; estimated of measured, a run")  # fmt: skip
    for name in options.studies or ["toys"]:
        show(Path(name).stem, find_study(name, options.scale), options)
    if not options.studies:
        text = starter({"source": "digits"}, load(DigitsSpec(), 0))
        show("digits", parse_study(text), options)


if __name__ == "__main__":
    main()

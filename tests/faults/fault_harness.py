"""Fails and kills studies wherever they write, and looks whether what comes of them is the same.

    python tests/faults/fault_harness.py points            every operation on the disk x six faults
    python tests/faults/fault_harness.py kills --count 2000
    python tests/faults/fault_harness.py flips             kills, each with a damaged checkpoint
    python tests/faults/fault_harness.py jobs              kills of commands with two jobs
    python tests/faults/fault_harness.py broken            must be caught, all of them
    python tests/faults/fault_harness.py all

One process imports everything, then forks a child for each trial, before it has any threads. The
child runs a whole study. It is made to fail at one operation on the disk, or is killed at some
time; then another goes on with its folder. In the end every file in the folder is to have the
bytes that it has after a run in one go.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict

from fault_jobs import jobs
from fault_studies import STUDIES
from fault_trials import FAULTS, Outcome, Trial, stand_still

_MOST_OF_BROKEN = 200


def points(study: str, every: int = 1, broken: Callable[[], None] | None = None) -> Outcome:
    """Let every operation fail in each way; with `every` above 1 some of them, in turn.

    Of what is broken, in a drawn order, until something is found.
    """
    started, trial = time.monotonic(), Trial(study, broken)
    count = len(trial.operations())
    pairs = [(at, kind) for at in range(1, count + 1) for kind in FAULTS][::every]
    if broken:
        random.Random(0).shuffle(pairs)
        del pairs[_MOST_OF_BROKEN:]
    for at, kind in pairs:
        trial.point(at, kind)
        if broken and not trial.outcome.is_good:
            break
    trial.outcome.seconds = time.monotonic() - started
    return trial.close()


def kills(
    study: str, count: int, seed: int = 0, broken: Callable[[], None] | None = None, *,
    flip: bool = False,
) -> Outcome:  # fmt: skip
    """Kill a study at random times, `count` times in all."""
    started, trial, draw = time.monotonic(), Trial(study, broken), random.Random(seed)
    while trial.outcome.trials < count:
        trial.kill_until_done(draw, flip)
        if broken and not trial.outcome.is_good:
            break
    trial.outcome.seconds = time.monotonic() - started
    return trial.close()


def all_broken() -> Iterator[tuple[str, Outcome]]:
    """Try each of the deliberately broken variants until something is found."""
    from broken_variants import VARIANTS

    for name, (study, way, broken) in VARIANTS.items():
        if way == "points":
            yield name, points(study, 1, broken)
        else:
            yield name, kills(study, 300, broken=broken, flip=way == "flips")


def told(name: str, outcome: Outcome) -> None:
    """Print a line about some trials."""
    o = outcome
    print(
        f"{name:34}{o.trials:6} trials {o.different:4} different {o.unresumable:4} unresumable "
        f"{o.lost:4} lost {o.rude:4} tracebacks {o.seconds:7.1f} s  {o.first}",
        flush=True,
    )


def main() -> int:
    """Do what is asked; return 0 if all is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", choices=("points", "kills", "flips", "jobs", "broken", "all"))
    parser.add_argument("--study", action="append", choices=STUDIES)
    parser.add_argument("--count", type=int, default=2000, help="kills in all")
    parser.add_argument("--every", type=int, default=1, help="of the points only every so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    stand_still()
    good, found = True, []
    studies = asked.study or list(STUDIES)
    several = {
        "points": lambda s: points(s, asked.every),
        "kills": lambda s: kills(s, -(-asked.count // len(studies)), asked.seed),
        "flips": lambda s: kills(s, -(-asked.count // 5 // len(studies)), asked.seed, flip=True),
    }
    for way, act in several.items():
        if asked.what in (way, "all"):
            for study in studies:
                outcome = act(study)
                good &= outcome.is_good
                told(f"{way}, {study}", outcome)
                found.append({"way": way, **asdict(outcome)})
    if asked.what in ("jobs", "all"):
        outcome = jobs(-(-asked.count // 100), asked.seed)
        good &= outcome.is_good
        told("kills, two jobs", outcome)
        found.append({"way": "jobs", **asdict(outcome)})
    if asked.what in ("broken", "all"):
        for name, outcome in all_broken():
            good &= not outcome.is_good
            told(f"broken: {name}", outcome)
            found.append({"way": "broken", "name": name, **asdict(outcome)})
    if asked.json:
        print(json.dumps(found))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

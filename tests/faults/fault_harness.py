"""Fails and kills studies wherever they write, and looks whether what comes of them is the same.

    python tests/faults/fault_harness.py points         every operation on the disk x six faults
    python tests/faults/fault_harness.py kills          killed at random times
    python tests/faults/fault_harness.py flips          kills, each with a damaged checkpoint
    python tests/faults/fault_harness.py power          power fails at every operation
    python tests/faults/fault_harness.py pages          kills while the page is drawn, and exports
    python tests/faults/fault_harness.py jobs           kills of commands with two jobs
    python tests/faults/fault_harness.py full           a disk that is full
    python tests/faults/fault_harness.py broken         must be caught, all of them
    python tests/faults/fault_harness.py all

Several may be named. One process imports everything, and forks another for each part of the work,
which forks a child for each trial before it has any threads. The child runs a whole study. It is
made to fail at one operation on the disk, or is killed at some time; then another goes on with its
folder. In the end every file in the folder is to have the bytes that it has after a run in one go.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fault_full import full
from fault_jobs import jobs
from fault_pages import pages
from fault_studies import STUDIES
from fault_trials import FAULTS, Break, Outcome, Trial, stand_still

WAYS = ("points", "kills", "flips", "power", "pages", "jobs", "full", "broken")
_PARTS = 6
_KILLS_EACH = 100
_EVERY_OF_OTHERS = 4
_MOST_OF_BROKEN, _EVERY_OF_BROKEN = 200, 7


def points(
    study: str, every: int = 1, part: tuple[int, int] = (0, 1), broken: Break | None = None
) -> Outcome:
    """Let every operation fail in each way; with `every` above 1 some of them, in turn.

    Of what is broken, in a drawn order, until something is found.
    """
    trial = Trial(study, broken)
    count = len(trial.operations().coming)
    pairs = [(at, kind) for at in range(1, count + 1) for kind in FAULTS][::every]
    pairs = pairs[len(pairs) * part[0] // part[1] : len(pairs) * (part[0] + 1) // part[1]]
    if broken:
        random.Random(0).shuffle(pairs)
        del pairs[_MOST_OF_BROKEN:]
    for at, kind in pairs:
        trial.point(at, kind)
        if broken and not trial.outcome.is_good:
            break
    return trial.close()


def power(
    study: str, begun: str = "empty", every: int = 1, part: tuple[int, int] = (0, 1),
    broken: Break | None = None,
) -> Outcome:  # fmt: skip
    """Let the power fail before every operation, or some, and after the last.

    Of what is broken, in a drawn order, until something is found.
    """
    trial, draw = Trial(study, broken), random.Random(f"{study} {begun}")
    machine = trial.operations(begun, draw)
    cuts = list(range(0, len(machine.coming) + 1, every))
    cuts = cuts[len(cuts) * part[0] // part[1] : len(cuts) * (part[0] + 1) // part[1]]
    if broken and begun == "empty":  # an old folder matters when runs begin
        random.Random(0).shuffle(cuts)
    for cut in cuts:
        trial.power(machine.at(cut), random.Random(f"{study} {begun} {cut}"))
        if broken and not trial.outcome.is_good:
            break
    return trial.close()


def kills(
    study: str, count: int, seed: str = "0", broken: Break | None = None, *, flip: bool = False
) -> Outcome:
    """Kill a study at random times, `count` times in all."""
    trial, draw = Trial(study, broken), random.Random(f"{study} {seed}")
    while trial.outcome.trials < count:
        trial.kill_until_done(draw, flip)
        if broken and not trial.outcome.is_good:
            break
    return trial.close()


@dataclass(frozen=True)
class Task:
    """A part of the work, for a process of its own.

    Attributes
    ----------
    way, study : str
    act : callable
        Does it; what comes of it does not depend on what else is done.
    bad : bool
        Whether something is to be found.
    """

    way: str
    study: str
    act: Callable[[], Outcome]
    bad: bool = False


def parts_of(way: str, study: str, asked: argparse.Namespace) -> Iterator[Task]:
    """Give the parts of what is done with one study in one way."""
    parts = _PARTS if asked.every == 1 else 1
    if way == "points":
        for k in range(parts):
            yield Task(way, study, lambda k=k: points(study, asked.every, (k, parts)))
    elif way == "power":
        # What is done to the disk is the same for every engine.
        every = asked.every * (1 if study.endswith("numpy") else _EVERY_OF_OTHERS)
        for k in range(parts):
            yield Task(way, study, lambda k=k: power(study, "empty", every, (k, parts)))
        for begun, rarer in (("former", 3), ("killed", 6)):
            yield Task(way, study, lambda b=begun, e=every * rarer: power(study, b, e))
    else:
        count = asked.count if way == "kills" else -(-asked.count // 25)
        for begin in range(0, count, _KILLS_EACH):
            some, seed, flip = (
                min(_KILLS_EACH, count - begin),
                f"{asked.seed} {begin}",
                way == "flips",
            )
            yield Task(way, study, lambda n=some, s=seed, flip=flip: kills(study, n, s, flip=flip))


def others(way: str, asked: argparse.Namespace) -> Iterator[Task]:
    """Give what is done in ways that have a study of their own."""
    if way == "pages":
        for k in range(2):
            count, seed = max(1, asked.count // 50), f"{asked.seed} {k}"
            yield Task(way, "page", lambda n=count, s=seed: pages(n, s))
    elif way == "jobs":
        yield Task(way, "two jobs", lambda: jobs(-(-asked.count // 50), asked.seed))
    elif way == "full":
        yield Task(way, "mlp-numpy", lambda: full("mlp-numpy"))
    else:
        yield from broken_tasks()


def tasks_of(asked: argparse.Namespace) -> Iterator[Task]:
    """Give all that is asked for, in parts."""
    for way in WAYS if "all" in asked.what else [way for way in WAYS if way in asked.what]:
        if way in ("points", "power", "kills", "flips"):
            for study in asked.study or STUDIES:
                yield from parts_of(way, study, asked)
        else:
            yield from others(way, asked)


def broken_tasks() -> Iterator[Task]:
    """Give each of the deliberately broken variants, tried until something is found."""
    from broken_variants import VARIANTS

    for name, (study, way, broken) in VARIANTS.items():
        act: Callable[[], Outcome]
        if way == "points":
            act = lambda s=study, b=broken: points(s, broken=b)  # noqa: E731
        elif way.startswith("power"):
            begun = way.removeprefix("power, ") if "," in way else "empty"
            every = 1 if begun == "former" else _EVERY_OF_BROKEN
            act = lambda s=study, n=begun, e=every, b=broken: power(s, n, e, broken=b)  # noqa: E731
        else:
            act = lambda s=study, b=broken: kills(s, 300, broken=b, flip=True)  # noqa: E731
        yield Task(f"broken: {name}", study, act, bad=True)


def side_by_side(tasks: Sequence[Task], processes: int) -> Iterator[tuple[Task, Outcome]]:
    """Do each task in a fork of this process, so many at a time; give what came of it."""
    waiting, under_way = list(reversed(tasks)), {}
    while waiting or under_way:
        while waiting and len(under_way) < processes:
            task = waiting.pop()
            reading, writing = os.pipe()
            if (child := os.fork()) == 0:
                started = time.monotonic()
                try:
                    outcome = task.act()
                    outcome.seconds = time.monotonic() - started
                    os.write(writing, json.dumps(asdict(outcome)).encode())
                finally:
                    sys.stdout.flush()
                    os._exit(0)
            os.close(writing)
            under_way[child] = task, reading
        child, _ = os.wait()
        task, reading = under_way.pop(child)
        with os.fdopen(reading) as pipe:
            text = pipe.read()
        yield task, Outcome(**json.loads(text)) if text else failed(task)


def failed(task: Task) -> Outcome:
    """Return what is to be said of trials that could not be made."""
    return Outcome(task.study, unresumable=1, first="the trials themselves failed")


def line(name: str, outcome: Outcome, caught: str = "") -> str:
    """Return a line of a table."""
    o = outcome
    return (
        f"{name:44}{o.trials:7}{o.different:10}{o.unresumable:12}{o.lost:6}{o.rude:11}"
        f"{o.seconds:9.0f} s  {caught or o.first}"
    )


def main() -> int:
    """Do what is asked; return 0 if all is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    add = parser.add_argument
    add("what", nargs="+", choices=(*WAYS, "all"))
    add("--study", action="append", choices=STUDIES)
    add("--count", type=int, default=1000,
        help="kills of each study; of flips and pages a 25th in all, of jobs a 50th")  # fmt: skip
    add("--every", type=int, default=1, help="of points and power only every so many")
    add("--seed", type=int, default=0)
    add("--processes", type=int, default=len(os.sched_getaffinity(0)))
    add("--json", type=Path, metavar="FILE", help="where to write the figures")
    asked = parser.parse_args()
    stand_still()
    started, tasks = time.monotonic(), list(tasks_of(asked))
    sums: dict[tuple[str, str], Outcome] = {}
    good = True
    for count, (task, outcome) in enumerate(side_by_side(tasks, asked.processes), start=1):
        fine = outcome.is_good != task.bad and outcome.first != failed(task).first
        good &= fine
        name = task.way, task.study
        sums[name] = outcome + sums[name] if name in sums else outcome
        mark = "" if fine else "  <-- NOT AS IT SHOULD BE"
        print(f"{count:4}/{len(tasks)} {line(', '.join(name), outcome)}{mark}", flush=True)
    order = list(dict.fromkeys((task.way, task.study) for task in tasks))
    head = f"{'trials':>51}{'different':>10}{'unresumable':>12}{'lost':>6}{'tracebacks':>11}"
    print(f"\n{head}{'seconds':>11}")
    for name in order:
        print(line(", ".join(name), sums[name]))
    print(f"{time.monotonic() - started:.0f} s in {asked.processes} processes: "
        f"{'all is as it should be' if good else 'NOT all is as it should be'}")  # fmt: skip
    if asked.json:
        found = [{"way": name[0], **asdict(sums[name])} for name in order]
        asked.json.write_text(json.dumps(found, indent=1))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

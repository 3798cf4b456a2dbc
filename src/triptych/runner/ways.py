"""How the runs of each arm are made: which at the same time, which alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from triptych.engines import (
    SEEDS_AT_ONCE,
    DataShape,
    can_train_together,
    choose_device,
    choose_engine,
    cores,
    threads_taken,
)
from triptych.runner.setting import Setting
from triptych.spec import ArmSpec, ReferenceSpec, StudySpec

# Values of all training rows together up to which seeds are trained at the same time: 1.3 GB in
# float32, which lets two seeds of all of CIFAR-10 have a core each.
_VALUES_TOGETHER = 320_000_000


@dataclass(frozen=True)
class Way:
    """How an arm's runs are made.

    Attributes
    ----------
    together : int
        How many of its seeds are trained at the same time, by one process.
    places : int
        How many of the study's jobs it takes the place of.
    timed : bool
        Whether a claim compares its seconds. Each of its runs is timed alone: the shares of seeds
        that were trained together are one measurement, not several.
    own_process : bool
        Whether a claim compares its memory. Each of its runs has a process for itself: in one
        that made others before, what those have loaded counts too.
    """

    together: int = 1
    places: int = 1
    timed: bool = False
    own_process: bool = False


def find_ways(
    study: StudySpec, asked: StudySpec, shapes: Mapping[str, DataShape], setting: Setting
) -> dict[str, Way]:
    """Return how the runs of each arm are made, where ``setting.jobs`` go side by side.

    `asked` is the study before arms were matched to others, `shapes` are those of its data.

    What a run computes with follows from its arm alone, so runs that use all cores are made with
    nothing else running, and the others side by side.
    """
    timed = _compared(study, "seconds") | _matched_on_seconds(asked)
    sized = _compared(study, "peak_memory")
    ways, jobs = {}, setting.jobs
    for name, arm in study.arms.items():
        alone = name in timed or name in sized
        together = 1 if alone else _together(arm, study.most_seeds, shapes[name], setting)
        places = jobs
        if jobs > 1 and together == 1 and name not in timed:
            places = _places(arm, shapes[name], setting)
        ways[name] = Way(together, places, name in timed, name in sized)
    return ways


def _compared(study: StudySpec, metric: str) -> set[str]:
    """Return the arms of which a claim compares `metric`."""
    tests = [test for claim in study.claims for test in claim.with_causes]
    return {found.arm for test in tests for _, found in test.terms if found.name == metric}


def _matched_on_seconds(asked: StudySpec) -> set[str]:
    """Return the arms whose seconds a match makes equal."""
    pairs = ((name, arm.match) for name, arm in asked.arms.items())
    return {
        one
        for name, match in pairs
        if match is not None and match.on == "seconds"
        for one in (name, match.arm)
    }


def _together(arm: ArmSpec, seeds: int, shape: DataShape, setting: Setting) -> int:
    """Return how many seeds of `arm` are trained at the same time."""
    if isinstance(arm.network, ReferenceSpec) or seeds == 1 or arm.trained[1].search is not None:
        return 1
    engine = choose_engine(arm, shape, setting.device)[0]
    if engine == "torch":
        device = choose_device(setting.device, engine)
        seeds = min(seeds, SEEDS_AT_ONCE)
        seeds = seeds if can_train_together(arm, shape, engine, device) else 1
    elif engine != "compiled":
        return 1
    return max(1, min(seeds, _VALUES_TOGETHER // (shape.rows * math.prod(shape.sample_shape))))


def _places(arm: ArmSpec, shape: DataShape, setting: Setting) -> int:
    """Return of how many of `jobs` one run of `arm` has the threads; all where it has a GPU."""
    engine = choose_engine(arm, shape, setting.device)[0]
    jobs = setting.jobs
    if choose_device(setting.device, engine) == "cuda":
        return jobs
    share = max(1, cores() // jobs)
    return min(jobs, math.ceil(threads_taken(arm, shape, engine) / share))

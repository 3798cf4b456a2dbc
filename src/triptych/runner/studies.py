"""A whole study: every arm on every seed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from triptych.data import load
from triptych.engines import choose_device, choose_engine
from triptych.errors import NumericsError
from triptych.records import DIVERGED, StudyFolder
from triptych.runner.runs import RunEnded, RunTold, Setting, execute_runs
from triptych.spec import ArmSpec, MLPSpec, RNNSpec, StudySpec

# Values of all training rows together up to which seeds are trained at the same time: 1.3 GB in
# float32, which lets two seeds of all of CIFAR-10 have a core each.
_VALUES_TOGETHER = 320_000_000


@dataclass(frozen=True)
class RunStarted:
    """Runs of one arm begin: on which seeds, at the same time where they are several."""

    arm: str
    seeds: tuple[int, ...]


StudyEvent = RunStarted | RunTold | RunEnded


def execute_study(study: StudySpec, folder: StudyFolder, setting: Setting) -> Iterator[StudyEvent]:
    """Run every arm on every seed.

    It goes seed by seed, so that arms stay paired if it is cut short; but an arm whose engine can
    train many seeds at the same time does so at its first, unless a claim compares its seconds.

    Yields
    ------
    StudyEvent

    Raises
    ------
    DataError, UnsafeFileError, SpecError
        If data or device cannot be used; nothing was written then.
    NumericsError
        If every run diverged.
    """
    # What is wrong with the data or the device shows before anything is written.
    for data in {arm.data for arm in study.arms.values()}:
        load(data, 0, setting.data_dir)
    if setting.device == "cuda":
        choose_device("cuda", "torch")
    folder.start(study)
    records = []
    done: set[tuple[str, int]] = set()
    with folder.lock():
        for name, seeds in _jobs(study, setting):
            if (name, seeds[0]) in done:
                continue
            done |= {(name, seed) for seed in seeds}
            yield RunStarted(name, seeds)
            for event in execute_runs(name, study.arms[name], seeds, folder, setting):
                if isinstance(event, RunEnded):
                    records.append(event.record)
                yield event
    if all(record.status == DIVERGED for record in records):
        raise NumericsError(f"every run diverged; the first: {records[0].error}")


def _jobs(study: StudySpec, setting: Setting) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Give every arm with the seeds to train next; some are given again with a later seed."""
    timed = _timed(study)
    together = {
        name: 1 if name in timed else _together(arm, study.seeds, setting)
        for name, arm in study.arms.items()
    }
    for seed in range(study.seeds):
        for name, count in together.items():
            first = seed - seed % count
            yield name, tuple(range(first, min(first + count, study.seeds)))


def _timed(study: StudySpec) -> set[str]:
    """Return the arms whose seconds a claim compares.

    Each of their runs is timed alone: the shares of seeds that were trained together are one
    measurement, not several.
    """
    tests = [test for claim in study.claims for test in claim.comparisons]
    tests += [cause.comparison for claim in study.claims for cause in claim.causes]
    metrics = [metric for test in tests for _, metric in test.terms]
    return {metric.arm for metric in metrics if metric.name == "seconds"}


def _together(arm: ArmSpec, seeds: int, setting: Setting) -> int:
    """Return how many seeds of `arm` are trained at the same time."""
    if not isinstance(arm.network, MLPSpec | RNNSpec) or seeds == 1:
        return 1
    data = load(arm.data, 0, setting.data_dir)
    if choose_engine(arm, data, setting.device)[0] != "compiled":
        return 1
    return max(1, min(seeds, _VALUES_TOGETHER // (len(data.train) * math.prod(data.sample_shape))))

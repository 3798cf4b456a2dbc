"""What a run of an arm would take: from a few seconds of it, in a process of its own.

The process loads the data, takes steps, judges once, and prints what that took as JSON. Of its own
it is because its peak memory is then that of the arm alone.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from triptych.contracts import Split, lengths_of
from triptych.engines import (
    can_train_together,
    choose_device,
    choose_engine,
    process_peak,
    use_threads,
)
from triptych.errors import DataError, SpecError, TriptychError
from triptych.runner.inputs import load_for
from triptych.runner.runs import create_job, train_jobs
from triptych.runner.setting import Setting
from triptych.spec import ArmSpec, ReferenceSpec, TrainSpec, plain, structure
from triptych.training import Diverged, Job, Progress, fit_reference

# Of training alone; the first share of it warms up.
SECONDS = 2.0
_WARM_UP = 0.3
_MOST_SECONDS = 30.0
# Of sequences of other lengths.
_PROBES = 1.0
_ENDLESS = 1_000_000
# Evaluations up to this share of the trial are made as in a run, which cuts training into the same
# pieces.
_SHORT = 0.05
# What a run writes: seven files that reach the disk, and a row for each evaluation.
_FILES_OF_A_RUN, _A_ROW = 0.02, 1e-4
_FEW_ROWS = 1_000
_TIMEOUT = 180.0


@dataclass(frozen=True)
class Trial:
    """What a run of an arm would take, as far as a short one tells.

    Attributes
    ----------
    seconds : float
        Of one run, from loading its data to writing its result; with early stopping the most.
    once : float
        Seconds that the first run takes besides: starting, importing, reading files.
    memory, gpu_memory : float
        Peak, in bytes; 0 where there is no GPU, NaN where the system does not tell.
    trouble : str
        What went wrong, where it did; the rest is NaN then.
    """

    seconds: float = math.nan
    once: float = math.nan
    memory: float = math.nan
    gpu_memory: float = 0.0
    trouble: str = ""


def run_trial(
    arm: ArmSpec, seeds: Sequence[int], setting: Setting, seconds: float = SECONDS
) -> Trial:
    """Train `arm` for some seconds in another process, and return what a whole run would take.

    Parameters
    ----------
    arm : ArmSpec
    seeds : sequence of int
        That are trained at the same time.
    setting : Setting
    seconds : float
        Of training.

    Raises
    ------
    SpecError, DataError
        If a run would end with it too.
    """
    asked = {
        "arm": plain(arm),
        "seeds": list(seeds),
        "data_dir": None if setting.data_dir is None else str(setting.data_dir),
        "device": setting.device,
        "seconds": seconds,
        "begun": time.monotonic(),
    }
    code = "from triptych.runner.trials import main; main()"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], input=json.dumps(asked), capture_output=True, text=True,
            timeout=_TIMEOUT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Trial(trouble=f"its trial took more than {_TIMEOUT:.0f} s")
    if done.returncode < 0:
        return Trial(trouble=f"its trial was killed by signal {-done.returncode}: out of memory?")
    try:
        found = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        last = done.stderr.strip().splitlines()[-1:] or [f"code {done.returncode}"]
        return Trial(trouble=f"its trial ended early: {last[0]}")
    return _told(found)


def _told(found: dict[str, Any]) -> Trial:
    """Return a trial, or raise what a run would end with too."""
    for kind in (SpecError, DataError):
        if found.get("code") == kind.exit_code:
            raise kind(found["error"])
    if "error" in found:
        return Trial(trouble=found["error"])
    return Trial(**found)


def main() -> None:
    """Read what is asked from the standard input, and print what was found as a line of JSON."""
    asked = json.load(sys.stdin)
    data_dir = asked["data_dir"] and Path(asked["data_dir"])
    arm = structure(ArmSpec, asked["arm"], "arm")
    setting = Setting(data_dir, asked["device"])
    ready = time.monotonic() - asked["begun"]
    try:
        if isinstance(arm.network, ReferenceSpec):
            trial = _fitted(arm, arm.network, asked["seeds"][0], setting)
        else:
            trial = _Trial(arm, asked["seeds"], setting).run(asked["seconds"])
        found = asdict(replace(trial, once=trial.once + ready))
    except TriptychError as error:
        found = {"error": str(error), "code": error.exit_code}
    sys.stdout.write(json.dumps(found) + "\n")


def _fitted(arm: ArmSpec, network: ReferenceSpec, seed: int, setting: Setting) -> Trial:
    """Fit a reference, whole: it has no steps of which a few would tell."""
    (data, first), (_, again) = (
        _timed(partial(load_for, arm, seed, setting.data_dir)) for _ in range(2)
    )
    _, seconds = _timed(lambda: list(fit_reference(network, data, seed)))
    loading = min(first, again)
    whole = loading + seconds + _FILES_OF_A_RUN
    return Trial(whole, first - loading, _peak(), trouble="")


def _timed(call: Any) -> tuple[Any, float]:
    started = time.perf_counter()
    return call(), time.perf_counter() - started


class _Trial:
    """A short training of an arm on its first seeds."""

    def __init__(self, arm: ArmSpec, seeds: Sequence[int], setting: Setting) -> None:
        asked = self.asked = arm.trained[1]
        # Sizes and lengths that grow are taken whole from the start, and accounted for.
        growth = asked.growth and replace(asked.growth, stages=1)
        self.train: TrainSpec = replace(
            asked, resolutions=(), growth=growth, search=None, epochs=_ENDLESS
        )
        self.arm, self.as_tried = arm, replace(arm, train=self.train)
        self.share = float(np.mean(np.square(asked.resolutions or (1.0,))))
        self.setting = setting
        self.trouble = ""
        read = partial(load_for, arm, data_dir=setting.data_dir)
        data, first = _timed(partial(read, seeds[0]))
        others = [_timed(partial(read, seed)) for seed in seeds[1:] or [seeds[0] + 1]]
        self.load = min(first, float(np.mean([seconds for _, seconds in others])))
        self.once = first - self.load
        self.seeds, self.data = seeds, [data, *(one for one, _ in others)][: len(seeds)]

    def run(self, seconds: float) -> Trial:
        """Train for some seconds and return what a whole run would take."""
        started = time.perf_counter()
        engine, _ = choose_engine(self.arm, self.data[0], self.setting.device)
        device = choose_device(self.setting.device, engine)
        use_threads(self.arm, self.data[0], engine)
        create = [
            partial(create_job, self.as_tried, engine, data, seed, device)
            for seed, data in zip(self.seeds, self.data, strict=True)
        ]
        create[0]()  # the first one imports
        made = [_timed(one) for one in create]
        jobs, making = [job for job, _ in made], float(np.mean([took for _, took in made]))
        self.once += time.perf_counter() - started - making * len(made)
        judging = _judging(jobs[0])
        if judging * len(jobs) > _SHORT * seconds:
            self.train = replace(self.train, eval_every=_ENDLESS)
        a_step, steps = self._pace(jobs, engine, seconds)
        if self.trouble:
            return Trial(trouble=self.trouble)
        evaluations = math.ceil(self.asked.epochs / self.asked.eval_every)
        search = self.asked.search
        parts = (
            self.load,
            making,
            self.share * a_step * steps * self.asked.epochs,
            a_step * search.rates * search.steps if search else 0.0,
            evaluations * (judging + _A_ROW),
            self._at_the_end(jobs[0], judging),
            _FILES_OF_A_RUN,
        )
        return Trial(sum(parts), self.once, _peak(), _peak_of_gpu(device))

    def _pace(self, jobs: Sequence[Job], engine: str, seconds: float) -> tuple[float, int]:
        """Return the seconds of a step, as a job's share, and the steps of an epoch; 0 if none."""
        marks: list[tuple[float, int, float]] = []  # elapsed, steps, seconds in them
        steps = 0
        started = time.perf_counter()
        # Of the arm itself: that its trial has no end changes nothing.
        device = choose_device(self.setting.device, engine)
        stacked = can_train_together(self.arm, self.data[0], engine, device)
        for _, event in train_jobs(jobs, self.train, engine, stacked=stacked):
            if isinstance(event, Diverged):
                self.trouble = f"diverges: {event.error}"
                return math.nan, 0
            if not isinstance(event, Progress):
                continue
            elapsed = time.perf_counter() - started
            marks.append((elapsed, event.step, jobs[0].seconds))
            steps = event.steps // self.train.epochs
            # The first step may compile for many seconds; another is needed to tell.
            if elapsed - marks[0][0] > seconds or marks[0][0] > _MOST_SECONDS:
                break
        warm = marks[0][0] + _WARM_UP * (marks[-1][0] - marks[0][0])
        _, first, begin = next(mark for mark in marks if mark[0] >= warm)
        _, last, end = marks[-1]
        if first == last:  # one step took it all
            first, begin = 0, 0.0
        return (end - begin) / (last - first), steps

    def _at_the_end(self, job: Job, judging: float) -> float:
        """Return the seconds of what is judged once: views, and sequences of other lengths."""
        test = job.data.test
        a_row = judging / (len(job.judged) + len(test))
        # All test rows once more, and five further views of a quarter of them.
        views = (1 + 5 / 4) * a_row * len(test) if self.train.views else 0.0
        return views + (_of_probes(job, a_row) if job.data.probes else 0.0)


def _of_probes(job: Job, a_row: float) -> float:
    """Return the seconds of sequences of other lengths: measured from short to long while quick."""
    a_step = a_row / float(lengths_of(job.data.test.x).mean())
    seconds, measuring = 0.0, 0.0
    for _, probe in sorted(job.data.probes.items()):
        steps = probe.x.shape[0] * probe.x.shape[1]
        took = a_step * steps
        if measuring + took < _PROBES:
            took = _timed(partial(job.learner.outputs, probe.x))[1]
            measuring += took
            # Short ones cost more a step than long ones.
            a_step = took / steps
        seconds += took
    return seconds


def _judging(job: Job) -> float:
    """Return the seconds of an evaluation: measured where it is short, else from some rows."""
    splits: list[Split] = [job.judged, job.data.test]
    splits += [] if job.validation is None else [job.validation]
    rows = sum(map(len, splits))
    few = job.data.test.take(np.arange(min(len(job.data.test), _FEW_ROWS)))
    job.learner.evaluate(few)
    _, seconds = _timed(partial(job.learner.evaluate, few))
    expected = seconds * rows / len(few)
    if expected > 1.0:
        return expected
    return _timed(lambda: [job.learner.evaluate(split) for split in splits])[1]


def _peak() -> float:
    """Return the most memory that this process has had, in bytes; NaN where nobody can tell."""
    megabytes = process_peak()
    return math.nan if megabytes is None else megabytes * 1e6


def _peak_of_gpu(device: str) -> float:
    if device != "cuda":
        return 0.0
    import torch

    return float(torch.cuda.max_memory_allocated())

"""How long an arm trains on this machine: from its finished runs, or from a short trial."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from triptych.engines import choose_device, choose_engine, machine, use_threads
from triptych.errors import SpecError
from triptych.records import FINISHED, STEPS, RunRecord, StudyFolder
from triptych.runner.inputs import load_for
from triptych.runner.runs import create_job, train_jobs
from triptych.runner.setting import Setting
from triptych.spec import ArmSpec, TrainSpec, spec_id
from triptych.training import Diverged, Evaluation, Event, Job, Progress
from triptych.training.batches import plan

_WARM_UP, _TRIAL = 0.2, 1.0  # seconds in training steps
_PATIENCE = 5  # times as long, at most, with the evaluations between them
_BATCHES, _JUDGED = 20, 100
_FROM_RUNS, _FROM_TRIALS = "runs made before", "short trials"


class Pace:
    """Tells how long arms train on this machine.

    Parameters
    ----------
    folder : StudyFolder, optional
        Whose finished runs are as good as a trial.
    seeds : range
        Of the runs that an arm may have; a trial is of the first.
    setting : Setting
    """

    def __init__(self, folder: StudyFolder | None, seeds: range, setting: Setting) -> None:
        self.folder, self.seeds, self.setting = folder, seeds, setting
        self.processor = machine("numpy", "cpu")["processor"]

    def engine(self, arm: ArmSpec) -> str:
        """Return the engine that computes `arm`."""
        data = load_for(arm, self.seeds[0], self.setting.data_dir, self.setting.handed)
        return choose_engine(arm, data, self.setting.device)[0]

    def seconds(self, path: str, name: str, arm: ArmSpec) -> tuple[float, str]:
        """Return the seconds in training steps of one run of `arm`, and how they are known.

        Parameters
        ----------
        path : str
            What asks, for messages.
        name : str
        arm : ArmSpec

        Raises
        ------
        SpecError
            If it cannot be told before a run was made.
        """
        runs = self._runs(name, arm)
        if timed := _timed_alone(runs):
            return sum(run.seconds for run in timed) / len(timed), _FROM_RUNS
        if arm.trained[1].patience is None:
            return arm.trained[1].epochs * self._trial(path, name, arm), _FROM_TRIALS
        if not runs:
            raise SpecError(
                f"{path}: 'patience' may end '{name}' at any epoch, so its seconds are not known "
                "before it was run. Run it first, without this match, into the same folder."
            )
        epochs = sum(run.epochs for run in runs) / len(runs)
        how = f"{_FROM_TRIALS} and the epochs of {_FROM_RUNS}"
        return epochs * self._trial(path, name, arm), how

    def seconds_an_epoch(self, path: str, name: str, arm: ArmSpec) -> tuple[float, str]:
        """Return the seconds of one epoch, and how they are known; else as `seconds`."""
        if timed := _timed_alone(self._runs(name, arm)):
            return sum(run.seconds for run in timed) / sum(run.epochs for run in timed), _FROM_RUNS
        return self._trial(path, name, arm), _FROM_TRIALS

    def _runs(self, name: str, arm: ArmSpec) -> list[RunRecord]:
        """Return the finished runs of an arm that were made here."""
        if self.folder is None or not self.folder.is_there():
            return []
        wanted = spec_id(replace(arm, match=None))
        folders = (self.folder.run(name, seed) for seed in self.seeds)
        runs = [folder.read() for folder in folders if folder.is_finished()]
        return [
            run
            for run in runs
            if (run.spec, run.status) == (wanted, FINISHED)
            and run.environment.get("processor") == self.processor
        ]

    def _trial(self, path: str, name: str, arm: ArmSpec) -> float:
        """Return the seconds of one epoch, measured."""
        if arm.trained[1].growth is not None and arm.trained[1].growth.stages > 1:
            raise SpecError(
                f"{path}: the sequences of '{name}' grow while it learns, so its seconds are not "
                "known before it was run. Run one seed of it first, without this match, into the "
                "same folder."
            )
        spec = _trial_spec(arm.trained[1])
        # The first shall load, compile and fill caches.
        for limit in (_WARM_UP, _TRIAL):
            job, engine, steps = _trial_job(arm, self.seeds[0], self.setting)
            found = _seconds_a_step(job, train_jobs([job], spec, engine, stacked=False), limit)
            if found is None:
                raise SpecError(f"{path}: a short trial of '{name}' diverged. Try a smaller lr.")
        assert found is not None
        return found * steps


def _timed_alone(runs: list[RunRecord]) -> list[RunRecord]:
    """Return those of `runs` whose seconds are not shares of what several took."""
    return [run for run in runs if STEPS not in run.environment and not run.shared]


def _trial_spec(spec: TrainSpec) -> TrainSpec:
    """Return a training that takes the same steps, for as long as it is let."""
    if spec.resolutions:  # steps differ, so each size has its share: an epoch of few batches
        return replace(spec, epochs=len(spec.resolutions), eval_every=1)
    return replace(spec, epochs=1_000_000, eval_every=min(spec.eval_every, spec.epochs))


def _trial_job(arm: ArmSpec, seed: int, setting: Setting) -> tuple[Job, str, int]:
    """Return a run, judged on next to nothing; its engine; the steps an epoch."""
    data = load_for(arm, seed, setting.data_dir, setting.handed)
    engine, _ = choose_engine(arm, data, setting.device)
    device = choose_device(setting.device, engine)
    use_threads(arm, data, engine)
    job = create_job(arm, engine, data, seed, device)
    rows = job.rows
    size, kept = plan(arm.trained[1].batch_size, len(rows.fit), job.learner.min_batch)
    fit = rows.fit[: _BATCHES * size] if arm.trained[1].resolutions else rows.fit
    few = data.test.take(np.arange(min(_JUDGED, len(data.test))))
    job.rows = replace(rows, fit=fit, validation=rows.validation[:_JUDGED], judged=fit[:_JUDGED])
    job.data = replace(data, test=few, probes={})
    return job, engine, math.ceil(kept / size)


def _seconds_a_step(job: Job, events: Iterable[tuple[int, Event]], limit: float) -> float | None:
    """Train for about `limit` seconds; return those of a step, None where it diverges."""
    first: tuple[float, int] | None = None
    step, started = 0, time.monotonic()
    for _, event in events:
        match event:
            case Diverged():
                return None
            case Evaluation(step=step):
                pass
            case Progress(step=step):
                # The first piece is one step, slower than those to come.
                first = first or (job.seconds, step)
                over = time.monotonic() - started > _PATIENCE * limit
                if (over or job.seconds >= limit) and step > first[1]:
                    return (job.seconds - first[0]) / (step - first[1])
    return job.seconds / step

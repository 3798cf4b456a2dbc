"""A learning rate, found by short trainings before the real one."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import replace

import numpy as np

from triptych.chance import stream
from triptych.contracts import Dataset
from triptych.spec import TrainSpec
from triptych.training.events import Diverged, Evaluation, Event, Pause, RateFound
from triptych.training.jobs import Job, Rows
from triptych.training.loop import Orders, train
from triptych.training.searches import Search

# Rows of the splits that nobody looks at while a rate is looked for.
_JUDGED = 2


def train_found(job: Job, spec: TrainSpec, orders: Orders) -> Iterator[Event]:
    """Find a learning rate if `spec` asks for it, then train with it, as `loop.train` does.

    Parameters
    ----------
    job : Job
        Its seconds count those of the search.
    spec : TrainSpec
    orders : Orders

    Yields
    ------
    Event
        Where a rate is looked for the pauses of that, then `RateFound`.
    """
    if spec.search is not None:
        if job.found is None:  # a job that was restored may have found one before
            yield from find_rate(job, spec, orders)
        assert job.found is not None
        yield job.found
        spec = replace(spec, optimizer=replace(spec.optimizer, lr=job.found.best))
    yield from train(job, spec, orders)


def find_rate(job: Job, spec: TrainSpec, orders: Orders) -> Iterator[Pause]:
    """Train with each rate of ``spec.search`` for a short while, from the job's first weights.

    Each training goes through the whole schedule, on rows that a step may see; it is judged by the
    rows set aside. The job's learner ends as it began, and ``job.found`` is what came of it. A job
    that was restored in the midst of its search goes on from there.

    Parameters
    ----------
    job : Job
    spec : TrainSpec
    orders : Orders

    Yields
    ------
    Pause
        Before each piece of steps, when `Job.state` has the trials so far.
    """
    search = spec.search
    assert search is not None
    rows = _trial_rows(job, spec)
    epochs = max(1, math.ceil(search.steps * (spec.batch_size or len(rows.fit)) / len(rows.fit)))
    short = replace(spec, epochs=epochs, eval_every=epochs, calibration=None, views=False)
    weights, moments = job.learner.weights(), job.learner.moments()
    done = job.search = job.search or Search()
    for rate in search.grid[len(done.losses) :]:
        trial = Job(job.learner, _without_tests(job), rows, job.order_seed)
        done.take_up(trial)
        at_rate = replace(short, search=None, optimizer=replace(spec.optimizer, lr=rate))
        done.end((yield from _loss(train(trial, at_rate, orders))))
        job.seconds += trial.seconds
        job.learner.load(weights)
        job.learner.load_moments(moments)
    job.found = RateFound(search.grid, tuple(done.losses), spec.optimizer.lr)
    job.searched, job.search = done.steps, None


def _trial_rows(job: Job, spec: TrainSpec) -> Rows:
    """Return the rows of a short training: as many as its steps take, where there are more."""
    fit = job.rows.fit
    assert spec.search is not None
    wanted = spec.search.steps * (spec.batch_size or len(fit))
    if wanted < len(fit):
        # Not the first ones, which may all be of one class.
        fit = np.sort(stream(job.order_seed, "search").permutation(fit)[:wanted])
    return Rows(fit, job.rows.validation, fit[:_JUDGED])


def _without_tests(job: Job) -> Dataset:
    """Return the data set of a job with nothing to judge that is not looked at."""
    assert job.validation is not None  # which a search needs
    few = job.validation.take(np.arange(min(_JUDGED, len(job.validation))))
    return replace(job.data, test=few, probes={})


def _loss(events: Iterator[Event]) -> Generator[Pause, None, float]:
    """Return the loss of the rows set aside where a training ended; infinite where it diverged."""
    last = None
    for event in events:
        if isinstance(event, Pause):
            yield event
        elif isinstance(event, Evaluation):
            last = event.validation
        elif isinstance(event, Diverged):  # which an evaluation may come before
            last = None
    return math.inf if last is None or math.isnan(last.loss) else last.loss

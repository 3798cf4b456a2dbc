"""The only training loop: a generator of events, for every network and engine.

It trains one learner, or several that take their steps together (`Together`); either way each of
them sees the same rows in the same order and ends with the same bits, or in PyTorch but for
rounding (`triptych.training.torch_together`).

It knows no disk. Before each piece of steps it pauses; what the jobs are then can be taken down
(`Job.state`), and a loop over jobs that are so again goes on from there, to the same bits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from triptych.contracts import FloatArray, IntArray, Learner, NonFiniteStep, State
from triptych.spec import TrainSpec
from triptych.training.batches import LEFT_OUT, plan
from triptych.training.events import Diverged, Event, Notice, Pause, Progress
from triptych.training.jobs import Job
from triptych.training.memory import memory_told
from triptych.training.schedules import factors

# Often enough for a live view, rarely enough to cost nothing.
_SECONDS_BETWEEN_PROGRESS = 0.2
# Places of an order that are drawn ahead: 64 MB of indices.
_PLACES_AHEAD = 8_000_000

Orders = Callable[[Sequence[int], int, int, int], IntArray]
"""Takes K seeds, first epoch, epochs, rows; returns their orders (K, epochs * rows)."""

Outcome = tuple[FloatArray, NonFiniteStep | None]
"""The losses of the latest steps, and why they were the last."""

Together = Callable[[Sequence[Learner], IntArray, int, FloatArray, int | None], list[Outcome]]
"""Lets K learners take the steps of orders (K, n) at the same time; else as `Learner.fit`."""


def train(job: Job, spec: TrainSpec, orders: Orders) -> Iterator[Event]:
    """Train one learner and tell what happens.

    Parameters
    ----------
    job : Job
    spec : TrainSpec
    orders : Orders
        Draws the order of each epoch.

    Yields
    ------
    Event
        `Notice` first, if any; then `Pause`, `Progress` and `Evaluation`; `Finished` or `Diverged`
        last.
    """
    for _, event in train_together([job], spec, orders, _alone):
        yield event


def _alone(
    learners: Sequence[Learner], orders: IntArray, size: int, lrs: FloatArray, epoch: int | None
) -> list[Outcome]:
    try:
        return [(learners[0].fit(orders[0], size, lrs, epoch), None)]
    except NonFiniteStep as error:
        return [(np.empty(0), error)]


def train_together(
    jobs: Sequence[Job], spec: TrainSpec, orders: Orders, together: Together
) -> Iterator[tuple[int, Event]]:
    """Train several learners of one shape at the same time; else as `train`.

    Parameters
    ----------
    jobs : sequence of Job
        All with the same number of rows, and as many steps taken so far.
    spec : TrainSpec
    orders : Orders
    together : Together
        Takes the steps of all of them in one call.

    Yields
    ------
    (int, Event)
        Which job, and what `train` would tell of it. `Progress` and `Pause` are told of the first
        only. The seconds of each are its share of the time that all took.
    """
    loop = _Loop(jobs, spec, orders, together)
    if loop.kept < len(jobs[0].rows.fit):
        yield from ((k, Notice(LEFT_OUT)) for k in range(len(jobs)))
    done = loop.begun
    while done < spec.epochs and loop.active():
        last = min(spec.epochs, done + spec.eval_every - done % spec.eval_every)
        yield from loop.epochs(done + 1, last)
        done = last
        for k in loop.active():
            yield k, jobs[k].evaluate(done, done * loop.steps, loop.lr)
            jobs[k].keep_best(spec.patience)
            if jobs[k].ended or done == spec.epochs:
                jobs[k].ended = True
                end = jobs[k].finish(spec)
                # A last step has no next one, whose loss would tell.
                if State(end.weights).not_finite <= jobs[k].learner.unbounded:
                    yield k, end
                else:
                    yield k, Diverged.in_the_end(jobs[k].steps, spec, loop.lr)


class _Loop:
    """Takes the steps of all jobs that have not ended, in pieces of about a fifth of a second."""

    def __init__(
        self, jobs: Sequence[Job], spec: TrainSpec, orders: Orders, together: Together
    ) -> None:
        self.jobs, self.spec, self.orders, self.together = jobs, spec, orders, together
        first = jobs[0]
        self.rows = len(first.rows.fit)
        self.size, self.kept = plan(spec.batch_size, self.rows, first.learner.min_batch)
        self.steps = math.ceil(self.kept / self.size)
        self.lr = spec.optimizer.lr
        if any(job.steps != first.steps for job in jobs):
            raise ValueError("jobs that take their steps together must have taken as many before")
        # Epochs that are whole, and steps of the next one that were taken.
        self.begun, self.within = divmod(first.steps, self.steps)
        growth = spec.growth
        self.growths = [] if growth is None else [j.start_growth(growth, self.size) for j in jobs]
        self.pace = 0.0  # steps a second
        self.told = 0.0

    def active(self) -> list[int]:
        """Return the jobs that have not ended."""
        return [k for k, job in enumerate(self.jobs) if not job.ended]

    def epochs(self, first: int, last: int) -> Iterator[tuple[int, Progress | Pause | Diverged]]:
        """Take the steps of epochs `first` to `last`, but for those that were taken before."""
        epoch = first
        while epoch <= last and (active := self.active()):
            if self.growths:
                count, order = 1, None
            elif self.within:
                count, order = 1, self._drawn(active, epoch, 1)
            else:
                # Cutting training into pieces changes no arithmetic, so time may decide where.
                most = _PLACES_AHEAD // (self.rows * len(active))
                ahead = min(self._budget() // self.steps, most)
                count = max(1, min(last - epoch + 1, ahead))
                order = self._drawn(active, epoch, count)
            yield from self._pieces(order, epoch, count)
            epoch += count

    def _drawn(self, active: list[int], epoch: int, count: int) -> IntArray:
        """Draw the orders of `count` epochs, a row for each job."""
        seeds = [self.jobs[k].order_seed for k in active]
        order = self.orders(seeds, epoch, count, self.rows)
        if self.jobs[0].validation is not None:  # else the rows are those drawn
            order = np.stack([self.jobs[k].rows.fit[order[i]] for i, k in enumerate(active)])
        if self.kept < self.rows:
            order = order.reshape(-1, count, self.rows)[:, :, : self.kept]
            order = order.reshape(len(active), -1)
        return order

    def _budget(self) -> int:
        return max(1, int(_SECONDS_BETWEEN_PROGRESS * self.pace))

    def _pieces(
        self, order: IntArray | None, epoch: int, count: int
    ) -> Iterator[tuple[int, Progress | Pause | Diverged]]:
        """Take the steps of `count` epochs, or those of a long one piece by piece.

        `order` has a row of places for each active job; without it `Growth` says what comes next.
        """
        lrs = self.spec.optimizer.lr * np.concatenate([
            factors(self.spec.schedule, e, self.steps, self.spec.epochs)
            for e in range(epoch, epoch + count)
        ])  # fmt: skip
        active = self.active()
        done, before = self.within, (epoch - 1) * self.steps
        self.within = 0
        while done < len(lrs) and active:
            # Here, so that an evaluation that is due comes before the pause.
            yield active[0], Pause(before + done)
            stop = min(len(lrs), done + self._budget()) if count == 1 else len(lrs)
            if order is None:
                stop = min(stop, done + self.growths[active[0]].left())
                rows = np.stack([self.growths[k].order(stop - done) for k in active])
            else:
                rows = order[:, done * self.size : stop * self.size if count == 1 else None]
            found = self._fit(active, rows, lrs[done:stop])
            finite = [i for i, (_, error) in enumerate(found) if error is None]
            for k, (_, error) in zip(active, found, strict=True):
                if error is not None:
                    yield k, self._diverged(k, error, before + done, lrs[done:stop])
            order, active = None if order is None else order[finite], [active[i] for i in finite]
            done = stop
            if active and self._is_due():
                now, whole = before + done, self.spec.epochs * self.steps
                recent = float(np.mean(found[finite[0]][0][-100:]))
                yield active[0], Progress(math.ceil(now / self.steps), now, whole, recent)
        self.lr = float(lrs[-1])

    def _fit(self, active: list[int], orders: IntArray, lrs: FloatArray) -> list[Outcome]:
        """Let all jobs take the same steps, and share out the seconds."""
        learners = [self.jobs[k].learner for k in active]
        started = time.perf_counter()
        epoch = None if self.growths else self.kept
        with memory_told(self.size):
            found = self.together(learners, orders, self.size, lrs, epoch)
        seconds = time.perf_counter() - started
        for k, (losses, error) in zip(active, found, strict=True):
            if self.growths and error is None:
                self.growths[k].tell(losses)
        for k in active:
            self.jobs[k].seconds += seconds / len(active)
            self.jobs[k].steps += len(lrs)
        self.pace = len(lrs) / max(seconds, 1e-9)
        return found

    def _diverged(self, k: int, error: NonFiniteStep, before: int, lrs: FloatArray) -> Diverged:
        job = self.jobs[k]
        job.ended, job.steps = True, before + error.offset
        return Diverged.at(job.steps + 1, error, self.spec, float(lrs[error.offset]))

    def _is_due(self) -> bool:
        """Whether it is time to tell how far training is; if so, the wait starts anew."""
        now = time.perf_counter()
        if now - self.told < _SECONDS_BETWEEN_PROGRESS:
            return False
        self.told = now
        return True

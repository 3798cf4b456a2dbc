"""The only training loop: a generator of events, for every network and engine."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from triptych.contracts import Dataset, FloatArray, IntArray, Learner, NonFiniteStep, Split
from triptych.errors import NumericsError, SpecError
from triptych.spec import TrainSpec
from triptych.training.events import Evaluation, Event, Finished, Notice, Progress
from triptych.training.schedules import factors

# Often enough for a live view, rarely enough to cost nothing.
_SECONDS_BETWEEN_PROGRESS = 0.2


@dataclass(frozen=True)
class Rows:
    """Which training rows are learnt from, and which are set aside for early stopping."""

    fit: IntArray
    validation: IntArray


def split_rows(spec: TrainSpec, n: int, rng: np.random.Generator) -> Rows:
    """Set ``spec.validation`` of `n` rows aside, drawn from `rng`.

    Raises
    ------
    SpecError
        If nothing would be left on either side.
    """
    if spec.patience is None:
        return Rows(np.arange(n), np.arange(0))
    held = round(n * spec.validation)
    if not 0 < held < n:
        raise SpecError(f"train.validation: {spec.validation} of {n} rows leaves one side empty.")
    order = rng.permutation(n)
    return Rows(np.sort(order[held:]), np.sort(order[:held]))


@dataclass
class _Clock:
    """How long the steps took, and how many fit between two progress events."""

    seconds: float = 0.0
    steps: int = 0
    recent: list[float] = field(default_factory=list)
    told: float = 0.0

    def chunk(self) -> int:
        if not self.steps:
            return 1
        # Cutting an epoch into chunks changes no arithmetic, so time may decide where.
        return max(1, int(_SECONDS_BETWEEN_PROGRESS * self.steps / max(self.seconds, 1e-9)))

    def add(self, seconds: float, losses: FloatArray) -> None:
        self.seconds += seconds
        self.steps += len(losses)
        self.recent = losses[-100:].tolist()

    def is_due(self) -> bool:
        """Whether it is time to tell how far training is; if so, the wait starts anew."""
        now = time.perf_counter()
        if now - self.told < _SECONDS_BETWEEN_PROGRESS:
            return False
        self.told = now
        return True


def train(
    learner: Learner, spec: TrainSpec, data: Dataset, rows: Rows, rng: np.random.Generator
) -> Iterator[Event]:
    """Train `learner` and tell what happens.

    Parameters
    ----------
    learner : Learner
        Bound to ``data.train``.
    spec : TrainSpec
    data : Dataset
        Its splits are what evaluations judge by.
    rows : Rows
        From `split_rows`.
    rng : numpy.random.Generator
        Draws the order of each epoch, one permutation an epoch.

    Yields
    ------
    Event
        `Notice` first, if any; then `Progress` and `Evaluation`; `Finished` last.

    Raises
    ------
    NumericsError
        If a loss or gradient is not finite, before the weights take it in.
    """
    size, kept = _batches(spec, len(rows.fit), learner.min_batch)
    if kept < len(rows.fit):
        yield Notice("the last batch of 1 row is left out of each epoch: BatchNorm needs 2")
    steps = math.ceil(kept / size)
    judged = (data.train.take(rows.fit) if len(rows.validation) else data.train, data.test)
    validation = data.train.take(rows.validation) if len(rows.validation) else None
    clock = _Clock()
    best: Finished | None = None
    waited = 0
    last_finite = 0
    for epoch in range(1, spec.epochs + 1):
        order = rng.permutation(rows.fit)[:kept]
        lrs = spec.optimizer.lr * factors(spec.schedule, epoch, steps, spec.epochs)
        yield from _epoch(learner, order, size, lrs, (epoch, spec.epochs, last_finite), clock)
        if epoch % spec.eval_every and epoch != spec.epochs:
            continue
        evaluation = _evaluate(learner, judged, validation, (epoch, clock), float(lrs[-1]))
        yield evaluation
        last_finite = evaluation.step
        if evaluation.validation is None:
            continue
        if best is None or evaluation.validation.loss < _validation_loss(best):
            best = Finished(learner.weights(), evaluation, epoch, clock.seconds)
            waited = 0
            continue
        waited += 1
        if spec.patience is not None and waited >= spec.patience:
            break
    if best is None:
        yield Finished(learner.weights(), evaluation, epoch, clock.seconds)
        return
    learner.load(best.weights)
    yield Finished(best.weights, best.evaluation, epoch, clock.seconds)


def _validation_loss(finished: Finished) -> float:
    scores = finished.evaluation.validation
    return math.inf if scores is None or math.isnan(scores.loss) else scores.loss


def _batches(spec: TrainSpec, n: int, min_batch: int) -> tuple[int, int]:
    """Return the batch size, and how many rows an epoch uses."""
    size = min(spec.batch_size or n, n)
    if size < min_batch:
        raise SpecError(f"train.batch_size: BatchNorm needs at least {min_batch} rows, got {size}.")
    alone = 0 < n % size < min_batch
    return size, n - n % size if alone else n


def _epoch(
    learner: Learner,
    order: IntArray,
    size: int,
    lrs: FloatArray,
    place: tuple[int, int, int],
    clock: _Clock,
) -> Iterator[Progress]:
    """Take an epoch's steps in chunks, and tell how far it is when that is due."""
    epoch, epochs, last_finite = place
    done = 0
    while done < len(lrs):
        stop = min(len(lrs), done + clock.chunk())
        started = time.perf_counter()
        try:
            losses = learner.fit(order[done * size : stop * size], size, lrs[done:stop])
        except NonFiniteStep as error:
            step = (epoch - 1) * len(lrs) + done + error.offset + 1
            raise NumericsError(
                f"step {step}: loss {error.loss:.4g} (lr {lrs[done + error.offset]:g}, grad norm "
                f"{error.grad_norm:.3g}); last finite evaluation at step {last_finite}. "
                "Try a smaller lr, or clip_norm."
            ) from error
        clock.add(time.perf_counter() - started, losses)
        done = stop
        if clock.is_due():
            step = (epoch - 1) * len(lrs) + done
            yield Progress(epoch, step, epochs * len(lrs), float(np.mean(clock.recent)))


def _evaluate(
    learner: Learner,
    judged: tuple[Split, Split],
    validation: Split | None,
    place: tuple[int, _Clock],
    lr: float,
) -> Evaluation:
    epoch, clock = place
    return Evaluation(
        epoch=epoch,
        step=clock.steps,
        lr=lr,
        train=learner.evaluate(judged[0]),
        test=learner.evaluate(judged[1]),
        validation=None if validation is None else learner.evaluate(validation),
        seconds=clock.seconds,
    )

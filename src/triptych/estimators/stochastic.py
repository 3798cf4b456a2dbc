"""The stochastic solvers: epochs on an engine, stopped by scikit-learn's rules."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from triptych.contracts import Array, FloatArray, Learner, NonFiniteStep, Split
from triptych.errors import NumericsError
from triptych.estimators.callbacks import Tasks
from triptych.estimators.held import Held, checked
from triptych.estimators.orders import order_of
from triptych.estimators.progress import progress
from triptych.estimators.stopping import judge, prepare, put_back_best, say
from triptych.spec import TrainSpec
from triptych.training.batches import LEFT_OUT, plan
from triptych.training.events import number_text
from triptych.training.memory import memory_told
from triptych.training.schedules import factors

_SECONDS_A_PIECE = 0.5
_SMALLEST_RATE = 1e-6  # of the schedule "adaptive", as in scikit-learn


def fit_stochastic(
    estimator: Any,
    x: Any,
    y: Array,
    sample_weight: FloatArray | None,
    *,
    incremental: bool,
    held: Held | None,
    tasks: Tasks,
) -> None:
    """Train an estimator's weights, one epoch where `incremental`, and set what it learnt of it.

    Parameters
    ----------
    estimator : BaseNetwork
        With first weights.
    x : Array or sparse CSR, shape (N, ...)
    y : Array, shape (N, O)
        As scikit-learn has it.
    sample_weight : FloatArray, shape (N,), optional
    incremental : bool
        Whether this is ``partial_fit``, which goes on with the optimiser's state.
    held : Held, optional
        What early stopping judges by, in place of rows set aside.
    tasks : Tasks
        What callbacks are told.

    Raises
    ------
    ValueError
        As scikit-learn raises it.
    NumericsError
        If a loss or a gradient is not finite, before the weights take it in.
    ResourceError
        If there is too little memory.
    """
    if estimator.early_stopping and incremental:
        raise ValueError("partial_fit does not support early_stopping=True")
    prepare(estimator, incremental=incremental)
    train, judged = _set_aside(estimator, Split(x, y, sample_weight), held)
    size = _batch_size(estimator, len(train))
    spec = estimator._train_spec(size, x.dtype.name, incremental=incremental)
    learner = estimator._learner(spec, train, 1 if incremental else estimator.max_iter)
    if incremental and hasattr(estimator, "_moments"):
        learner.load_moments(estimator._moments)
    else:
        estimator._rate = estimator._first_rate(spec)
    epochs = _Epochs(estimator, learner, train, spec)
    estimator.n_iter_ = 0
    try:
        with progress(estimator, incremental=incremental) as tell:
            for _ in range(estimator.max_iter):
                tasks.begin()
                epochs.take()
                tell()
                estimator._take_weights(learner.weights())
                judge(estimator, judged)
                epochs.schedule()
                if tasks.end() or epochs.is_over() or incremental:
                    break
            else:
                epochs.warn_of_the_end()
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=2)
        estimator._take_weights(learner.weights())
    estimator._moments = learner.moments()
    put_back_best(estimator)


def _set_aside(estimator: Any, rows: Split, held: Held | None) -> tuple[Split, Split | None]:
    """Split off the rows that early stopping judges by, drawn as scikit-learn draws them."""
    if held is not None:
        return rows, checked(estimator, held)
    if not estimator.early_stopping:
        return rows, None
    stratify = rows.y if is_classifier(estimator) and rows.y.shape[1] == 1 else None
    arrays = [rows.x, rows.y] if rows.weight is None else [rows.x, rows.y, rows.weight]
    parts = train_test_split(
        *arrays,
        random_state=estimator._random_state,
        test_size=estimator.validation_fraction,
        stratify=stratify,
    )
    weights = parts[4:] if rows.weight is not None else (None, None)
    aside = Split(parts[1], estimator._labels(parts[3]), weights[1])
    if len(aside) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
    return Split(parts[0], parts[2], weights[0]), aside


def _batch_size(estimator: Any, rows: int) -> int:
    if estimator.batch_size == "auto":
        return int(estimator._auto_batch_size(rows))
    if estimator.batch_size > rows:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
            stacklevel=2,
        )
    return int(np.clip(estimator.batch_size, 1, rows))


class _Epochs:
    """Takes epochs, and remembers what decides when to stop."""

    def __init__(self, estimator: Any, learner: Learner, rows: Split, spec: TrainSpec) -> None:
        self.estimator, self.learner, self.spec = estimator, learner, spec
        self.sgd = spec.optimizer.name in ("sgd", "momentum", "nesterov")
        self.size, self.kept = plan(spec.batch_size, len(rows), learner.min_batch)
        if self.kept < len(rows):
            warnings.warn(LEFT_OUT[0].upper() + LEFT_OUT[1:] + ".", stacklevel=2)
        self.order = order_of(estimator, rows.x, self.kept, self.size, spec.growth)
        self.weight = np.ones(len(rows)) if rows.weight is None else rows.weight
        self.steps = math.ceil(self.kept / self.size)
        self.rates: FloatArray = np.zeros(self.steps)
        self.taken = self.done = 0
        self.budget = 100  # steps of the first piece, before any was timed

    def take(self) -> None:
        """Take one epoch and note its loss."""
        e = self.estimator
        self.order.begin()
        self.rates = e._rate * factors(
            self.spec.schedule, e.n_iter_ + 1, self.steps, self.spec.epochs
        )
        pieces = [self._piece(start) for start in self._starts()]
        losses, penalties, shares = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
        # Each batch counts by its weight, so that a row of weight 2 is two rows; scikit-learn
        # counts its rows. It also caps the loss of a class at -log(eps), 36 in float64; ours is
        # the true one. Where the network is that sure and wrong, as with features not scaled, the
        # curves differ, and scikit-learn may stop on one that only the cap makes flat.
        if e._loss_name() == "squared" and e.n_outputs_ > 1:
            # scikit-learn reports a mean over outputs, but goes down their sum.
            losses = (losses - penalties) / e.n_outputs_ + penalties
        e.loss_ = float(losses @ shares / shares.sum())
        e.n_iter_ += 1
        e.loss_curve_.append(e.loss_)
        say(e, f"Iteration {e.n_iter_}, loss = {e.loss_:.8f}")

    def _starts(self) -> Iterator[int]:
        """Give the first step of each piece of an epoch, short enough for Ctrl-C to be felt."""
        self.done = 0
        while self.done < self.steps:
            yield self.done

    def _piece(self, start: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Take the steps of one piece; return their losses, penalties and rows by weight."""
        rows = self.order.take(start, min(self.steps - start, self.budget))
        starts = np.arange(0, len(rows), self.size)
        count = len(starts)
        rates = self.rates[start : start + count]
        before = time.perf_counter()
        try:
            with memory_told(self.size, "batch_size"):
                losses = self.learner.fit(rows, self.size, rates, self.order.epoch)
        except NonFiniteStep as error:
            step = self.taken + error.offset + 1
            raise NumericsError(
                f"step {step}: loss {number_text(error.loss)} (learning rate "
                f"{rates[error.offset]:g}, gradient norm {number_text(error.grad_norm)}). Try a "
                f"smaller learning_rate_init, such as {rates[error.offset] / 10:.3g}, or "
                "features scaled to a mean of 0 and a deviation of 1."
            ) from error
        seconds = max(time.perf_counter() - before, 1e-9)
        self.budget = max(1, int(_SECONDS_A_PIECE * count / seconds))
        self.order.tell(losses)
        self.taken += count
        self.done += count
        self.estimator.t_ += len(rows)
        return losses, self.learner.penalties, np.add.reduceat(self.weight[rows], starts)

    def schedule(self) -> None:
        """Set the next epoch's learning rate, for the schedule ``"invscaling"``."""
        e = self.estimator
        if self.sgd and e.learning_rate == "invscaling":
            self._set_rate(float(e.learning_rate_init) / (e.t_ + 1) ** e.power_t)

    def _set_rate(self, rate: float) -> None:
        e = self.estimator
        # scikit-learn's velocity contains the learning rate, ours does not.
        if self.sgd and e.momentum > 0 and rate != e._rate:
            moments = self.learner.moments()
            for name in moments:
                if name.startswith("first/"):
                    moments[name] = moments[name] * (e._rate / rate)
            self.learner.load_moments(moments)
        e._rate = rate

    @property
    def may_stop(self) -> bool:
        """Whether training ends by itself, and not only after `max_iter` epochs."""
        e = self.estimator
        return bool(e._stops_by_loss or e.early_stopping)

    def warn_of_the_end(self) -> None:
        """Warn that `max_iter` came first, where that is not how training is meant to end."""
        e = self.estimator
        if e._stops_by_loss:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({e.max_iter}) reached and "
                "the optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def is_over(self) -> bool:
        """Whether training has not got better for long, and no smaller rate is to be tried."""
        e = self.estimator
        if e._no_improvement_count <= e.n_iter_no_change or not self.may_stop:
            return False
        what = "Validation score" if e.early_stopping else "Training loss"
        text = (
            f"{what} did not improve more than tol={e.tol:f} for {e.n_iter_no_change} "
            "consecutive epochs."
        )
        if not self.sgd or e.learning_rate != "adaptive":
            say(e, f"{text} Stopping.")
            return True
        if e._rate <= _SMALLEST_RATE:
            say(e, f"{text} Learning rate too small. Stopping.")
            return True
        self._set_rate(e._rate / 5.0)
        say(e, f"{text} Setting learning rate to {e._rate:f}")
        e._no_improvement_count = 0
        return False

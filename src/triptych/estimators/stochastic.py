"""The stochastic solvers: epochs on an engine, stopped by scikit-learn's rules."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import shuffle

from triptych.contracts import Array, FloatArray, IntArray, Learner, NonFiniteStep, Split
from triptych.engines import choose_device, choose_mlp_engine, create_mlp
from triptych.errors import NumericsError, SpecError
from triptych.estimators.parameters import network_spec, targets_of, train_spec
from triptych.estimators.progress import progress
from triptych.estimators.stopping import judge, prepare, put_back_best, say
from triptych.spec import MLPSpec, TrainSpec

_SECONDS_A_PIECE = 0.5
_SMALLEST_RATE = 1e-6  # of the schedule "adaptive", as in scikit-learn


@dataclass(frozen=True)
class _Rows:
    """Rows with targets as scikit-learn has them, and weights."""

    x: Any
    y: Array
    weight: FloatArray | None


def fit_stochastic(
    estimator: Any, x: Any, y: Array, sample_weight: FloatArray | None, *, incremental: bool
) -> None:
    """Train an estimator's weights, one epoch where `incremental`, and set what it learnt of it.

    Parameters
    ----------
    estimator : BaseMLP
        With first weights.
    x : Array or sparse CSR, shape (N, I)
    y : Array, shape (N, O)
        As scikit-learn has it.
    sample_weight : FloatArray, shape (N,), optional
    incremental : bool
        Whether this is ``partial_fit``, which goes on with the optimiser's state.

    Raises
    ------
    ValueError
        As scikit-learn raises it.
    NumericsError
        If a loss or a gradient is not finite, before the weights take it in.
    """
    if estimator.early_stopping and incremental:
        raise ValueError("partial_fit does not support early_stopping=True")
    prepare(estimator, incremental=incremental)
    train, held = _set_aside(estimator, _Rows(x, y, sample_weight))
    rows = train.x.shape[0]
    size = _batch_size(estimator, rows)
    spec = train_spec(estimator, estimator._loss_name(), size, x.dtype.name)
    learner = _learner(estimator, spec, train, 1 if incremental else estimator.max_iter)
    if incremental and hasattr(estimator, "_moments"):
        learner.load_moments(estimator._moments)
    else:
        estimator._rate = float(estimator.learning_rate_init)
    epochs = _Epochs(estimator, learner, train, size)
    estimator.n_iter_ = 0
    try:
        with progress(estimator, incremental=incremental) as tell:
            for _ in range(estimator.max_iter):
                epochs.take()
                tell()
                estimator._take_weights(learner.weights())
                judge(estimator, held)
                epochs.schedule()
                if epochs.is_over() or incremental:
                    break
            else:
                warnings.warn(
                    f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and "
                    "the optimization hasn't converged yet.",
                    ConvergenceWarning,
                    stacklevel=2,
                )
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=2)
        estimator._take_weights(learner.weights())
    estimator._moments = learner.moments()
    put_back_best(estimator)


def _set_aside(estimator: Any, rows: _Rows) -> tuple[_Rows, _Rows | None]:
    """Split off the rows that early stopping judges by, drawn as scikit-learn draws them."""
    if not estimator.early_stopping:
        return rows, None
    stratify = rows.y if is_classifier(estimator) and estimator.n_outputs_ == 1 else None
    arrays = [rows.x, rows.y] if rows.weight is None else [rows.x, rows.y, rows.weight]
    parts = train_test_split(
        *arrays,
        random_state=estimator._random_state,
        test_size=estimator.validation_fraction,
        stratify=stratify,
    )
    weights = parts[4:] if rows.weight is not None else (None, None)
    held = _Rows(parts[1], parts[3], weights[1])
    if held.x.shape[0] < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
    if is_classifier(estimator):
        held = _Rows(held.x, estimator._label_binarizer.inverse_transform(held.y), held.weight)
    return _Rows(parts[0], parts[2], weights[0]), held


def _batch_size(estimator: Any, rows: int) -> int:
    if estimator.batch_size == "auto":
        return min(200, rows)
    if estimator.batch_size > rows:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
            stacklevel=2,
        )
    return int(np.clip(estimator.batch_size, 1, rows))


def _learner(estimator: Any, spec: TrainSpec, rows: _Rows, epochs: int) -> Learner:
    """Return a learner on the engine that was asked for, or that takes the least time."""
    network: MLPSpec = network_spec(estimator)
    engine = wording = estimator.engine
    x = rows.x
    if estimator.device == "cuda" and engine not in ("auto", "torch"):
        raise SpecError(f"device: engine '{engine}' computes on the CPU; for cuda, take 'torch'.")
    if engine == "auto" and estimator.device == "cuda":
        engine, wording = "torch", "torch (chosen: the only engine that computes on cuda)"
    elif engine == "auto" and sparse.issparse(x):
        engine, wording = "numpy", "numpy (chosen: it takes sparse rows as they are)"
    elif engine == "auto":
        steps = epochs * math.ceil(x.shape[0] / (spec.batch_size or 1))
        sizes = (x.shape[0], x.shape[1], estimator.n_outputs_)
        engine, wording = choose_mlp_engine(network, spec, *sizes, steps, device=estimator.device)
    estimator.engine_ = wording
    if engine == "torch" and sparse.issparse(x):
        x = x.toarray()
    split = Split(x, targets_of(estimator, rows.y, x.dtype), rows.weight)
    # Of the dropout masks only; without them no number is drawn, so that results stay
    # scikit-learn's.
    seed = int(estimator._random_state.randint(2**31)) if estimator.dropout else 0
    device = choose_device(estimator.device, engine)
    return create_mlp(network, spec, engine, estimator._weights(), split, seed=seed, device=device)


class _Epochs:
    """Takes epochs, and remembers what decides when to stop."""

    def __init__(self, estimator: Any, learner: Learner, rows: _Rows, size: int) -> None:
        self.estimator, self.learner, self.size = estimator, learner, size
        self.order: IntArray = np.arange(rows.x.shape[0])
        self.weight = np.ones(len(self.order)) if rows.weight is None else rows.weight
        self.steps = math.ceil(len(self.order) / size)
        self.taken = self.done = 0
        self.budget = 100  # steps of the first piece, before any was timed

    def take(self) -> None:
        """Take one epoch and note its loss."""
        e = self.estimator
        if e.shuffle:
            self.order = shuffle(self.order, random_state=e._random_state)
        pieces = [self._piece(start) for start in self._starts()]
        losses, penalties = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
        # Each batch counts by its weight, so that a row of weight 2 is two rows; scikit-learn
        # counts its rows. It also caps the loss of a class at -log(eps), 36 in float64; ours is
        # the true one. Where the network is that sure and wrong, as with features not scaled, the
        # curves differ, and scikit-learn may stop on one that only the cap makes flat.
        starts = np.arange(0, len(self.order), self.size)
        shares = np.add.reduceat(self.weight[self.order], starts)
        if e._loss_name() == "squared" and e.n_outputs_ > 1:
            # scikit-learn reports a mean over outputs, but goes down their sum.
            losses = (losses - penalties) / e.n_outputs_ + penalties
        e.loss_ = float(losses @ shares / shares.sum())
        e.n_iter_ += 1
        e.t_ += len(self.order)
        e.loss_curve_.append(e.loss_)
        say(e, f"Iteration {e.n_iter_}, loss = {e.loss_:.8f}")

    def _starts(self) -> Iterator[int]:
        """Give the first step of each piece of an epoch, short enough for Ctrl-C to be felt."""
        self.done = 0
        while self.done < self.steps:
            yield self.done

    def _piece(self, start: int) -> tuple[FloatArray, FloatArray]:
        """Take the steps of one piece; return their losses, and what of those is penalty."""
        e = self.estimator
        count = min(self.steps - start, self.budget)
        order = self.order[start * self.size : (start + count) * self.size]
        before = time.perf_counter()
        try:
            losses = self.learner.fit(order, self.size, np.full(count, e._rate))
        except NonFiniteStep as error:
            step = self.taken + error.offset + 1
            raise NumericsError(
                f"step {step}: loss {error.loss:.4g} (learning rate {e._rate:g}, gradient norm "
                f"{error.grad_norm:.3g}). Try a smaller learning_rate_init, or features scaled to "
                "a mean of 0 and a deviation of 1."
            ) from error
        seconds = max(time.perf_counter() - before, 1e-9)
        self.budget = max(1, int(_SECONDS_A_PIECE * count / seconds))
        self.taken += count
        self.done += count
        return losses, self.learner.penalties

    def schedule(self) -> None:
        """Set the next epoch's learning rate, for the schedule ``"invscaling"``."""
        e = self.estimator
        if e.solver == "sgd" and e.learning_rate == "invscaling":
            self._set_rate(float(e.learning_rate_init) / (e.t_ + 1) ** e.power_t)

    def _set_rate(self, rate: float) -> None:
        e = self.estimator
        # scikit-learn's velocity contains the learning rate, ours does not.
        if e.solver == "sgd" and e.momentum > 0 and rate != e._rate:
            moments = self.learner.moments()
            for name in moments:
                if name.startswith("first/"):
                    moments[name] = moments[name] * (e._rate / rate)
            self.learner.load_moments(moments)
        e._rate = rate

    def is_over(self) -> bool:
        """Whether training has not got better for long, and no smaller rate is to be tried."""
        e = self.estimator
        if e._no_improvement_count <= e.n_iter_no_change:
            return False
        what = "Validation score" if e.early_stopping else "Training loss"
        text = (
            f"{what} did not improve more than tol={e.tol:f} for {e.n_iter_no_change} "
            "consecutive epochs."
        )
        if e.solver != "sgd" or e.learning_rate != "adaptive":
            say(e, f"{text} Stopping.")
            return True
        if e._rate <= _SMALLEST_RATE:
            say(e, f"{text} Learning rate too small. Stopping.")
            return True
        self._set_rate(e._rate / 5.0)
        say(e, f"{text} Setting learning rate to {e._rate:f}")
        e._no_improvement_count = 0
        return False

"""One run to train: what it learns from, what it is judged by, and the best of it so far."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from triptych.contracts import (
    Dataset,
    IntArray,
    Learner,
    Scores,
    Split,
    State,
    lengths_of,
    named,
)
from triptych.errors import SpecError
from triptych.spec import GrowthSpec, TrainSpec
from triptych.training.events import Evaluation, Finished
from triptych.training.growth import Growth
from triptych.training.scores import accuracy, in_unit
from triptych.training.views import mean_outputs


@dataclass(frozen=True)
class Rows:
    """Which training rows are learnt from, set aside for early stopping, and scored."""

    fit: IntArray
    validation: IntArray
    judged: IntArray


def split_rows(spec: TrainSpec, n: int, rng: np.random.Generator) -> Rows:
    """Set ``spec.validation`` of `n` rows aside, and choose which to score, drawn from `rng`.

    Raises
    ------
    SpecError
        If nothing would be left on either side.
    """
    held = 0
    if spec.patience is not None:
        held = round(n * spec.validation)
        if not 0 < held < n:
            raise SpecError(
                f"train.validation: {spec.validation} of {n} rows leaves one side empty."
            )
    order = rng.permutation(n) if held else np.arange(n)
    fit = np.sort(order[held:])
    judged = fit
    if spec.judged_rows is not None and spec.judged_rows < len(fit):
        judged = np.sort(rng.permutation(fit)[: spec.judged_rows])
    return Rows(fit, np.sort(order[:held]), judged)


@dataclass
class Job:
    """One run to train.

    Attributes
    ----------
    learner : Learner
        Bound to ``data.train``.
    data : Dataset
        Its splits are what evaluations judge by.
    rows : Rows
        From `split_rows`.
    order_seed : int
        Keys the order of each epoch, see `triptych.chance.orders`.
    steps : int
        Taken so far; where training goes on from.
    """

    learner: Learner
    data: Dataset
    rows: Rows
    order_seed: int
    steps: int = field(default=0, init=False)
    seconds: float = field(default=0.0, init=False)
    best: Finished | None = field(default=None, init=False)
    last: Evaluation | None = field(default=None, init=False)
    waited: int = field(default=0, init=False)
    ended: bool = field(default=False, init=False)
    growth: Growth | None = field(default=None, init=False)
    grown: dict[str, Any] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        held, train = self.rows.validation, self.data.train
        whole = len(self.rows.judged) == len(train)
        self.judged = train if whole else train.take(self.rows.judged)
        self.validation = train.take(held) if len(held) else None

    def start_growth(self, spec: GrowthSpec, batch_size: int) -> Growth:
        """Return what draws the rows of sequences that grow, as far as it had come."""
        fit = self.rows.fit
        lengths = lengths_of(self.data.train.x[fit])
        self.growth = Growth(spec, fit, lengths, batch_size, self.order_seed)
        if self.grown is not None:
            self.growth.load(self.grown)
        return self.growth

    def state(self) -> State:
        """Return all that training has come to; only where the loop pauses."""
        learner, best = self.learner, self.best
        arrays = named("weights", learner.weights()) | named("moments", learner.moments())
        values = {
            "steps": self.steps,
            "seconds": self.seconds,
            "waited": self.waited,
            "last": self.last and self.last.as_dict(),
            "growth": self.growth and self.growth.state(),
        }
        if best is not None:
            arrays |= named("best", best.weights)
            values |= {"best": best.evaluation.as_dict(), "best_seconds": best.seconds}
        return State(arrays, values)

    def restore(self, state: State) -> None:
        """Put back what `state` returned; only before the loop begins."""
        self.learner.load(state.under("weights"))
        self.learner.load_moments(state.under("moments"))
        values = state.values
        self.steps, self.seconds = int(values["steps"]), float(values["seconds"])
        self.waited, self.grown = int(values["waited"]), values["growth"]
        self.last = values["last"] and Evaluation.from_dict(values["last"])
        if "best" in values:
            best = Evaluation.from_dict(values["best"])
            self.best = Finished(state.under("best"), best, best.epoch, values["best_seconds"])

    def evaluate(self, epoch: int, step: int, lr: float) -> Evaluation:
        """Judge the present weights."""
        evaluate = self._scores
        self.last = Evaluation(
            epoch=epoch,
            step=step,
            lr=lr,
            train=evaluate(self.judged),
            test=evaluate(self.data.test),
            validation=None if self.validation is None else evaluate(self.validation),
            seconds=self.seconds,
        )
        return self.last

    def _scores(self, split: Split) -> Scores:
        return in_unit(self.learner.evaluate(split), self.data.target)

    def keep_best(self, patience: int | None) -> None:
        """Keep the weights where the last evaluation is the best; end where patience does."""
        last = self.last
        if last is None or last.validation is None:
            return
        if self.best is None or last.validation.loss < _validation_loss(self.best):
            self.best = Finished(self.learner.weights(), last, last.epoch, self.seconds)
            self.waited = 0
            return
        self.waited += 1
        self.ended = patience is not None and self.waited >= patience

    def finish(self, spec: TrainSpec) -> Finished:
        """Return what training came to, with the best weights where they were kept."""
        assert self.last is not None  # the last epoch is always evaluated
        evaluation, weights = self.last, None
        if self.best is not None:
            evaluation, weights = self.best.evaluation, self.best.weights
            self.learner.load(weights)
        if spec.views:
            outputs = mean_outputs(self.learner, self.data.test.x, spec.augment)
            seen = accuracy(outputs, self.data.test.y)
            evaluation = replace(evaluation, test_views_accuracy=seen)
        if self.data.probes:
            probes = {
                length: accuracy(self.learner.outputs(probe.x), probe.y)
                for length, probe in self.data.probes.items()
            }
            evaluation = replace(evaluation, probes=probes)
        weights = self.learner.weights() if weights is None else weights
        return Finished(weights, evaluation, self.last.epoch, self.seconds)


def _validation_loss(finished: Finished) -> float:
    scores = finished.evaluation.validation
    return math.inf if scores is None or math.isnan(scores.loss) else scores.loss

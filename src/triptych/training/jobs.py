"""One run to train: what it learns from, what it is judged by, and the best of it so far."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from triptych.contracts import (
    Dataset,
    IntArray,
    Learner,
    Scores,
    Split,
    State,
    latest,
    lengths_of,
    named,
)
from triptych.errors import SpecError
from triptych.spec import GrowthSpec, TrainSpec
from triptych.training.events import Evaluation, Finished, RateFound
from triptych.training.growth import Growth
from triptych.training.scores import accuracy, in_unit
from triptych.training.searches import Search
from triptych.training.temperature import cross_entropy, fit_temperature
from triptych.training.views import mean_outputs


@dataclass(frozen=True)
class Rows:
    """Which training rows are learnt from, set aside for early stopping, and scored."""

    fit: IntArray
    validation: IntArray
    judged: IntArray


def split_rows(spec: TrainSpec, rows: Split, rng: np.random.Generator) -> Rows:
    """Set ``spec.validation`` of `rows` aside, and choose which to score, drawn from `rng`.

    Rows that belong together are not parted, and where rows have times it is the latest that are
    set aside; see `triptych.contracts.Split`. So early stopping is judged as the network will be.

    Raises
    ------
    SpecError
        If nothing would be left on either side.
    """
    n, held = len(rows), np.empty(0, np.int64)
    if spec.patience is not None:
        count = spec.rows_set_aside(n)
        held = np.sort(_set_aside(rows, count, rng)) if 0 < count < n else held
        if not 0 < len(held) < n:
            raise SpecError(
                f"train.validation: {spec.validation} of {n} rows leaves one side empty."
            )
    fit = np.setdiff1d(np.arange(n), held, assume_unique=True)
    judged = fit
    if spec.judged_rows is not None and spec.judged_rows < len(fit):
        judged = np.sort(rng.permutation(fit)[: spec.judged_rows])
    return Rows(fit, held, judged)


def _set_aside(rows: Split, count: int, rng: np.random.Generator) -> IntArray:
    """Return about `count` of the rows; all of them, or none, where all belong together."""
    if rows.times is not None:
        return np.flatnonzero(latest(rows.times, count))
    order = rng.permutation(len(rows))
    if rows.groups is None:
        return order[:count]
    _, first, inverse, sizes = np.unique(
        rows.groups[order], return_index=True, return_inverse=True, return_counts=True
    )
    taken = np.zeros(len(sizes), bool)
    for group in np.argsort(first):  # in the order in which a row of each is drawn first
        if sizes[group] <= count:
            taken[group], count = True, count - int(sizes[group])
    if not taken.any():
        taken[sizes.argmin()] = True
    return order[taken[inverse.reshape(-1)]]


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
    seconds, judging : float
        Spent in training steps, and in evaluations.
    found : RateFound or None
        What a search for a learning rate came to, where there was one.
    search : Search or None
        That search, while it is under way.
    """

    learner: Learner
    data: Dataset
    rows: Rows
    order_seed: int
    steps: int = field(default=0, init=False)
    seconds: float = field(default=0.0, init=False)
    judging: float = field(default=0.0, init=False)
    found: RateFound | None = field(default=None, init=False)
    searched: int = field(default=0, init=False)
    search: Search | None = field(default=None, init=False, repr=False)
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

    @property
    def taken(self) -> int:
        """Steps of all kinds so far: those of the search for a learning rate, and its own."""
        return self.searched + (self.search.taken if self.search else 0) + self.steps

    @property
    def place(self) -> str:
        """How far it has come, in words."""
        if self.search is not None:
            return f"step {self.search.taken:,} of its search for a learning rate"
        return f"step {self.steps:,}"

    def state(self) -> State:
        """Return all that training has come to; only where the loop pauses."""
        if self.search is not None:  # its first weights are drawn again
            state = State.join({"search": self.search.state()})
            return State(state.arrays, state.values | {"seconds": self.seconds})
        learner, best = self.learner, self.best
        arrays = named("weights", learner.weights()) | named("moments", learner.moments())
        values = {
            "steps": self.steps,
            "searched": self.searched,
            "seconds": self.seconds,
            "judging": self.judging,
            "found": self.found and asdict(self.found),
            "waited": self.waited,
            "last": self.last and self.last.as_dict(),
            "growth": self.growth and self.growth.state(),
        }
        if best is not None:
            arrays |= named("best", best.weights)
            values |= {"best": best.evaluation.as_dict(), "best_seconds": best.seconds}
        return State(arrays, values)

    @property
    def unbounded(self) -> set[str]:
        """The names in `state` of what is not finite from the start."""
        of_a_job = ("weights", "best", "moments")
        kinds = (*of_a_job, *(f"search/trial/{kind}" for kind in of_a_job))
        return {f"{kind}/{name}" for kind in kinds for name in self.learner.unbounded}

    def restore(self, state: State) -> None:
        """Put back what `state` returned; only before the loop begins."""
        values = state.values
        self.seconds = float(values["seconds"])
        if "search" in values:
            self.search = Search.of(state.part("search"))
            return
        self.learner.load(state.under("weights"))
        self.learner.load_moments(state.under("moments"))
        self.steps, self.searched = int(values["steps"]), values.get("searched", 0)
        self.judging = float(values["judging"])
        self.found = values["found"] and RateFound.from_dict(values["found"])
        self.waited, self.grown = int(values["waited"]), values["growth"]
        self.last = values["last"] and Evaluation.from_dict(values["last"])
        if "best" in values:
            best = Evaluation.from_dict(values["best"])
            self.best = Finished(state.under("best"), best, best.epoch, values["best_seconds"])

    def evaluate(self, epoch: int, step: int, lr: float) -> Evaluation:
        """Judge the present weights."""
        evaluate, started = self._scores, time.perf_counter()
        self.last = Evaluation(
            epoch=epoch,
            step=step,
            lr=lr,
            train=evaluate(self.judged),
            test=evaluate(self.data.test),
            validation=None if self.validation is None else evaluate(self.validation),
            seconds=self.seconds,
        )
        self.judging += time.perf_counter() - started
        return self.last

    def _scores(self, split: Split) -> Scores:
        return in_unit(self.learner.evaluate(split), self.data.target)

    def keep_best(self, patience: int | None) -> None:
        """Keep the weights where the last evaluation is the best; end where patience does."""
        last = self.last
        if last is None or last.validation is None:
            return
        # What is no number is never the best, nor are weights that are none.
        if last.validation.loss < _validation_loss(self.best):
            weights = self.learner.weights()
            if State(weights).not_finite <= self.learner.unbounded:
                self.best = Finished(weights, last, last.epoch, self.seconds)
                self.waited = 0
                return
        self.waited += 1
        self.ended = patience is not None and self.waited >= patience

    def finish(self, spec: TrainSpec) -> Finished:
        """Return what training came to, with the best weights where they were kept."""
        assert self.last is not None  # the last epoch is always evaluated
        started = time.perf_counter()
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
        finished = Finished(weights, evaluation, self.last.epoch, self.seconds)
        if spec.calibration is not None:
            finished = self._calibrated(finished)
        self.judging += time.perf_counter() - started
        return finished

    def _calibrated(self, finished: Finished) -> Finished:
        """Return what training came to with the temperature that fits the rows set aside."""
        assert self.validation is not None  # which calibration needs
        held = self.validation
        outputs = self.learner.outputs(held.x)
        temperature = fit_temperature(outputs, held.y)
        told, found = (
            finished.evaluation,
            {"validation": cross_entropy(outputs, held.y, temperature)},
        )
        for name, split in (("train", self.judged), ("test", self.data.test)):
            found[name] = cross_entropy(self.learner.outputs(split.x), split.y, temperature)
        splits = {n: replace(getattr(told, n), loss=loss) for n, loss in found.items()}
        return replace(
            finished,
            evaluation=replace(told, **splits),
            temperature=temperature,
            undivided=told.test.loss,
        )


def _validation_loss(finished: Finished | None) -> float:
    scores = None if finished is None else finished.evaluation.validation
    return math.inf if scores is None else scores.loss

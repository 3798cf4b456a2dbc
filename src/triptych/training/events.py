"""What the training loop tells; whoever watches decides what to do with it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from triptych.contracts import NonFiniteStep, Scores, Weights
from triptych.errors import NumericsError
from triptych.spec import TrainSpec


@dataclass(frozen=True)
class Notice:
    """Something a user should know before training starts."""

    text: str


@dataclass(frozen=True)
class Progress:
    """How far training is, told a few times a second.

    Attributes
    ----------
    epoch, step, steps : int
        Where it stands: epochs from 1, steps done and steps in all.
    loss : float
        Mean over the latest steps.
    """

    epoch: int
    step: int
    steps: int
    loss: float


@dataclass(frozen=True)
class Pause:
    """Between two steps: what training has come to can be taken down now, see `Job.state`.

    Attributes
    ----------
    step : int
        Steps done.
    """

    step: int


@dataclass(frozen=True)
class Evaluation:
    """Scores after an epoch.

    Attributes
    ----------
    epoch, step : int
    lr : float
        Of the last step.
    train, test : Scores
        In eval mode.
    validation : Scores or None
        Where rows were set aside for early stopping.
    seconds : float
        Time spent in training steps so far; evaluations do not count.
    test_views_accuracy : float or None
        On test rows seen in several views, see `triptych.training.views`; of the last only.
    probes : mapping of int to float
        Accuracy on sequences of other lengths, see `triptych.contracts.Dataset`; of the last only.
    """

    epoch: int
    step: int
    lr: float
    train: Scores
    test: Scores
    validation: Scores | None
    seconds: float
    test_views_accuracy: float | None = None
    probes: Mapping[int, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return it as values of JSON, from which `from_dict` makes it again."""
        return asdict(self)

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Evaluation:
        """Return the evaluation of `as_dict`, also after a way through JSON."""
        splits = {name: table[name] for name in ("train", "test", "validation")}
        scores = {name: None if one is None else Scores(**one) for name, one in splits.items()}
        probes = {int(length): value for length, value in table["probes"].items()}
        return cls(**{**table, **scores, "probes": probes})


@dataclass(frozen=True)
class RateFound:
    """What short trainings at several learning rates came to, before the real one.

    Attributes
    ----------
    rates, losses : tuple of float
        What was tried, the least first, and the loss of the rows set aside after it; infinite where
        it diverged.
    usual : float
        What is taken where all of them diverged.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    usual: float

    @property
    def best(self) -> float:
        """The rate with the least loss."""
        least = min(self.losses)
        return self.rates[self.losses.index(least)] if math.isfinite(least) else self.usual

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> RateFound:
        """Return what its fields were, also after a way through JSON."""
        return cls(tuple(table["rates"]), tuple(table["losses"]), table["usual"])


@dataclass(frozen=True)
class Finished:
    """The end of a training.

    Attributes
    ----------
    weights : Weights
        The last, or with early stopping the best.
    evaluation : Evaluation
        The one these weights were judged by.
    epochs : int
        How many were trained.
    seconds : float
        Time spent in training steps.
    temperature : float or None
        What outputs are to be divided by, where that was asked for; the losses of `evaluation` are
        then those of the divided outputs, and `undivided` the test loss before.
    undivided : float
    """

    weights: Weights
    evaluation: Evaluation
    epochs: int
    seconds: float
    temperature: float | None = None
    undivided: float = math.nan


@dataclass(frozen=True)
class Diverged:
    """Training ended at numbers that are not finite.

    Attributes
    ----------
    what, hint : str
        Where it was and what was found, and what to try.
    """

    what: str
    hint: str

    @property
    def error(self) -> NumericsError:
        """The error that says both."""
        return NumericsError(f"{self.what}; {self.hint}.")

    @classmethod
    def at(cls, step: int, found: NonFiniteStep, spec: TrainSpec, lr: float) -> Diverged:
        """Return the end of a training at `step`, from 1, whose learning rate was `lr`."""
        loss, norm = number_text(found.loss), number_text(found.grad_norm)
        what = f"step {step}: loss {loss} (lr {lr:g}, gradient norm {norm})"
        return cls(what, _hint(spec))

    @classmethod
    def in_the_end(cls, step: int, spec: TrainSpec, lr: float) -> Diverged:
        """Return the end of a training whose last step left weights that are not finite."""
        return cls(f"step {step}: weights are not finite (lr {lr:g})", _hint(spec))


def _hint(spec: TrainSpec) -> str:
    """Return what to try where training diverges."""
    name, lr = "optimizer.lr", spec.optimizer.lr
    if spec.search is not None:
        name, lr = "search.high", spec.search.high
    clip = " or train.clip_norm = 1" if spec.clip_norm is None else ""
    return f"try train.{name} = {lr / 10:.3g}{clip}"


def number_text(value: float) -> str:
    """Return a number that may not be finite: ``NaN``, ``inf``, or three digits of it.

    >>> number_text(float("nan")), number_text(2.99e9)
    ('NaN', '2.99e+09')
    """
    return "NaN" if math.isnan(value) else f"{value:.3g}"


Event = Notice | Progress | Pause | RateFound | Evaluation | Finished | Diverged

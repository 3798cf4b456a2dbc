"""A search for a learning rate that is under way, so that it can be taken up again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triptych.contracts import State

if TYPE_CHECKING:
    from triptych.training.jobs import Job


@dataclass
class Search:
    """The trials of a search: those that have ended, and the one that has not.

    Attributes
    ----------
    losses : list of float
        Of the trials that have ended, in the order of their rates; infinite where one diverged.
    steps : int
        Taken in those trials.
    trial : Job or None
        The one that is under way.
    left : State or None
        What that one had come to, until the search is taken up again.
    """

    losses: list[float] = field(default_factory=list)
    steps: int = 0
    trial: Job | None = None
    left: State | None = None

    @property
    def taken(self) -> int:
        """Steps of all trials so far."""
        if self.trial is not None:
            return self.steps + self.trial.steps
        return self.steps + (int(self.left.values["steps"]) if self.left else 0)

    def take_up(self, trial: Job) -> None:
        """Begin a trial, or go on with the one that was left."""
        self.trial = trial
        if self.left is not None:
            trial.restore(self.left)
            self.left = None

    def end(self, loss: float) -> None:
        """Note what the trial under way came to."""
        self.losses.append(loss)
        self.steps, self.trial = self.taken, None

    def state(self) -> State:
        """Return what it has come to."""
        trial = self.left if self.trial is None else self.trial.state()
        state = State.join({} if trial is None else {"trial": trial})
        return State(state.arrays, {**state.values, "losses": self.losses, "steps": self.steps})

    @classmethod
    def of(cls, state: State) -> Search:
        """Return what `state` returned, to be taken up."""
        left = state.part("trial") if "trial" in state.values else None
        return cls(list(state.values["losses"]), int(state.values["steps"]), left=left)

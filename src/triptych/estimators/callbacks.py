"""scikit-learn's callbacks, from its version 1.9 on: told of a fit, and of each epoch in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in where scikit-learn has no callbacks: none can be set then."""


__all__ = ["CallbackSupportMixin", "Tasks", "fit_tasks"]

# What later epochs add to, so that an earlier epoch's must be a copy.
_HISTORIES = ("loss_curve_", "validation_scores_")


class Tasks:
    """What callbacks are told of one fit; nothing, where none are set.

    Parameters
    ----------
    estimator : BaseNetwork
    context : sklearn.callback.CallbackContext, optional
        Of the fit.
    given : dict, optional
        ``X``, ``y`` and ``metadata`` as `fit` was given them.

    Attributes
    ----------
    are_watched : bool
        Whether there is a callback.
    have_ended : bool
        Whether a callback wants training to end.
    """

    def __init__(
        self, estimator: Any = None, context: Any = None, given: dict[str, Any] | None = None
    ) -> None:
        self.estimator, self.context, self.given = estimator, context, given or {}
        # A context for each epoch costs some microseconds, which nobody need pay for nothing.
        self.are_watched = context is not None and hasattr(estimator, "_skl_callbacks")
        self.epoch: Any = None
        self.have_ended = False

    def begin(self) -> None:
        """Tell that an epoch, or an iteration of ``"lbfgs"``, begins."""
        if self.are_watched:
            self.epoch = self.context.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(
                estimator=self.estimator, **self.given, reconstruction_attributes=self._so_far
            )

    def end(self) -> bool:
        """Tell that it ended; return whether a callback wants training to end with it."""
        if not self.are_watched:
            return False
        self.have_ended = self.epoch.call_on_fit_task_end(
            estimator=self.estimator, **self.given, reconstruction_attributes=self._so_far
        )
        self.epoch = None
        return self.have_ended

    def close(self) -> None:
        """End an epoch that began and never was."""
        if self.epoch is not None:
            self.epoch.call_on_fit_task_end(estimator=self.estimator)
            self.epoch = None

    def _so_far(self) -> dict[str, Any]:
        """Return what a copy of the estimator must have of its own to be as it is now.

        Weights need no copy: each epoch puts new arrays in the place of the old ones.
        """
        found = {name: getattr(self.estimator, name, None) for name in _HISTORIES}
        return {name: list(values) for name, values in found.items() if values is not None}


@contextmanager
def fit_tasks(estimator: Any, x: Any, y: Any, **metadata: Any) -> Iterator[Tasks]:
    """Tell callbacks that a fit begins, and at the end of the context that it ended.

    Parameters
    ----------
    estimator : BaseNetwork
    x, y : Any
        As `fit` was given them.
    **metadata : Any
        What else it was given that `score` takes too.
    """
    if not hasattr(estimator, "_init_callback_context"):
        yield Tasks()
        return
    there = {name: value for name, value in metadata.items() if value is not None}
    given = {"X": x, "y": y, "metadata": there or None}
    # How many iterations there will be, lbfgs alone knows.
    epochs = None if getattr(estimator, "solver", "") == "lbfgs" else estimator.max_iter
    context = estimator._init_callback_context(max_subtasks=epochs)
    context.call_on_fit_task_begin(estimator=estimator, **given)
    yield Tasks(estimator, context, given)
    context.call_on_fit_task_end(estimator=estimator, **given, reconstruction_attributes=dict)

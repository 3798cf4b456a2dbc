"""What every estimator has: how its rows count, and what `fit_stochastic` asks of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from triptych.contracts import Array, FloatArray, Learner, Split, Weights
from triptych.estimators.callbacks import CallbackSupportMixin
from triptych.estimators.parameters import class_weights
from triptych.spec import TrainSpec


class BaseNetwork(CallbackSupportMixin, BaseEstimator, ABC):
    """Base of all estimators.

    Attributes
    ----------
    _stops_by_loss : bool
        Whether training ends where its loss gets no better, also without early stopping.
    """

    _stops_by_loss: ClassVar[bool] = True

    @abstractmethod
    def _loss_name(self) -> str:
        """Return the loss as `triptych.spec.TrainSpec` calls it."""

    @abstractmethod
    def _score(self, x: Array, y: Array, sample_weight: FloatArray | None) -> float:
        """Return accuracy or R2 of rows that have been checked."""

    @abstractmethod
    def _checked(self, x: Any) -> Any:
        """Return rows to predict as `_score` takes them, or raise what scikit-learn raises."""

    @abstractmethod
    def _weights(self) -> Weights:
        """Return the weights as the engines name them."""

    @abstractmethod
    def _take_weights(self, weights: Weights) -> None:
        """Keep what a learner's `weights` returned."""

    @abstractmethod
    def _auto_batch_size(self, rows: int) -> int:
        """Return what ``batch_size="auto"`` means for so many rows."""

    @abstractmethod
    def _train_spec(self, batch_size: int, dtype: str, *, incremental: bool) -> TrainSpec:
        """Return the training that the parameters describe."""

    @abstractmethod
    def _first_rate(self, spec: TrainSpec) -> float:
        """Return the learning rate before any schedule."""

    @abstractmethod
    def _learner(self, spec: TrainSpec, rows: Split, epochs: int) -> Learner:
        """Return a learner with the present weights, bound to `rows`, and set `engine_`."""

    def _labels(self, y: Array) -> Array:
        """Return targets (N, O) as `_score` takes them."""
        return y

    def _class_weights(self, y: Array, sample_weight: FloatArray | None) -> FloatArray | None:
        """Return what each row counts by its class; None where classes have no weights."""
        return None

    def _weighted(
        self, x: Any, y: Array, sample_weight: Any
    ) -> tuple[Any, Array, FloatArray | None]:
        """Return rows, targets (N, O) and weights, without the rows whose weight is 0.

        A row of weight 0 is no row: it takes no place in a batch, nor in a validation set.
        """
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, x)
        by_class = self._class_weights(y, sample_weight)
        if by_class is not None:
            sample_weight = by_class if sample_weight is None else sample_weight * by_class
        y = y.reshape(-1, 1) if y.ndim == 1 else y
        x = x.tocsr() if sparse.issparse(x) else x
        if sample_weight is None:
            return x, y, None
        kept = np.flatnonzero(sample_weight)
        if not len(kept):
            raise ValueError("All rows have a sample_weight of 0.")
        dtype = x.dtype if x.dtype.kind == "f" else np.float32
        return x[kept], y[kept], sample_weight[kept].astype(dtype)


class Classifying(ClassifierMixin):
    """What classifiers have beyond other estimators."""

    def decision_function(self, X: Any) -> FloatArray:
        """Return logits, which `predict_proba` makes probabilities of.

        Parameters
        ----------
        X : array-like
            As `predict` takes it.

        Returns
        -------
        FloatArray
            ``(n_samples, n_classes)``, or ``(n_samples, n_labels)`` of several labels at once. Of
            two classes ``(n_samples,)``: by how much the logit of the second is the larger one.
        """
        check_is_fitted(self)
        logits: FloatArray = self._decision(self._checked(X))
        return logits

    def predict_log_proba(self, X: Any) -> FloatArray:
        """Return the logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            log: FloatArray = np.log(self.predict_proba(X))
        return log

    def _score(self, x: Array, y: Array, sample_weight: FloatArray | None) -> float:
        return float(accuracy_score(y, self._predict(x), sample_weight=sample_weight))

    def _class_weights(self, y: Array, sample_weight: FloatArray | None) -> FloatArray | None:
        return class_weights(self, y, sample_weight)


def softmax(z: FloatArray) -> FloatArray:
    """Return the probabilities that logits (N, O) stand for."""
    shifted = np.exp(z - z.max(axis=1, keepdims=True))
    out: FloatArray = shifted / shifted.sum(axis=1, keepdims=True)
    return out

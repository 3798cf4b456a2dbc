"""What both estimators share: validation, first weights, prediction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import _check_sample_weight, validate_data

from triptych.contracts import Array, FloatArray, Weights
from triptych.estimators.lbfgs import fit_lbfgs
from triptych.estimators.parameters import CONSTRAINTS, STOCHASTIC, hidden_sizes, network_spec
from triptych.estimators.stochastic import fit_stochastic
from triptych.estimators.stopping import forget
from triptych.models import MLPNumpy
from triptych.models.layers_numpy import sigmoid


class BaseMLP(BaseEstimator, ABC):
    """Base of `MLPClassifier` and `MLPRegressor`; see there."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    @abstractmethod
    def _validate_input(self, x: Any, y: Any, *, incremental: bool, reset: bool) -> Any:
        """Return checked rows, and targets as scikit-learn has them: (N,) or (N, O)."""

    @abstractmethod
    def _loss_name(self) -> str:
        """Return the loss as `triptych.spec.TrainSpec` calls it."""

    @abstractmethod
    def _score(self, x: Array, y: Array, sample_weight: FloatArray | None) -> float:
        """Return accuracy or R2 of rows that have been checked."""

    def _class_weights(self, y: Array, sample_weight: FloatArray | None) -> FloatArray | None:
        """Return what each row counts by its class; None where classes have no weights."""
        return None

    def _fit(
        self, x: Any, y: Any, sample_weight: Any = None, *, incremental: bool = False
    ) -> BaseMLP:
        hidden = hidden_sizes(self.hidden_layer_sizes)
        first_pass = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        x, y = self._validate_input(x, y, incremental=incremental, reset=first_pass)
        x, y, sample_weight = self._weighted(x, y, sample_weight)
        self.n_outputs_ = y.shape[1]
        self._random_state = check_random_state(self.random_state)
        if first_pass:
            self._initialize((x.shape[1], *hidden, self.n_outputs_), x.dtype)
        elif len(hidden) + 2 != self.n_layers_:
            raise ValueError(
                "warm_start and partial_fit go on with the present layers: hidden_layer_sizes has "
                f"{len(hidden)} of them, the fitted network {self.n_layers_ - 2}."
            )
        if self.solver in STOCHASTIC:
            fit_stochastic(self, x, y, sample_weight, incremental=incremental)
        else:
            fit_lbfgs(self, x, y, sample_weight)
        if not all(np.isfinite(w).all() for w in (*self.coefs_, *self.intercepts_)):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed."
            )
        return self

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
        return x[kept], y[kept], sample_weight[kept].astype(x.dtype)

    def _initialize(self, sizes: tuple[int, ...], dtype: Any) -> None:
        """Draw first weights (Glorot and Bengio, 2010) as scikit-learn does, in its order."""
        forget(self)
        self.n_iter_ = self.t_ = 0
        self.n_layers_ = len(sizes)
        loss = self._loss_name()
        self.out_activation_ = {
            "softmax": "softmax", "sigmoid": "logistic", "squared": "identity", "poisson": "exp",
        }[loss]  # fmt: skip
        self.coefs_: list[Array] = []
        self.intercepts_: list[Array] = []
        for fan_in, fan_out in pairwise(sizes):
            bound = np.sqrt((2.0 if self.activation == "logistic" else 6.0) / (fan_in + fan_out))
            for shape, into in (((fan_in, fan_out), self.coefs_), (fan_out, self.intercepts_)):
                into.append(self._random_state.uniform(-bound, bound, shape).astype(dtype))

    def _weights(self) -> Weights:
        """Return the weights as the engines name them."""
        weights: Weights = {}
        for k, (w, b) in enumerate(zip(self.coefs_, self.intercepts_, strict=True), start=1):
            weights[f"w{k}"], weights[f"b{k}"] = w, b
        return weights

    def _take_weights(self, weights: Weights) -> None:
        arrays = list(weights.values())
        self.coefs_, self.intercepts_ = arrays[::2], arrays[1::2]

    def _forward(self, x: Any) -> FloatArray:
        """Return the activated output for rows that have been checked, shape (N, O)."""
        z = MLPNumpy(network_spec(self), self._weights()).outputs(x)
        if self.out_activation_ == "softmax":
            shifted = np.exp(z - z.max(axis=1, keepdims=True))
            out: FloatArray = shifted / shifted.sum(axis=1, keepdims=True)
            return out
        if self.out_activation_ == "logistic":
            return sigmoid(z)
        with np.errstate(over="ignore"):
            return np.exp(z) if self.out_activation_ == "exp" else z

    def _checked_pair(self, x: Any, y: Any, *, reset: bool, y_numeric: bool) -> Any:
        """Return rows and targets as arrays, or raise what scikit-learn raises."""
        x, y = validate_data(
            self, x, y, accept_sparse=["csr", "csc"], multi_output=True, y_numeric=y_numeric,
            dtype=(np.float64, np.float32), reset=reset,
        )  # fmt: skip
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return x, y

    def _checked(self, x: Any) -> Any:
        return validate_data(self, x, accept_sparse=["csr", "csc"], reset=False)

    def _check_solver(self) -> bool:
        if self.solver not in STOCHASTIC:
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. "
                f"{self.solver} is not stochastic."
            )
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

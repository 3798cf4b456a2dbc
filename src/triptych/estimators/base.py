"""What both MLP estimators share: validation, first weights, engines, prediction."""

from __future__ import annotations

import math
from abc import abstractmethod
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import check_is_fitted, validate_data

from triptych.contracts import Array, FloatArray, Learner, Split, Weights
from triptych.engines import DataShape, check_room, choose_device, choose_mlp_engine, create_mlp
from triptych.errors import SpecError
from triptych.estimators.callbacks import Tasks
from triptych.estimators.held import Held
from triptych.estimators.lbfgs import fit_lbfgs
from triptych.estimators.network import BaseNetwork, softmax
from triptych.estimators.parameters import (
    CONSTRAINTS,
    STOCHASTIC,
    check_labels,
    hidden_sizes,
    network_spec,
    targets_of,
    train_spec,
)
from triptych.estimators.stochastic import fit_stochastic
from triptych.estimators.stopping import forget
from triptych.models import MLPNumpy
from triptych.models.layers_numpy import sigmoid
from triptych.saved import Model, mlp_model
from triptych.spec import MLPSpec, TrainSpec


class BaseMLP(BaseNetwork):
    """Base of `MLPClassifier` and `MLPRegressor`; see there."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    @abstractmethod
    def _validate_input(self, x: Any, y: Any, *, incremental: bool, reset: bool) -> Any:
        """Return checked rows, and targets as scikit-learn has them: (N,) or (N, O)."""

    def _fit(
        self,
        x: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        incremental: bool = False,
        held: Held | None = None,
        tasks: Tasks | None = None,
    ) -> None:
        tasks = tasks or Tasks()
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
            fit_stochastic(
                self, x, y, sample_weight, incremental=incremental, held=held, tasks=tasks
            )
        else:
            fit_lbfgs(self, x, y, sample_weight, tasks)
        if not all(np.isfinite(w).all() for w in (*self.coefs_, *self.intercepts_)):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed."
            )

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

    def _auto_batch_size(self, rows: int) -> int:
        return min(200, rows)

    def _first_rate(self, spec: TrainSpec) -> float:
        return float(self.learning_rate_init)

    def _train_spec(self, batch_size: int, dtype: str, *, incremental: bool) -> TrainSpec:
        return train_spec(self, self._loss_name(), batch_size, dtype)

    def _learner(self, spec: TrainSpec, rows: Split, epochs: int) -> Learner:
        """Return a learner on the engine that was asked for, or that takes the least time."""
        network: MLPSpec = network_spec(self)
        engine = wording = self.engine
        x: Any = rows.x
        if self.device == "cuda" and engine not in ("auto", "torch"):
            raise SpecError(
                f"device: engine '{engine}' computes on the CPU; for cuda, take 'torch'."
            )
        if engine == "auto" and self.device == "cuda":
            engine, wording = "torch", "torch (chosen: the only engine that computes on cuda)"
        elif engine == "auto" and sparse.issparse(x):
            engine, wording = "numpy", "numpy (chosen: it takes sparse rows as they are)"
        elif engine == "auto":
            steps = epochs * math.ceil(len(rows) / (spec.batch_size or 1))
            sizes = (len(rows), x.shape[1], self.n_outputs_)
            engine, wording = choose_mlp_engine(network, spec, *sizes, steps, device=self.device)
        self.engine_ = wording
        if engine == "torch" and sparse.issparse(x):
            x = x.toarray()
        split = Split(x, targets_of(self, rows.y, x.dtype), rows.weight)
        # Of the dropout masks only; without them no number is drawn, so that results stay
        # scikit-learn's.
        seed = int(self._random_state.randint(2**31)) if self.dropout else 0
        device = self.device_ = choose_device(self.device, engine)
        shape = DataShape(len(rows), (x.shape[1],), self.n_outputs_, 0)
        check_room(network, spec, shape, device, "batch_size")
        return create_mlp(network, spec, engine, self._weights(), split, seed=seed, device=device)

    def _weights(self) -> Weights:
        weights: Weights = {}
        for k, (w, b) in enumerate(zip(self.coefs_, self.intercepts_, strict=True), start=1):
            weights[f"w{k}"], weights[f"b{k}"] = w, b
        return weights

    def _take_weights(self, weights: Weights) -> None:
        arrays = list(weights.values())
        self.coefs_, self.intercepts_ = arrays[::2], arrays[1::2]

    def _logits(self, x: Any) -> FloatArray:
        """Return the output before its activation for rows that have been checked, (N, O)."""
        return MLPNumpy(network_spec(self), self._weights()).outputs(x)

    def _forward(self, x: Any) -> FloatArray:
        """Return the activated output for rows that have been checked, shape (N, O)."""
        z = self._logits(x)
        if self.out_activation_ == "softmax":
            return softmax(z)
        if self.out_activation_ == "logistic":
            return sigmoid(z)
        with np.errstate(over="ignore"):
            return np.exp(z) if self.out_activation_ == "exp" else z

    def to_model(self) -> Model:
        """Return the fitted network as a model, which can be saved, exported and read elsewhere.

        Raises
        ------
        SpecError
            If it tells several labels at once.
        """
        check_is_fitted(self)
        return mlp_model(self)

    def _checked_pair(self, x: Any, y: Any, *, reset: bool, y_numeric: bool) -> Any:
        """Return rows and targets as arrays, or raise what scikit-learn raises."""
        if not y_numeric:
            check_labels(y)
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

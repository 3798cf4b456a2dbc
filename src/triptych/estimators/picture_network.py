"""A CNN behind an estimator: validation of pictures, first weights, engines, prediction."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import validate_data

from triptych.chance import stream
from triptych.contracts import Array, Dataset, FloatArray, Learner, Split, Weights
from triptych.data.digits import channel_standardization
from triptych.engines import choose_cnn_engine, choose_device, create_cnn
from triptych.estimators.network import BaseNetwork, softmax
from triptych.estimators.parameters import check_classes
from triptych.estimators.picture_parameters import engine_of, picture_network, picture_training
from triptych.estimators.pictures import Layout, layout_of, square, stacked
from triptych.estimators.stochastic import fit_stochastic
from triptych.estimators.stopping import forget
from triptych.models import initial_weights
from triptych.spec import TrainSpec

# Row weights that are whole numbers up to this are so many rows.
_MOST_REPEATS = 10


class BaseCNN(BaseNetwork):
    """Base of `CNNClassifier`; see there."""

    # Its learning rate falls to 0 over a number of epochs that is known beforehand.
    _stops_by_loss = False

    def _fit(
        self, x: Any, y: Any, sample_weight: Any = None, *, incremental: bool = False
    ) -> BaseCNN:
        self._is_first = not hasattr(self, "weights_") or (not self.warm_start and not incremental)
        x, y = self._checked_pair(x, y, incremental=incremental)
        x, y, sample_weight = self._repeated(*self._weighted(x, y, sample_weight))
        if len(x) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 pictures, as BatchNorm does. "
                f"Got n_samples={len(x)} instead."
            )
        self._random_state = check_random_state(self.random_state)
        if self._is_first:
            self._initialize(x)
        elif picture_network(self) != self.network_:
            raise ValueError(
                "warm_start and partial_fit go on with the present network: 'preset' names another."
            )
        fit_stochastic(self, x, y, sample_weight, incremental=incremental)
        if not all(np.isfinite(w).all() for w in self.weights_.values()):
            raise ValueError("Training ended with weights that are not finite.")
        return self

    def _repeated(
        self, x: Array, y: Array, weight: FloatArray | None
    ) -> tuple[Array, Array, FloatArray | None]:
        """Return rows as often as their weights say, where these are small whole numbers.

        A weight in the loss is unknown to the statistics of a BatchNorm; a row that is there twice
        is not.
        """
        if weight is None or weight.min() < 0 or weight.max() > _MOST_REPEATS:
            return x, y, weight
        if (weight % 1 != 0).any():
            return x, y, weight
        times = weight.astype(np.int64)
        return x.repeat(times, axis=0), y.repeat(times, axis=0), None

    def _initialize(self, x: Array) -> None:
        """Draw first weights, and measure what channels are scaled by."""
        forget(self)
        self.n_iter_ = self.t_ = 0
        self.network_ = picture_network(self)
        self.n_outputs_ = len(self.classes_)
        self._standardization = channel_standardization(x)
        nothing = Split(x[:0], np.zeros(0, np.int64))
        classes = tuple(map(str, self.classes_))
        data = Dataset("pictures", nothing, nothing, classes, kind="pictures", fingerprint="")
        rng = stream(int(self._random_state.randint(2**31)), "weights")
        self.weights_ = initial_weights(self.network_, data, rng)

    def _weights(self) -> Weights:
        return self.weights_

    def _take_weights(self, weights: Weights) -> None:
        self.weights_ = weights

    def _loss_name(self) -> str:
        return "softmax"

    def _auto_batch_size(self, rows: int) -> int:
        # Shared out evenly: with 9 rows left over for a last batch, whose statistics then count
        # as much as any, digits were told apart 0.007 worse.
        batches = max(1, min(12, rows // 32), math.ceil(rows / 500))
        size = math.ceil(rows / batches)
        return size + 1 if rows % size == 1 else size

    def _train_spec(self, batch_size: int, dtype: str, *, incremental: bool) -> TrainSpec:
        if self.dtype != "auto":
            dtype = self.dtype
        elif dtype == "uint8":
            dtype = "float32"
        return picture_training(
            self, batch_size, dtype, incremental=incremental, resumed=not self._is_first
        )

    def _first_rate(self, spec: TrainSpec) -> float:
        given = self.learning_rate_init
        return spec.optimizer.lr if given is None else float(given)

    def _learner(self, spec: TrainSpec, rows: Split, epochs: int) -> Learner:
        engine = wording = engine_of(self, self.network_, spec)
        if engine == "auto":
            engine, wording = choose_cnn_engine(self.network_, spec)
        self.engine_ = wording
        seed = int(self._random_state.randint(2**31))
        self._spec = spec, engine
        return self._bound(Split(rows.x, rows.y[:, 0], rows.weight), seed)

    def _bound(self, rows: Split, seed: int = 0) -> Learner:
        spec, engine = self._spec
        return create_cnn(
            self.network_, spec, engine, self.weights_, rows, seed=seed,
            device=choose_device(self.device, engine), standardization=self._standardization,
        )  # fmt: skip

    def _forward(self, x: Array) -> FloatArray:
        """Return the probabilities of pictures that have been checked, shape (N, O)."""
        learner = self._bound(Split(x[:0], np.zeros(0, np.int64)))
        return softmax(learner.outputs(x))

    def _labels(self, y: Array) -> Array:
        labels: Array = self.classes_[y.reshape(-1)]
        return labels

    def _checked_pair(self, x: Any, y: Any, *, incremental: bool) -> tuple[Array, Array]:
        """Return pictures (N, C, H, W) and the places of their classes (N,), or raise."""
        x, y = self._validated(x, y, reset=self._is_first)
        check_classification_targets(y)
        if self._is_first and not incremental:
            self.classes_ = np.unique(y)
        else:
            check_classes(self, unique_labels(y))
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} can't train with one class. "
                f"Got only {self.classes_[0]!s} instead."
            )
        return x, np.searchsorted(self.classes_, y)

    def _checked(self, x: Any) -> Array:
        pictures: Array = self._validated(x, reset=False)
        return pictures

    def _validated(self, x: Any, *y: Any, reset: bool) -> Any:
        """Return rows as pictures (N, C, H, W), with their labels where these are given."""
        x = stacked(x)
        flat = getattr(x, "ndim", 2) <= 2
        found = validate_data(
            self, x, *y, reset=reset, dtype=self._dtypes(flat=flat), ensure_2d=flat, allow_nd=True
        )
        x, labels = found if y else (found, None)
        layout = self._layout_of(x, reset=reset)
        if reset:
            self._layout, self.picture_shape_ = layout, layout.shape
            self.n_features_in_ = math.prod(x.shape[1:])
        pictures = layout.pictures(x)
        return (pictures, labels) if y else pictures

    def _dtypes(self, *, flat: bool) -> tuple[Any, ...]:
        """Return what rows may be kept in; others become the first of these."""
        if self.dtype == "auto":
            # A table's results must not depend on the order of its rows by more than scikit-learn
            # allows. In pictures float64 only costs time, four times as much.
            wide = flat and self.picture_shape is None
            return (np.float64, np.float32, np.uint8) if wide else (np.float32, np.uint8)
        return (np.dtype(self.dtype), np.uint8)

    def _layout_of(self, x: Array, *, reset: bool) -> Layout:
        name = type(self).__name__
        if x.ndim == 2 and not reset:
            return self._layout
        if x.ndim == 2 and self.picture_shape is None:
            return square(x.shape[1])
        given = x.shape[1:] if self.picture_shape is None else tuple(self.picture_shape)
        if math.prod(given) != math.prod(x.shape[1:]):
            raise ValueError(
                f"The 'picture_shape' parameter of {name} must hold the {math.prod(x.shape[1:])} "
                f"values of a row. Got {given} instead."
            )
        layout = layout_of(given if x.ndim == 2 else x.shape[1:], self.channels, name)
        if not reset and layout.shape != self.picture_shape_:
            was, now = (f"{c} channels of {h} x {w} pixels" for c, h, w in
                        (self.picture_shape_, layout.shape))  # fmt: skip
            raise ValueError(f"X has pictures of {now}, but {name} was fitted on {was}.")
        return layout

"""A network that tells classes of samples that are no rows of a table: pictures, sequences."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted

from triptych.chance import stream
from triptych.contracts import (
    Array,
    Dataset,
    FloatArray,
    Learner,
    Split,
    Standardization,
    Weights,
)
from triptych.engines import DataShape, check_room, choose_device
from triptych.estimators.callbacks import Tasks
from triptych.estimators.held import Held
from triptych.estimators.network import BaseNetwork, Classifying, softmax
from triptych.estimators.parameters import check_classes, check_labels
from triptych.estimators.stochastic import fit_stochastic
from triptych.estimators.stopping import forget
from triptych.models import initial_weights
from triptych.saved import Model, named_classes, origin
from triptych.spec import NetworkSpec, TrainSpec

# Row weights that are whole numbers up to this are so many rows.
_MOST_REPEATS = 10


class ClassNetwork(Classifying, BaseNetwork):
    """Base of `CNNClassifier` and `RNNClassifier`.

    Attributes
    ----------
    _create : callable
        Makes a learner, as `triptych.engines.create_cnn` does.
    _described_by : str
        Parameters that describe the network, for messages.
    """

    # A plateau of the loss is not the end where the rate falls, or where sequences are long.
    _stops_by_loss = False
    _create: ClassVar[Callable[..., Learner]]
    _described_by: ClassVar[str]
    network_: Any  # each kind knows its own spec

    @abstractmethod
    def _described(self) -> NetworkSpec:
        """Return the network that the parameters describe."""

    @abstractmethod
    def _validated(self, x: Any, *y: Any, reset: bool) -> Any:
        """Return samples as learners take them, with their labels where these are given."""

    @abstractmethod
    def _measured(self, x: Array) -> Standardization | None:
        """Return how samples become inputs, by those of the first `fit`."""

    @abstractmethod
    def _dataset(self, nothing: Split, classes: tuple[str, ...]) -> Dataset:
        """Return a data set without rows, whose shape first weights depend on."""

    @abstractmethod
    def _engine(self, spec: TrainSpec) -> tuple[str, str]:
        """Return the engine that trains the network, and how to call it."""

    @property
    def _symbols(self) -> int | None:
        """How many symbols sequences are made of, where they are made of symbols."""
        return None

    def _check_samples(self, x: Array) -> None:
        """Raise where samples cannot be learnt from though each of them is right."""

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
        self._is_first = not hasattr(self, "weights_") or (not self.warm_start and not incremental)
        x, y = self._checked_pair(x, y, incremental=incremental)
        x, y, sample_weight = self._repeated(*self._weighted(x, y, sample_weight))
        self._check_samples(x)
        self._random_state = check_random_state(self.random_state)
        if self._is_first:
            self._initialize(x)
        elif self._described() != self.network_:
            raise ValueError(
                "warm_start and partial_fit go on with the present network: "
                f"{self._described_by} another."
            )
        fit_stochastic(
            self, x, y, sample_weight, incremental=incremental, held=held, tasks=tasks or Tasks()
        )
        if not all(np.isfinite(w).all() for w in self.weights_.values()):
            raise ValueError("Training ended with weights that are not finite.")

    def _repeated(
        self, x: Array, y: Array, weight: FloatArray | None
    ) -> tuple[Array, Array, FloatArray | None]:
        """Return rows as often as their weights say, where these are small whole numbers.

        A weight in the loss is unknown to the statistics of a BatchNorm and to what inputs are
        scaled by; a row that is there twice is not.
        """
        if weight is None or weight.min() < 0 or weight.max() > _MOST_REPEATS:
            return x, y, weight
        if (weight % 1 != 0).any():
            return x, y, weight
        times = weight.astype(np.int64)
        return x.repeat(times, axis=0), y.repeat(times, axis=0), None

    def _initialize(self, x: Array) -> None:
        """Draw first weights, and measure what inputs are scaled by."""
        forget(self)
        self.n_iter_ = self.t_ = 0
        self.network_ = self._described()
        self.n_outputs_ = len(self.classes_)
        self._standardization = self._measured(x)
        self._sample_shape = tuple(x.shape[1:])
        nothing = Split(x[:0], np.zeros(0, np.int64))
        data = self._dataset(nothing, tuple(map(str, self.classes_)))
        rng = stream(int(self._random_state.randint(2**31)), "weights")
        self.weights_ = initial_weights(self.network_, data, rng)

    def _shared_out(self, rows: int, most: int) -> int:
        """Return a batch size: a twelfth of the rows, at least 32, at most `most`."""
        # Shared out evenly: with 9 rows left over for a last batch, whose statistics then count
        # as much as any, digits were told apart 0.007 worse.
        batches = max(1, min(12, rows // 32), math.ceil(rows / most))
        return math.ceil(rows / batches)

    def _weights(self) -> Weights:
        return self.weights_

    def _take_weights(self, weights: Weights) -> None:
        self.weights_ = weights

    def _loss_name(self) -> str:
        return "softmax"

    def _first_rate(self, spec: TrainSpec) -> float:
        given = self.learning_rate_init
        return spec.optimizer.lr if given is None else float(given)

    def _learner(self, spec: TrainSpec, rows: Split, epochs: int) -> Learner:
        engine, self.engine_ = self._engine(spec)
        seed = int(self._random_state.randint(2**31))
        self._spec = spec, engine
        shape = DataShape(
            len(rows), rows.x.shape[1:], self.n_outputs_, self.n_outputs_, self._symbols
        )
        self.device_ = choose_device(self.device, engine)
        check_room(self.network_, spec, shape, self.device_, "batch_size")
        return self._bound(Split(rows.x, rows.y[:, 0], rows.weight), seed)

    def _bound(self, rows: Split, seed: int = 0) -> Learner:
        spec, engine = self._spec
        create = type(self)._create
        return create(
            self.network_, spec, engine, self.weights_, self._ready(rows), seed=seed,
            device=choose_device(self.device, engine), standardization=self._left_to_learners(),
        )  # fmt: skip

    def _ready(self, rows: Split) -> Split:
        """Return rows as a learner is to be given them."""
        return rows

    def _left_to_learners(self) -> Standardization | None:
        """Return how a learner is to scale what it is given."""
        return self._standardization

    def _outputs(self, x: Array) -> FloatArray:
        """Return what the network makes of samples that have been checked, shape (N, O)."""
        rows = Split(x, np.zeros(len(x), np.int64))
        learner = self._bound(rows.take(np.arange(0)))
        return learner.outputs(self._ready(rows).x)

    def _forward(self, x: Array) -> FloatArray:
        """Return the probabilities of samples that have been checked, shape (N, O)."""
        return self._probabilities(self._outputs(x))

    def to_model(self) -> Model:
        """Return the fitted network as a model, which can be saved, exported and read elsewhere.

        It reads samples as the network does: pictures (N, C, H, W); vectors (N, T, D); symbols as
        their places in `symbols_`.

        Raises
        ------
        SpecError
            If a class is neither a text nor a number.
        """
        check_is_fitted(self)
        spec, _ = self._spec
        names, labels = named_classes(self.classes_)
        symbols = getattr(self, "symbols_", None)
        facts = origin(self)
        if symbols is not None:
            facts["symbols"] = symbols.tolist()
        return Model(
            network=self.network_,
            loss="softmax",
            dtype=spec.dtype,
            weights={name: w.astype(spec.dtype) for name, w in self.weights_.items()},
            sample_shape=self._sample_shape,
            n_outputs=self.n_outputs_,
            symbols=None if symbols is None else len(symbols),
            standardization=self._standardization,
            classes=names,
            labels=labels,
            facts=facts,
        )

    def _probabilities(self, outputs: FloatArray) -> FloatArray:
        return softmax(outputs)

    def _decision(self, x: Array) -> FloatArray:
        z = self._logits(self._outputs(x))
        return z[:, 1] - z[:, 0] if z.shape[1] == 2 else z

    def _logits(self, outputs: FloatArray) -> FloatArray:
        return outputs

    def _predict(self, x: Array) -> Array:
        return self._labels(self._forward(x).argmax(axis=1))

    def _labels(self, y: Array) -> Array:
        labels: Array = self.classes_[y.reshape(-1)]
        return labels

    def _checked_pair(self, x: Any, y: Any, *, incremental: bool) -> tuple[Array, Array]:
        """Return samples (N, ...) and the places of their classes (N,), or raise."""
        check_labels(y)
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
        samples: Array = self._validated(x, reset=False)
        return samples

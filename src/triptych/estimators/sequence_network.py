"""An RNN behind an estimator: validation of sequences, first weights, engines, prediction."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_array, check_consistent_length, check_X_y
from sklearn.utils.validation import validate_data

from triptych.contracts import Array, Dataset, FloatArray, Split, Standardization
from triptych.data.sequence_steps import Given, Steps, gathered
from triptych.data.symbols import alphabet, coded, finite, named, standardization
from triptych.engines import choose_rnn_engine, create_rnn
from triptych.estimators.class_network import ClassNetwork
from triptych.estimators.sequence_parameters import (
    RECIPES,
    engine_of,
    sequence_network,
    sequence_training,
)
from triptych.spec import RNNSpec, TrainSpec

_KINDS = {"strings": "strings", "integers": "integers (symbols)", "vectors": "real numbers"}


class BaseRNN(ClassNetwork):
    """Base of `RNNClassifier`; see there."""

    _create = staticmethod(create_rnn)
    _described_by = "'cell', 'hidden', 'layers', 'bidirectional', 'init' or 'recipe' describes"

    symbols_: Array | None

    def _described(self) -> RNNSpec:
        return sequence_network(self)

    def _measured(self, x: Array) -> Standardization | None:
        return standardization(x) if x.ndim == 3 else None

    def _ready(self, rows: Split) -> Split:
        """Scale numbers, in float64: in float32 there is no second between today's time stamps."""
        if self._standardization is None:
            return rows
        dtype = self._spec[0].dtype
        with np.errstate(over="ignore"):
            x = self._standardization(rows.x, "float64").astype(dtype, copy=False)
        return Split(x, rows.y, rows.weight)

    def _left_to_learners(self) -> None:
        return None

    def _dataset(self, nothing: Split, classes: tuple[str, ...]) -> Dataset:
        return Dataset(
            "sequences", nothing, nothing, classes, kind="sequences", fingerprint="",
            symbols=self._symbols,
        )  # fmt: skip

    @property
    def _symbols(self) -> int | None:
        return None if self.symbols_ is None else len(self.symbols_)

    def _engine(self, spec: TrainSpec) -> tuple[str, str]:
        engine = engine_of(self, self.network_)
        if engine != "auto":
            return engine, engine
        return choose_rnn_engine(self.network_, spec, self.device)

    def _auto_batch_size(self, rows: int) -> int:
        return self._shared_out(rows, RECIPES[self.recipe]["batch_size"])

    def _train_spec(self, batch_size: int, dtype: str, *, incremental: bool) -> TrainSpec:
        if self.dtype != "auto":
            dtype = self.dtype
        elif self._columns is None:
            dtype = "float32"
        return sequence_training(self, batch_size, dtype)

    def _probabilities(self, outputs: FloatArray) -> FloatArray:
        # With the report's second softmax the network's own outputs are probabilities.
        is_done: bool = self.network_.output == "softmax"
        return outputs if is_done else super()._probabilities(outputs)

    def _logits(self, outputs: FloatArray) -> FloatArray:
        if self.network_.output != "softmax":
            return outputs
        # A probability of 0 is one that was too small to be told from it.
        logits: FloatArray = np.log(np.maximum(outputs, np.finfo(outputs.dtype).tiny))
        return logits

    def _validated(self, given: Given, *y: Any, reset: bool) -> Any:
        """Return sequences as `triptych.contracts.lengths_of` says, with labels where given."""
        fitted = not reset
        steps = gathered(given, numbers=fitted and self.symbols_ is None)
        if steps is None:
            return self._validated_table(given.x, *y, reset=reset)
        if reset:
            self.__dict__.pop("feature_names_in_", None)
            self._columns = None
            self._kind, self.symbols_ = self._alphabet(steps)
            self.n_features_in_ = steps.values.shape[1] if steps.kind == "vectors" else 1
        self._check_kind(steps.kind)
        x = self._encoded(steps)
        if not y:
            return x
        labels = validate_data(self, "no_validation", *y)
        check_consistent_length(x, labels)
        return x, labels

    def _alphabet(self, steps: Steps) -> tuple[str, Array | None]:
        """Return the kind of steps there will be, and their symbols."""
        if self.symbols is not None:
            return named(self.symbols)
        if steps.kind == "vectors":
            return steps.kind, None
        return steps.kind, alphabet(steps.kind, steps.values)

    def _check_kind(self, kind: str) -> None:
        if kind != self._kind:
            name, by = (
                type(self).__name__,
                "was fitted on" if self.symbols is None else "is to know",
            )
            raise ValueError(
                f"X has sequences of {_KINDS[kind]}, but {name} {by} {_KINDS[self._kind]}."
            )

    def _encoded(self, steps: Steps) -> Array:
        if self.symbols_ is not None:
            return coded(steps, self.symbols_)
        x = finite(steps)
        self._check_width(x)
        return x

    def _check_width(self, x: Array) -> None:
        # A table's columns are steps of one feature.
        width = self.n_features_in_ if self._columns is None else 1
        if x.shape[2] != width:
            raise ValueError(
                f"X has {x.shape[2]} features a step, but {type(self).__name__} is expecting "
                f"{width} features a step as input."
            )

    def _validated_table(self, x: Any, *y: Any, reset: bool) -> Any:
        """Return the columns of a table (N, F) as steps of one feature, (N, F, 1)."""
        # A table's results must not depend on the order of its rows by more than scikit-learn
        # allows.
        dtype = (np.float64, np.float32) if self.dtype == "auto" else np.dtype(self.dtype)
        if not reset:
            self._check_kind("vectors")
        if reset or self._columns is not None:
            found = validate_data(self, x, *y, reset=reset, dtype=dtype)
        elif y:
            found = check_X_y(x, *y, dtype=dtype)
        else:
            found = check_array(x, dtype=dtype, input_name="X")
        x, labels = found if y else (found, None)
        if reset:
            if self.symbols is not None:
                self._kind, _ = named(self.symbols)
                self._check_kind("vectors")
            self._kind, self.symbols_, self._columns = "vectors", None, x.shape[1]
        x = x[:, :, None]
        self._check_width(x)
        return (x, labels) if y else x

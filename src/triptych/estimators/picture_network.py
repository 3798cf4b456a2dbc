"""A CNN behind an estimator: validation of pictures, first weights, engines, prediction."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from triptych.contracts import Array, Dataset, Split, Standardization
from triptych.data.digits import channel_standardization
from triptych.engines import choose_cnn_engine, create_cnn
from triptych.estimators.class_network import ClassNetwork
from triptych.estimators.picture_parameters import engine_of, picture_network, picture_training
from triptych.estimators.pictures import Layout, layout_of, square, stacked
from triptych.spec import CNNSpec, TrainSpec


class BaseCNN(ClassNetwork):
    """Base of `CNNClassifier`; see there."""

    _create = staticmethod(create_cnn)
    _described_by = "'preset' names"

    def _described(self) -> CNNSpec:
        return picture_network(self)

    def _measured(self, x: Array) -> Standardization:
        return channel_standardization(x)

    def _dataset(self, nothing: Split, classes: tuple[str, ...]) -> Dataset:
        return Dataset("pictures", nothing, nothing, classes, kind="pictures", fingerprint="")

    def _engine(self, spec: TrainSpec) -> tuple[str, str]:
        engine = engine_of(self, self.network_, spec)
        return choose_cnn_engine(self.network_, spec) if engine == "auto" else (engine, engine)

    def _check_samples(self, x: Array) -> None:
        if len(x) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 pictures, as BatchNorm does. "
                f"Got n_samples={len(x)} instead."
            )

    def _auto_batch_size(self, rows: int) -> int:
        size = self._shared_out(rows, 500)
        return size + 1 if rows % size == 1 else size

    def _train_spec(self, batch_size: int, dtype: str, *, incremental: bool) -> TrainSpec:
        if self.dtype != "auto":
            dtype = self.dtype
        elif dtype == "uint8":
            dtype = "float32"
        return picture_training(
            self, batch_size, dtype, incremental=incremental, resumed=not self._is_first
        )

    def _validated(self, x: Any, *y: Any, reset: bool) -> Any:
        """Return rows as pictures (N, C, H, W), with their labels where these are given."""
        x = stacked(x)
        flat = getattr(x, "ndim", 2) <= 2
        # In one order, so that sums round alike whether rows came in a frame or in an array.
        found = validate_data(
            self, x, *y, reset=reset, dtype=self._dtypes(flat=flat), ensure_2d=flat, allow_nd=True,
            order="C",
        )  # fmt: skip
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

"""What single predictions of a trained network are made of: which rows, and at what cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from triptych.contracts import Array, Dataset, FloatArray, IntArray, Weights
from triptych.explain import (
    MOST_STEPS,
    Asked,
    Judged,
    Rows,
    columns_rested_on,
    first_rows,
    numbered,
    pixels_rested_on,
)
from triptych.models import cost_on, create_forward
from triptych.records import Finding
from triptych.spec import CNNSpec, MLPSpec, TrainSpec

# FLOPs that one run's predictions may take to explain: some seconds of two cores.
_MOST_FLOPS = 5e10
_FEWEST_STEPS = 32
# A step takes a forward pass and its backward, which is about twice that.
_PASSES = 3
_ROWS = 4


def rested_on(
    network: MLPSpec | CNNSpec,
    train: TrainSpec,
    data: Dataset,
    weights: Weights,
    judged: Judged | None,
    temperature: float = 1.0,
) -> Finding | None:
    """Return what predictions on some test rows are made of.

    Parameters
    ----------
    network : MLPSpec or CNNSpec
    train : TrainSpec
    data : Dataset
        As the network was trained on it.
    weights : Weights
        That it ended with.
    judged : Judged or None
        The test rows and the probabilities of their classes, where there are any.
    temperature : float
        By which outputs are divided.

    Returns
    -------
    Finding or None
        See `triptych.explain.pixels_rested_on` and `columns_rested_on`; None of data that are
        neither pictures nor a table, and where outputs are no probabilities of the classes.
    """
    is_table = data.kind == "table" and isinstance(network, MLPSpec)
    has_pictures = judged is not None and judged.black_white is not None
    if not (has_pictures or is_table):
        return None
    if judged is None and (data.classes or train.loss != "squared"):
        return None
    rows = np.arange(min(_ROWS, len(data.test))) if judged is None else first_rows(judged)
    scale, shift = 1.0, 0.0
    if judged is None and data.target is not None:
        # Of several numbers the first is explained.
        scale, shift = float(data.target.std.flat[0]), float(data.target.mean.flat[0])
    most = int(_MOST_FLOPS / (_PASSES * len(rows) * max(1, cost_on(network, data).flops)))
    most = min(max(most, _FEWEST_STEPS), MOST_STEPS)
    asked = Asked(create_forward(network, weights), train.loss, scale, shift, temperature, most)
    x = _inputs(data, data.test.x[rows])
    if judged is not None and has_pictures:
        grey = np.broadcast_to(cover(data), data.sample_shape)
        return pixels_rested_on(asked, judged, x, _inputs(data, grey[None])[0])
    # Standardising is linear: that of the mean is the mean.
    plain = _inputs(data, data.train.x.mean(axis=0, dtype=np.float64)[None])[0]
    outputs = np.zeros(len(rows), np.int64) if judged is None else judged.predicted[rows]
    origins = tuple(data.origin(int(row)) for row in rows) if data.origin else ()
    places = [one.place for one in origins] or [f"test row {row}" for row in rows]
    explained = Rows(x, plain, outputs, _names(places, judged, rows), origins)
    features = data.features or numbered(data.sample_shape[0])
    return columns_rested_on(
        asked, explained, features, "number" if judged is None else "probability"
    )


def _names(places: Sequence[str], judged: Judged | None, rows: IntArray) -> tuple[str, ...]:
    """Return what each row is called, what it is, and what is predicted of it if that differs."""
    if judged is None:
        return tuple(places)
    true, predicted = judged.names(judged.y[rows]), judged.names(judged.predicted[rows])
    return tuple(
        f"{place}: {one}" if one == other else f"{place}: {one}, predicted as {other}"
        for place, one, other in zip(places, true, predicted, strict=True)
    )


def _inputs(data: Dataset, x: Array) -> FloatArray:
    """Return raw rows as the network reads them, float64."""
    scale = data.standardization
    return x.astype(np.float64) if scale is None else scale(x, "float64")


def cover(data: Dataset) -> Array:
    """Return the mean of the training pictures by channel, (C, 1, 1), as raw pictures have it."""
    scale = data.standardization
    mean_CHW = data.train.x.mean(axis=0) if scale is None else scale.mean
    mean: Array = mean_CHW.mean(axis=(1, 2), keepdims=True)
    return mean.round() if data.train.x.dtype == np.uint8 else mean

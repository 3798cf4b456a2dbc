"""What networks are held against: models of scikit-learn, fitted once, told as a training is."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from triptych.chance import stream
from triptych.contracts import Array, Dataset, FloatArray, Scores, Split
from triptych.errors import DataError, SpecError
from triptych.spec import ReferenceSpec
from triptych.training.events import Evaluation, Event, Finished, Notice
from triptych.training.scores import in_unit, scored
from triptych.training.weighting import weighted

# Rounds of the solver; its default of 100 ends before it has converged on 64 pixels.
_MOST_ROUNDS = 5000


def fit_reference(spec: ReferenceSpec, data: Dataset, seed: int) -> Iterator[Event]:
    """Fit a model on the training rows, on one thread, and tell what it is worth.

    Features are standardised as those of the networks, and flattened. The loss is scikit-learn's
    ``log_loss`` of the model's probabilities, which takes those of 0 for 2e-16; of numbers half the
    squared error, as that of the networks.

    Parameters
    ----------
    spec : ReferenceSpec
    data : Dataset
        Rows or pictures; anything for ``"most_frequent"``.
    seed : int
        Of the study; seeds the model.

    Yields
    ------
    Event
        A `Notice` where a solver did not converge; one `Evaluation`, at epoch 0; `Finished`, with
        no weights.

    Raises
    ------
    DataError
        If there are too few rows or classes for the model.
    """
    # Here, because scikit-learn takes a second to load; and its threads show only once it is.
    random_state = int(stream(seed, "reference").integers(2**32))
    model = _classifier(spec, random_state) if data.classes else _regressor(spec, random_state)
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        try:
            seconds = _fit(spec, model, _inputs(spec, data, data.train), data)
            train, test = (
                _scores(model, _inputs(spec, data, split), split.y, data)
                for split in (data.train, data.test)
            )
        except ValueError as error:  # too few rows or classes
            what = str(error).split("\n", 1)[0].rstrip(".")
            raise DataError(f"{data.name}: '{spec.model}' cannot be fitted: {what}.") from None
    if any(issubclass(one.category, ConvergenceWarning) for one in caught):
        yield Notice(f"{spec.model} had not converged after {_MOST_ROUNDS:,} rounds")
    told = Evaluation(
        epoch=0, step=0, lr=0.0, train=train, test=test, validation=None, seconds=seconds
    )
    yield told
    yield Finished({}, told, 0, seconds)


def _fit(spec: ReferenceSpec, model: Any, x_NI: FloatArray, data: Dataset) -> float:
    """Fit the model, and return the seconds that took."""
    weight_N = weighted(data.train, spec.class_weight).weight if spec.class_weight else None
    weights = {} if weight_N is None else {"sample_weight": weight_N}
    start = time.perf_counter()
    model.fit(x_NI, data.train.y if data.classes else data.train.y[:, 0], **weights)
    return time.perf_counter() - start


def _classifier(spec: ReferenceSpec, random_state: int) -> Any:
    from sklearn.dummy import DummyClassifier
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    match spec.model:
        case "most_frequent":
            return DummyClassifier(strategy="prior")
        case "linear":
            return LogisticRegression(max_iter=_MOST_ROUNDS, random_state=random_state)
        case "ridge":
            raise SpecError("model: 'ridge' tells numbers, not classes. Use 'linear'.")
        case "nearest_neighbours":
            return KNeighborsClassifier()
        case "gradient_boosting":
            return HistGradientBoostingClassifier(random_state=random_state)
        case "random_forest":
            return RandomForestClassifier(random_state=random_state, class_weight=spec.class_weight)


def _regressor(spec: ReferenceSpec, random_state: int) -> Any:
    from sklearn.dummy import DummyRegressor
    from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
    from sklearn.linear_model import LinearRegression, Ridge
    from sklearn.neighbors import KNeighborsRegressor

    match spec.model:
        case "most_frequent":
            return DummyRegressor()
        case "linear":
            return LinearRegression()
        case "ridge":
            return Ridge(random_state=random_state)
        case "nearest_neighbours":
            return KNeighborsRegressor()
        case "gradient_boosting":
            return HistGradientBoostingRegressor(random_state=random_state)
        case "random_forest":
            return RandomForestRegressor(random_state=random_state)


def _inputs(spec: ReferenceSpec, data: Dataset, split: Split) -> FloatArray:
    """Return features (N, I); none, of a model that does not look at them."""
    if spec.reads is None:
        return np.zeros((len(split), 1))
    x = split.x if data.standardization is None else data.standardization(split.x, "float64")
    rows: FloatArray = x.reshape(len(x), -1).astype(np.float64, copy=False)
    return rows


def _scores(model: Any, x_NI: FloatArray, y: Array, data: Dataset) -> Scores:
    if not data.classes:
        told_N1 = model.predict(x_NI)[:, None]
        loss = 0.5 * float(np.square(told_N1 - y).mean())
        return in_unit(scored(loss, told_N1, y), data.target)
    from sklearn.metrics import log_loss

    probability_NC = np.zeros((len(y), len(data.classes)))
    # A class may be missing from the training rows.
    probability_NC[:, model.classes_] = model.predict_proba(x_NI)
    loss = float(log_loss(y, probability_NC, labels=np.arange(len(data.classes))))
    return scored(loss, probability_NC, y)

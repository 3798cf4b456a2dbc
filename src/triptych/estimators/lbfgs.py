"""The solver ``"lbfgs"``: SciPy's, on the gradients of the NumPy network."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.optimize
from sklearn.utils.optimize import _check_optimize_result

from triptych.contracts import Array, FloatArray, Weights
from triptych.errors import NumericsError
from triptych.estimators.parameters import network_spec, targets_of
from triptych.models import MLPNumpy


def fit_lbfgs(estimator: Any, x: Any, y: Array, sample_weight: FloatArray | None) -> None:
    """Set the estimator's weights to what L-BFGS-B comes to.

    Parameters
    ----------
    estimator : BaseMLP
        With first weights.
    x : Array or sparse CSR, shape (N, I)
    y : Array, shape (N, O)
        As scikit-learn has it.
    sample_weight : FloatArray, shape (N,), optional

    Raises
    ------
    ValueError
        If there is dropout: each step would go down another function.
    NumericsError
        If loss or gradient are not finite.
    """
    if estimator.dropout:
        raise ValueError("dropout needs a stochastic solver; 'lbfgs' is not.")
    estimator.engine_ = "numpy (lbfgs knows no other)"
    t = targets_of(estimator, y, x.dtype)
    network = MLPNumpy(network_spec(estimator), estimator._weights(), estimator._loss_name())
    order = [f"{kind}{k + 1}" for kind in "wb" for k in range(len(estimator.coefs_))]
    rows = len(y) if sample_weight is None else float(sample_weight.sum())
    outputs = estimator.n_outputs_ if estimator._loss_name() == "squared" else 1
    alpha, calls = float(estimator.alpha), 0

    def penalty(weights: Weights) -> float:
        return 0.5 * alpha * sum(float(np.vdot(w, w)) for w in list(weights.values())[::2]) / rows

    def loss_and_gradient(flat: FloatArray) -> tuple[float, FloatArray]:
        nonlocal calls
        calls += 1
        _put(network.weights, order, flat)
        with np.errstate(over="ignore", invalid="ignore"):
            loss, grads = network.loss_and_grads(x, t, sample_weight)
        for name, w in network.weights.items():
            if name[0] == "w":
                grads[name] = grads[name] + alpha / rows * w
        gradient = np.concatenate([grads[name].ravel() for name in order]).astype(np.float64)
        if not (np.isfinite(loss) and np.isfinite(gradient).all()):
            raise NumericsError(
                f"evaluation {calls}: loss {loss:.4g}, or its gradient, is not finite. "
                "Try features scaled to a mean of 0 and a deviation of 1."
            )
        # The loss that its gradient is of; scikit-learn hands over that of a mean over outputs.
        return loss + penalty(network.weights), gradient

    first = np.concatenate([network.weights[name].ravel() for name in order]).astype(np.float64)
    result = scipy.optimize.minimize(
        loss_and_gradient,
        first,
        method="L-BFGS-B",
        jac=True,
        options={
            "maxfun": estimator.max_fun,
            "maxiter": estimator.max_iter,
            "gtol": estimator.tol,
        },
    )
    estimator.n_iter_ = _check_optimize_result("lbfgs", result, estimator.max_iter)
    _put(network.weights, order, result.x)
    rest = penalty(network.weights)
    estimator.loss_ = (float(result.fun) - rest) / outputs + rest
    estimator._take_weights({name: w.copy() for name, w in network.weights.items()})


def _put(weights: Weights, order: list[str], flat: FloatArray) -> None:
    start = 0
    for name in order:
        w = weights[name]
        weights[name] = flat[start : start + w.size].reshape(w.shape).astype(w.dtype)
        start += w.size

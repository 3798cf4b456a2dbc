"""The solver ``"lbfgs"``: SciPy's, on the gradients of the NumPy network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.optimize
from scipy.special import expit, logsumexp, xlogy
from sklearn.utils.optimize import _check_optimize_result

from triptych.contracts import Array, FloatArray, Weights
from triptych.errors import NumericsError
from triptych.estimators.parameters import network_spec, targets_of
from triptych.models import MLPNumpy
from triptych.models.losses_numpy import LOSSES, LossBackward

_EPS = float(np.finfo(np.float64).eps)


def fit_lbfgs(estimator: Any, x: Any, y: Array, sample_weight: FloatArray | None) -> None:
    """Set the estimator's weights to what L-BFGS-B comes to.

    It computes in float64 whatever the rows are in, as scikit-learn does: its line search cannot
    tell the rounding of float32 from a slope. The weights then get the dtype of the rows.

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
        If it ends with a loss or weights that are not finite.
    """
    if estimator.dropout:
        raise ValueError("dropout needs a stochastic solver; 'lbfgs' is not.")
    estimator.engine_ = "numpy (lbfgs knows no other)"
    dtype, x = x.dtype, x.astype(np.float64)
    t = targets_of(estimator, y, np.float64)
    loss_name = estimator._loss_name()
    first = {name: w.astype(np.float64) for name, w in estimator._weights().items()}
    network = MLPNumpy(network_spec(estimator), first, loss_name)
    if loss_name in _CAPPED:
        network.functions = replace(network.functions, loss=_CAPPED[loss_name])
    order = [f"{kind}{k + 1}" for kind in "wb" for k in range(len(estimator.coefs_))]
    rows = len(y) if sample_weight is None else float(sample_weight.sum())
    outputs = estimator.n_outputs_ if loss_name == "squared" else 1
    alpha = float(estimator.alpha)

    def penalty(weights: Weights) -> float:
        return 0.5 * alpha * sum(float(np.vdot(w, w)) for w in list(weights.values())[::2]) / rows

    def loss_and_gradient(flat: FloatArray) -> tuple[float, FloatArray]:
        _put(network.weights, order, flat)
        loss, grads = network.loss_and_grads(x, t, sample_weight)
        for name, w in network.weights.items():
            if name[0] == "w":
                grads[name] = grads[name] + alpha / rows * w
        # The loss that its gradient is of. With several outputs of a regression scikit-learn
        # hands over the loss of their mean with the gradient of their sum, which misleads the line
        # search; here both are of the sum.
        return loss + penalty(network.weights), np.concatenate([grads[n].ravel() for n in order])

    # A line search may try weights so large that the loss overflows, and come back.
    with np.errstate(over="ignore", invalid="ignore"):
        result = scipy.optimize.minimize(
            loss_and_gradient,
            np.concatenate([first[name].ravel() for name in order]),
            method="L-BFGS-B",
            jac=True,
            options={
                "maxfun": estimator.max_fun,
                "maxiter": estimator.max_iter,
                "gtol": estimator.tol,
            },
        )
    if not (np.isfinite(result.fun) and np.isfinite(result.x).all()):
        raise NumericsError(
            f"lbfgs, iteration {result.nit + 1}: loss {float(result.fun):.4g}, or its gradient or "
            "weights, are not finite. Try features scaled to a mean of 0 and a deviation of 1."
        )
    estimator.n_iter_ = _check_optimize_result("lbfgs", result, estimator.max_iter)
    _put(network.weights, order, result.x)
    rest = penalty(network.weights)
    estimator.loss_ = (float(result.fun) - rest) / outputs + rest
    estimator._take_weights({name: w.astype(dtype) for name, w in network.weights.items()})


def _put(weights: Weights, order: list[str], flat: FloatArray) -> None:
    start = 0
    for name in order:
        shape, size = weights[name].shape, weights[name].size
        weights[name] = flat[start : start + size].reshape(shape).copy()
        start += size


def _softmax(z_BO: FloatArray, y_B: Array, share_B: FloatArray) -> tuple[float, LossBackward]:
    _, backward = LOSSES["softmax"](z_BO, y_B, share_B)
    surprise_B = logsumexp(z_BO, axis=1) - z_BO[np.arange(len(y_B)), y_B]
    return float(share_B @ np.clip(surprise_B, -np.log1p(-_EPS), -np.log(_EPS))), backward


def _sigmoid(z_BO: FloatArray, t_BO: Array, share_B: FloatArray) -> tuple[float, LossBackward]:
    _, backward = LOSSES["sigmoid"](z_BO, t_BO, share_B)
    p_BO = np.clip(expit(z_BO), _EPS, 1 - _EPS)
    # The rounding of 1 - p is theirs too: near 1 it is all that the line search sees.
    surprise_BO = -(xlogy(t_BO, p_BO) + xlogy(1 - t_BO, 1 - p_BO))
    return float(share_B @ surprise_BO.sum(axis=1)), backward


# scikit-learn's cross-entropies hold each probability between eps and 1 - eps, though their
# gradients do not. What the line search goes on to depends on it once it tries large weights.
_CAPPED = {"softmax": _softmax, "sigmoid": _sigmoid}

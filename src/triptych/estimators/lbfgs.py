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
from triptych.estimators.callbacks import Tasks
from triptych.estimators.parameters import network_spec, targets_of
from triptych.models import MLPNumpy
from triptych.models.losses_numpy import LOSSES, LossBackward

_EPS = float(np.finfo(np.float64).eps)


def fit_lbfgs(
    estimator: Any, x: Any, y: Array, sample_weight: FloatArray | None, tasks: Tasks
) -> None:
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
    tasks : Tasks
        What callbacks are told.

    Raises
    ------
    ValueError
        If there is dropout: each step would go down another function.
    NumericsError
        If it ends with a loss or weights that are not finite.
    """
    if estimator.dropout:
        raise ValueError("dropout needs a stochastic solver; 'lbfgs' is not.")
    estimator.engine_, estimator.device_ = "numpy (lbfgs knows no other)", "cpu"
    descent = _Descent(estimator, x, y, sample_weight)

    def next_iteration(flat: FloatArray) -> None:
        descent.take(flat)
        if tasks.end():
            raise StopIteration
        tasks.begin()

    tasks.begin()
    # A line search may try weights so large that the loss overflows, and come back.
    with np.errstate(over="ignore", invalid="ignore"):
        result = scipy.optimize.minimize(
            descent.loss_and_gradient,
            descent.first(),
            method="L-BFGS-B",
            jac=True,
            callback=next_iteration if tasks.are_watched else None,
            options={
                "maxfun": estimator.max_fun,
                "maxiter": estimator.max_iter,
                "gtol": estimator.tol,
            },
        )
    tasks.close()
    if not (np.isfinite(result.fun) and np.isfinite(result.x).all()):
        raise NumericsError(
            f"lbfgs, iteration {result.nit + 1}: loss {float(result.fun):.4g}, or its gradient or "
            "weights, are not finite. Try features scaled to a mean of 0 and a deviation of 1."
        )
    estimator.n_iter_ = int(result.nit)
    if not tasks.have_ended:  # where a callback ended it, SciPy says that it failed
        estimator.n_iter_ = _check_optimize_result("lbfgs", result, estimator.max_iter)
    descent.take(result.x)
    estimator.loss_ = descent.reported(float(result.fun))


class _Descent:
    """The function that an estimator's weights go down, and what its line search knows of it."""

    def __init__(self, estimator: Any, x: Any, y: Array, sample_weight: FloatArray | None) -> None:
        self.estimator, self.dtype = estimator, x.dtype
        self.x, self.sample_weight = x.astype(np.float64), sample_weight
        self.t = targets_of(estimator, y, np.float64)
        loss = estimator._loss_name()
        first = {name: w.astype(np.float64) for name, w in estimator._weights().items()}
        self.network = MLPNumpy(network_spec(estimator), first, loss)
        if loss in _CAPPED:
            self.network.functions = replace(self.network.functions, loss=_CAPPED[loss])
        self.order = [f"{kind}{k + 1}" for kind in "wb" for k in range(len(estimator.coefs_))]
        self.rows = len(y) if sample_weight is None else float(sample_weight.sum())
        self.outputs = estimator.n_outputs_ if loss == "squared" else 1
        self.alpha = float(estimator.alpha)

    def first(self) -> FloatArray:
        """Return the present weights as one array."""
        return np.concatenate([self.network.weights[name].ravel() for name in self.order])

    def loss_and_gradient(self, flat: FloatArray) -> tuple[float, FloatArray]:
        """Return the loss and its gradient, penalty included.

        With several outputs of a regression scikit-learn hands over the loss of their mean with the
        gradient of their sum, which misleads the line search; here both are of the sum.
        """
        _put(self.network.weights, self.order, flat)
        loss, grads = self.network.loss_and_grads(self.x, self.t, self.sample_weight)
        for name, w in self.network.weights.items():
            if name[0] == "w":
                grads[name] = grads[name] + self.alpha / self.rows * w
        gradient = np.concatenate([grads[name].ravel() for name in self.order])
        return loss + self._penalty(), gradient

    def take(self, flat: FloatArray) -> None:
        """Give the estimator these weights."""
        _put(self.network.weights, self.order, flat)
        weights = {name: w.astype(self.dtype) for name, w in self.network.weights.items()}
        self.estimator._take_weights(weights)

    def reported(self, loss: float) -> float:
        """Return a loss of the present weights as scikit-learn reports it: a mean over outputs."""
        rest = self._penalty()
        return (loss - rest) / self.outputs + rest

    def _penalty(self) -> float:
        matrices = list(self.network.weights.values())[::2]
        squares = sum(float(np.vdot(w, w)) for w in matrices)
        return 0.5 * self.alpha * squares / self.rows


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

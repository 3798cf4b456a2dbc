"""Regression."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from triptych.contracts import Array, FloatArray
from triptych.estimators.base import BaseMLP
from triptych.estimators.callbacks import fit_tasks
from triptych.estimators.held import held_of
from triptych.estimators.parameters import CONSTRAINTS


class MLPRegressor(RegressorMixin, BaseMLP):
    """A multilayer perceptron that tells numbers, with scikit-learn's interface.

    Same parameter names, defaults, attributes and results as
    ``sklearn.neural_network.MLPRegressor``: from one `random_state` the weights agree to rounding,
    on every engine. One target or several. The one exception is ``"lbfgs"`` with several targets,
    where scikit-learn's gradient is not that of its loss.

    Parameters
    ----------
    loss : {"squared_error", "poisson"}, default="squared_error"
        ``"poisson"``: half the Poisson deviance, with the exponential as output activation, for
        counts.
    hidden_layer_sizes : array-like of int, default=(100,)
        Units of each hidden layer.
    activation : {"relu", "tanh", "logistic", "identity", "gelu"}, default="relu"
        Of the hidden layers. ``"gelu"`` is new.
    solver : {"adam", "sgd", "lbfgs", "adamw", "rmsprop"}, default="adam"
        ``"adamw"`` and ``"rmsprop"`` are new, with PyTorch's definitions.
    alpha : float, default=0.0001
        Weight of the L2 penalty, divided by the rows of the batch; of ``"adamw"``, its decay.
    batch_size : int or "auto", default="auto"
        ``"auto"``: 200, or all rows where there are fewer.
    learning_rate : {"constant", "invscaling", "adaptive"}, default="constant"
        Schedule of ``solver="sgd"``.
    learning_rate_init : float, default=0.001
    power_t : float, default=0.5
        Exponent of ``"invscaling"``.
    max_iter : int, default=200
        Epochs at most; of ``"lbfgs"``, iterations.
    shuffle : bool, default=True
        Whether each epoch has an order of its own.
    random_state : int, RandomState or None, default=None
        Draws first weights, validation rows, orders and dropout.
    tol : float, default=1e-4
        Least improvement that counts.
    verbose : bool, default=False
        Whether to print the loss of each epoch.
    warm_start : bool, default=False
        Whether `fit` goes on from the present weights.
    momentum : float, default=0.9
        Of ``solver="sgd"``.
    nesterovs_momentum : bool, default=True
    early_stopping : bool, default=False
        Whether to set rows aside and stop when the score on them gets no better; the best weights
        are kept. `fit` takes other rows to judge by as `X_val` and `y_val`.
    validation_fraction : float, default=0.1
        Share of the rows that is set aside.
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        Of Adam and AdamW; RMSprop has `epsilon` too. Adam adds it before the bias correction, as
        scikit-learn does, AdamW after it, as PyTorch does.
    n_iter_no_change : int, default=10
        Epochs without improvement after which training stops.
    max_fun : int, default=15000
        Evaluations of the loss at most, of ``"lbfgs"``.
    dropout : float, default=0.0
        Probability that a hidden unit is zeroed in training, at most 0.99. New.
    engine : {"auto", "numpy", "compiled", "torch"}, default="auto"
        What computes it; ``"auto"`` takes the one that would take the least time. New.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Of the torch engine. New.
    keep_best : bool, default=False
        Whether `fit` ends with the weights of the epoch with the least training loss. New.
    progress : bool, default=False
        Whether to show a bar on the standard error. New.

    Attributes
    ----------
    coefs_, intercepts_ : list of ndarray
        Weights (I, O) and biases (O,) of each layer.
    loss_ : float
        Of the last epoch, penalty included.
    loss_curve_ : list of float
        Of each epoch.
    best_loss_ : float or None
    validation_scores_ : list of float or None
    best_validation_score_ : float or None
    n_iter_ : int
        Epochs taken.
    t_ : int
        Rows seen.
    n_features_in_, n_layers_, n_outputs_ : int
    out_activation_ : str
    engine_ : str
        Which engine computed it, and why.
    device_ : {"cpu", "cuda"}
        Where it was computed.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 200)[:, None]
    >>> model = MLPRegressor(hidden_layer_sizes=(30,), solver="lbfgs", tol=0.01, random_state=0)
    >>> bool(model.fit(x, np.sin(3 * x[:, 0])).score(x, np.sin(3 * x[:, 0])) > 0.99)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "loss": [StrOptions({"squared_error", "poisson"})],
    }

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: float = 0.0,
        engine: str = "auto",
        device: str = "auto",
        keep_best: bool = False,
        progress: bool = False,
    ) -> None:
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.dropout = dropout
        self.engine = engine
        self.device = device
        self.keep_best = keep_best
        self.progress = progress

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> MLPRegressor:
        """Learn from rows and their targets.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like, shape (n_samples,), optional
            How much each row counts; a row of weight 2 is as good as two.
        X_val, y_val, sample_weight_val : array-like, optional
            Rows, their targets and weights that early stopping judges by, in place of some of X.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            As scikit-learn raises it; also for targets below 0 with ``loss="poisson"``.
        NumericsError
            If training leaves the finite numbers; it names the step.
        """
        held = held_of(self, X_val, y_val, sample_weight_val)
        with fit_tasks(self, X, y, sample_weight=sample_weight) as tasks:
            self._fit(X, y, sample_weight, held=held, tasks=tasks)
        return self

    @available_if(lambda estimator: estimator._check_solver())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """Take one epoch over the given rows, going on from the present weights.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like, shape (n_samples,), optional

        Returns
        -------
        self
        """
        self._fit(X, y, sample_weight, incremental=True)
        return self

    def predict(self, X: Any) -> FloatArray:
        """Return the targets of each row, shape (n_samples,) or (n_samples, n_outputs)."""
        check_is_fitted(self)
        return self._predict(self._checked(X))

    def _predict(self, x: Any) -> FloatArray:
        out = self._forward(x)
        return out.ravel() if out.shape[1] == 1 else out

    def _score(self, x: Array, y: Array, sample_weight: FloatArray | None) -> float:
        found = self._predict(x)
        if not np.isfinite(found).all():
            return float("nan")
        return float(r2_score(y, found, sample_weight=sample_weight))

    def _loss_name(self) -> str:
        return "squared" if self.loss == "squared_error" else "poisson"

    def _validate_input(self, x: Any, y: Any, *, incremental: bool, reset: bool) -> Any:
        x, y = self._checked_pair(x, y, reset=reset, y_numeric=True)
        if self.loss == "poisson" and y.min() < 0:
            # There the loss would be NaN; scikit-learn trains on without a word.
            raise ValueError(f"loss='poisson' requires y >= 0, got {y.min():g}.")
        return x, y

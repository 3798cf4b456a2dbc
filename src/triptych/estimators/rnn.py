"""Classification of sequences."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import _fit_context
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import _check_partial_fit_first_call
from sklearn.utils.validation import check_is_fitted

from triptych.contracts import Array, FloatArray
from triptych.data.sequence_steps import Given
from triptych.estimators.callbacks import fit_tasks
from triptych.estimators.held import held_of
from triptych.estimators.parameters import refuse_balanced
from triptych.estimators.sequence_network import BaseRNN
from triptych.estimators.sequence_parameters import SEQUENCE_CONSTRAINTS


class RNNClassifier(BaseRNN):
    """A recurrent network that tells classes of sequences, with scikit-learn's interface.

    Sequences may differ in length. They are one of

    - a list of arrays ``(steps, features)`` of numbers, or of ``(steps,)`` floats;
    - a list of sequences of symbols: integers, strings, or plain strings, whose symbols are
      their characters;
    - a padded array ``(n, steps, features)`` of numbers or ``(n, steps)`` of symbols, with
      `lengths` beside it, or none where all are full. What pads them is never looked at;
    - a table ``(n, features)`` of floats: each column is a step of one feature.

    Integers are symbols except in steps of several features; integers that measure something must
    be made floats. Each feature is scaled to a mean of 0 and a deviation of 1, as measured on all
    steps of what `fit` was given.

    Parameters
    ----------
    cell : {"elman", "lstm", "gru"}, default="elman"
        See `triptych.spec.RNNSpec`.
    hidden : int, default=128
        Units of each layer and direction.
    layers : int, default=1
    bidirectional : bool, default=False
        Whether each layer also reads from the end.
    recipe : {"logits", "lengths", "paper"}, default="logits"
        How it is trained. ``"logits"``: RMSprop, batches of 128 at most, gradients no longer than
        10. ``"paper"``: the same with the lab report's second softmax, which holds the network
        back. ``"lengths"``: Adam, batches of 64 at most, gradients no longer than 1; each step
        has sequences of one length, drawn at random from all lengths there are: for what has to be
        remembered.
    init : {"uniform", "latch"}, default="uniform"
        First weights, see `triptych.spec.RNNSpec`; ``"latch"`` needs one Elman layer that reads
        forward.
    symbols : array-like or str, default=None
        All symbols there will be, integers or strings; a plain string names its characters.
        None: those that `fit` is given.
    max_iter : int, default=100
        Epochs; with early stopping, at most.
    batch_size : int or "auto", default="auto"
        ``"auto"``: a twelfth of the sequences, but at least 32 and at most the
        recipe's, shared out evenly.
    learning_rate_init : float, default=None
        None: the recipe's, 0.001; of ``"lengths"`` 0.003.
    clip_norm : float, default=None
        Largest norm of a gradient; infinity: no limit. None: the recipe's.
    shuffle : bool, default=True
        Whether each epoch has an order of its own.
    random_state : int, RandomState or None, default=None
        Draws first weights, validation rows and orders.
    early_stopping : bool, default=False
        Whether to set sequences aside and stop when the accuracy on them gets no better; the best
        weights are kept. `fit` takes other sequences to judge by as `X_val` and `y_val`.
    validation_fraction : float, default=0.1
        Share of the sequences that is set aside.
    n_iter_no_change : int, default=10
        Epochs without improvement after which early stopping stops.
    tol : float, default=1e-4
        Least improvement that counts.
    keep_best : bool, default=False
        Whether `fit` ends with the weights of the epoch with the least training loss.
    class_weight : dict, "balanced" or None, default=None
        How much each class counts, times the sequence's own weight. ``"balanced"``: by how rare
        it is.
    warm_start : bool, default=False
        Whether `fit` goes on from the present weights.
    engine : {"auto", "numpy", "compiled", "torch"}, default="auto"
        What computes it; all but torch only one Elman layer that reads forward.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Of the torch engine.
    dtype : {"auto", "float32", "float64"}, default="auto"
        In what it computes. ``"auto"``: float32; but float64 for a table of float64.
    verbose : bool, default=False
        Whether to print the loss of each epoch.
    progress : bool, default=False
        Whether to show a bar on the standard error.

    Attributes
    ----------
    classes_ : ndarray
    symbols_ : ndarray or None
        The symbols, sorted; None for numbers.
    weights_ : dict of str to ndarray
        By the names of `triptych.models.initial`.
    network_ : RNNSpec
    loss_ : float
        Of the last epoch.
    loss_curve_ : list of float
        Of each epoch.
    best_loss_ : float or None
    validation_scores_ : list of float or None
    best_validation_score_ : float or None
    n_iter_ : int
        Epochs taken.
    t_ : int
        Sequences seen.
    n_features_in_ : int
        Features of a step, 1 for symbols; of a table, its columns.
    engine_ : str
        Which engine computed it, and why.
    device_ : {"cpu", "cuda"}
        Where it was computed.

    Examples
    --------
    >>> words = ["abc", "abdaa", "ab", "ca", "cbbb", "cd"] * 10
    >>> model = RNNClassifier(hidden=16, learning_rate_init=0.01, random_state=0)
    >>> model.fit(words, [word[0] for word in words]).predict(["ab", "cbbb"]).tolist()
    ['a', 'c']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = SEQUENCE_CONSTRAINTS

    def __init__(
        self,
        cell: str = "elman",
        *,
        hidden: int = 128,
        layers: int = 1,
        bidirectional: bool = False,
        recipe: str = "logits",
        init: str = "uniform",
        symbols: Any = None,
        max_iter: int = 100,
        batch_size: int | str = "auto",
        learning_rate_init: float | None = None,
        clip_norm: float | None = None,
        shuffle: bool = True,
        random_state: Any = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
        tol: float = 1e-4,
        keep_best: bool = False,
        class_weight: Any = None,
        warm_start: bool = False,
        engine: str = "auto",
        device: str = "auto",
        dtype: str = "auto",
        verbose: bool = False,
        progress: bool = False,
    ) -> None:
        self.cell = cell
        self.hidden = hidden
        self.layers = layers
        self.bidirectional = bidirectional
        self.recipe = recipe
        self.init = init
        self.symbols = symbols
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.clip_norm = clip_norm
        self.shuffle = shuffle
        self.random_state = random_state
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.keep_best = keep_best
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.engine = engine
        self.device = device
        self.dtype = dtype
        self.verbose = verbose
        self.progress = progress

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        lengths: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        lengths_val: Any = None,
    ) -> RNNClassifier:
        """Learn from sequences and their classes.

        Parameters
        ----------
        X : list or array-like
            Sequences in any of the forms above.
        y : array-like, shape (n_samples,)
        sample_weight : array-like, shape (n_samples,), optional
            How much each sequence counts. Where all are whole numbers up to 10, a sequence of
            weight 2 is taken twice; else weights count in the loss alone.
        lengths : array-like of int, shape (n_samples,), optional
            Steps of each sequence of a padded array.
        X_val, y_val, sample_weight_val, lengths_val : array-like, optional
            What early stopping judges by, in place of some of X.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If sequences, classes or parameters cannot be used; it names the sequence and the step.
        NumericsError
            If training leaves the finite numbers; it names the step.
        """
        held = held_of(
            self, None if X_val is None else Given(X_val, lengths_val), y_val, sample_weight_val
        )
        with fit_tasks(self, X, y, sample_weight=sample_weight, lengths=lengths) as tasks:
            self._fit(Given(X, lengths), y, sample_weight, held=held, tasks=tasks)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        classes: Any = None,
        lengths: Any = None,
    ) -> RNNClassifier:
        """Take one epoch over the given sequences, going on from the present weights.

        Parameters
        ----------
        X : list or array-like
            The first call's are what features are scaled by, and have all symbols, unless the
            parameter `symbols` names them.
        y : array-like, shape (n_samples,)
        sample_weight : array-like, shape (n_samples,), optional
        classes : array-like, shape (n_classes,), optional
            All classes there will be; the first call needs them.
        lengths : array-like of int, shape (n_samples,), optional

        Returns
        -------
        self
        """
        refuse_balanced(self)
        _check_partial_fit_first_call(self, classes)
        self._fit(Given(X, lengths), y, sample_weight, incremental=True)
        return self

    def predict(self, X: Any, lengths: Any = None) -> Array:
        """Return the class of each sequence, shape (n_samples,)."""
        check_is_fitted(self)
        return self._predict(self._checked(Given(X, lengths)))

    def predict_proba(self, X: Any, lengths: Any = None) -> FloatArray:
        """Return the probability of each class, shape (n_samples, n_classes)."""
        check_is_fitted(self)
        return self._forward(self._checked(Given(X, lengths)))

    def decision_function(self, X: Any, lengths: Any = None) -> FloatArray:
        """Return logits, shape (n_samples, n_classes).

        Of two classes (n_samples,): by how much the logit of the second is the larger one.
        """
        check_is_fitted(self)
        return self._decision(self._checked(Given(X, lengths)))

    def predict_log_proba(self, X: Any, lengths: Any = None) -> FloatArray:
        """Return the logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            log: FloatArray = np.log(self.predict_proba(X, lengths))
        return log

    def score(self, X: Any, y: Any, sample_weight: Any = None, lengths: Any = None) -> float:
        """Return the accuracy on sequences and their classes."""
        return float(accuracy_score(y, self.predict(X, lengths), sample_weight=sample_weight))

"""Classification of pictures."""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn.base import _fit_context
from sklearn.utils.multiclass import _check_partial_fit_first_call
from sklearn.utils.validation import check_is_fitted

from triptych.contracts import Array, FloatArray
from triptych.estimators.callbacks import fit_tasks
from triptych.estimators.held import held_of
from triptych.estimators.parameters import refuse_balanced
from triptych.estimators.picture_network import BaseCNN
from triptych.estimators.picture_parameters import PICTURE_CONSTRAINTS


class CNNClassifier(BaseCNN):
    """A convolutional network that tells classes of pictures, with scikit-learn's interface.

    It takes pictures ``(n, height, width)``, ``(n, height, width, channels)`` or
    ``(n, channels, height, width)``, uint8 or float, of one size; or flattened ones, ``(n,
    features)``. Each channel is scaled to a mean of 0 and a deviation of 1, as measured on what
    `fit` was given; uint8 stays uint8 in memory.

    Parameters
    ----------
    preset : {"small", "paper", "wide"} or CNNSpec, default="small"
        Which network, see `triptych.spec.CNNSpec`.
    recipe : {"fast"} or None, default="fast"
        How it is trained, see `triptych.spec.TrainSpec`: ``"fast"`` has Muon, a learning rate that
        falls to 0 over `max_iter` epochs, label smoothing, and pictures that grow. None: Adam at a
        constant rate.
    picture_shape : tuple of int, default=None
        Of each row of flattened pictures: ``(H, W)``, ``(H, W, C)`` or ``(C, H, W)``. None: a row
        is the smallest square that holds it, from left to right and top to bottom, filled up with
        zeros.
    channels : {"auto", "first", "last"}, default="auto"
        Which of three axes holds the channels, 1 to 4 of them; ``"auto"``: the only one that can.
    max_iter : int, default=8
        Epochs; with early stopping, at most.
    batch_size : int or "auto", default="auto"
        ``"auto"``: a twelfth of the rows, but at least 32 and at most 500, shared out evenly.
    learning_rate_init : float, default=None
        None: the recipe's, 0.18; without one 0.001.
    flip : bool, default=False
        Whether half of the pictures are mirrored, left to right, anew in each epoch.
    translate : int, default=0
        Pixels by which pictures are shifted at most.
    cutout : int, default=0
        Edge of a square that is cut from each picture.
    label_smoothing : float, default=None
        Share of each target that is spread over all classes. None: the recipe's, 0.2; without one
        0.
    shuffle : bool, default=True
        Whether each epoch has an order of its own.
    random_state : int, RandomState or None, default=None
        Draws first weights, validation rows, orders, and how pictures are varied.
    early_stopping : bool, default=False
        Whether to set rows aside and stop when the accuracy on them gets no better; the best
        weights are kept. Pictures do not grow then. `fit` takes other pictures to judge by as
        `X_val` and `y_val`.
    validation_fraction : float, default=0.1
        Share of the rows that is set aside.
    n_iter_no_change : int, default=10
        Epochs without improvement after which early stopping stops.
    tol : float, default=1e-4
        Least improvement that counts.
    keep_best : bool, default=False
        Whether `fit` ends with the weights of the epoch with the least training loss. Pictures do
        not grow then.
    class_weight : dict, "balanced" or None, default=None
        How much each class counts, times the row's own weight. ``"balanced"``: by how rare it is.
    warm_start : bool, default=False
        Whether `fit` goes on from the present weights. Pictures do not grow then.
    engine : {"auto", "numpy", "torch"}, default="auto"
        What computes it. ``"numpy"`` needs ``preset="paper"``, ``recipe=None`` and pictures that
        are not varied.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Of the torch engine.
    dtype : {"auto", "float32", "float64"}, default="auto"
        In what it computes. ``"auto"``: float32; but float64 for float64 rows without a
        `picture_shape`, which may be any table.
    verbose : bool, default=False
        Whether to print the loss of each epoch.
    progress : bool, default=False
        Whether to show a bar on the standard error.

    Attributes
    ----------
    classes_ : ndarray
    weights_ : dict of str to ndarray
        By the names of `triptych.models.initial`.
    network_ : CNNSpec
    picture_shape_ : tuple of int
        Channels, height, width.
    loss_ : float
        Of the last epoch, label smoothing included.
    loss_curve_ : list of float
        Of each epoch.
    best_loss_ : float or None
    validation_scores_ : list of float or None
    best_validation_score_ : float or None
    n_iter_ : int
        Epochs taken.
    t_ : int
        Rows seen.
    n_features_in_ : int
        Values of a picture.
    engine_ : str
        Which engine computed it, and why.
    device_ : {"cpu", "cuda"}
        Where it was computed.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> x, y = load_digits(return_X_y=True)
    >>> model = CNNClassifier(picture_shape=(8, 8), max_iter=3, random_state=0)
    >>> bool(model.fit(x[:1000], y[:1000]).score(x[1000:], y[1000:]) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = PICTURE_CONSTRAINTS

    def __init__(
        self,
        preset: Any = "small",
        *,
        recipe: str | None = "fast",
        picture_shape: Any = None,
        channels: str = "auto",
        max_iter: int = 8,
        batch_size: int | str = "auto",
        learning_rate_init: float | None = None,
        flip: bool = False,
        translate: int = 0,
        cutout: int = 0,
        label_smoothing: float | None = None,
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
        self.preset = preset
        self.recipe = recipe
        self.picture_shape = picture_shape
        self.channels = channels
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.flip = flip
        self.translate = translate
        self.cutout = cutout
        self.label_smoothing = label_smoothing
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
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> CNNClassifier:
        """Learn from pictures and their classes.

        Parameters
        ----------
        X : array-like, shape (n_samples, ...)
            Pictures in any of the shapes above.
        y : array-like, shape (n_samples,)
        sample_weight : array-like, shape (n_samples,), optional
            How much each picture counts. Where all are whole numbers up to 10, a picture of weight
            2 is taken twice, which BatchNorm sees too; else weights count in the loss alone.
        X_val, y_val, sample_weight_val : array-like, optional
            Pictures, their classes and weights that early stopping judges by, and not by some of X.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If pictures, classes or parameters cannot be used.
        NumericsError
            If training leaves the finite numbers; it names the step.
        """
        held = held_of(self, X_val, y_val, sample_weight_val)
        with fit_tasks(self, X, y, sample_weight=sample_weight) as tasks:
            self._fit(X, y, sample_weight, held=held, tasks=tasks)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None
    ) -> CNNClassifier:
        """Take one epoch over the given pictures, at a constant learning rate.

        Parameters
        ----------
        X : array-like, shape (n_samples, ...)
            The first call's are what channels are scaled by.
        y : array-like, shape (n_samples,)
        sample_weight : array-like, shape (n_samples,), optional
        classes : array-like, shape (n_classes,), optional
            All classes there will be; the first call needs them.

        Returns
        -------
        self
        """
        refuse_balanced(self)
        _check_partial_fit_first_call(self, classes)
        self._fit(X, y, sample_weight, incremental=True)
        return self

    def predict(self, X: Any) -> Array:
        """Return the class of each picture, shape (n_samples,)."""
        check_is_fitted(self)
        return self._predict(self._checked(X))

    def predict_proba(self, X: Any) -> FloatArray:
        """Return the probability of each class, shape (n_samples, n_classes)."""
        check_is_fitted(self)
        return self._forward(self._checked(X))

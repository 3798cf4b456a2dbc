"""How to train MLPs of one shape in compiled code.

Two kernels do the work: that of `single` (and, many runs in SIMD lanes, `lanes`) for plain SGD with
one row a step, one hidden layer and two classes; and that of `steps` for all else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from triptych.contracts import Array, FloatArray, IntArray
from triptych.models.compiled.flat import (
    OPTIMIZERS,
    Bad,
    Params,
    State,
    aligned,
    check_classes,
    check_order,
    epoch_of,
    flatten,
    hyper_of,
    no_moments,
    put_back,
    stopped,
    writable,
)
from triptych.models.compiled.steps import make_steps
from triptych.spec import OptimizerSpec

ACTIVATIONS = {"relu": 0, "tanh": 1, "logistic": 2, "identity": 3, "gelu": 4}
LOSSES = {"softmax": 0, "sigmoid": 1, "squared": 2, "poisson": 3}
LANES = {"float64": 8, "float32": 16}  # numbers in a 64-byte register
# Beyond, the weights of a network no longer fit into registers, and compiling takes long.
_FAST_REGISTERS = 64


@dataclass(frozen=True)
class Rows:
    """The data in the forms that kernels read; made once by `Plan.rows`, used by every call.

    Attributes
    ----------
    x : Array, shape (N, I)
    y : Array, shape (N,)
        Classes; empty where targets are floats.
    t : Array, shape (N, O)
        Targets; empty where they are classes.
    sign : Array, shape (N,)
        -1 for class 1 and +1 for class 0; empty where there is no fast path.
    weight : Array, shape (N,) or empty
    """

    x: Array
    y: Array
    t: Array
    sign: Array
    weight: Array


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to train MLPs of one shape; kernels are compiled, or read from cache, when used.

    Attributes
    ----------
    sizes : tuple of int
        Inputs, hidden layers, outputs.
    activation, loss : str
        As in `triptych.spec.MLPSpec` and `triptych.spec.TrainSpec`.
    optimizer : OptimizerSpec
        Its `lr` is not used.
    dtype : {"float64", "float32"}
    dropout : float
        Probability, the same for each hidden layer.
    l2, l2_scale, clip_norm
        As in `triptych.spec.TrainSpec`.
    """

    sizes: tuple[int, ...]
    activation: str
    loss: str
    optimizer: OptimizerSpec
    dtype: str
    dropout: float = 0.0
    l2: float = 0.0
    l2_scale: str = "loss"
    clip_norm: float | None = None

    def rows(self, x: Array, y: Array, weight: Array | None = None) -> Rows:
        """Return data ready for `fit`.

        Parameters
        ----------
        x : Array, shape (N, I)
        y : Array
            Classes (N,) for softmax; targets (N, O) otherwise.
        weight : Array, shape (N,), optional
        """
        kind = np.dtype(self.dtype)
        none = np.empty(0, kind)
        classes, targets, sign = np.empty(0, np.int64), np.empty((0, 1), kind), none
        if self.loss == "softmax":
            classes = writable(y, np.int64)
            check_classes(classes, self.sizes[-1])
            label, hard = classes, True
        else:
            targets = writable(y, kind)
            label = targets[:, 0]
            hard = self.loss == "sigmoid" and bool(np.isin(label, (0, 1)).all())
        if self._is_fast_shape() and hard and weight is None:
            sign = np.where(label == 1, kind.type(-1), kind.type(1))
        weights = none if weight is None else writable(weight, kind)
        return Rows(writable(x, kind), classes, targets, sign, weights)

    def _is_fast_shape(self) -> bool:
        """Whether the fast path can train this network, given batches of one and hard targets."""
        if len(self.sizes) != 3:
            return False
        n_i, n_h, n_o = self.sizes
        registers = (n_i + 1 + n_o) * math.ceil(n_h / LANES[self.dtype])
        return (
            (self.loss, n_o) in {("softmax", 2), ("sigmoid", 1)}
            and self.activation != "gelu"
            and self.optimizer.name == "sgd"
            and not (self.optimizer.weight_decay or self.l2 or self.clip_norm or self.dropout)
            and registers <= _FAST_REGISTERS
        )

    def is_fast(self, rows: Rows, batch_size: int) -> bool:
        """Whether `fit` takes the fast path, whose losses and weights round otherwise."""
        return batch_size == 1 and rows.sign.size > 0

    def new_state(self, runs: int | None = None) -> State:
        """Return moments before the first step, of `runs` networks where given."""
        count = sum((i + 1) * o for i, o in zip(self.sizes, self.sizes[1:], strict=False))
        return no_moments(count, runs, self.dtype)

    def fit(
        self,
        params: Params,
        state: State,
        rows: Rows,
        order: IntArray,
        batch_size: int,
        lrs: FloatArray,
        *,
        first_step: int = 0,
        seed: int = 0,
        epoch: int | None = None,
        penalties: FloatArray | None = None,
    ) -> tuple[FloatArray, Bad | None]:
        """Take ``len(lrs)`` steps; one call with all steps equals many with some, bit for bit.

        Parameters
        ----------
        params : sequence of (weight (I, O), bias (O,))
            Changed in place.
        state : State
            From `new_state`; changed in place.
        rows : Rows
        order : IntArray, shape (n,)
            Which row each place in the batches takes.
        batch_size : int
            The last batch of an epoch may be smaller.
        lrs : FloatArray, shape (S,)
            S must be the number of batches in `order`.
        first_step : int
            Steps taken before this call; counts for Adam and dropout.
        seed : int
            Of the dropout masks, see `triptych.chance.dropout_mask`.
        epoch : int, optional
            Places of `order` that make an epoch. Default: all of `order`.
        penalties : FloatArray, shape (S,), optional
            Takes how much of each loss is the L2 penalty.

        Returns
        -------
        losses : FloatArray, shape (S,), float64
            NaN from a step on that was not taken.
        bad : Bad or None
            The step whose loss or gradient was not finite; it was not taken.

        Raises
        ------
        IndexError
            If `order` names rows that there are not.
        """
        order = writable(order, np.int64)
        check_order(order, len(rows.x))
        epoch = epoch_of(order, epoch, batch_size, len(lrs))
        if self.is_fast(rows, batch_size):
            from triptych.models.compiled.fast import fit_single

            return fit_single(self, params, state, rows, order, lrs)
        return self.fit_general(
            params, state, rows, order, batch_size, lrs, first_step=first_step, seed=seed,
            epoch=epoch, penalties=penalties,
        )  # fmt: skip

    def fit_general(
        self,
        params: Params,
        state: State,
        rows: Rows,
        order: IntArray,
        batch_size: int,
        lrs: FloatArray,
        *,
        first_step: int,
        seed: int,
        epoch: int,
        penalties: FloatArray | None = None,
    ) -> tuple[FloatArray, Bad | None]:
        """Do `fit`'s work where there is no fast path."""
        theta, o = flatten(params), self.optimizer
        hyper = hyper_of(o, self.l2, self.l2_scale, self.clip_norm)
        kinds = (ACTIVATIONS[self.activation], LOSSES[self.loss], OPTIMIZERS[o.name])
        losses = np.full(len(lrs), np.nan)
        parts = np.zeros(len(lrs)) if penalties is None else penalties
        # A batch's shares and inputs, then outputs and slopes of each layer.
        most = min(batch_size, max(len(order), 1))
        work = aligned(most * (1 + 2 * sum(self.sizes)), self.dtype)
        dropout = np.full(len(self.sizes), self.dropout)
        taken, norm = make_steps()(
            np.array(self.sizes), theta, state.first, state.second, np.empty_like(theta), rows.x,
            rows.y, rows.t, rows.weight, order, batch_size, epoch, writable(lrs, np.float64),
            first_step, kinds, hyper, dropout, np.uint64(seed), work, losses,
            parts,
        )  # fmt: skip
        put_back(theta, params)
        return losses, stopped(losses, taken, norm)

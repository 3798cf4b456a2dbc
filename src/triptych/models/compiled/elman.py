"""How to train and read Elman networks of one shape in compiled code.

The equations are those of `triptych.models.rnn_numpy`; `elman_steps` and `elman_time` hold the
kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from triptych.contracts import Array, FloatArray, IntArray, lengths_of
from triptych.models.compiled.elman_steps import TOGETHER, Work, make_advance, make_elman_steps
from triptych.models.compiled.elman_time import Cell, Sequences, up
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
from triptych.models.rnn_layers_numpy import softmax
from triptych.spec import OptimizerSpec

# Of the inputs to evaluate, so many are in the kernel's form at once: 16 MB of symbols.
_AT_ONCE = 1 << 22
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class ElmanRows:
    """The data in the forms that kernels read; made once by `ElmanPlan.rows`.

    Attributes
    ----------
    x : Sequences
    y : Array, shape (N,), int64
        Classes.
    weight : Array, shape (N,) or empty
    """

    x: Sequences
    y: Array
    weight: Array


@dataclass(frozen=True, kw_only=True)
class ElmanPlan:
    """How to train Elman networks of one shape; kernels are compiled, or read, when used.

    Attributes
    ----------
    sizes : tuple of int
        Symbols or features V, units H, classes C.
    output : {"logits", "softmax"}
        As in `triptych.spec.RNNSpec`.
    optimizer : OptimizerSpec
        Its `lr` is not used.
    dtype : {"float64", "float32"}
    l2, l2_scale, clip_norm
        As in `triptych.spec.TrainSpec`.
    """

    sizes: tuple[int, int, int]
    output: Literal["logits", "softmax"]
    optimizer: OptimizerSpec
    dtype: str
    l2: float = 0.0
    l2_scale: str = "loss"
    clip_norm: float | None = None

    def rows(self, x: Array, y: Array, weight: Array | None = None) -> ElmanRows:
        """Return data ready for `fit`.

        Parameters
        ----------
        x : Array
            Symbols (N, T) or vectors (N, T, V), see `triptych.contracts.lengths_of`.
        y : Array, shape (N,)
            Classes.
        weight : Array, shape (N,), optional

        Raises
        ------
        ValueError
            If a symbol, a class or the width of vectors is not one of this plan, or a symbol is
            marked as past the end before it.
        """
        classes = writable(y, np.int64)
        check_classes(classes, self.sizes[2])
        weights = writable(np.empty(0) if weight is None else weight, self.dtype)
        return ElmanRows(self._sequences(x, lengths_of(x)), classes, weights)

    def _sequences(self, x: Array, length_N: IntArray) -> Sequences:
        length_N = writable(length_N, np.int64)
        if x.ndim == 3:
            if x.shape[2] != self.sizes[0]:
                raise ValueError(f"vectors must have {self.sizes[0]} features, got {x.shape[2]}")
            return Sequences(np.empty((len(x), 0), np.int32), writable(x, self.dtype), length_N)
        if x.size and x.max() >= self.sizes[0]:
            raise ValueError(f"symbols must lie in 0 to {self.sizes[0] - 1}")
        if x.dtype.kind != "u" and ((x >= 0) != (np.arange(x.shape[1]) < length_N[:, None])).any():
            raise ValueError("symbols must be 0 or more up to the end of a sequence, then -1")
        none = np.empty((len(x), 0, 0), self.dtype)
        return Sequences(writable(x, np.int32), none, length_N)

    def is_fast(self, rows: ElmanRows, batch_size: int) -> bool:
        """Return False: there is no path in which many seeds share registers."""
        return False

    def new_state(self, runs: int | None = None) -> State:
        """Return moments before the first step, of `runs` networks where given."""
        v, h, c = self.sizes
        return no_moments((v + 1) * h + (h + 1) * h + (h + 1) * c, runs, self.dtype)

    def _stride(self, count: int) -> int:
        """Return the numbers of a row: whole panels of two registers."""
        stride: int = up(count, 128 // np.dtype(self.dtype).itemsize)
        return stride

    def _cell(self, symbols: bool) -> Cell:  # noqa: FBT001 (of two kinds of input)
        v, h, _ = self.sizes
        table, wx = (v, 0) if symbols else (0, up(v + 1, 4))
        sizes = (rows * self._stride(h) for rows in (table, wx, up(h, 4)))
        return Cell(*(_zeros(size, self.dtype) for size in sizes))

    def _work(self, steps: int, batch: int, symbols: bool) -> Work:  # noqa: FBT001
        v, h, c = self.sizes
        stride, wide, dtype = self._stride(h), self._stride(c), self.dtype
        high = up(batch, 4)
        return Work(
            cell=self._cell(symbols),
            wh_turned=_zeros(up(h, 4) * stride, dtype),
            wy=_zeros(up(h, 4) * wide, dtype),
            wy_turned=_zeros(up(c, 4) * stride, dtype),
            x=_zeros(high * up(v + 1, 8), dtype),
            h=aligned((steps + 1) * high * stride, dtype),
            last=_zeros(high * stride, dtype),
            z=_zeros(high * wide, dtype),
            dh=_zeros(high * stride, dtype),
            dz=_zeros(high * stride, dtype),
            dwx=_zeros(up(v + 1, 8) * stride, dtype),
            dwh=_zeros(stride * stride, dtype),
            dwy=_zeros(stride * wide, dtype),
        )

    def fit(
        self,
        params: Params,
        state: State,
        rows: ElmanRows,
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
        params : sequence of (weight, bias)
            ``(wx (V, H), bx), (wh (H, H), bh), (wy (H, C), by)``; changed in place.
        state : State
            From `new_state`; changed in place.
        rows : ElmanRows
        order, batch_size, lrs, first_step, epoch, penalties
            See `triptych.models.compiled.Plan.fit`.
        seed : int
            Not used: nothing is dropped.

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
        ValueError
            If S is not the number of batches in `order`.
        """
        order = writable(order, np.int64)
        check_order(order, len(rows.y))
        epoch = epoch_of(order, epoch, batch_size, len(lrs))
        theta, o = flatten(params), self.optimizer
        losses = np.full(len(lrs), np.nan)
        parts = np.zeros(len(lrs)) if penalties is None else penalties
        most = int(rows.x.length_N[order].max(initial=0))
        symbols = rows.x.x_NTV.shape[2] == 0
        v, h, c = self.sizes
        taken, norm = make_elman_steps()(
            np.array([v, h, h, c]), theta, state.first, state.second, np.empty_like(theta), rows.x,
            rows.y, rows.weight, order, batch_size, epoch, writable(lrs, np.float64), first_step,
            self.output == "softmax", OPTIMIZERS[o.name],
            hyper_of(o, self.l2, self.l2_scale, self.clip_norm), np.zeros(most + 1, np.int64),
            self._work(most, min(batch_size, len(order)), symbols), losses, parts,
        )  # fmt: skip
        put_back(theta, params)
        return losses, stopped(losses, taken, norm)

    def outputs(self, params: Params, x: Array) -> FloatArray:
        """Return logits, or probabilities, holding only the current state of each row.

        Parameters
        ----------
        params : sequence of (weight, bias)
            As for `fit`.
        x : Array
            As for `rows`.

        Returns
        -------
        FloatArray, shape (N, C)
        """
        parts = [
            self._outputs(params, x[start : start + _ROWS_AT_ONCE])
            for start in range(0, len(x), _ROWS_AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.sizes[2]), self.dtype)

    def _outputs(self, params: Params, x: Array) -> FloatArray:
        length_N = lengths_of(x)
        order_N = np.argsort(-length_N, kind="stable")
        length_N = length_N[order_N]
        cell_weights, (wy, by) = params[:2], params[2]
        kept = [writable(a, self.dtype) for layer in cell_weights for a in layer]
        stride, v = self._stride(self.sizes[1]), self.sizes[0]
        h = _zeros(len(x) * stride, self.dtype)
        cell = self._cell(x.ndim == 2)
        work = [_zeros(TOGETHER * size, self.dtype) for size in (up(v + 1, 8), stride)]
        size = max(1, _AT_ONCE // (len(x) * (v if x.ndim == 3 else 1)))
        for start in range(0, int(length_N.max(initial=0)), size):
            piece = x[order_N, start : start + size]
            left_N = np.clip(length_N - start, 0, size)
            make_advance()(*kept, cell, self._sequences(piece, left_N), h, *work)
        y_NC = np.empty((len(x), self.sizes[2]), self.dtype)
        y_NC[order_N] = h.reshape(len(x), stride)[:, : self.sizes[1]] @ wy + by
        return y_NC if self.output == "logits" else softmax(y_NC)[0]


def _zeros(count: int, dtype: str) -> Array:
    array = aligned(count, dtype)
    array[:] = 0
    return array

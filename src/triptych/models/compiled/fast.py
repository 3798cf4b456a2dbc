"""The fast path: weights held in registers, alone (`single`) or one run a lane (`lanes`).

Both give the same bits. No step is tested for numbers that are not finite: what a block of steps
came to is, and where something is wrong the block is taken again from the weights before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from triptych.contracts import Array, FloatArray, IntArray
from triptych.models.compiled.flat import Bad, Params, State, aligned, check_order, writable
from triptych.models.compiled.lanes import BLOCK, make_lanes
from triptych.models.compiled.plan import ACTIVATIONS, LANES, Plan, Rows
from triptych.models.compiled.single import make_single, make_softplus, make_softplus_rows

_BLOCK = 1 << 16  # steps of one run after which numbers that are not finite are looked for
_LANES_BLOCK = 1 << 12  # steps whose margins become losses while they are in the cache
_LATEST = 100
# Up to so many runs left over are quicker one after the other than in lanes most of which idle.
_FEW = 3


def fit_single(
    plan: Plan, params: Params, state: State, rows: Rows, order: IntArray, lrs: FloatArray
) -> tuple[FloatArray, Bad | None]:
    """Do the work of `Plan.fit`, one row a step."""
    sgd, softplus = _Single(plan, params, rows), make_softplus()
    rates = writable(lrs, plan.dtype)
    losses = np.full(len(lrs), np.nan)
    margins = np.empty(min(_BLOCK, len(lrs)), plan.dtype)
    for start in range(0, len(lrs), _BLOCK):
        part = slice(start, min(start + _BLOCK, len(lrs)))
        before, count = sgd.theta.copy(), part.stop - start
        sgd.steps(order[part], rates[part], margins[:count])
        finite = softplus(margins[:count], losses[part])
        if not (finite and np.isfinite(sgd.theta).all()):
            sgd.theta = before
            return _find_bad(sgd, state, (order, rates), losses, start)
    if len(lrs) == 0:  # compiles
        sgd.steps(order, rates, margins)
        softplus(margins, losses)
    sgd.put_back()
    return losses, None


class _Single:
    """The kernel of one run with its packed weights."""

    def __init__(self, plan: Plan, params: Params, rows: Rows) -> None:
        n_i, n_h, n_o = plan.sizes
        lanes = LANES[plan.dtype]
        self.plan, self.params, self.rows = plan, params, rows
        self.padded = -(-n_h // lanes) * lanes
        self.real = (np.arange(self.padded) < n_h).astype(plan.dtype)
        self.kernel = make_single(n_i, self.padded, n_o, ACTIVATIONS[plan.activation])
        self.theta = pack(params, self.padded, plan.dtype)

    def steps(self, order: IntArray, rates: FloatArray, margins: FloatArray) -> None:
        """Take one step per row of `order`, and set its margin."""
        rows = self.rows
        self.kernel(self.theta, self.real, rows.x, rows.sign, order, rates, margins)

    def put_back(self) -> None:
        """Write the packed weights to where they came from."""
        unpack(self.theta, self.padded, self.params)


def _find_bad(
    sgd: _Single, state: State, taken: tuple[IntArray, FloatArray], losses: FloatArray, start: int
) -> tuple[FloatArray, Bad | None]:
    """Take the steps from `start` on one by one, each looked at before it is kept.

    The same kernel takes them, so nothing rounds otherwise; the general path only says what is not
    finite.
    """
    softplus = make_softplus()
    order, rates = taken
    margin = np.empty(1, sgd.plan.dtype)
    for s in range(start, len(order)):
        one = slice(s, s + 1)
        before = sgd.theta.copy()
        sgd.steps(order[one], rates[one], margin)
        if softplus(margin, losses[one]) and np.isfinite(sgd.theta).all():
            continue
        after, sgd.theta = sgd.theta, before
        sgd.put_back()
        held = [(w.copy(), b.copy()) for w, b in sgd.params]
        _, bad = sgd.plan.fit_general(
            held, state, sgd.rows, order[one], 1, rates[one], first_step=s, seed=0, epoch=1
        )
        if bad is not None:
            losses[s:] = np.nan
            return losses, Bad(s, bad.loss, bad.norm)
        sgd.theta = after
    sgd.put_back()
    return losses, None


class Lanes:
    """Trains K networks of one shape with one row a step, each in a lane of SIMD registers.

    Each ends with the bits of `Plan.fit` alone.

    Parameters
    ----------
    plan : Plan
        With a fast path.
    rows : sequence of K Rows, all of the same size
        What each learns from.
    """

    def __init__(self, plan: Plan, rows: Sequence[Rows]) -> None:
        self.plan, self.rows = plan, rows
        self.width = LANES[plan.dtype]
        rest = len(rows) % self.width
        self.alone = rest if rest <= _FEW else 0
        self.runs = len(rows) - self.alone
        self.groups = -(-self.runs // self.width)
        # Idle lanes repeat the last run.
        self.lanes = np.minimum(np.arange(self.groups * self.width), max(self.runs - 1, 0))
        self.shared = all(one is rows[0] for one in rows)
        self.x, self.sign = rows[0].x, rows[0].sign
        if not self.shared:
            self.x = np.stack([rows[k].x for k in self.lanes]) if self.runs else self.x
            self.sign = np.stack([rows[k].sign for k in self.lanes]) if self.runs else self.sign

    def fit(
        self, params: Params, state: State, orders: IntArray, lrs: FloatArray, threads: int
    ) -> list[tuple[FloatArray, Bad | None]]:
        """Take the steps of all runs.

        Parameters
        ----------
        params : sequence of (weight (K, I, O), bias (K, O))
            Changed in place.
        state : State
            Of K runs.
        orders : IntArray, shape (K, n)
        lrs : FloatArray, shape (n,)
        threads : int
            Groups of runs that are trained at the same time.

        Returns
        -------
        list of (losses (L,), Bad or None), one a run
            The losses of the latest steps, up to 100.
        """
        orders = writable(orders, np.int32)
        theta = self._packed(params) if self.groups else np.empty(0)
        count = orders.shape[1]
        # Of all losses the latest are enough to tell how it goes; the others are not computed.
        losses = np.empty((len(orders), min(_LATEST, count % _LANES_BLOCK or count)))
        finite = np.ones(len(orders), bool)
        rates = writable(lrs[None], self.plan.dtype)
        found: list[tuple[FloatArray, Bad | None]] = [(row, None) for row in losses]

        def alone(k: int) -> None:
            mine = [(w[k], b[k]) for w, b in params]
            moments = State(state.first[k], state.second[k])
            every, bad = fit_single(self.plan, mine, moments, self.rows[k], orders[k], lrs)
            found[k] = every[-losses.shape[1] :], bad

        with ThreadPoolExecutor(threads) as pool:
            jobs = [
                pool.submit(self._group, theta[g], orders, rates, losses, finite, g)
                for g in range(self.groups)
            ]
            jobs += [pool.submit(alone, k) for k in range(self.runs, len(orders))]
            for job in jobs:
                job.result()
        if self.groups:
            result = theta.transpose(0, 2, 1).reshape(len(self.lanes), -1)[: self.runs]
            finite[: self.runs] &= np.isfinite(result).all(axis=1)
            good = np.flatnonzero(finite[: self.runs])
            self._put_back(result[good], good, params)
        for k in np.flatnonzero(~finite):
            alone(int(k))  # again, from its first weights, to learn which step it was
        return found

    def _group(
        self,
        theta: Array,
        orders: IntArray,
        rates: FloatArray,
        losses: FloatArray,
        finite: Array,
        group: int,
    ) -> None:
        """Train one register's worth of runs."""
        n_i, n_h, n_o = self.plan.sizes
        width, first = self.width, group * self.width
        real = min(width, self.runs - first)
        x, sign = self.x, self.sign
        if not self.shared:
            x, sign = x[first : first + width], sign[first : first + width]
        steps = (0, 0) if self.shared else (x[0].size, sign[0].size)
        order = orders[first : first + width]
        if real < width:
            order = orders[self.lanes[first : first + width]]
        check_order(order, len(self.rows[0].x))
        kernel = make_lanes(n_i, n_h, n_o, ACTIVATIONS[self.plan.activation], width)
        softplus = make_softplus_rows()
        work = aligned(BLOCK * width * (3 + n_i), self.plan.dtype)
        margins = np.empty((width, _LANES_BLOCK), self.plan.dtype)
        count = orders.shape[1]
        for start in range(0, max(count, 1), _LANES_BLOCK):  # no step at all compiles
            stop = min(start + _LANES_BLOCK, count)
            kernel(
                theta.reshape(-1), work, x.reshape(-1), steps[0], sign.reshape(-1), steps[1],
                order, rates, 0, start, stop, margins,
            )  # fmt: skip
            wanted = losses if stop == count else losses[:, :0]
            softplus(margins, wanted, finite, first, real, stop - start)

    def _packed(self, params: Params) -> Array:
        """Return the weights of all groups, (groups, P, width)."""
        (w1, b1), (w2, b2) = params
        parts: tuple[Any, ...] = (w1, b1, w2.transpose(0, 2, 1), b2)
        flat = np.concatenate([a[self.lanes].reshape(len(self.lanes), -1) for a in parts], axis=1)
        count = flat.shape[1]
        theta = aligned(flat.size, self.plan.dtype).reshape(self.groups, count, self.width)
        theta[:] = flat.reshape(self.groups, self.width, -1).transpose(0, 2, 1)
        return theta

    def _put_back(self, result: Array, runs: Array, params: Params) -> None:
        """Write packed weights (R, P) to the runs they belong to."""
        (w1, b1), (w2, b2) = params
        start = 0
        for a, axes in ((w1, (0, 1, 2)), (b1, (0, 1)), (w2, (0, 2, 1)), (b2, (0, 1))):
            shape = tuple(a.shape[axis] for axis in axes[1:])
            size = math.prod(shape)
            part = result[:, start : start + size].reshape(len(result), *shape)
            a[runs] = part.transpose(axes)
            start += size


def pack(params: Params, padded: int, dtype: str) -> Array:
    """Return the weights of one hidden layer as rows of `padded` units, then output biases."""
    (w1, b1), (w2, b2) = params
    rows = np.zeros((len(w1) + 1 + len(b2), padded), dtype)
    for row, values in zip(rows, (*w1, b1, *w2.T), strict=True):
        row[: len(b1)] = values
    return np.concatenate([rows.ravel(), b2], dtype=dtype, casting="same_kind")


def unpack(theta: Array, padded: int, params: Params) -> None:
    """Undo `pack`."""
    (w1, b1), (w2, b2) = params
    rows = theta[: len(theta) - len(b2)].reshape(-1, padded)[:, : len(b1)]
    w1[...], b1[...], w2[...] = rows[: len(w1)], rows[len(w1)], rows[len(w1) + 1 :].T
    b2[...] = theta[len(theta) - len(b2) :]

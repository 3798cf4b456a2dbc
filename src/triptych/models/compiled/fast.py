"""The fast path: weights held in registers, alone (`single`) or one run a lane (`lanes`).

Both give the same bits. No step is tested for numbers that are not finite: what a block of steps
came to is, and where something is wrong the block is taken again from the weights before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from triptych.contracts import Array, FloatArray, IntArray
from triptych.models.compiled.lanes import BLOCK, make_lanes
from triptych.models.compiled.plan import (
    ACTIVATIONS,
    LANES,
    Bad,
    Params,
    Plan,
    Rows,
    State,
    aligned,
    writable,
)
from triptych.models.compiled.single import make_single, make_softplus

_BLOCK = 1 << 16  # steps of one run after which numbers that are not finite are looked for
_LANES_BLOCK = 1 << 12  # steps whose margins become losses while they are in the cache
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


def fit_lanes(
    plan: Plan,
    params: Params,
    state: State,
    rows: Sequence[Rows],
    orders: IntArray,
    lrs: FloatArray,
    threads: int,
) -> list[tuple[FloatArray, Bad | None]]:
    """Train K networks with one row a step; each ends with the bits of `Plan.fit` alone.

    Parameters
    ----------
    plan : Plan
    params : sequence of (weight (K, I, O), bias (K, O))
        Changed in place.
    state : State
        Of K runs.
    rows : sequence of K Rows, all of the same size
    orders : IntArray, shape (K, n)
    lrs : FloatArray, shape (n,)
    threads : int
        Groups of runs that are trained at the same time.
    """
    runs, width = len(orders), LANES[plan.dtype]
    orders = writable(orders, np.int64)
    if orders.size and (orders.min() < 0 or orders.max() >= len(rows[0].x)):
        raise IndexError(f"orders must name rows 0 to {len(rows[0].x) - 1}")
    found: list[tuple[FloatArray, Bad | None]] = [(np.empty(0), None)] * runs

    def alone(k: int) -> None:
        mine = [(w[k], b[k]) for w, b in params]
        found[k] = fit_single(
            plan, mine, State(state.first[k], state.second[k]), rows[k], orders[k], lrs
        )

    jobs: list[Callable[[], None]] = []
    for first in range(0, runs, width):
        group = range(first, min(first + width, runs))
        if len(group) <= _FEW:
            jobs += [partial(alone, k) for k in group]
        else:
            jobs.append(partial(_fit_group, plan, params, rows, orders, lrs, group, found, alone))
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(job) for job in jobs]:
            done.result()
    return found


def _fit_group(
    plan: Plan,
    params: Params,
    rows: Sequence[Rows],
    orders: IntArray,
    lrs: FloatArray,
    group: range,
    found: list[tuple[FloatArray, Bad | None]],
    alone: Callable[[int], None],
) -> None:
    """Train one register's worth of runs; idle lanes repeat the last run."""
    n_i, n_h, n_o = plan.sizes
    width = LANES[plan.dtype]
    lanes = [*group, *[group[-1]] * (width - len(group))]
    theta = aligned(width * ((n_i + 1) * n_h + (n_h + 1) * n_o), plan.dtype)
    theta.reshape(-1, width)[:] = _flat(params, lanes).T
    shared = all(rows[k] is rows[group[0]] for k in group)
    x = rows[group[0]].x if shared else np.stack([rows[k].x for k in lanes])
    sign = rows[group[0]].sign if shared else np.stack([rows[k].sign for k in lanes])
    x_step, sign_step = (0, 0) if shared else (x[0].size, sign[0].size)
    order = orders[group[0] : group[-1] + 1] if len(group) == width else orders[lanes]
    rates = writable(lrs[None], plan.dtype)
    kernel = make_lanes(n_i, n_h, n_o, ACTIVATIONS[plan.activation], width)
    softplus = make_softplus()
    work = aligned(BLOCK * width * (3 + n_i), plan.dtype)
    finite = np.ones(len(group), bool)
    losses = np.empty((len(group), len(lrs)))
    for start in range(0, len(lrs), _LANES_BLOCK):
        part = slice(start, min(start + _LANES_BLOCK, len(lrs)))
        margins = np.empty((width, part.stop - start), plan.dtype)
        kernel(
            theta, work, x.reshape(-1), x_step, sign.reshape(-1), sign_step, order, rates, 0, start,
            margins,
        )  # fmt: skip
        for lane in range(len(group)):
            finite[lane] &= softplus(margins[lane], losses[lane, part])
    result = np.ascontiguousarray(theta.reshape(-1, width).T)
    for lane, k in enumerate(group):
        if finite[lane] and np.isfinite(result[lane]).all():
            unpack(result[lane], n_h, [(w[k], b[k]) for w, b in params])
            found[k] = losses[lane], None
        else:
            alone(k)  # again, from its first weights, to learn which step it was


def _flat(params: Params, lanes: list[int]) -> Array:
    (w1, b1), (w2, b2) = params
    parts: tuple[Any, ...] = (w1, b1, w2.transpose(0, 2, 1), b2)
    return np.concatenate([a[lanes].reshape(len(lanes), -1) for a in parts], axis=1)


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

"""How many threads matrix products take."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

# From this many floating-point operations a step on, BLAS may use all its threads. Below, a second
# one gains half at best, and loses a multiple of that as soon as anything else wants a core
# (docs/log.md, "threads of BLAS").
SHARED_FROM = 1_000_000_000


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def all_threads() -> int:
    """Return how many threads products of matrices may take in this process."""
    return max((one["num_threads"] for one in _libraries().info()), default=1)


def one_thread() -> AbstractContextManager[Any]:
    """Return a context in which products take one thread; it holds for the whole process."""
    context: AbstractContextManager[Any] = _libraries().limit(limits=1, user_api="blas")
    return context


def threads_for(products: int, rows: int) -> AbstractContextManager[Any]:
    """Return a context for steps of `rows` rows: all threads where steps are large.

    Parameters
    ----------
    products : int
        Multiply-adds of one row's forward pass.
    rows : int
    """
    return nullcontext() if 6.0 * rows * products >= SHARED_FROM else one_thread()

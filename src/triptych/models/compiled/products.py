"""Matrix products and sums over batches, by BLAS or by own loops, whichever is quicker."""

from __future__ import annotations

from typing import Any

import numpy as np

from triptych.models.compiled.caching import helper

# Sums may be taken in any order and products fused; NaN and infinity keep their meaning. So do
# signs of zeros: else LLVM cancels, on a CPU without FMA, what `emit.exp_parts` adds to round.
SUMS = {"reassoc", "contract"}
SMALL_ROWS = 3  # up to here a BLAS call costs more than the product


@helper(fastmath=SUMS)
def multiply(a_BI: Any, w_IO: Any, out_BO: Any) -> None:
    """Set ``out = a w``; by own loops where a BLAS call would cost more than the product."""
    rows, inner, columns = a_BI.shape[0], a_BI.shape[1], w_IO.shape[1]
    if rows > SMALL_ROWS:
        np.dot(a_BI, w_IO, out_BO)
        return
    for r in range(rows):
        out_BO[r, :] = 0
        for i in range(inner):
            a = a_BI[r, i]
            for j in range(columns):
                out_BO[r, j] += a * w_IO[i, j]


@helper(fastmath=SUMS)
def multiply_back(d_BO: Any, w_IO: Any, out_BI: Any) -> None:
    """Set ``out = d w^T``."""
    if d_BO.shape[0] > SMALL_ROWS:
        np.dot(d_BO, w_IO.T, out_BI)
        return
    for r in range(d_BO.shape[0]):
        for i in range(w_IO.shape[0]):
            total = d_BO.dtype.type(0)
            for j in range(w_IO.shape[1]):
                total += d_BO[r, j] * w_IO[i, j]
            out_BI[r, i] = total


@helper(fastmath=SUMS)
def weight_slope(a_BI: Any, d_BO: Any, out_IO: Any) -> None:
    """Set ``out = a^T d``."""
    if a_BI.shape[0] > SMALL_ROWS:
        np.dot(a_BI.T, d_BO, out_IO)
        return
    for i in range(a_BI.shape[1]):
        for j in range(d_BO.shape[1]):
            out_IO[i, j] = a_BI[0, i] * d_BO[0, j]
        for r in range(1, a_BI.shape[0]):
            for j in range(d_BO.shape[1]):
                out_IO[i, j] += a_BI[r, i] * d_BO[r, j]


@helper()
def add_rows(d_BO: Any, out_O: Any) -> None:
    """Set ``out`` to the sum over the batch."""
    out_O[:] = d_BO[0]
    for r in range(1, d_BO.shape[0]):
        for j in range(d_BO.shape[1]):
            out_O[j] += d_BO[r, j]

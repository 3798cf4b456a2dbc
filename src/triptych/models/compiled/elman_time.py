"""The recurrent network along time: states forward, gradients back, in place.

Why own products and not BLAS: a time step's are small, each waits for the one before, and their
operands lie in the nearest cache already.

Layout. B rows, T time steps, V symbols or features, H units. Rows of units are padded to S numbers,
whole panels of two registers; padding is 0 and stays 0, as tanh(0) is. A batch is sorted, its
longest sequence first, so that those which have not ended at a time step are its first rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba.extending import register_jitable

from triptych.models.compiled.blocks import add_packed, add_product
from triptych.models.compiled.caching import helper, inlined
from triptych.models.compiled.vectors import panel_load, v_add, v_store, v_tanh


class Sequences(NamedTuple):
    """Sequences as kernels read them.

    Attributes
    ----------
    x_NT : Array, int32
        Symbols; (N, 0) where there are vectors.
    x_NTV : Array
        Vectors; (N, 0, 0) where there are symbols.
    length_N : Array, int64
    """

    x_NT: Any
    x_NTV: Any
    length_N: Any


class Cell(NamedTuple):
    """The cell's weights as `fill_cell` lays them out; all flat.

    Attributes
    ----------
    table : Array, (V, S)
        What each symbol drives the units with, biases included; empty for vectors.
    wx : Array
        Packed, (V + 1, S): its last row is the bias, as of an input that is always 1; empty for
        symbols.
    wh : Array
        Packed, (H, S).
    """

    table: Any
    wx: Any
    wh: Any


@register_jitable
def up(count: int, unit: int) -> int:
    """Return `count`, or the next multiple of `unit`."""
    return (count + unit - 1) // unit * unit


@helper()
def pack(w_IO: Any, inner: int, out: Any) -> None:
    """Lay a matrix out in panels of two registers of columns and `inner` rows.

    What `out` has beyond the rows and columns of the matrix is left as it is.
    """
    rows, columns = w_IO.shape
    wide = 128 // out.itemsize
    for start in range(0, columns, wide):
        for i in range(rows):
            row = out[start * inner + i * wide : start * inner + (i + 1) * wide]
            for j in range(min(wide, columns - start)):
                row[j] = w_IO[i, start + j]


@helper()
def fill_cell(cell: Cell, wx_VH: Any, bx_H: Any, wh_HH: Any, bh_H: Any, stride: int) -> None:
    """Lay the weights out; the padding is 0 already."""
    inputs, hidden = wx_VH.shape
    pack(wh_HH, up(hidden, 4), cell.wh)
    bias_H = bx_H + bh_H
    if len(cell.table):
        for v in range(inputs):
            row = cell.table[v * stride : (v + 1) * stride]
            for j in range(hidden):
                row[j] = wx_VH[v, j] + bias_H[j]
        return
    inner, wide = up(inputs + 1, 4), 128 // cell.wx.itemsize
    pack(wx_VH, inner, cell.wx)
    for j in range(hidden):
        cell.wx[(j // wide * inner + inputs) * wide + j % wide] = bias_H[j]


@helper()
def add_rows_at(source: Any, s0: int, out: Any, o0: int, count: int) -> None:
    """Add `count` numbers, whole panels, to those of `out`."""
    for k in range(0, count, 128 // out.itemsize):
        v_store(out, o0 + k, v_add(panel_load(out, o0 + k), panel_load(source, s0 + k)))


@helper()
def tanh_of(z: Any, z0: int, out: Any, o0: int, count: int) -> None:
    """Set `count` numbers, whole panels; a plain loop took ten times as long."""
    for k in range(0, count, 128 // out.itemsize):
        v_store(out, o0 + k, v_tanh(panel_load(z, z0 + k)))


@helper()
def sort_by_length(length_N: Any, order_B: Any, sorted_B: Any, alive_T: Any) -> int:
    """Put a batch in order, the longest first and equals as they were; return the longest length.

    ``alive_T[t]`` becomes how many sequences are longer than t; it has one place more than the
    longest sequence has steps.
    """
    alive_T[:] = 0
    longest = 0
    for n in order_B:
        alive_T[length_N[n]] += 1
        longest = max(longest, length_N[n])
    above = 0
    for t in range(longest, -1, -1):  # from how many are so long to how many are longer
        alive_T[t], above = above, above + alive_T[t]
    for n in order_B:
        sorted_B[alive_T[length_N[n]]] = n
        alive_T[length_N[n]] += 1
    above = 0
    for t in range(longest, -1, -1):  # each has moved on to how many are so long or longer
        alive_T[t], above = above, alive_T[t]
    return longest


@helper()
def read_vectors(data: Sequences, t: int, rows_B: Any, out: Any, stride: int) -> None:
    """Set (B, stride): features, a 1 for the bias, and zeros."""
    inputs = data.x_NTV.shape[2]
    for r in range(len(rows_B)):
        for i in range(inputs):
            out[r * stride + i] = data.x_NTV[rows_B[r], t, i]
        out[r * stride + inputs] = 1
        out[r * stride + inputs + 1 : (r + 1) * stride] = 0


@inlined()
def drive(
    data: Sequences, t: int, rows_B: Any, cell: Cell, x: Any, stride: int, out: Any, o0: int
) -> None:
    """Set (B, S) from `o0` on: what the inputs of time step t and the biases drive units with."""
    if len(cell.table):
        for r in range(len(rows_B)):
            v0 = data.x_NT[rows_B[r], t] * stride
            for j in range(0, stride, 128 // out.itemsize):
                v_store(out, o0 + r * stride + j, panel_load(cell.table, v0 + j))
        return
    inputs = data.x_NTV.shape[2]
    x_stride = up(inputs + 1, 8)
    read_vectors(data, t, rows_B, x, x_stride)
    out[o0 : o0 + len(rows_B) * stride] = 0
    add_packed(x, 0, x_stride, len(rows_B), up(inputs + 1, 4), cell.wx, stride, out, o0)


@inlined()
def forward(
    data: Sequences, rows_B: Any, alive_T: Any, steps: int, cell: Cell, x: Any, hidden: int,
    stride: int, h: Any,
) -> None:  # fmt: skip
    """Set all states (T + 1, B, S), B rounded up to 4; the first is 0.

    Rows that have ended are left as they are, or 0 where a block of 4 reaches them.
    """
    apart = up(len(rows_B), 4) * stride
    h[:apart] = 0
    for t in range(steps):
        alive = alive_T[t]
        o0 = (t + 1) * apart
        drive(data, t, rows_B[:alive], cell, x, stride, h, o0)
        add_packed(h, t * apart, stride, alive, up(hidden, 4), cell.wh, stride, h, o0)
        end = o0 + alive * stride
        tanh_of(h, o0, h, o0, alive * stride)
        h[end : o0 + up(alive, 4) * stride] = 0


@helper()
def slopes_before_tanh(h: Any, h0: int, dh: Any, d0: int, count: int, dz: Any) -> None:
    """Set `count` slopes from place `d0` on: ``dz = dh (1 - h^2)``."""
    one = h.dtype.type(1)
    for k in range(count):
        state = h[h0 + k]
        dz[d0 + k] = dh[d0 + k] * (one - state * state)


@inlined()
def backward(
    data: Sequences, rows_B: Any, alive_T: Any, steps: int, wh_turned: Any, x: Any, hidden: int,
    stride: int, h: Any, last: Any, dh: Any, dz: Any, dwx: Any, dwh: Any,
) -> None:  # fmt: skip
    """Set the gradients of the cell's weights from those of the last states `last` (B, S).

    `dwx` is (V, S), its bias included with every row; or (V + 1, S), up to 8, its bias the last.
    `dh` and `dz` are space for (B, S), B rounded up to 4.
    """
    apart = up(len(rows_B), 4) * stride
    x_stride = up(data.x_NTV.shape[2] + 1, 8)
    dwx[:] = 0
    dwh[:] = 0
    later = 0  # rows that have a step after this one
    for t in range(steps - 1, -1, -1):
        alive, h0 = alive_T[t], (t + 1) * apart
        slopes_before_tanh(h, h0, dh, 0, later * stride, dz)
        slopes_before_tanh(
            h, h0 + later * stride, last, later * stride, (alive - later) * stride, dz
        )
        filled = up(alive, 4)
        dz[alive * stride : filled * stride] = 0
        if data.x_NTV.shape[2] == 0:
            for r in range(alive):
                add_rows_at(dz, r * stride, dwx, data.x_NT[rows_B[r], t] * stride, stride)
        else:
            read_vectors(data, t, rows_B[:alive], x, x_stride)
            x[alive * x_stride : filled * x_stride] = 0
            add_product(x, 0, x_stride, dz, 0, stride, filled, dwx, 0)
        if t > 0:  # the first state is 0, and has no use for a gradient
            add_product(h, t * apart, stride, dz, 0, stride, filled, dwh, 0)
            dh[: alive * stride] = 0
            add_packed(dz, 0, stride, alive, up(hidden, 4), wh_turned, stride, dh, 0)
        later = alive

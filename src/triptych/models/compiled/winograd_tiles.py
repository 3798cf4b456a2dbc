"""The transforms of Winograd's form of a 3x3 convolution, tile by tile, 16 channels at a time.

F(4x4, 3x3) of Lavin and Gray (2016). A picture is flat (H, W, C); a framed one has a border of one
pixel, and whole tiles inside. A transformed tile is one row in each of 36 matrices, each of which
starts `apart` numbers after the one before it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import literal_unroll

from triptych.models.compiled.blocks import LANES
from triptych.models.compiled.caching import helper
from triptych.models.compiled.vectors import v_add, v_fma, v_load, v_mul, v_store, v_sub

_F = np.float32


@helper()
def _copy(source: Any, at: int, target: Any, to: int, count: int) -> None:
    for k in range(0, count, LANES):
        v_store(target, to + k, v_load(source, at + k, LANES))


@helper()
def copy_in(picture: Any, larger: Any, edge: int) -> None:
    """Copy a picture (H, W, C) into a larger one, from row and column `edge` on."""
    flat, target = picture.reshape(-1), larger.reshape(-1)
    line, C = picture.shape[1] * picture.shape[2], picture.shape[2]
    for i in range(picture.shape[0]):
        to = ((i + edge) * larger.shape[1] + edge) * C
        _copy(flat, i * line, target, to, line)


@helper()
def copy_out(larger: Any, edge: int, picture: Any) -> None:
    """Copy a picture (H, W, C) out of a larger one; the reverse of `copy_in`."""
    flat, source = picture.reshape(-1), larger.reshape(-1)
    line, C = picture.shape[1] * picture.shape[2], picture.shape[2]
    for i in range(picture.shape[0]):
        at = ((i + edge) * larger.shape[1] + edge) * C
        _copy(source, at, flat, i * line, line)


@helper()
def _bt(d0: Any, d1: Any, d2: Any, d3: Any, d4: Any, d5: Any) -> Any:
    """Return ``B^T d``."""
    even, odd = v_fma(d2, _F(-4), d4), v_fma(d1, _F(-4), d3)
    outer, inner = v_sub(d4, d2), v_sub(d3, d1)
    return (
        v_fma(d0, _F(4), v_fma(d2, _F(-5), d4)),
        v_add(even, odd),
        v_sub(even, odd),
        v_fma(inner, _F(2), outer),
        v_fma(inner, _F(-2), outer),
        v_fma(d1, _F(4), v_fma(d3, _F(-5), d5)),
    )


@helper()
def _b(v0: Any, v1: Any, v2: Any, v3: Any, v4: Any, v5: Any) -> Any:
    """Return ``B v``, the adjoint of `_bt`."""
    a, b = v_sub(v2, v1), v_sub(v4, v3)
    s, t = v_add(v1, v2), v_add(v3, v4)
    return (
        v_mul(v0, _F(4)),
        v_fma(v5, _F(4), v_fma(b, _F(2), v_mul(a, _F(4)))),
        v_sub(v_fma(v0, _F(-5), v_mul(s, _F(-4))), t),
        v_sub(v_fma(v5, _F(-5), v_mul(b, _F(-2))), a),
        v_add(v0, v_add(s, t)),
        v5,
    )


@helper()
def _at(m0: Any, m1: Any, m2: Any, m3: Any, m4: Any, m5: Any) -> Any:
    """Return ``A^T m``."""
    s, d = v_add(m1, m2), v_sub(m1, m2)
    t, e = v_add(m3, m4), v_sub(m3, m4)
    return (
        v_add(v_add(m0, s), t),
        v_fma(e, _F(2), d),
        v_fma(t, _F(4), s),
        v_add(v_fma(e, _F(8), d), m5),
    )


@helper()
def _a(y0: Any, y1: Any, y2: Any, y3: Any) -> Any:
    """Return ``A y``, the adjoint of `_at`."""
    even, odd = v_add(y0, y2), v_add(y1, y3)
    even2, odd2 = v_fma(y2, _F(4), y0), v_mul(v_fma(y3, _F(4), y1), _F(2))
    return (
        y0,
        v_add(even, odd),
        v_sub(even, odd),
        v_add(even2, odd2),
        v_sub(even2, odd2),
        y3,
    )


@helper()
def _four(x: Any, at: int, step: int) -> Any:
    return (
        v_load(x, at, LANES),
        v_load(x, at + step, LANES),
        v_load(x, at + 2 * step, LANES),
        v_load(x, at + 3 * step, LANES),
    )


@helper()
def _six(x: Any, at: int, step: int) -> Any:
    return (
        *_four(x, at, step),
        v_load(x, at + 4 * step, LANES),
        v_load(x, at + 5 * step, LANES),
    )


@helper()
def _put_six(x: Any, at: int, step: int, v: Any) -> None:
    v_store(x, at, v[0])
    v_store(x, at + step, v[1])
    v_store(x, at + 2 * step, v[2])
    v_store(x, at + 3 * step, v[3])
    v_store(x, at + 4 * step, v[4])
    v_store(x, at + 5 * step, v[5])


@helper()
def _sums(v: Any, w: Any) -> Any:
    return (
        v_add(v[0], w[0]),
        v_add(v[1], w[1]),
        v_add(v[2], w[2]),
        v_add(v[3], w[3]),
        v_add(v[4], w[4]),
        v_add(v[5], w[5]),
    )


@helper()
def tiles_in(framed: Any, width: int, C: int, v: Any, apart: int, row: int, shape: Any) -> None:
    """Write ``B^T d B`` of each tile d of a framed picture, one row of `v` each."""
    line = width * C
    for i in range(shape[0]):
        for j in range(shape[1]):
            for c in range(0, C, LANES):
                at = (4 * i * width + 4 * j) * C + c
                q0 = _bt(*_six(framed, at, C))
                q1 = _bt(*_six(framed, at + line, C))
                q2 = _bt(*_six(framed, at + 2 * line, C))
                q3 = _bt(*_six(framed, at + 3 * line, C))
                q4 = _bt(*_six(framed, at + 4 * line, C))
                q5 = _bt(*_six(framed, at + 5 * line, C))
                to = (row + i * shape[1] + j) * C + c
                for x in literal_unroll((0, 1, 2, 3, 4, 5)):
                    column = _bt(q0[x], q1[x], q2[x], q3[x], q4[x], q5[x])
                    _put_six(v, to + x * apart, 6 * apart, column)


@helper()
def tiles_out(m: Any, apart: int, row: int, K: int, shape: Any, bias: Any, out: Any) -> None:
    """Write ``A^T m A + bias`` of each row of `m` into a picture of whole tiles."""
    width = 4 * shape[1]
    for i in range(shape[0]):
        for j in range(shape[1]):
            for c in range(0, K, LANES):
                at = (row + i * shape[1] + j) * K + c
                q0 = _at(*_six(m, at, apart))
                q1 = _at(*_six(m, at + 6 * apart, apart))
                q2 = _at(*_six(m, at + 12 * apart, apart))
                q3 = _at(*_six(m, at + 18 * apart, apart))
                q4 = _at(*_six(m, at + 24 * apart, apart))
                q5 = _at(*_six(m, at + 30 * apart, apart))
                to = (4 * i * width + 4 * j) * K + c
                shift = v_load(bias, c, LANES)
                for x in literal_unroll((0, 1, 2, 3)):
                    column = _at(q0[x], q1[x], q2[x], q3[x], q4[x], q5[x])
                    v_store(out, to + x * K, v_add(column[0], shift))
                    v_store(out, to + (width + x) * K, v_add(column[1], shift))
                    v_store(out, to + (2 * width + x) * K, v_add(column[2], shift))
                    v_store(out, to + (3 * width + x) * K, v_add(column[3], shift))


@helper()
def slopes_out(out: Any, K: int, shape: Any, m: Any, apart: int, row: int) -> None:
    """Write ``A d A^T`` of each tile d of a picture of whole tiles: the adjoint of `tiles_out`."""
    width = 4 * shape[1]
    for i in range(shape[0]):
        for j in range(shape[1]):
            for c in range(0, K, LANES):
                at = (4 * i * width + 4 * j) * K + c
                q0 = _a(*_four(out, at, K))
                q1 = _a(*_four(out, at + width * K, K))
                q2 = _a(*_four(out, at + 2 * width * K, K))
                q3 = _a(*_four(out, at + 3 * width * K, K))
                to = (row + i * shape[1] + j) * K + c
                for x in literal_unroll((0, 1, 2, 3, 4, 5)):
                    column = _a(q0[x], q1[x], q2[x], q3[x])
                    _put_six(m, to + x * apart, 6 * apart, column)


@helper()
def slopes_in(v: Any, apart: int, row: int, C: int, shape: Any, framed: Any) -> None:
    """Add ``B v B^T`` of each row of `v` to a framed picture: the adjoint of `tiles_in`."""
    width = 4 * shape[1] + 2
    for i in range(shape[0]):
        for j in range(shape[1]):
            for c in range(0, C, LANES):
                at = (row + i * shape[1] + j) * C + c
                q0 = _b(*_six(v, at, apart))
                q1 = _b(*_six(v, at + 6 * apart, apart))
                q2 = _b(*_six(v, at + 12 * apart, apart))
                q3 = _b(*_six(v, at + 18 * apart, apart))
                q4 = _b(*_six(v, at + 24 * apart, apart))
                q5 = _b(*_six(v, at + 30 * apart, apart))
                to = (4 * i * width + 4 * j) * C + c
                for x in literal_unroll((0, 1, 2, 3, 4, 5)):
                    column = _b(q0[x], q1[x], q2[x], q3[x], q4[x], q5[x])
                    place = to + x * C
                    there = _six(framed, place, width * C)
                    _put_six(framed, place, width * C, _sums(there, column))

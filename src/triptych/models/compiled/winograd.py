"""3x3 convolutions in Winograd's form: a third of the multiplications.

F(4x4, 3x3) of Lavin and Gray (2016), "Fast algorithms for convolutional neural networks": a tile of
6x6 inputs and the kernel are transformed, multiplied place by place (over channels that is one
matrix product for each of the 36 places), and transformed back into 4x4 outputs. The backward pass
is the adjoint of each of these steps, so its gradient is exactly that of what forward computes.

Pictures are (N, H, W, C), so that 16 channels lie in one register. Suffixes: N pictures, C channels
in, K channels out, R rows of a product (tiles of a few pictures, up to a multiple of 8), P the 36
places.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from triptych.models.compiled.blocks import ROWS, add_product, multiply_packed
from triptych.models.compiled.caching import SOURCE, helper, kernel
from triptych.models.compiled.winograd_tiles import (
    copy_in,
    copy_out,
    slopes_in,
    slopes_out,
    tiles_in,
    tiles_out,
)

PLACES = 36
# The kernel's transform (6, 3), of which U = G w G^T.
G = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
# Rows of one product: enough for its weights, which lie in the second cache, to be read once for
# many; few enough for the rest to fit there with them.
_ROWS_AT_ONCE = 128
# The 36 places are this much further apart than a power of two, else all would fall on the same
# few lines of the cache, and transforms take five times as long.
_APART = 16


@helper()
def _pictures_at_once(tiles: int) -> int:
    return max(1, _ROWS_AT_ONCE // tiles)


@helper()
def _whole_blocks(rows: int) -> int:
    return (rows + ROWS - 1) // ROWS * ROWS


@helper()
def _clear_rest(x: Any, apart: int, columns: int, rows: int) -> None:
    """Set the rows after `rows`, up to a whole block, to 0."""
    for place in range(PLACES):
        x[place * apart + rows * columns : place * apart + _whole_blocks(rows) * columns] = 0


@kernel()
def forward(x: Any, u: Any, bias: Any, y: Any, first: int, last: int) -> None:
    """Set pictures `first` to `last` of ``y (N, H, W, K) = x (N, H, W, C) * w + bias (K,)``.

    `u` is ``G w G^T`` (P, C, K), packed; see `triptych.models.compiled.blocks`.
    """
    assert SOURCE
    _, H, W, C = x.shape
    K = y.shape[3]
    shape = ((H + 3) // 4, (W + 3) // 4)
    tiles = shape[0] * shape[1]
    at_once = _pictures_at_once(tiles)
    framed = np.zeros((4 * shape[0] + 2, 4 * shape[1] + 2, C), x.dtype)
    out = np.empty((4 * shape[0], 4 * shape[1], K), x.dtype)
    rows = _whole_blocks(at_once * tiles)
    apart_v, apart_m = rows * C + _APART, rows * K + _APART
    v, m = np.zeros(PLACES * apart_v, x.dtype), np.empty(PLACES * apart_m, x.dtype)
    for start in range(first, last, at_once):
        stop = min(start + at_once, last)
        for n in range(start, stop):
            copy_in(x[n], framed, 1)
            row = (n - start) * tiles
            tiles_in(framed.reshape(-1), 4 * shape[1] + 2, C, v, apart_v, row, shape)
        filled = _whole_blocks((stop - start) * tiles)
        for p in range(PLACES):
            multiply_packed(v, p * apart_v, filled, C, u, p * C * K, K, m, p * apart_m)
        for n in range(start, stop):
            tiles_out(m, apart_m, (n - start) * tiles, K, shape, bias, out.reshape(-1))
            copy_out(out, 0, y[n])


@kernel()
def backward(
    x: Any, ut: Any, dy: Any, dx: Any, du: Any, first: int, last: int, wants_dx: Any
) -> None:
    """Set ``dx (N, H, W, C)`` of some pictures, and add their share to ``du (P, C, K)``.

    `ut` is the transpose (P, K, C) of what `forward` takes, packed. `dx` is left alone unless
    `wants_dx`.
    """
    assert SOURCE
    _, H, W, C = x.shape
    K = dy.shape[3]
    shape = ((H + 3) // 4, (W + 3) // 4)
    tiles = shape[0] * shape[1]
    at_once = _pictures_at_once(tiles)
    framed = np.zeros((4 * shape[0] + 2, 4 * shape[1] + 2, C), x.dtype)
    back = np.empty((4 * shape[0] + 2, 4 * shape[1] + 2, C), x.dtype)
    out = np.zeros((4 * shape[0], 4 * shape[1], K), x.dtype)
    rows = _whole_blocks(at_once * tiles)
    apart_v, apart_m = rows * C + _APART, rows * K + _APART
    v, m = np.empty(PLACES * apart_v, x.dtype), np.empty(PLACES * apart_m, x.dtype)
    slopes = du.reshape(-1)
    for start in range(first, last, at_once):
        stop = min(start + at_once, last)
        for n in range(start, stop):
            row = (n - start) * tiles
            copy_in(x[n], framed, 1)
            tiles_in(framed.reshape(-1), 4 * shape[1] + 2, C, v, apart_v, row, shape)
            copy_in(dy[n], out, 0)
            slopes_out(out.reshape(-1), K, shape, m, apart_m, row)
        filled = (stop - start) * tiles
        _clear_rest(v, apart_v, C, filled)
        _clear_rest(m, apart_m, K, filled)
        filled = _whole_blocks(filled)
        for p in range(PLACES):
            add_product(v, p * apart_v, C, m, p * apart_m, K, filled, slopes, p * C * K)
            if wants_dx:
                multiply_packed(m, p * apart_m, filled, K, ut, p * C * K, C, v, p * apart_v)
        for n in range(start, stop if wants_dx else start):
            back[:] = 0
            slopes_in(v, apart_v, (n - start) * tiles, C, shape, back.reshape(-1))
            copy_out(back, 1, dx[n])

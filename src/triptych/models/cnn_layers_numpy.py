"""The layers of a convolutional network in NumPy, written to be read.

Every layer's forward returns its output and its own backward, as those of
`triptych.models.layers_numpy` do. B batch, C/O channels in/out, H/W height and width, K the side
of a square window.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from triptych.contracts import Backward, FloatArray

WeightedBackward = Callable[[FloatArray], tuple[FloatArray, FloatArray, FloatArray]]
Conv = Callable[[FloatArray, FloatArray, FloatArray], tuple[FloatArray, WeightedBackward]]
Norm = Conv
Pool = Callable[[FloatArray, int, int, int], tuple[FloatArray, Backward]]

# Both as PyTorch's BatchNorm has them.
EPS = 1e-5
MOMENTUM = 0.1
_PIXELS = (0, 2, 3)  # the axes over which a channel's statistics and biases go


def conv2d(
    x_BCHW: FloatArray, w_OCKK: FloatArray, b_O: FloatArray
) -> tuple[FloatArray, WeightedBackward]:
    """Return the convolution of `x` with kernels of odd size, and its backward.

    What deep learning calls a convolution: each output pixel is the product of a kernel, which is
    not flipped, with the window of `x` around that pixel. Stride 1; zeros around the picture keep
    its size.

    Parameters
    ----------
    x_BCHW : FloatArray, shape (B, C, H, W)
    w_OCKK : FloatArray, shape (O, C, K, K)
    b_O : FloatArray, shape (O,)

    Returns
    -------
    y_BOHW : FloatArray, shape (B, O, H, W)
    backward : callable
        Maps dy, of the shape of y, to (dx, dw, db).
    """
    windows_BCHWKK = _windows(x_BCHW, w_OCKK.shape[-1])
    y_BHWO = np.tensordot(windows_BCHWKK, w_OCKK, axes=((1, 4, 5), (1, 2, 3)))

    def backward(dy_BOHW: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        dw_OCKK = np.tensordot(dy_BOHW, windows_BCHWKK, axes=(_PIXELS, _PIXELS))
        # A pixel is at the left of the window around its right neighbour, and so on: what comes
        # back to it is a convolution with the kernels turned by half a turn.
        turned_OCKK = w_OCKK[:, :, ::-1, ::-1]
        dy_windows_BOHWKK = _windows(dy_BOHW, w_OCKK.shape[-1])
        dx_BHWC = np.tensordot(dy_windows_BOHWKK, turned_OCKK, axes=((1, 4, 5), (0, 2, 3)))
        return dx_BHWC.transpose(0, 3, 1, 2), dw_OCKK, dy_BOHW.sum(axis=_PIXELS)

    return y_BHWO.transpose(0, 3, 1, 2) + b_O[:, None, None], backward


def _windows(x_BCHW: FloatArray, size: int) -> FloatArray:
    """Return the window around each pixel, zeros beyond the edge, as a view (B, C, H, W, K, K)."""
    edge = size // 2
    padded = np.pad(x_BCHW, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
    return sliding_window_view(padded, (size, size), axis=(2, 3))


def batch_norm(
    x_BCHW: FloatArray, w_C: FloatArray, b_C: FloatArray
) -> tuple[FloatArray, WeightedBackward]:
    """Return ``w (x - mean) / sqrt(var + eps) + b`` by the batch's statistics, and its backward.

    Ioffe and Szegedy (2015): mean and (biased) variance of each channel, over all pixels of all
    pictures.

    Parameters
    ----------
    x_BCHW : FloatArray, shape (B, C, H, W)
    w_C, b_C : FloatArray, shape (C,)

    Returns
    -------
    y_BCHW : FloatArray, shape (B, C, H, W)
    backward : callable
        Maps dy to (dx, dw, db).
    """
    centred_BCHW, scale_C11 = deviations(x_BCHW)
    unit_BCHW = centred_BCHW * scale_C11

    def backward(dy_BCHW: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        dw_C, db_C = (dy_BCHW * unit_BCHW).sum(axis=_PIXELS), dy_BCHW.sum(axis=_PIXELS)
        # Every pixel moves the mean and the variance too, which takes from dy its mean and what of
        # it goes along with x.
        count = dy_BCHW.size // len(w_C)
        along_BCHW = (unit_BCHW * dw_C[:, None, None] + db_C[:, None, None]) / count
        return w_C[:, None, None] * scale_C11 * (dy_BCHW - along_BCHW), dw_C, db_C

    return unit_BCHW * w_C[:, None, None] + b_C[:, None, None], backward


def deviations(x_BCHW: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return ``x - mean``, and ``1 / sqrt(var + eps)`` of each channel, of shape (C, 1, 1)."""
    centred_BCHW = x_BCHW - x_BCHW.mean(axis=_PIXELS)[:, None, None]
    var_C = (centred_BCHW * centred_BCHW).mean(axis=_PIXELS)
    return centred_BCHW, 1 / np.sqrt(var_C + EPS)[:, None, None]


def track(x_BCHW: FloatArray, mean_C: FloatArray, var_C: FloatArray) -> None:
    """Move running statistics towards those of a batch, in place.

    As PyTorch does: by a tenth of the way, the variance divided by one less than its terms.
    """
    count = x_BCHW.size // len(mean_C)
    mean_C += MOMENTUM * (x_BCHW.mean(axis=_PIXELS) - mean_C)
    var_C += MOMENTUM * (x_BCHW.var(axis=_PIXELS) * (count / (count - 1)) - var_C)


def fixed_norm(
    x_BCHW: FloatArray, w_C: FloatArray, b_C: FloatArray, mean_C: FloatArray, var_C: FloatArray
) -> FloatArray:
    """Return ``w (x - mean) / sqrt(var + eps) + b`` by given statistics: BatchNorm in eval mode."""
    scale_C = w_C / np.sqrt(var_C + EPS)
    out: FloatArray = (x_BCHW - mean_C[:, None, None]) * scale_C[:, None, None] + b_C[:, None, None]
    return out


def max_pool(
    x_BCHW: FloatArray, size: int, stride: int, padding: int
) -> tuple[FloatArray, Backward]:
    """Return the largest value of each window, and its backward.

    Windows may overlap; a pixel that is the largest of several hears from all of them. Of equal
    values the first one of a window, row by row, counts as the largest, as in PyTorch.

    Parameters
    ----------
    x_BCHW : FloatArray, shape (B, C, H, W)
    size, stride : int
        Side of a window, and how far it is from one to the next.
    padding : int
        Pixels around the picture, which are never the largest; at most half of `size`.

    Returns
    -------
    y_BCUV : FloatArray, shape (B, C, U, V)
        With ``U = (H + 2 padding - size) // stride + 1``, and V likewise of W.
    backward : callable
        Maps dy to dx.
    """
    height, width = x_BCHW.shape[2:]
    edges = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    padded = np.pad(x_BCHW, edges, constant_values=-np.inf)
    windows_BCUVKK = _strided(padded, size, stride)
    flat_BCUVP = windows_BCUVKK.reshape(*windows_BCUVKK.shape[:4], size * size)
    place_BCUV = flat_BCUVP.argmax(axis=-1)
    y_BCUV = np.take_along_axis(flat_BCUVP, place_BCUV[..., None], axis=-1)[..., 0]

    def backward(dy_BCUV: FloatArray) -> FloatArray:
        dx = np.zeros(padded.shape, dy_BCUV.dtype)
        dx_windows_BCUVKK = _strided(dx, size, stride)
        for place, (i, j) in enumerate(np.ndindex(size, size)):
            # One place of all windows: no pixel is among them twice, so that += loses none.
            dx_windows_BCUVKK[..., i, j] += dy_BCUV * (place_BCUV == place)
        return dx[:, :, padding : padding + height, padding : padding + width]

    return y_BCUV, backward


def _strided(x_BCHW: FloatArray, size: int, stride: int) -> FloatArray:
    """Return windows of `x`, `stride` pixels apart, as a view (B, C, U, V, K, K) to write to."""
    windows = sliding_window_view(x_BCHW, (size, size), axis=(2, 3), writeable=True)
    return windows[:, :, ::stride, ::stride]


def mean_pixels(x_BCHW: FloatArray) -> tuple[FloatArray, Backward]:
    """Return the mean (B, C) over all pixels of a picture, and its backward."""
    height, width = x_BCHW.shape[2:]

    def backward(dy_BC: FloatArray) -> FloatArray:
        out: FloatArray = np.broadcast_to(dy_BC[:, :, None, None] / (height * width), x_BCHW.shape)
        return out

    return x_BCHW.mean(axis=(2, 3)), backward

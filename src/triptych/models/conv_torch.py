"""3x3 convolutions on a CPU, about twice as fast as PyTorch's (docs/log.md, "Winograd").

PyTorch's are near what the processor can multiply, so what is left is to multiply less: Winograd's
form, in `triptych.models.compiled.winograd`. Where it does not apply (a GPU, float64, few channels,
a processor without 64-byte registers), PyTorch's own is called.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

# Below these the transforms cost more than the multiplications they save: of channels, of how many
# times fewer the multiplications are, and of tiles, each of which is a row of every product.
_FEWEST_CHANNELS = 32
_LEAST_SAVING = 2.0
_FEWEST_TILES = 128
_CHANNELS = 16  # a multiple of it fills registers


def conv3x3(x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return the convolution of pictures with 3x3 kernels, padding 1, stride 1.

    Parameters
    ----------
    x : Tensor, shape (N, C, H, W)
    w : Tensor, shape (K, C, 3, 3)
    bias : Tensor, shape (K,), optional

    Returns
    -------
    Tensor, shape (N, K, H, W)
        In float32 within about 1e-5 of the largest value of what PyTorch computes.
    """
    if pays(x, w):
        out: Tensor = Winograd.apply(x, w, bias)  # type: ignore[no-untyped-call]
        return out
    return F.conv2d(x, w, bias, padding=1)


def pays(x: Tensor, w: Tensor) -> bool:
    """Whether Winograd's form is the quicker way."""
    (k, c), (height, width) = w.shape[:2], x.shape[2:]
    tiles = ((height + 3) // 4) * ((width + 3) // 4)
    return (
        _able(x)
        and min(c, k) >= _FEWEST_CHANNELS
        and c % _CHANNELS == 0
        and k % _CHANNELS == 0
        and 9 * height * width >= _LEAST_SAVING * 36 * tiles
        and len(x) * tiles >= _FEWEST_TILES
    )


def spare_channels(x: Tensor, w: Tensor) -> int:
    """Return how many channels of zeros would let `conv3x3` take the quick way, where that pays.

    Parameters
    ----------
    x : Tensor
        Of the dtype and on the device of the pictures.
    w : Tensor, shape (K, C, 3, 3)
    """
    spare = -w.shape[1] % _CHANNELS
    pays_off = w.shape[1] + spare >= _FEWEST_CHANNELS and len(w) >= 2 * _FEWEST_CHANNELS
    return spare if pays_off and _able(x) else 0


def _able(x: Tensor) -> bool:
    """Whether the kernels can work on data like `x`, on a processor that they are quick on."""
    return x.device.type == "cpu" and x.dtype == torch.float32 and has_wide_registers()


@cache
def has_wide_registers() -> bool:
    """Whether a register of this processor holds 16 float32 (AVX-512)."""
    from llvmlite import binding

    return bool(binding.get_host_cpu_features().get("avx512f", False))


class Winograd(torch.autograd.Function):
    """`conv3x3` in Winograd's form; channels must be multiples of 16, x float32 on the CPU."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
        """Return the convolution; pictures are worked on in the channels-last layout."""
        from triptych.models.compiled import winograd

        x = x.contiguous(memory_format=torch.channels_last)
        u_PCK = _kernel_transform() @ w.detach().permute(2, 3, 1, 0).reshape(9, -1)
        u_PCK = u_PCK.view(winograd.PLACES, w.shape[1], w.shape[0])
        y = torch.empty((len(x), w.shape[0], *x.shape[2:]), memory_format=torch.channels_last)
        shift = torch.zeros(w.shape[0]) if bias is None else bias.detach()
        arrays = _rows(x), _packed(u_PCK), shift.numpy(), _rows(y)
        _share(len(x), lambda part, first, last: winograd.forward(*arrays, first, last))
        ctx.save_for_backward(x, u_PCK)
        ctx.has_bias = bias is not None
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None]:
        """Return the gradients of what `forward` took."""
        from triptych.models.compiled import winograd

        (dy,) = grads
        x, u_PCK = ctx.saved_tensors
        wants_dx = ctx.needs_input_grad[0]
        dy = dy.contiguous(memory_format=torch.channels_last)
        dx = torch.empty_like(x) if wants_dx else x
        du = torch.zeros((torch.get_num_threads(), *u_PCK.shape))
        arrays = _rows(x), _packed(u_PCK.transpose(1, 2)), _rows(dy), _rows(dx)
        _share(
            len(x),
            lambda part, first, last: winograd.backward(
                *arrays, du[part].numpy(), first, last, wants_dx
            ),
        )
        dw = _kernel_transform().T @ du.sum(0).view(winograd.PLACES, -1)
        dw = dw.view(3, 3, x.shape[1], dy.shape[1]).permute(3, 2, 0, 1)
        db = dy.sum(dim=(0, 2, 3)) if ctx.has_bias else None
        return (dx if wants_dx else None), dw, db


def _rows(x: Tensor) -> np.ndarray[Any, Any]:
    """Return pictures in the channels-last layout as the array (N, H, W, C) that they are."""
    return x.detach().permute(0, 2, 3, 1).numpy()


def _packed(u_PIO: Tensor) -> np.ndarray[Any, Any]:
    """Return matrices (P, I, O) as `triptych.models.compiled.blocks` wants them, flat."""
    from triptych.models.compiled.blocks import panel

    places, inner, out = u_PIO.shape
    width = panel(out)
    panels = u_PIO.reshape(places, inner, out // width, width).transpose(1, 2)
    return panels.contiguous().view(-1).numpy()


@cache
def _kernel_transform() -> Tensor:
    """Return the matrix (36, 9) from a kernel to ``G w G^T``, both flattened."""
    from triptych.models.compiled.winograd import G

    both = np.einsum("ai,bj->abij", G, G).reshape(36, 9)
    return torch.tensor(both, dtype=torch.float32)


def _share(count: int, work: Callable[[int, int, int], None]) -> None:
    """Call ``work(part, first, last)`` on shares of `count` pictures, one in each thread."""
    threads = min(torch.get_num_threads(), count)
    edges = [part * count // threads for part in range(threads + 1)]
    others = [
        _workers(os.getpid(), threads).submit(work, part, edges[part], edges[part + 1])
        for part in range(1, threads)
    ]
    work(0, edges[0], edges[1])
    for other in others:
        other.result()


@cache
def _workers(process: int, threads: int) -> ThreadPoolExecutor:
    # Keyed by the process: a forked child has none of its parent's threads.
    return ThreadPoolExecutor(threads - 1, thread_name_prefix="triptych-conv")

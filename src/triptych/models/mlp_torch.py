"""The multilayer perceptron in PyTorch: the twin of `mlp_numpy`, same names, same order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triptych import chance
from triptych.contracts import IntArray, Weights
from triptych.spec import MLPSpec

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "logistic": torch.sigmoid,
    "identity": lambda x: x,
    "gelu": F.gelu,
}


def _signed(value: int) -> int:
    """Return the int64 with the bits of a uint64, which PyTorch cannot compute with."""
    return value - 2**64 if value >= 2**63 else value


def _mix64(z: Tensor) -> Tensor:
    """Return `triptych.chance.mix64`, on int64 with the same bits."""
    for shift, factor in ((30, chance.MIX_1), (27, chance.MIX_2)):
        z = (z ^ _shift(z, shift)) * _signed(int(factor))
    mixed: Tensor = z ^ _shift(z, 31)
    return mixed


def _shift(z: Tensor, places: int) -> Tensor:
    # A shift of int64 copies the sign; the mask clears what it copied.
    shifted: Tensor = (z >> places) & (2 ** (64 - places) - 1)
    return shifted


def dropout_mask(key: Any, like: Tensor, probability: float) -> Tensor:
    """Return `triptych.chance.dropout_mask` of a layer's key, computed where `like` is.

    Several keys (K,) give `like` (K, B, H) a mask each.
    """
    if isinstance(key, np.ndarray):
        start: Any = torch.from_numpy(key.view(np.int64)).to(like.device)[:, None]
        count = like[0].numel()
    else:
        start, count = _signed(int(key)), like.numel()
    counter = torch.arange(count, dtype=torch.int64, device=like.device)
    bits = _shift(_mix64(start + counter * _signed(int(chance.GOLDEN))), 11)
    keep = bits.double() * 2.0**-53 >= probability
    return (keep.to(like.dtype) / (1 - probability)).view_as(like)


class MLPTorch(nn.Module):
    """A multilayer perceptron with an activation between its linear layers.

    Parameters
    ----------
    spec : MLPSpec
    weights : Weights
        ``w1 (I, H), b1 (H,), ...``: layer k computes ``x wk + bk``, as the NumPy twin does. Or
        those of K networks, ``w1 (K, I, H), b1 (K, H), ...``, see `stacked`.
    dropout_seed : int, or uint64 (K,)
        Keys the dropout masks.

    Notes
    -----
    The dropout masks depend on the step alone (see `set_step`), not on what else draws from the
    process's global stream, as those of ``nn.Dropout`` do.
    """

    fewest_stacked = 1

    def __init__(self, spec: MLPSpec, weights: Weights, dropout_seed: int | IntArray) -> None:
        super().__init__()
        self.spec = spec
        for name, array in weights.items():
            self.register_parameter(name, nn.Parameter(torch.from_numpy(array.copy())))
        # Of what comes before the features: rows, or networks and rows.
        self.axes = max((w.ndim for w in weights.values()), default=2) - 1
        self.layers = range(1, len(spec.hidden) + 2)
        self.activation = _ACTIVATIONS[spec.activation]
        self.dropout = spec.dropout
        self.dropout_seed = dropout_seed
        self.step = 0

    @classmethod
    def stacked(cls, networks: Sequence[MLPTorch]) -> MLPTorch:
        """Return one network that computes all of `networks`, inputs (K, B, ...) to (K, B, O)."""
        states = [one.state_dict() for one in networks]
        weights = {name: np.stack([s[name].cpu().numpy() for s in states]) for name in states[0]}
        seeds = np.array([one.dropout_seed for one in networks], np.uint64)
        return cls(networks[0].spec, weights, seeds)

    def set_step(self, step: int) -> None:
        """Say how many steps were taken before the next one; whoever trains it counts on."""
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, O) for inputs (B, ...), which are flattened."""
        out = x.flatten(self.axes)
        for k in self.layers:
            w, b = self.get_parameter(f"w{k}"), self.get_parameter(f"b{k}")
            stacked = self.axes > 1
            out = torch.baddbmm(b[:, None], out, w) if stacked else torch.addmm(b, out, w)
            if k == self.layers[-1]:
                break
            out = self.activation(out)
            if self.dropout and self.training:
                key = chance.key(self.dropout_seed, self.step, k - 1)
                out = out * dropout_mask(key, out.detach(), self.dropout)
        return out

"""The multilayer perceptron in PyTorch: the twin of `mlp_numpy`, same names, same order."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triptych import chance
from triptych.contracts import Weights
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


def dropout_mask(key: int, like: Tensor, probability: float) -> Tensor:
    """Return `triptych.chance.dropout_mask` of a layer's key, computed where `like` is."""
    counter = torch.arange(like.numel(), dtype=torch.int64, device=like.device)
    bits = _shift(_mix64(_signed(key) + counter * _signed(int(chance.GOLDEN))), 11)
    keep = bits.double() * 2.0**-53 >= probability
    return (keep.to(like.dtype) / (1 - probability)).view_as(like)


class MLPTorch(nn.Module):
    """A multilayer perceptron with an activation between its linear layers.

    Parameters
    ----------
    spec : MLPSpec
    weights : Weights
        ``w1 (I, H), b1 (H,), ...``: layer k computes ``x wk + bk``, as the NumPy twin does.
    dropout_seed : int
        Keys the dropout masks.

    Notes
    -----
    The dropout masks depend on the step alone (see `set_step`), not on what else draws from the
    process's global stream, as those of ``nn.Dropout`` do.
    """

    def __init__(self, spec: MLPSpec, weights: Weights, dropout_seed: int) -> None:
        super().__init__()
        for name, array in weights.items():
            self.register_parameter(name, nn.Parameter(torch.from_numpy(array.copy())))
        self.layers = range(1, len(spec.hidden) + 2)
        self.activation = _ACTIVATIONS[spec.activation]
        self.dropout = spec.dropout
        self.dropout_seed = dropout_seed
        self.step = 0

    def set_step(self, step: int) -> None:
        """Say how many steps were taken before the next one; whoever trains it counts on."""
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, O) for inputs (B, ...), which are flattened."""
        out = x.flatten(1)
        for k in self.layers:
            out = torch.addmm(self.get_parameter(f"b{k}"), out, self.get_parameter(f"w{k}"))
            if k == self.layers[-1]:
                break
            out = self.activation(out)
            if self.dropout and self.training:
                key = int(chance.key(self.dropout_seed, self.step, k - 1))
                out = out * dropout_mask(key, out.detach(), self.dropout)
        return out

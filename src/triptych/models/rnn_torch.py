"""Recurrent networks in PyTorch: the vanilla one by its equations, others by its own modules."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence

from triptych.contracts import Weights
from triptych.spec import RNNSpec

# Inputs of so many steps are made ready at once, so that long sequences take little memory.
_STEPS_AT_ONCE = 1000


def _lengths(x: Tensor) -> Tensor | None:
    """Return the steps (B,) of each sequence; None where all take as many as there is room for.

    See `triptych.contracts.lengths_of`.
    """
    there = x >= 0 if x.dim() == 2 else ~torch.isnan(x[:, :, 0])
    return None if bool(there.all()) else there.sum(dim=1)


def _vectors(x: Tensor, inputs: int, dtype: torch.dtype) -> Tensor:
    """Return symbols (B, T) as one-hot vectors (B, T, V), vectors as they are; 0 past the end."""
    if x.dim() == 3:
        # Not nan_to_num: a feature that is not finite within a sequence must show in the loss.
        return torch.where(torch.isnan(x[:, :, :1]), 0.0, x)
    if x.dtype == torch.uint8:
        return F.one_hot(x.long(), inputs).to(dtype)
    return F.one_hot(x.long() + 1, inputs + 1)[:, :, 1:].to(dtype)


class RNNTorch(nn.Module):
    """``h_t = tanh(Wx x_t + bx + Wh h_{t-1} + bh)``, ``y = Wy h_T + by`` (Elman, 1990).

    Parameters
    ----------
    spec : RNNSpec
        With ``output="softmax"`` y is turned into probabilities before it is returned, as the
        paper's code does; its loss then applies a second softmax.
    weights : Weights
        ``wx (V, H), bx, wh (H, H), bh, wy (H, C), by``.
    """

    def __init__(self, spec: RNNSpec, weights: Weights) -> None:
        super().__init__()
        for name, array in weights.items():
            self.register_parameter(name, nn.Parameter(torch.from_numpy(array.copy())))
        self.softmax = spec.output == "softmax"

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, or probabilities, (B, C) for symbols (B, T) or vectors (B, T, V)."""
        wx, wh, wy = (self.get_parameter(name) for name in ("wx", "wh", "wy"))
        bx, bh, by = (self.get_parameter(name) for name in ("bx", "bh", "by"))
        length_B = _lengths(x)
        steps = x.shape[1] if length_B is None else int(length_B.max()) if len(x) else 0
        h_BH = wh.new_zeros((len(x), len(wh)))
        for start in range(0, steps, _STEPS_AT_ONCE):
            part = x[:, start : min(start + _STEPS_AT_ONCE, steps)]
            # What does not depend on h is computed for many steps at once.
            drive_TBH = (_vectors(part, len(wx), wx.dtype) @ wx + (bx + bh)).transpose(0, 1)
            for t, drive_BH in enumerate(drive_TBH, start):
                new_BH = torch.tanh(torch.addmm(drive_BH, h_BH, wh))
                alive_B = None if length_B is None else (t < length_B)[:, None]
                h_BH = new_BH if alive_B is None else torch.where(alive_B, new_BH, h_BH)
        y_BC = torch.addmm(by, h_BH, wy)
        return F.softmax(y_BC, dim=1) if self.softmax else y_BC


class CellsTorch(nn.Module):
    """LSTM, GRU, or Elman cells in several layers or both directions, by PyTorch's own modules.

    Parameters
    ----------
    spec : RNNSpec
    weights : Weights
        ``cells.weight_ih_l0 (G H, V), cells.weight_hh_l0, ...`` as PyTorch names them, and
        ``wy (D H, C), by``, with D = 2 directions where it is bidirectional.
    """

    def __init__(self, spec: RNNSpec, weights: Weights) -> None:
        super().__init__()
        self.inputs = weights["cells.weight_ih_l0"].shape[1]
        kind = {"elman": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[spec.cell]
        # On the meta device it draws no first weights, which would only be thrown away.
        self.cells: Any = kind(
            self.inputs, spec.hidden, spec.layers, batch_first=True,
            bidirectional=spec.bidirectional, device="meta",
        )  # fmt: skip
        for name in ("wy", "by"):
            self.register_parameter(name, nn.Parameter(torch.empty(weights[name].shape)))
        self.to(getattr(torch, str(weights["wy"].dtype))).to_empty(device="cpu")
        self.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})
        self.softmax = spec.output == "softmax"
        self.outputs = len(weights["by"])

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, or probabilities, (B, C) for symbols (B, T) or vectors (B, T, V)."""
        wy, by = self.get_parameter("wy"), self.get_parameter("by")
        length_B = _lengths(x)
        if length_B is None:
            length_B = torch.full((len(x),), x.shape[1], device=x.device)
        read = self._both_ends if self.cells.bidirectional else self._last
        y_BC = torch.addmm(by, read(x, length_B), wy)
        return F.softmax(y_BC, dim=1) if self.softmax else y_BC

    def _last(self, x: Tensor, length_B: Tensor) -> Tensor:
        """Return the last layer's state (B, H) after the last step of each sequence."""
        dtype = self.get_parameter("wy").dtype
        out_BH = torch.zeros((len(x), self.cells.hidden_size), dtype=dtype, device=x.device)
        state = None
        steps = int(length_B.max()) if len(x) else 0
        for start in range(0, steps, _STEPS_AT_ONCE):
            part = _vectors(x[:, start : min(start + _STEPS_AT_ONCE, steps)], self.inputs, dtype)
            h_BTH, state = self.cells(part, state)
            # Steps past the end are computed too, and read by nobody.
            place_B = (length_B - 1 - start).clamp(0, part.shape[1] - 1)
            ends_B1 = ((length_B > start) & (length_B <= start + part.shape[1]))[:, None]
            found_BH = h_BTH[torch.arange(len(x), device=x.device), place_B]
            out_BH = torch.where(ends_B1, found_BH, out_BH)
        return out_BH

    def _both_ends(self, x: Tensor, length_B: Tensor) -> Tensor:
        """Return the last layer's last state of each direction, side by side (B, 2 H)."""
        dtype = self.get_parameter("wy").dtype
        vectors = _vectors(x[:, : int(length_B.max())], self.inputs, dtype)
        packed = pack_padded_sequence(
            vectors, length_B.cpu(), batch_first=True, enforce_sorted=False
        )
        _, state = self.cells(packed)
        h_KBH = state[0] if isinstance(state, tuple) else state
        return torch.cat([h_KBH[-2], h_KBH[-1]], dim=1)

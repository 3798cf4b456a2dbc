"""The vanilla (Elman) recurrent network in PyTorch, written from its equations."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triptych.contracts import Weights
from triptych.spec import RNNSpec


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

    def forward(self, x_BT: Tensor) -> Tensor:
        """Return logits, or probabilities, (B, C) for symbols (B, T)."""
        wx, wh, wy = (self.get_parameter(name) for name in ("wx", "wh", "wy"))
        bx, bh, by = (self.get_parameter(name) for name in ("bx", "bh", "by"))
        x_BTV = F.one_hot(x_BT.long(), len(wx)).to(wx.dtype)
        # What does not depend on h is computed for all steps at once.
        drive_TBH = (x_BTV @ wx + (bx + bh)).transpose(0, 1)
        h_BH = torch.zeros_like(drive_TBH[0])
        for drive_BH in drive_TBH:
            h_BH = torch.tanh(torch.addmm(drive_BH, h_BH, wh))
        y_BC = torch.addmm(by, h_BH, wy)
        return F.softmax(y_BC, dim=1) if self.softmax else y_BC

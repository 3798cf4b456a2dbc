"""The losses in PyTorch: the twins of `triptych.models.losses_numpy`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def mean_loss(
    name: str, outputs: Tensor, y: Tensor, weight_B: Tensor | None = None, smoothing: float = 0.0
) -> Tensor:
    """Return the loss called `name`, as `triptych.models.losses_numpy` defines it.

    Parameters
    ----------
    name : str
    outputs : Tensor, shape (B, O)
    y : Tensor
        Classes (B,) for ``"softmax"``, else targets (B, O).
    weight_B : Tensor, shape (B,), optional
    smoothing : float
        Of the labels, for ``"softmax"``.
    """
    if name == "softmax" and weight_B is None:
        return F.cross_entropy(outputs, y, label_smoothing=smoothing)  # the whole in one kernel
    if name == "softmax":
        each_B = F.cross_entropy(outputs, y, reduction="none", label_smoothing=smoothing)
    elif name == "sigmoid":
        each_B = F.binary_cross_entropy_with_logits(outputs, y, reduction="none").sum(1)
    elif name == "squared":
        each_B = 0.5 * (outputs - y).square().sum(1)
    else:
        # A Poisson deviance, halved; its first term has no slope.
        each_B = (torch.xlogy(y, y) - y * outputs - y + outputs.exp()).sum(1)
    if weight_B is None:
        return each_B.mean()
    total = weight_B.sum()
    return (each_B * weight_B).sum() / torch.where(total == 0, 1, total)

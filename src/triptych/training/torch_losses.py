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
    each_B = _losses(name, outputs, y, smoothing)
    if weight_B is None:
        return each_B.mean()
    total = weight_B.sum()
    return (each_B * weight_B).sum() / torch.where(total == 0, 1, total)


def mean_losses(
    name: str, outputs: Tensor, y: Tensor, weight_KB: Tensor | None = None, smoothing: float = 0.0
) -> Tensor:
    """Return `mean_loss` (K,) of each of K networks, from outputs (K, B, O) and y (K, B, ...)."""
    each_KB = _losses(name, outputs.flatten(0, 1), y.flatten(0, 1), smoothing)
    each_KB = each_KB.view(outputs.shape[:2])
    if weight_KB is None:
        return each_KB.mean(dim=1)
    total_K = weight_KB.sum(dim=1)
    return (each_KB * weight_KB).sum(dim=1) / torch.where(total_K == 0, 1, total_K)


def _losses(name: str, outputs: Tensor, y: Tensor, smoothing: float) -> Tensor:
    """Return the loss (B,) of each row."""
    if name == "softmax":
        return F.cross_entropy(outputs, y, reduction="none", label_smoothing=smoothing)
    if name == "sigmoid":
        return F.binary_cross_entropy_with_logits(outputs, y, reduction="none").sum(1)
    if name == "squared":
        return 0.5 * (outputs - y).square().sum(1)
    # A Poisson deviance, halved; its first term has no slope.
    return (torch.xlogy(y, y) - y * outputs - y + outputs.exp()).sum(1)

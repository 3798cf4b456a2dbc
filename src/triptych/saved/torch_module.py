"""A saved network as a module of PyTorch's, for whoever goes on with it there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from triptych.contracts import Standardization
from triptych.models import create_torch

if TYPE_CHECKING:
    from triptych.saved.model import Model


class Standardized(nn.Module):
    """A network behind what its inputs are scaled by.

    Parameters
    ----------
    network : nn.Module
    standardization : Standardization
    dtype : torch.dtype

    Attributes
    ----------
    network : nn.Module
        What reads scaled inputs.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, network: nn.Module, standardization: Standardization, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(standardization.mean, dtype=dtype))
        self.register_buffer("std", torch.tensor(standardization.std, dtype=dtype))

    def forward(self, x: Tensor) -> Any:
        """Return the network's outputs (B, O) for samples as they come, uint8 or float."""
        return self.network((x.to(self.mean.dtype) - self.mean) / self.std)


def create_module(model: Model) -> nn.Module:
    """Return the network of `model` with a copy of its weights, in eval mode, on the CPU.

    What it gives for samples is what `Model.outputs` gives. Its `state_dict` has the names of the
    model's file, behind ``network.`` where samples are scaled first.
    """
    network = create_torch(model.network, model.weights)
    if model.standardization is not None:
        dtype = getattr(torch, model.dtype)
        network = Standardized(network, model.standardization, dtype)
    return network.eval()

"""What a step of a PyTorch network changes beside weights, kept until the step is known good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

# Elements up to which a buffer is copied before every step: statistics of batches, counters,
# codebooks. What is larger is mostly constant, such as embeddings that are not trained.
_FEW = 1 << 16


@dataclass
class _Kept:
    """A buffer, where it hangs, and what it held."""

    owner: nn.Module
    name: str
    tensor: Tensor
    copy: Tensor
    writes: int | None


class Buffers:
    """The buffers of a network as they were before the latest step.

    A forward pass in train mode writes to them, such as BatchNorm to its running statistics, before
    anyone can know that its loss is not finite.

    Large ones are copied only where PyTorch has counted a write since (writes through ``.data`` are
    not counted), so that constants cost nothing.

    Parameters
    ----------
    network : torch.nn.Module
    """

    def __init__(self, network: nn.Module) -> None:
        self.places = [
            (f"{path}.{name}" if path else name, part, name)
            for path, part in network.named_modules()
            for name in part._buffers
        ]
        self.kept: dict[str, _Kept] = {}

    @torch.no_grad()
    def keep(self) -> None:
        """Copy what they hold now."""
        news, olds = [], []
        for path, owner, name in self.places:
            tensor = owner._buffers.get(name)
            if tensor is None:
                self.kept.pop(path, None)
                continue
            writes, kept = _writes(tensor), self.kept.get(path)
            if kept is None or kept.tensor is not tensor or kept.copy.shape != tensor.shape:
                self.kept[path] = _Kept(owner, name, tensor, tensor.detach().clone(), writes)
            elif tensor.numel() <= _FEW or writes is None or writes != kept.writes:
                kept.writes = writes
                news.append(tensor)
                olds.append(kept.copy)
        if olds:
            torch._foreach_copy_(olds, news)

    @torch.no_grad()
    def put_back(self) -> None:
        """Let the network have again what `keep` saw."""
        for kept in self.kept.values():
            kept.owner._buffers[kept.name] = kept.tensor
            if _is_writable(kept.tensor):  # else no module has written to it either
                kept.tensor.copy_(kept.copy)

    def before(self, name: str) -> Tensor:
        """Return what the buffer of that name held when `keep` saw it."""
        return self.kept[name].copy


def _is_writable(tensor: Tensor) -> bool:
    """Whether PyTorch writes into a tensor: not if it is of inference mode, or is expanded."""
    sizes = zip(tensor.shape, tensor.stride(), strict=True)
    return not tensor.is_inference() and not any(n > 1 and step == 0 for n, step in sizes)


def _writes(tensor: Any) -> int | None:
    """Return how many writes PyTorch has counted; None where it counts none."""
    return None if tensor.is_inference() else int(tensor._version)

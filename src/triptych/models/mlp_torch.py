"""The multilayer perceptron in PyTorch: the twin of `mlp_numpy`, same names, same order."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triptych.contracts import Weights
from triptych.spec import MLPSpec


class Dropout(nn.Module):
    """Inverted dropout that draws from a generator of its own.

    ``nn.Dropout`` takes no generator: it would tie the masks to whatever else draws from the
    process's global stream.

    Parameters
    ----------
    probability : float
        Of a unit to be zeroed.
    generator : torch.Generator
        On the device of the inputs.
    """

    def __init__(self, probability: float, generator: torch.Generator) -> None:
        super().__init__()
        self.probability = probability
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` with units dropped in train mode, `x` itself in eval mode."""
        if not self.training or self.probability == 0:
            return x
        keep = torch.empty_like(x).bernoulli_(1 - self.probability, generator=self.generator)
        return x * keep.div_(1 - self.probability)


class MLPTorch(nn.Module):
    """A multilayer perceptron with ReLU between its linear layers and logits out.

    Parameters
    ----------
    spec : MLPSpec
    weights : Weights
        ``w1 (I, H), b1 (H,), ...``: layer k computes ``x wk + bk``, as the NumPy twin does.
    generator : torch.Generator
        Draws the dropout masks.
    """

    def __init__(self, spec: MLPSpec, weights: Weights, generator: torch.Generator) -> None:
        super().__init__()
        for name, array in weights.items():
            self.register_parameter(name, nn.Parameter(torch.from_numpy(array.copy())))
        self.layers = range(1, len(spec.hidden) + 2)
        self.dropout = Dropout(spec.dropout, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, C) for inputs (B, ...), which are flattened."""
        out = x.flatten(1)
        for k in self.layers:
            out = torch.addmm(self.get_parameter(f"b{k}"), out, self.get_parameter(f"w{k}"))
            if k != self.layers[-1]:
                out = self.dropout(torch.relu(out))
        return out

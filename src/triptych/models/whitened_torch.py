"""Triptych's own convolutional network in PyTorch: whitened patches first, shifts for scales.

The design is airbench's (Jordan, 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU"), for
pictures of any size.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triptych.contracts import Weights
from triptych.models.conv_torch import conv3x3, spare_channels
from triptych.spec import CNNSpec

# Directions in which patches hardly vary are not blown up beyond this variance.
_LEAST_VARIANCE = 5e-4


class _Holder(nn.Module):
    """Tensors under one name, some of them trained."""

    def __init__(self, trained: dict[str, Tensor], kept: dict[str, Tensor]) -> None:
        super().__init__()
        for name, tensor in trained.items():
            self.register_parameter(name, nn.Parameter(tensor))
        for name, tensor in kept.items():
            self.register_buffer(name, tensor)


class _Shift(_Holder):
    """Batch normalisation without a scale, which a convolution's norm would only repeat."""

    # Statistics of the latest few batches, as training is short.
    momentum, eps = 0.4, 1e-5

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` normalised and shifted."""
        out: Tensor = F.batch_norm(
            x, self.get_buffer("running_mean"), self.get_buffer("running_var"), None,
            self.get_parameter("bias"), self.training, self.momentum, self.eps,
        )  # fmt: skip
        return out


class WhitenedTorch(nn.Module):
    """See `triptych.spec.CNNSpec`, design ``"whitened"``.

    Parameters
    ----------
    spec : CNNSpec
    weights : Weights
        See `triptych.models.initial.whitened_weights`.

    Attributes
    ----------
    min_batch : int
        Batch normalisation needs 2 rows.
    """

    min_batch = 2

    def __init__(self, spec: CNNSpec, weights: Weights) -> None:
        super().__init__()
        self.pool_after = spec.pool_after
        self.layers = range(1, len(spec.channels) + 1)
        tensors = {name: torch.from_numpy(array.copy()) for name, array in weights.items()}
        self.whiten = _Holder({}, {"weight": tensors["whiten.weight"]})
        for k in self.layers:
            self.add_module(f"conv{k}", _Holder({"weight": tensors[f"conv{k}.weight"]}, {}))
            statistics = {s: tensors[f"norm{k}.{s}"] for s in ("running_mean", "running_var")}
            self.add_module(f"norm{k}", _Shift({"bias": tensors[f"norm{k}.bias"]}, statistics))
        self.head = _Holder({"weight": tensors["head.weight"]}, {})

    def blocks(self, x: Tensor) -> Iterator[Tensor]:
        """Give what each convolution and what follows it make of pictures (B, C, H, W)."""
        filters = self.whiten.get_buffer("weight")
        # Filters of zeros, where that lets the first convolution take the quick way.
        spare = spare_channels(x, self.get_submodule("conv1").get_parameter("weight"))
        out = F.gelu(F.conv2d(x, F.pad(filters, (0, 0, 0, 0, 0, 0, 0, spare))))
        for k in self.layers:
            kernels = self.get_submodule(f"conv{k}").get_parameter("weight")
            out = conv3x3(out, F.pad(kernels, (0, 0, 0, 0, 0, spare)) if k == 1 else kernels)
            # What has come down to a line of pixels is left as it is.
            if k in self.pool_after and min(out.shape[2:]) >= 2:
                out = F.max_pool2d(out, 2)
            out = F.gelu(self.get_submodule(f"norm{k}")(out))
            yield out

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, classes) for pictures (B, C, H, W), at least 2 pixels each way."""
        out = x
        for block in self.blocks(x):
            out = block
        features = out.amax(dim=(2, 3))
        logits: Tensor = F.linear(features, self.head.get_parameter("weight"))
        return logits / features.shape[1]

    @torch.no_grad()
    def whiten_patches(self, x: Tensor) -> None:
        """Set the first layer's filters to what whitens the 2x2 patches of pictures (B, C, H, W).

        They are the eigenvectors of the patches' covariance, each over the root of its variance,
        and their negatives, since GELU lets only one side of each pass.
        """
        channels = x.shape[1]
        patches = F.unfold(x.double().contiguous(), 2)
        covariance = torch.einsum("bip,bjp->ij", patches, patches)
        covariance /= patches.shape[0] * patches.shape[2]
        # On the CPU always: a GPU may give an eigenvector the other sign, and so other filters.
        variances, vectors = torch.linalg.eigh(covariance.cpu())
        filters = vectors.T / torch.sqrt(variances[:, None] + _LEAST_VARIANCE)
        both = torch.cat([filters, -filters]).view(-1, channels, 2, 2)
        self.whiten.get_buffer("weight").copy_(both)

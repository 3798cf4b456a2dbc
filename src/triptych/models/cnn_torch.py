"""The paper's convolutional network in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triptych.contracts import Weights
from triptych.models.conv_torch import conv3x3
from triptych.spec import CNNSpec


class _Norm(nn.BatchNorm2d):
    """BatchNorm with the state of its NumPy twin: batches are not counted, as nothing asks."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, track_running_stats=False)
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` normalised: by the batch in train mode, by what was seen in eval mode."""
        running = (self.running_mean, self.running_var)
        return F.batch_norm(
            x, *running, self.weight, self.bias, self.training, self.momentum or 0.0, self.eps
        )


class CNNTorch(nn.Module):
    """Convolutions 3x3 with BatchNorm and ReLU, overlapping max pooling, one linear layer.

    The paper's picture has one pixel left after its last pool. Where a picture has more, they
    are averaged, so that any size fits the same head.

    Parameters
    ----------
    spec : CNNSpec
    weights : Weights
        See `triptych.models.initial.cnn_weights`; they fix the input channels and the classes.
    seeds : int
        How many networks' weights these are, one after the other along the first axis of each; see
        `stacked`.
    """

    min_batch = 2
    fewest_stacked = 2  # convolutions in one group are computed otherwise

    def __init__(self, spec: CNNSpec, weights: Weights, seeds: int = 1) -> None:
        super().__init__()
        self.spec, self.seeds = spec, seeds
        self.pool_after = spec.pool_after
        self.layers = range(1, len(spec.channels) + 1)
        # On the meta device a layer draws no first weights, which would only be thrown away.
        with torch.device("meta"):
            for k in self.layers:
                out, channels = weights[f"conv{k}.weight"].shape[:2]
                conv = nn.Conv2d(channels * seeds, out, 3, padding=1, groups=seeds)
                self.add_module(f"conv{k}", conv)
                self.add_module(f"norm{k}", _Norm(out))
            classes, channels = weights["head.weight"].shape
            self.head = nn.Linear(channels, classes)
        self.to(getattr(torch, str(weights["head.weight"].dtype))).to_empty(device="cpu")
        tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
        self.load_state_dict(tensors)

    @classmethod
    def stacked(cls, networks: Sequence[CNNTorch]) -> CNNTorch:
        """Return one network that computes all of `networks`, at least two, each in channels apart.

        Its pictures are (K, B, C, H, W), its logits (K, B, classes).
        """
        states = [one.state_dict() for one in networks]
        weights = {
            name: np.concatenate([s[name].cpu().numpy() for s in states]) for name in states[0]
        }
        return cls(networks[0].spec, weights, len(networks))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, classes) for pictures (B, C, H, W)."""
        out = x if self.seeds == 1 else _beside(x)
        for k in self.layers:
            conv = self.get_submodule(f"conv{k}")
            w, b = conv.get_parameter("weight"), conv.get_parameter("bias")
            if self.seeds == 1:
                out = conv3x3(out, w, b)
            else:
                out = F.conv2d(out, w, b, padding=1, groups=self.seeds)
            out = self.get_submodule(f"norm{k}")(out)
            out = F.relu(out, inplace=True)
            if k in self.pool_after:
                out = F.max_pool2d(out, kernel_size=3, stride=2, padding=1)
        if self.seeds > 1:
            return self._heads(out)
        logits: Tensor = self.head(out.mean(dim=(2, 3)))
        return logits

    def _heads(self, x: Tensor) -> Tensor:
        """Return logits (K, B, classes) for what is left (B, K C, H, W) of K networks' pictures."""
        # Channels first: else the order in which pixels are summed depends on the channel's place.
        x_KBC = x.contiguous().mean(dim=(2, 3)).view(len(x), self.seeds, -1).transpose(0, 1)
        w_KOC = self.head.weight.view(self.seeds, -1, self.head.in_features)
        b_K1O = self.head.bias.view(self.seeds, 1, -1)
        return torch.baddbmm(b_K1O, x_KBC, w_KOC.mT)


def _beside(x: Tensor) -> Tensor:
    """Return pictures (K, B, C, H, W) of K networks as those of one (B, K C, H, W)."""
    together = x.transpose(0, 1).flatten(1, 2)
    # Channels last: grouped convolutions of a few channels each take a third of the time so.
    return together.contiguous(memory_format=torch.channels_last)

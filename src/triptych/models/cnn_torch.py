"""The paper's convolutional network in PyTorch."""

from __future__ import annotations

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
    """

    min_batch = 2

    def __init__(self, spec: CNNSpec, weights: Weights) -> None:
        super().__init__()
        self.pool_after = spec.pool_after
        self.layers = range(1, len(spec.channels) + 1)
        # On the meta device a layer draws no first weights, which would only be thrown away.
        with torch.device("meta"):
            for k in self.layers:
                out, channels = weights[f"conv{k}.weight"].shape[:2]
                self.add_module(f"conv{k}", nn.Conv2d(channels, out, 3, padding=1))
                self.add_module(f"norm{k}", _Norm(out))
            classes, channels = weights["head.weight"].shape
            self.head = nn.Linear(channels, classes)
        self.to(getattr(torch, str(weights["head.weight"].dtype))).to_empty(device="cpu")
        tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
        self.load_state_dict(tensors)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, classes) for pictures (B, C, H, W)."""
        out = x
        for k in self.layers:
            conv = self.get_submodule(f"conv{k}")
            out = conv3x3(out, conv.get_parameter("weight"), conv.get_parameter("bias"))
            out = self.get_submodule(f"norm{k}")(out)
            out = F.relu(out, inplace=True)
            if k in self.pool_after:
                out = F.max_pool2d(out, kernel_size=3, stride=2, padding=1)
        logits: Tensor = self.head(out.mean(dim=(2, 3)))
        return logits

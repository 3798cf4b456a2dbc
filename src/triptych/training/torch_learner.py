"""A PyTorch network with its optimiser, bound to the rows it learns from.

What is avoidable of PyTorch's overhead is avoided: the rows stay in memory as tensors (no
DataLoader), and all parameters are views of one flat tensor, so that the gradient's norm, its
clipping and the optimiser are one call each, however many layers there are.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triptych.contracts import (
    Array,
    FloatArray,
    IntArray,
    NonFiniteStep,
    Scores,
    Split,
    Standardization,
    Weights,
)
from triptych.errors import RunError
from triptych.spec import OptimizerSpec, TrainSpec

# A CNN's widest activations at 32 x 32 are 64 channels: 250 pictures hold 66 MB a layer.
_EVAL_VALUES = 250 * 3 * 32 * 32


class FlatParameters:
    """All parameters of a network as views of one tensor, and likewise their gradients.

    Parameters
    ----------
    network : torch.nn.Module
        Its parameters keep their values and shapes, but share one storage from now on.

    Attributes
    ----------
    values, grads : Tensor, shape (P,)
    """

    def __init__(self, network: nn.Module) -> None:
        parameters = list(network.parameters())
        self.values = nn.Parameter(torch.cat([p.detach().flatten() for p in parameters]))
        self.grads = torch.zeros_like(self.values)
        self.values.grad = self.grads
        start = 0
        for p in parameters:
            end = start + p.numel()
            p.data = self.values.data[start:end].view_as(p)
            # Backward adds into an existing .grad in place, so the views stay views.
            p.grad = self.grads[start:end].view_as(p)
            start = end


def create_optimizer(spec: OptimizerSpec, parameter: nn.Parameter) -> torch.optim.Optimizer:
    """Return the PyTorch optimiser of `spec` over one flat parameter."""
    lr, decay = spec.lr, spec.weight_decay
    match spec.name:
        case "sgd":
            return torch.optim.SGD([parameter], lr, weight_decay=decay, foreach=False)
        case "momentum" | "nesterov":
            return torch.optim.SGD(
                [parameter],
                lr,
                momentum=spec.momentum,
                nesterov=spec.name == "nesterov",
                weight_decay=decay,
                foreach=False,
            )
        case "adam" | "adamw":
            kind = torch.optim.Adam if spec.name == "adam" else torch.optim.AdamW
            betas = (spec.beta1, spec.beta2)
            return kind([parameter], lr, betas, spec.eps, decay, fused=True)
        case "rmsprop":
            return torch.optim.RMSprop(
                [parameter], lr, spec.alpha, spec.eps, weight_decay=decay, foreach=False
            )


class TorchLearner:
    """Implements `triptych.contracts.Learner` for PyTorch networks.

    Parameters
    ----------
    network : torch.nn.Module
        On the device it is to train on, in ``spec.dtype``.
    train : Split
        The rows that `fit` may be asked for.
    spec : TrainSpec
    standardization : Standardization, optional
        Turns raw features into inputs, batch by batch, so that pictures stay uint8 in memory.
    """

    def __init__(
        self,
        network: nn.Module,
        train: Split,
        spec: TrainSpec,
        standardization: Standardization | None,
    ) -> None:
        self.spec = spec
        self.dtype = torch.float64 if spec.dtype == "float64" else torch.float32
        self.device = next(network.parameters()).device
        has_norm = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in network.modules())
        self.min_batch = 2 if has_norm else 1
        has_convolution = any(isinstance(m, nn.Conv2d) for m in network.modules())
        self.layout = torch.channels_last if has_convolution else torch.contiguous_format
        self.network = network
        self.flat = FlatParameters(network)
        self.optimizer = create_optimizer(spec.optimizer, self.flat.values)
        self.shift: Tensor | None = None
        if standardization is not None:
            self.shift = torch.tensor(standardization.mean, dtype=self.dtype, device=self.device)
            self.scale = torch.tensor(standardization.std, dtype=self.dtype, device=self.device)
        self.x_N = self._tensor(train.x)
        self.y_N = self._tensor(train.y)

    def _tensor(self, array: Array) -> Tensor:
        # PyTorch warns of read-only arrays, which it cannot mark as such. Nothing here writes to
        # a row, so sharing the memory of a data set that all arms share is safe.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def _inputs(self, x: Tensor) -> Tensor:
        if self.shift is not None:
            x = (x.to(self.dtype) - self.shift) / self.scale
            return x.contiguous(memory_format=self.layout) if x.dim() == 4 else x
        # Symbols stay integers; the network turns them into one-hot vectors.
        return x.to(self.dtype) if x.is_floating_point() else x

    def fit(self, order: IntArray, batch_size: int, lrs: FloatArray) -> FloatArray:
        """Take one step per batch; see `triptych.contracts.Learner.fit`."""
        self.network.train()
        rows = torch.from_numpy(np.ascontiguousarray(order)).to(self.device)
        losses = np.empty(len(lrs))
        try:
            for step, (batch, lr) in enumerate(
                zip(torch.split(rows, batch_size), lrs, strict=True)
            ):
                losses[step] = self._step(step, batch, float(lr))
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise RunError(
                f"out of memory at batch size {batch_size}; "
                f"try train.batch_size = {max(1, batch_size // 2)}."
            ) from error
        return losses

    def _step(self, step: int, rows_B: Tensor, lr: float) -> float:
        flat = self.flat
        x = self._inputs(self.x_N.index_select(0, rows_B))
        y_B = self.y_N.index_select(0, rows_B)
        flat.grads.zero_()
        loss = F.cross_entropy(self.network(x), y_B)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = float(torch.linalg.vector_norm(flat.grads))
        value = float(loss.detach())
        if not math.isfinite(value) or not math.isfinite(norm):
            raise NonFiniteStep(step, value, norm)
        if self.spec.clip_norm is not None and norm > self.spec.clip_norm:
            flat.grads.mul_(self.spec.clip_norm / (norm + 1e-6))  # as clip_grad_norm_
        self.optimizer.param_groups[0]["lr"] = lr
        self.optimizer.step()
        return value

    def _eval_batches(self, split: Split) -> Iterator[tuple[Tensor, Tensor]]:
        values = max(1, math.prod(split.x.shape[1:]))
        size = max(1, min(4096, _EVAL_VALUES // values))
        for start in range(0, len(split), size):
            end = start + size
            yield self._inputs(self._tensor(split.x[start:end])), self._tensor(split.y[start:end])

    def evaluate(self, split: Split) -> Scores:
        """Return mean loss and accuracy; see `triptych.contracts.Learner.evaluate`."""
        self.network.eval()
        loss = 0.0
        right = 0
        with torch.inference_mode():
            for x, y in self._eval_batches(split):
                out = self.network(x)
                loss += float(F.cross_entropy(out, y, reduction="sum"))
                right += int((out.argmax(dim=1) == y).sum())
        return Scores(loss / len(split), right / len(split))

    def weights(self) -> Weights:
        """Return a copy of every weight and buffer, by name."""
        state = self.network.state_dict()
        return {name: value.cpu().numpy().copy() for name, value in state.items()}

    def load(self, weights: Mapping[str, Array]) -> None:
        """Put back what `weights` returned; shapes and names must agree."""
        state = {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
        self.network.load_state_dict(state)

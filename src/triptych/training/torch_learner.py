"""A PyTorch network with its optimiser, bound to the rows it learns from.

What is avoidable of PyTorch's overhead is avoided: the rows stay in memory as tensors (no
DataLoader), and all parameters are views of one flat tensor, so that the gradient's norm, its
clipping and the optimiser are one call each, however many layers there are.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

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
from triptych.spec import TrainSpec
from triptych.training.batches import batches, targets
from triptych.training.memory import JUDGED_ROWS, JUDGED_VALUES
from triptych.training.pictures import PictureInputs, edge_at
from triptych.training.scores import scored
from triptych.training.torch_buffers import Buffers
from triptych.training.torch_losses import mean_loss
from triptych.training.torch_optimizer import create_optimizer

# Patches of so many pictures are enough to tell their covariance, which has a dozen rows.
WHITENED_BY = 1000


class FlatParameters:
    """All parameters of a network as views of one tensor, and likewise their gradients.

    Parameters
    ----------
    network : torch.nn.Module
        Its parameters keep their values and shapes, but share one storage from now on.
    spare : int
        Elements at the end that are nobody's, and stay 0.

    Attributes
    ----------
    values, grads : Tensor, shape (P + spare,)
    """

    def __init__(self, network: nn.Module, spare: int = 0) -> None:
        parameters = list(network.parameters())
        parts = [p.detach().flatten() for p in parameters]
        self.values = nn.Parameter(torch.cat([*parts, parts[0].new_zeros(spare)]))
        self.grads = torch.zeros_like(self.values)
        self.values.grad = self.grads
        start = 0
        for p in parameters:
            end = start + p.numel()
            p.data = self.values.data[start:end].view_as(p)
            # Backward adds into an existing .grad in place, so the views stay views.
            p.grad = self.grads[start:end].view_as(p)
            start = end

    def named(self, flat: Tensor, network: nn.Module) -> Weights:
        """Return copies of the parts of a flat tensor (P,), by their parameter's name."""
        parts: Weights = {}
        start = 0
        for name, p in network.named_parameters():
            part = flat[start : start + p.numel()].view_as(p)
            parts[name] = part.detach().cpu().numpy().copy()
            start += p.numel()
        return parts


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
    seed : int
        Of what varies pictures, from `triptych.chance.stream_seed`.
    """

    def __init__(
        self,
        network: nn.Module,
        train: Split,
        spec: TrainSpec,
        standardization: Standardization | None = None,
        seed: int = 0,
    ) -> None:
        self.spec = spec
        self.dtype = torch.float64 if spec.dtype == "float64" else torch.float32
        self.device = next(network.parameters()).device
        self.min_batch, self.unbounded = int(getattr(network, "min_batch", 1)), frozenset[str]()
        self.network = network
        self.flat = FlatParameters(network)
        self.optimizer = create_optimizer(spec.optimizer, network, self.flat.values)
        # What the L2 penalty counts: matrices and kernels, not biases.
        self.matrices = [p for p in network.parameters() if p.dim() > 1]
        # Networks that drop units draw them by the step.
        self.set_step: Callable[[int], None] | None = getattr(network, "set_step", None)
        # Networks that start with whitened patches compute them from what they are shown.
        self.whiten: Callable[[Tensor], None] | None = getattr(network, "whiten_patches", None)
        self.inputs: PictureInputs | None = None
        if standardization is not None:
            convolves = any(p.dim() == 4 for p in network.parameters())
            layout = torch.channels_last if convolves else torch.contiguous_format
            self.inputs = PictureInputs(spec, standardization, seed, self.flat.grads, layout)
        self.penalties: FloatArray = np.zeros(0)
        self.buffers = Buffers(network)
        self.rebind(train)

    @property
    def _outputs(self) -> int:
        # The last is a bias (O,), or a head without one (O, I), unless a network says otherwise:
        # PyTorch names those of its own modules after the rest.
        last = list(self.network.parameters())[-1].shape[0]
        return int(getattr(self.network, "outputs", last))

    def rebind(self, split: Split) -> None:
        """Learn from other rows; see `triptych.contracts.Learner.rebind`."""
        self.x_N = self._tensor(split.x)
        self.y_N = self._tensor(targets(split.y, self.spec.loss, self._outputs, self.spec.dtype))
        self.weight_N = None
        if split.weight is not None:
            self.weight_N = self._tensor(split.weight).to(self.dtype)

    def _tensor(self, array: Array) -> Tensor:
        # PyTorch warns of read-only arrays, which it cannot mark as such. Nothing here writes to
        # a row, so sharing the memory of a data set that all arms share is safe.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def _inputs(self, x: Tensor) -> Tensor:
        if self.inputs is not None:
            return self.inputs.plain(x)
        # Symbols stay integers; the network turns them into one-hot vectors.
        return x.to(self.dtype) if x.is_floating_point() else x

    def fit(
        self, order: IntArray, batch_size: int, lrs: FloatArray, epoch: int | None = None
    ) -> FloatArray:
        """Take one step per batch; see `triptych.contracts.Learner.fit`."""
        self.network.train()
        rows = torch.from_numpy(np.ascontiguousarray(order)).to(self.device)
        losses = np.empty(len(lrs))
        self.penalties = np.zeros(len(lrs))
        places = batches(len(order), batch_size, epoch)
        self.epoch_steps = math.ceil((epoch or max(len(order), 1)) / batch_size)
        for step, (place, lr) in enumerate(zip(places, lrs, strict=True)):
            self.buffers.keep()
            self._begin(rows[place])
            losses[step] = self._step(step, rows[place], float(lr))
        return losses

    def _begin(self, rows_B: Tensor) -> None:
        """Set what changes from epoch to epoch, before a step on `rows_B`."""
        if self.inputs is None or self.x_N.dim() != 4:
            return
        epoch, step = divmod(self.optimizer.steps, self.epoch_steps)
        edges = [edge_at(self.spec, e, min(self.x_N.shape[2:])) for e in (epoch - 1, epoch)]
        self.inputs.edge = edges[1]
        if self.whiten is not None and step == 0 and (epoch == 0 or edges[0] != edges[1]):
            # By the step's own rows, as where a call ends must not matter.
            self.whiten(self._inputs(self.x_N.index_select(0, rows_B[:WHITENED_BY])))

    def _varied(self, rows_B: Tensor) -> Tensor:
        x = self.x_N.index_select(0, rows_B)
        if self.inputs is None or x.dim() != 4:
            return self._inputs(x)
        steps = self.optimizer.steps
        return self.inputs.varied(x, rows_B.cpu().numpy(), steps // self.epoch_steps, steps)

    def _step(self, step: int, rows_B: Tensor, lr: float) -> float:
        flat = self.flat
        x = self._varied(rows_B)
        y_B = self.y_N.index_select(0, rows_B)
        weight_B = None if self.weight_N is None else self.weight_N.index_select(0, rows_B)
        if self.set_step is not None:
            self.set_step(self.optimizer.steps)
        flat.grads.zero_()
        smoothing = self.spec.label_smoothing
        loss = mean_loss(self.spec.loss, self.network(x), y_B, weight_B, smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        value = float(loss.detach())
        if self.spec.l2:
            self.penalties[step] = self._add_penalty(weight_B, len(rows_B))
            value += float(self.penalties[step])
        norm = float(torch.linalg.vector_norm(flat.grads))
        if not math.isfinite(value) or not math.isfinite(norm):
            self.buffers.put_back()
            raise NonFiniteStep(step, value, norm)
        if self.spec.clip_norm is not None and norm > self.spec.clip_norm:
            flat.grads.mul_(self.spec.clip_norm / (norm + 1e-6))  # as clip_grad_norm_
        self.optimizer.step(lr)
        return value

    def _add_penalty(self, weight_B: Tensor | None, rows: int) -> float:
        """Add the slope of the L2 penalty to the gradients, and return the penalty."""
        l2 = self.spec.l2
        if self.spec.l2_scale == "rows":
            total = rows if weight_B is None else float(weight_B.sum())
            l2 = l2 / total if total else 0.0
        penalty = 0.0
        with torch.no_grad():
            for w in self.matrices:
                assert w.grad is not None  # a view of the flat gradients
                w.grad.add_(w, alpha=l2)
                penalty += 0.5 * l2 * float(torch.sum(w * w))
        return penalty

    def _eval_batches(self, x: Array) -> Iterator[Tensor]:
        values = max(1, math.prod(x.shape[1:]))
        size = max(1, min(JUDGED_ROWS, JUDGED_VALUES // values))
        for start in range(0, len(x), size):
            yield self._inputs(self._tensor(x[start : start + size]))

    def _outputs_of(self, x: Array) -> Tensor:
        self.network.eval()
        out = torch.empty((0, self._outputs), dtype=self.dtype, device=self.device)
        start = 0
        with torch.inference_mode():
            for batch in self._eval_batches(x):
                part = self.network(batch)
                if start == 0:
                    # One array for all: small ones that are kept would each lie in the room that
                    # the layers before them gave back, which is then too small for the next ones.
                    out = part.new_empty((len(x), *part.shape[1:]))
                out[start : start + len(part)] = part
                start += len(part)
        return out

    def outputs(self, x: Array) -> FloatArray:
        """Return the outputs in eval mode; see `triptych.contracts.Learner.outputs`."""
        return self._outputs_of(x).cpu().numpy()

    def evaluate(self, split: Split) -> Scores:
        """Return the scores; see `triptych.contracts.Learner.evaluate`."""
        out = self._outputs_of(split.x)
        y = self._tensor(targets(split.y, self.spec.loss, self._outputs, "float64"))
        weight = None if split.weight is None else self._tensor(split.weight).double()
        loss = float(mean_loss(self.spec.loss, out.double(), y, weight))
        return scored(loss, out.cpu().numpy(), split.y)

    def weights(self) -> Weights:
        """Return a copy of every weight and buffer, by name."""
        state = self.network.state_dict()
        return {name: value.cpu().numpy().copy() for name, value in state.items()}

    def load(self, weights: Mapping[str, Array]) -> None:
        """Put back what `weights` returned; shapes and names must agree."""
        state = {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
        self.network.load_state_dict(state)

    def moments(self) -> Weights:
        """Return the optimiser's state; see `triptych.contracts.Learner.moments`."""
        state: Weights = {"steps": np.array(self.optimizer.steps)}
        for kind, flat in self.optimizer.moments().items():
            parts = self.flat.named(flat, self.network)
            state |= {f"{kind}/{name}": part for name, part in parts.items()}
        return state

    def load_moments(self, moments: Mapping[str, Array]) -> None:
        """Put back what `moments` returned."""
        names = [name for name, _ in self.network.named_parameters()]
        flat = {
            kind: torch.cat([torch.from_numpy(moments[f"{kind}/{n}"]).flatten() for n in names])
            for kind in ("first", "second")
        }
        self.optimizer.load(int(moments["steps"]), flat)

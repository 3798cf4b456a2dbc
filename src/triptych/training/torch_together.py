"""Seeds of one PyTorch network take their steps in one call, as small networks wait for calls.

The networks of K learners are stacked into one, which each kind of network knows how to do: an MLP
takes batched products, a CNN has its channels side by side. Gradients of one seed do not depend on
another's, so the backward pass of all losses together is that of each, and the optimiser is the
elementwise one that it was. (Mapping one network over K with ``torch.func`` gives the same, and
takes up to three times as long where networks are smallest: docs/log.md, "seeds stacked".)

A seed ends as it does by itself but for rounding, since products of several matrices are summed in
another order than those of one. With which seeds it was stacked changes no bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from triptych.contracts import FloatArray, IntArray, Learner, NonFiniteStep
from triptych.training.batches import batches
from triptych.training.loop import Outcome
from triptych.training.torch_buffers import Buffers
from triptych.training.torch_learner import FlatParameters, TorchLearner
from triptych.training.torch_losses import mean_losses
from triptych.training.torch_optimizer import create_optimizer

# The last few elements of a tensor, which fill no register, are computed by other instructions,
# which may round otherwise. With so many to spare, none of a seed's are among them.
_SPARE = 64


class TorchTogether:
    """Lets PyTorch learners of one shape take their steps at the same time; see `Together`."""

    def __init__(self) -> None:
        self.stack: _Stack | None = None

    def __call__(
        self,
        learners: Sequence[Learner],
        orders: IntArray,
        batch_size: int,
        lrs: FloatArray,
        epoch: int | None,
    ) -> list[Outcome]:
        """Take the steps of ``orders`` (K, n); see `triptych.training.loop.Together`."""
        group = [one for one in learners if isinstance(one, TorchLearner)]
        assert len(group) == len(learners)
        if self.stack is None or not self.stack.is_of(group):
            self.stack = _Stack(group)
        return self.stack.fit(orders, batch_size, lrs, epoch)

    def prepare(self, learners: Sequence[Learner], batch_size: int) -> None:
        """Stack networks and rows, so that no run counts the time of that."""
        none = np.empty((len(learners), 0), np.int64)
        self(learners, none, batch_size, np.empty(0), None)


class _Stack:
    """K learners as one: their networks, their rows, and their optimisers' state.

    All have taken as many steps. A call loads what the learners hold and stores what it came to, so
    that between calls each of them is what it would be by itself.
    """

    def __init__(self, learners: Sequence[TorchLearner]) -> None:
        self.learners = learners
        first = self.first = learners[0]
        self.spec = first.spec
        network: Any = first.network
        # One alone is stacked with itself where one would be computed otherwise than several.
        alone = len(learners) < network.fewest_stacked
        self.filled = [*learners, *learners] if alone else list(learners)
        self.k = len(self.filled)
        self.network = network.stacked([one.network for one in self.filled]).to(first.device)
        self.flat = FlatParameters(self.network, spare=_SPARE)
        self.optimizer = create_optimizer(self.spec.optimizer, self.network, self.flat.values)
        ends = np.cumsum([0, *(p.numel() for p in network.parameters())]).tolist()
        self.parts = list(pairwise(ends))
        self.grads = self._blocks(self.flat.grads)
        self.matrices = [p.dim() > 1 for p in network.parameters()]
        self.buffers = Buffers(self.network)
        self.rows = [(one.x_N, one.y_N, one.weight_N) for one in learners]
        self.x = torch.cat([one.x_N for one in self.filled])
        self.y = torch.cat([one.y_N for one in self.filled])
        weights = [one.weight_N for one in self.filled if one.weight_N is not None]
        self.weight = torch.cat(weights) if weights else None
        starts = np.cumsum([0, *(len(one.x_N) for one in self.filled)])[:-1]
        self.starts_K1 = torch.from_numpy(starts)[:, None].to(first.device)
        self.shift, self.scale = self._standardization()

    def is_of(self, learners: Sequence[TorchLearner]) -> bool:
        """Whether it is of these learners, with the rows that they are bound to."""
        if len(learners) != len(self.learners):
            return False
        return all(
            new is old and (new.x_N is x and new.y_N is y and new.weight_N is w)
            for new, old, (x, y, w) in zip(learners, self.learners, self.rows, strict=True)
        )

    def fit(
        self, orders: IntArray, batch_size: int, lrs: FloatArray, epoch: int | None
    ) -> list[Outcome]:
        """Take the steps of all learners."""
        self._load()
        self.network.train()
        count = len(self.learners)
        orders = np.concatenate([orders] * (self.k // count)).astype(np.int64)
        rows = torch.from_numpy(orders).to(self.first.device) + self.starts_K1
        self.losses = np.empty((self.k, len(lrs)))
        self.penalties = np.zeros((self.k, len(lrs)))
        self.failed: dict[int, NonFiniteStep] = {}
        places = batches(orders.shape[1], batch_size, epoch)
        for step, (place, lr) in enumerate(zip(places, lrs, strict=True)):
            self._step(step, rows[:, place], float(lr))
        outcomes: list[Outcome] = []
        rest = [k for k in range(count) if k not in self.failed]
        self._store(rest)
        for k, one in enumerate(self.learners):
            one.penalties = self.penalties[k]
            error = self.failed.get(k)
            outcomes.append((self.losses[k] if error is None else np.empty(0), error))
        return outcomes

    def _step(self, step: int, rows_KB: Tensor, lr: float) -> None:
        rows = rows_KB.flatten()
        x = self._inputs(self.x.index_select(0, rows).view(*rows_KB.shape, *self.x.shape[1:]))
        y = self.y.index_select(0, rows).view(*rows_KB.shape, *self.y.shape[1:])
        weight_KB = None
        if self.weight is not None:
            weight_KB = self.weight.index_select(0, rows).view(rows_KB.shape)
        if self.first.set_step is not None:
            self.network.set_step(self.optimizer.steps)
        self.flat.grads.zero_()
        self.buffers.keep()
        smoothing = self.spec.label_smoothing
        losses_K = mean_losses(self.spec.loss, self.network(x), y, weight_KB, smoothing)
        losses_K.sum().backward()  # type: ignore[no-untyped-call]
        self.losses[:, step] = losses_K.detach().cpu().numpy()
        if self.spec.l2:
            self._add_penalties(step, weight_KB, rows_KB.shape[1])
        self._watch(step)
        self.optimizer.step(lr)

    def _watch(self, step: int) -> None:
        """Clip gradients; end learners that are no longer finite, with what they had before.

        What is computed for those from then on is nobody's, and touches none of the others.
        """
        norms_K = torch.linalg.vector_norm(torch.cat(self.grads, dim=1), dim=1).cpu().double()
        for k, (loss, norm) in enumerate(zip(self.losses[:, step], norms_K.tolist(), strict=True)):
            if k not in self.failed and not (math.isfinite(loss) and math.isfinite(norm)):
                self.failed[k] = NonFiniteStep(step, float(loss), norm)
                if k < len(self.learners):
                    self._store([k], of_before=True)
        limit = self.spec.clip_norm
        if limit is not None and bool((norms_K > limit).any()):
            scale_K = torch.where(norms_K > limit, limit / (norms_K + 1e-6), 1.0)
            for part_KN in self.grads:
                part_KN.mul_(scale_K.to(part_KN)[:, None])

    def _add_penalties(self, step: int, weight_KB: Tensor | None, rows: int) -> None:
        """Add the slopes of the L2 penalties to the gradients, and the penalties to the losses."""
        l2_K = torch.full((self.k,), self.spec.l2, dtype=torch.float64)
        if self.spec.l2_scale == "rows" and weight_KB is None:
            l2_K /= rows
        elif self.spec.l2_scale == "rows" and weight_KB is not None:
            total_K = weight_KB.sum(dim=1).cpu().double()
            l2_K = torch.where(total_K > 0, l2_K / total_K, 0.0)
        factor_K1 = l2_K.to(self.flat.grads)[:, None]
        pairs = zip(self._blocks(self.flat.values.data), self.grads, strict=True)
        for (w_KN, g_KN), is_matrix in zip(pairs, self.matrices, strict=True):
            if is_matrix:
                g_KN.add_(w_KN * factor_K1)
                squares_K = torch.sum(w_KN * w_KN, dim=1).cpu().double()
                self.penalties[:, step] += (0.5 * l2_K * squares_K).numpy()
        self.losses[:, step] += self.penalties[:, step]

    def _inputs(self, x: Tensor) -> Tensor:
        """Return rows (K, B, ...) as inputs."""
        if self.shift is None or self.scale is None:
            return x.to(self.first.dtype) if x.is_floating_point() else x
        return (x.to(self.scale.dtype) - self.shift) / self.scale

    def _standardization(self) -> tuple[Tensor | None, Tensor | None]:
        """Return what every learner subtracts and divides by, (K, 1, ...)."""
        found = [one.inputs for one in self.filled]
        shifts = [one.shift for one in found if one is not None]
        scales = [one.scale for one in found if one is not None]
        if not shifts:
            return None, None
        axes = [1] * (self.x.dim() - 1 - shifts[0].dim())  # of a sample, that all share
        shape = (self.k, 1, *axes, *shifts[0].shape)
        return torch.stack(shifts).view(shape), torch.stack(scales).view(shape)

    def _blocks(self, flat: Tensor) -> list[Tensor]:
        """Return the parts (K, N) of a flat tensor, one for each parameter."""
        return [flat[self.k * a : self.k * b].view(self.k, -1) for a, b in self.parts]

    def _apart(self, flat: Tensor) -> Tensor:
        """Return a flat tensor as rows (K, P), each laid out as a learner's own."""
        return torch.cat(self._blocks(flat), dim=1)

    def _gathered(self, rows_KP: Tensor) -> Tensor:
        """Return the flat tensor of which `rows_KP` are the learners' parts."""
        parts = [rows_KP[:, a:b].flatten() for a, b in self.parts]
        return torch.cat([*parts, rows_KP.new_zeros(len(self.flat.values) - rows_KP.numel())])

    def _load(self) -> None:
        """Take over weights, statistics and moments of the learners."""
        values = torch.stack([one.flat.values.data for one in self.filled])
        self.flat.values.data.copy_(self._gathered(values))
        buffers = [dict(one.network.named_buffers()) for one in self.filled]
        for name, buffer in self.network.named_buffers():
            buffer.copy_(torch.cat([one[name] for one in buffers]))
        moments = [one.optimizer.moments() for one in self.filled]
        kinds = {kind: torch.stack([one[kind] for one in moments]) for kind in moments[0]}
        stacked = {kind: self._gathered(rows) for kind, rows in kinds.items()}
        self.optimizer.load(self.first.optimizer.steps, stacked)

    def _store(self, which: Sequence[int], *, of_before: bool = False) -> None:
        """Give learners what they came to; or what they were before the forward pass.

        That has written to buffers only, as weights and moments wait for the optimiser.
        """
        values = self._apart(self.flat.values.data)
        moments = {kind: self._apart(m) for kind, m in self.optimizer.moments().items()}
        for k in which:
            one = self.learners[k]
            one.flat.values.data.copy_(values[k])
            one.optimizer.load(self.optimizer.steps, {n: m[k] for n, m in moments.items()})
            for name, buffer in one.network.named_buffers():
                stacked = self.network.get_buffer(name)
                if of_before:
                    stacked = self.buffers.before(name)
                buffer.copy_(stacked.view(self.k, -1)[k].view_as(buffer))

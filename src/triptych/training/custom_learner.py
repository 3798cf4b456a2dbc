"""Trains a module of one's own, as `TorchLearner` trains ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from triptych import chance
from triptych.contracts import (
    Array,
    FloatArray,
    IntArray,
    Split,
    Standardization,
    State,
    Weights,
    named,
)
from triptych.spec import TrainSpec
from triptych.training.torch_learner import TorchLearner


class CustomLearner(TorchLearner):
    """Implements `triptych.contracts.Learner` for any module that makes (B, outputs) of rows.

    What the module draws from PyTorch's global stream, such as dropout, is a function of `seed` and
    the step: the same wherever training is cut into pieces. The stream itself is left as it was.
    So a training that is taken up again is the same if all that a step changes is a parameter or a
    buffer; what a module keeps elsewhere, such as a counter in Python, begins anew.

    Parameters
    ----------
    network, train, spec, standardization
        As of `TorchLearner`.
    seed : int
        Of the study.
    outputs : int
    """

    def __init__(
        self,
        network: nn.Module,
        train: Split,
        spec: TrainSpec,
        standardization: Standardization | None = None,
        seed: int = 0,
        outputs: int = 1,
    ) -> None:
        self._count = outputs
        super().__init__(network, train, spec, standardization, chance.stream_seed(seed, "augment"))
        self.draws = chance.stream_seed(seed, "dropout")
        self.set_step = self._draw_by
        self.whiten = None
        if self.inputs is not None:  # with channels last a module's own `view` would fail
            self.inputs.layout = torch.contiguous_format
        self.min_batch = 2 if any(isinstance(m, _BatchNorm) for m in network.modules()) else 1
        self.unbounded = frozenset(State(self.weights() | self.moments()).not_finite)

    @property
    def _outputs(self) -> int:
        return self._count

    def _inputs(self, x: Tensor) -> Tensor:
        ready = super()._inputs(x)
        # Symbols are kept in few bytes, which embeddings do not read.
        return ready if ready.is_floating_point() else ready.long()

    def _draw_by(self, step: int) -> None:
        torch.manual_seed(int(chance.key(self.draws, step)))  # noqa: TID251 (in a fork)

    @contextmanager
    def _forked(self) -> Iterator[None]:
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            yield

    def fit(
        self, order: IntArray, batch_size: int, lrs: FloatArray, epoch: int | None = None
    ) -> FloatArray:
        """Take one step per batch; see `triptych.contracts.Learner.fit`."""
        with self._forked():
            return super().fit(order, batch_size, lrs, epoch)

    @property
    def _not_saved(self) -> dict[str, Tensor]:
        """The buffers that the module leaves out of its `state_dict`; steps may change them."""
        saved = self.network.state_dict().keys()
        return {name: b for name, b in self.network.named_buffers() if name not in saved}

    def moments(self) -> Weights:
        """Return the optimiser's state, and as ``held/NAME`` buffers that `weights` lacks."""
        held = {name: b.cpu().numpy().copy() for name, b in self._not_saved.items()}
        return super().moments() | named("held", held)

    def load_moments(self, moments: Mapping[str, Array]) -> None:
        """Put back what `moments` returned."""
        super().load_moments(moments)
        with torch.no_grad():
            for name, buffer in self._not_saved.items():
                buffer.copy_(torch.from_numpy(moments[f"held/{name}"]))

    def _outputs_of(self, x: Array) -> Tensor:
        with self._forked():
            self._draw_by(0)  # of a module that draws even in eval mode
            return super()._outputs_of(x)

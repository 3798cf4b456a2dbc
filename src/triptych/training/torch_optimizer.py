"""PyTorch's own optimisers over one flat parameter."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from triptych.errors import SpecError
from triptych.spec import OptimizerSpec
from triptych.training.muon import MuonOptimizer
from triptych.training.optimizers import adam_epsilon

# How PyTorch calls the moments that `triptych.training.NumpyOptimizer` calls first and second.
_MOMENTS = {
    "sgd": {},
    "momentum": {"first": "momentum_buffer"},
    "nesterov": {"first": "momentum_buffer"},
    "rmsprop": {"second": "square_avg"},
    "adam": {"first": "exp_avg", "second": "exp_avg_sq"},
    "adamw": {"first": "exp_avg", "second": "exp_avg_sq"},
}


class TorchOptimizer:
    """One of PyTorch's optimisers, told the learning rate of each step.

    All parameters are one flat tensor, so a step is one call of a fused kernel where there is one
    (Adam, AdamW), and a few calls elsewhere.

    Parameters
    ----------
    spec : OptimizerSpec
    parameter : torch.nn.Parameter, shape (P,)
        With a gradient that stays the same tensor.

    Attributes
    ----------
    steps : int
        Taken so far.
    """

    def __init__(self, spec: OptimizerSpec, parameter: nn.Parameter) -> None:
        self.spec = spec
        self.parameter = parameter
        self.steps = 0
        self.optimizer = _create(spec, parameter)

    def step(self, lr: float) -> None:
        """Take one step along the parameter's gradient."""
        self.steps += 1
        group = self.optimizer.param_groups[0]
        group["lr"] = lr
        if self.spec.epsilon_hat and "betas" in group:
            group["eps"] = adam_epsilon(self.spec, self.steps)
        self.optimizer.step()

    def moments(self) -> dict[str, Tensor]:
        """Return the moments ``"first"`` and ``"second"``, each (P,); 0 before the first step."""
        state = self.optimizer.state[self.parameter]
        names = _MOMENTS[self.spec.name]
        zeros = torch.zeros_like(self.parameter.data)
        found = {kind: state.get(names.get(kind)) for kind in ("first", "second")}
        return {kind: zeros if m is None else m for kind, m in found.items()}

    def load(self, steps: int, moments: Mapping[str, Tensor]) -> None:
        """Put back what `moments` returned after so many steps."""
        self.steps = steps
        state = self.optimizer.state[self.parameter]
        if self.spec.name not in ("sgd", "momentum", "nesterov"):
            fused = self.spec.name in ("adam", "adamw")
            state["step"] = torch.tensor(
                float(steps), device=self.parameter.device if fused else None
            )
        for kind, name in _MOMENTS[self.spec.name].items():
            state[name] = moments[kind].to(self.parameter, copy=True)


def create_optimizer(
    spec: OptimizerSpec, network: nn.Module, flat: nn.Parameter
) -> TorchOptimizer | MuonOptimizer:
    """Return the optimiser of `spec` for a network whose parameters are views of `flat`."""
    if spec.name == "muon":
        return MuonOptimizer(spec, network, flat)
    return TorchOptimizer(spec, flat)


def _create(spec: OptimizerSpec, parameter: nn.Parameter) -> torch.optim.Optimizer:
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
        case "muon":
            raise SpecError("optimizer: 'muon' is not one of PyTorch's over a flat parameter.")

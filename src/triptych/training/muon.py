"""Muon (Jordan, 2024): kernels go along the nearest orthogonal matrix to their momentum.

PyTorch's own, `torch.optim.Muon`, takes matrices only and orthogonalises them in bfloat16, which
has no units on most CPUs; and it does not keep the norm of what it trains.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from triptych.spec import OptimizerSpec

# Newton and Schulz's iteration, with the coefficients that raise small singular values fastest:
# those from a hundredth of the norm up end between 0.4 and 1.3, which serves as well as 1 (Jordan,
# 2024); those near 0 become 40 times as large.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 3


class MuonOptimizer:
    """Muon for convolution kernels, Adam for everything else; as `TorchOptimizer`.

    Parameters
    ----------
    spec : OptimizerSpec
    network : torch.nn.Module
        Its parameters are views of `flat`, in order, and their gradients views of its gradient.
    flat : torch.nn.Parameter, shape (P,)

    Attributes
    ----------
    steps : int
        Taken so far.
    """

    def __init__(self, spec: OptimizerSpec, network: nn.Module, flat: nn.Parameter) -> None:
        self.spec = spec
        self.steps = 0
        self.first = torch.zeros_like(flat.data)
        self.second = torch.zeros_like(flat.data)
        self.kernels: list[tuple[nn.Parameter, Tensor]] = []
        others, start = [], 0
        for p in network.parameters():
            place = slice(start, start + p.numel())
            start = place.stop
            moment = self.first[place].view_as(p)
            if p.dim() == 4:
                self.kernels.append((p, moment))
            else:
                others.append((p, moment, self.second[place].view_as(p)))
        groups = [
            {
                "params": [p for p, *_ in others if (p.dim() > 1) == matrices],
                "share": rate / spec.lr,
            }
            for matrices, rate in ((True, spec.head_lr), (False, spec.shift_lr))
        ]
        groups = [group for group in groups if group["params"]]
        self.others = torch.optim.Adam(
            groups, spec.lr, (spec.beta1, spec.beta2), spec.eps, fused=True
        )
        for p, first, second in others:
            # Adam changes its state in place, so that these stay views.
            count = torch.zeros((), device=flat.device)
            self.others.state[p] = {"step": count, "exp_avg": first, "exp_avg_sq": second}

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Take one step; Adam's learning rate moves in proportion."""
        self.steps += 1
        momentum = self.spec.momentum
        for kernel, moment in self.kernels:
            assert kernel.grad is not None  # a view of the flat gradient
            moment.mul_(momentum).add_(kernel.grad)
            along = kernel.grad.add(moment, alpha=momentum).flatten(1)
            kernel.mul_(len(kernel) ** 0.5 / kernel.norm())
            kernel.sub_(orthogonal(along).view_as(kernel), alpha=lr)
        for group in self.others.param_groups:
            group["lr"] = group["share"] * lr
        self.others.step()

    def moments(self) -> dict[str, Tensor]:
        """Return the moments ``"first"`` and ``"second"``, each (P,)."""
        return {"first": self.first, "second": self.second}

    def load(self, steps: int, moments: Mapping[str, Tensor]) -> None:
        """Put back what `moments` returned after so many steps."""
        self.steps = steps
        self.first.copy_(moments["first"])
        self.second.copy_(moments["second"])
        for state in self.others.state.values():
            state["step"].fill_(float(steps))


def orthogonal(matrix: Tensor) -> Tensor:
    """Return about the nearest orthogonal matrix: the singular vectors of `matrix`, all as strong.

    Each iteration is ``x <- (a + b s + c s^2) x`` with ``s = x x^T``. As all of these are
    polynomials of the first ``s``, they are multiplied up among themselves, and with `x` only once:
    half the work where `x` has nine times as many columns as rows.

    Parameters
    ----------
    matrix : Tensor, shape (R, C)
    """
    a, b, c = _COEFFICIENTS
    x = matrix / (matrix.norm() + 1e-7)
    if tall := len(x) > x.shape[1]:
        x = x.T
    square, product = x @ x.T, None
    for k in range(_ITERATIONS):
        factor = torch.addmm(square, square, square, beta=b, alpha=c)
        factor.diagonal().add_(a)
        product = factor if product is None else factor @ product
        if k < _ITERATIONS - 1:
            square = factor @ square @ factor
    assert product is not None  # there is at least one iteration
    out: Tensor = product @ x
    return out.T if tall else out

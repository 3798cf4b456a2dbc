"""The NumPy optimisers and the schedules are PyTorch's, step by step."""

import numpy as np
import pytest
import torch

from triptych.errors import SpecError
from triptych.spec import OptimizerSpec, ScheduleSpec
from triptych.training import factors
from triptych.training.optimizers import NumpyOptimizer
from triptych.training.torch_optimizer import TorchOptimizer

NAMES = ["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop"]


def reference(spec, parameter):
    """Return torch's optimiser, made from the documentation rather than by `TorchOptimizer`."""
    lr, decay = spec.lr, spec.weight_decay
    if spec.name == "rmsprop":
        return torch.optim.RMSprop([parameter], lr, spec.alpha, spec.eps, decay)
    if spec.name.startswith("adam"):
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[spec.name]
        return kind([parameter], lr, (spec.beta1, spec.beta2), spec.eps, decay)
    momentum = 0.0 if spec.name == "sgd" else spec.momentum
    nesterov = spec.name == "nesterov"
    return torch.optim.SGD([parameter], lr, momentum, weight_decay=decay, nesterov=nesterov)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("decay", [0.0, 0.03])
def test_thirty_steps_are_those_of_torch(name, decay):
    spec = OptimizerSpec(name=name, lr=0.05, momentum=0.8, weight_decay=decay, eps=1e-6)
    rng = np.random.default_rng(0)
    start = rng.normal(size=(4, 3))
    ours = {"w": start.copy()}
    numpy_optimizer = NumpyOptimizer(spec, ours)
    theirs = [torch.nn.Parameter(torch.from_numpy(start.copy())) for _ in range(2)]
    optimizer, wrapped = reference(spec, theirs[0]), TorchOptimizer(spec, theirs[1])
    for step in range(30):
        lr = 0.05 / (1 + step)
        gradient = rng.normal(size=(4, 3))
        numpy_optimizer.step({"w": gradient}, lr)
        for parameter in theirs:
            parameter.grad = torch.from_numpy(gradient.copy())
        optimizer.param_groups[0]["lr"] = lr
        optimizer.step()
        wrapped.step(lr)
    for parameter in theirs:
        np.testing.assert_allclose(ours["w"], parameter.detach().numpy(), rtol=1e-12, atol=1e-14)


def torch_factors(make, epochs, steps):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], 1.0, momentum=0.9)
    scheduler = make(optimizer)
    out = []
    for _ in range(epochs * steps):
        out.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return np.array(out)


def ours(spec, epochs, steps):
    return np.concatenate([factors(spec, e, steps, epochs) for e in range(1, epochs + 1)])


def test_step_is_steplr():
    spec = ScheduleSpec(name="step", step_epochs=3, gamma=0.1)
    theirs = torch_factors(lambda o: torch.optim.lr_scheduler.StepLR(o, 3, 0.1), 10, 1)
    np.testing.assert_allclose(ours(spec, 10, 1), theirs, rtol=1e-12)
    # Within an epoch it stays.
    np.testing.assert_allclose(ours(spec, 10, 4), np.repeat(theirs, 4), rtol=1e-12)


def test_cosine_is_cosine_annealing():
    spec = ScheduleSpec(name="cosine")
    theirs = torch_factors(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 20), 5, 4)
    np.testing.assert_allclose(ours(spec, 5, 4), theirs, rtol=1e-9, atol=1e-12)


def test_one_cycle_is_onecyclelr():
    spec = ScheduleSpec(name="one-cycle", warmup=0.25)
    make = torch.optim.lr_scheduler.OneCycleLR
    theirs = torch_factors(lambda o: make(o, 1.0, 20, pct_start=0.25, cycle_momentum=False), 5, 4)
    np.testing.assert_allclose(ours(spec, 5, 4), theirs, rtol=1e-9, atol=1e-12)


def test_constant_is_one():
    assert ours(ScheduleSpec(), 2, 3).tolist() == [1.0] * 6


def test_linear_goes_down_to_zero_step_by_step():
    spec = ScheduleSpec(name="linear")
    theirs = torch_factors(lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.0, 20), 5, 4)
    np.testing.assert_allclose(ours(spec, 5, 4), theirs, rtol=1e-9)


def test_muon_is_no_optimiser_of_one_flat_array():
    spec = OptimizerSpec(name="muon")
    with pytest.raises(SpecError, match="'muon' is on the torch engine only"):
        NumpyOptimizer(spec, {"w": np.ones(2)}).step({"w": np.ones(2)}, 0.1)
    with pytest.raises(SpecError, match="'muon' is not one of PyTorch's"):
        TorchOptimizer(spec, torch.nn.Parameter(torch.ones(2)))

"""Muon: near-orthogonal steps, kernels of one norm, Adam for the rest, a state to go on from."""

import numpy as np
import pytest
import torch

from triptych.models import create_torch
from triptych.models.initial import cnn_weights, whitened_weights
from triptych.spec import CNNSpec, OptimizerSpec
from triptych.training.muon import MuonOptimizer, orthogonal
from triptych.training.torch_learner import FlatParameters
from triptych.training.torch_optimizer import TorchOptimizer, create_optimizer

pytestmark = pytest.mark.usefixtures("one_thread")

SPEC = OptimizerSpec(name="muon", lr=0.2, momentum=0.6, beta2=0.99, head_lr=0.03, shift_lr=0.005)
DESIGNS = {"vgg": cnn_weights, "whitened": whitened_weights}


class Bench:
    """A small network and its optimiser, given made-up gradients."""

    def __init__(self, design="whitened", spec=SPEC):
        network = CNNSpec(design=design, channels=(8, 40, 6), pool_after=(1,))
        weights = DESIGNS[design](network, 3, 5, np.random.default_rng(0))
        self.network = create_torch(network, weights)
        self.flat = FlatParameters(self.network)
        self.optimizer = create_optimizer(spec, self.network, self.flat.values)

    def step(self, number, lr):
        gradient = np.random.default_rng(number).normal(size=len(self.flat.grads))
        self.flat.grads.copy_(torch.from_numpy(gradient))
        self.optimizer.step(lr)

    def named(self):
        return {n: p.detach().clone() for n, p in self.network.named_parameters()}


shapes = [(32, 288), (128, 1152), (288, 32), (6, 360), (40, 72), (72, 40), (1, 9)]


@pytest.mark.parametrize("shape", shapes)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_singular_values_are_made_about_one(shape, scale):
    matrix = scale * torch.from_numpy(np.random.default_rng(0).normal(size=shape))
    found = orthogonal(matrix)
    assert found.shape == shape
    values = torch.linalg.svdvals(found)
    assert 0.3 < values.min() <= values.max() < 1.6


def test_singular_vectors_stay_and_values_from_a_hundredth_up_end_near_one():
    rng = np.random.default_rng(1)
    left, right = (np.linalg.qr(rng.normal(size=(n, 3)))[0] for n in (5, 7))
    for small in (0.01, 0.02, 0.1, 0.3, 0.6):
        values = np.array([(1 - small**2 - 0.25) ** 0.5, 0.5, small])
        found = orthogonal(torch.from_numpy(left * values @ right.T)).numpy()
        inside = left.T @ found @ right
        np.testing.assert_allclose(inside, np.diag(np.diag(inside)), atol=1e-6)
        assert 0.38 < np.diag(inside).min() <= np.diag(inside).max() < 1.3


def test_no_gradient_is_no_direction():
    assert torch.equal(orthogonal(torch.zeros(4, 9)), torch.zeros(4, 9))


def test_a_kernel_is_brought_to_its_norm_then_goes_along_its_nesterov_momentum():
    bench = Bench()
    moment = {name: torch.zeros_like(p) for name, p in bench.named().items()}
    for number, lr in enumerate((0.2, 0.1, 0.05)):
        before = bench.named()
        bench.step(number, lr)
        gradients = {n: p.grad for n, p in bench.network.named_parameters()}
        for name, kernel in bench.named().items():
            if kernel.dim() == 4:
                moment[name] = 0.6 * moment[name] + gradients[name]
                along = orthogonal((gradients[name] + 0.6 * moment[name]).flatten(1))
                start = before[name] * (len(kernel) ** 0.5 / before[name].norm())
                assert float(start.norm()) == pytest.approx(len(kernel) ** 0.5, rel=1e-12)
                torch.testing.assert_close(kernel, start - lr * along.view_as(kernel))


def test_kernels_stay_near_their_norm_however_long_they_are_trained():
    bench = Bench()
    for number in range(50):
        bench.step(number, 0.2)
    for kernel in bench.named().values():
        if kernel.dim() == 4:
            # One step is at most lr times about the root of the rows longer.
            assert float(kernel.norm()) == pytest.approx(len(kernel) ** 0.5, rel=0.25)


@pytest.mark.parametrize("design", sorted(DESIGNS))
def test_everything_else_goes_by_torchs_adam(design):
    bench, twin = Bench(design), Bench(design)
    names = dict(twin.network.named_parameters())
    groups = [
        {"params": [p for p in names.values() if p.dim() == 2], "rate": 0.03 / 0.2},
        {"params": [p for p in names.values() if p.dim() == 1], "rate": 0.005 / 0.2},
    ]
    adam = torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-8, foreach=False)
    for number, lr in enumerate((0.2, 0.15, 0.01)):
        bench.step(number, lr)
        twin.flat.grads.copy_(bench.flat.grads)
        for group in adam.param_groups:
            group["lr"] = group["rate"] * lr
        adam.step()
    for name, p in bench.named().items():
        if p.dim() != 4:
            torch.testing.assert_close(p, names[name].detach(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("design", sorted(DESIGNS))
def test_four_steps_are_two_and_two_more_after_a_load(design):
    whole, half, rest = Bench(design), Bench(design), Bench(design)
    for number in range(4):
        whole.step(number, 0.2 / (1 + number))
    for number in range(2):
        half.step(number, 0.2 / (1 + number))
    rest.flat.values.data.copy_(half.flat.values.data)
    moments = {kind: m.clone() for kind, m in half.optimizer.moments().items()}
    rest.optimizer.load(half.optimizer.steps, moments)
    for number in range(2, 4):
        rest.step(number, 0.2 / (1 + number))
    assert torch.equal(rest.flat.values, whole.flat.values)
    for kind, moment in whole.optimizer.moments().items():
        assert torch.equal(rest.optimizer.moments()[kind], moment)
        assert moment.any()
    assert rest.optimizer.steps == 4
    # What was loaded is copied: the other's next step does not reach it.
    half.step(9, 0.1)
    assert torch.equal(rest.flat.values, whole.flat.values)


def test_only_muon_is_muon():
    assert isinstance(Bench().optimizer, MuonOptimizer)
    assert isinstance(Bench(spec=OptimizerSpec(name="adam")).optimizer, TorchOptimizer)

"""Which networks of the torch engine are stacked, so that seeds take their steps in one call."""

from __future__ import annotations

import math

from triptych.contracts import Dataset
from triptych.engines.choice import DataShape
from triptych.models import cost_on
from triptych.spec import ArmSpec, AugmentSpec, CNNSpec, MLPSpec, ReferenceSpec

SEEDS_AT_ONCE = 32
"""The most seeds that are stacked: more gain nothing further (benchmarks/together.py)."""

# Floating-point operations of one seed's step, forward and back, up to which stacking pays: beyond,
# arithmetic takes the time, and calls do not. Of a 2-core AVX-512 CPU (benchmarks/together.py).
_MOST_WORK = {MLPSpec: 8e6, CNNSpec: 1.5e8}
# A run of fewer steps is over in half a second, and is better had at once.
_FEWEST_STEPS = 2000
# What rounds alike wherever a number lies in a tensor: a seed's bits must not depend on who lies
# beside it. Logistic and GELU do not, nor does BatchNorm of channels that fill no registers.
_ACTIVATIONS = ("relu", "tanh", "identity")
_CHANNELS = 8
# From so many channels on, convolutions alone may take Winograd's form.
_WINOGRAD = 32


def can_train_together(arm: ArmSpec, data: Dataset | DataShape, engine: str, device: str) -> bool:
    """Whether seeds of `arm` are stacked on the torch engine, where that pays.

    Not stacked are recurrent networks (each seed's sequences have lengths of their own), whitened
    CNNs, GELU and logistic MLPs, Muon, pictures that are varied, what finds a learning rate of its
    own, and what computes on a GPU.

    Parameters
    ----------
    arm : ArmSpec
    data : Dataset or DataShape
    engine, device : str
        That compute it.
    """
    if isinstance(arm.network, ReferenceSpec):
        return False
    network, train = arm.trained
    if engine != "torch" or device != "cpu" or train.optimizer.name == "muon":
        return False
    if train.resolutions or train.augment != AugmentSpec() or not _stacks(arm):
        return False
    if train.search is not None:
        return False
    rows = data.rows
    size = min(train.batch_size or rows, rows)
    work = 3 * size * cost_on(network, data).flops
    steps = train.epochs * math.ceil(rows / size)
    return steps >= _FEWEST_STEPS and work <= _MOST_WORK[type(network)]


def _stacks(arm: ArmSpec) -> bool:
    """Whether its kind of network can be stacked."""
    network, train = arm.trained
    if isinstance(network, MLPSpec):
        return network.activation in _ACTIVATIONS
    if not isinstance(network, CNNSpec) or network.design != "vgg":
        return False
    pairs = zip(network.channels, network.channels[1:], strict=False)
    winograd = train.dtype == "float32" and any(min(pair) >= _WINOGRAD for pair in pairs)
    return not winograd and all(c % _CHANNELS == 0 for c in network.channels)

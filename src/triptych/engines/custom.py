"""Networks of one's own: from the name in a spec to the function, the module, the learner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from triptych.chance import stream_seed
from triptych.contracts import Dataset, Learner
from triptych.engines.choice import DataShape
from triptych.errors import SpecError
from triptych.spec import ArmSpec, CustomSpec, nearest

Maker = Callable[[DataShape], Any]
"""Makes a ``torch.nn.Module`` for data of a shape."""

Makers = Mapping[str, Maker]

NONE: Makers = {}


def described(arm: ArmSpec, network: CustomSpec, data: DataShape, networks: Makers) -> CustomSpec:
    """Return `network` with what its function makes: class, code, parameters, FLOPs.

    Raises
    ------
    SpecError
        If there is no such function, or what it makes cannot be trained on `data`.
    """
    from triptych.models.custom_code import code_identity
    from triptych.models.custom_torch import make_module, module_cost

    maker, symbols = _maker(network, networks), _reads_symbols(arm, data)
    module = make_module(network.name, maker, data, 0, symbols=symbols)
    cost = module_cost(module, data, symbols=symbols)
    return replace(
        network,
        made=type(module).__name__,
        code=code_identity(maker, module),
        parameters=cost.parameters,
        flops=cost.flops,
    )


def create_custom(
    arm: ArmSpec, network: CustomSpec, data: Dataset, seed: int, device: str, networks: Makers
) -> Learner:
    """Return a network of one's own with its optimiser, bound to the training rows of `data`.

    Raises
    ------
    SpecError
        As `described` does.
    """
    import torch

    from triptych.models.custom_torch import make_module
    from triptych.training.custom_learner import CustomLearner

    _, train = arm.trained
    shape = DataShape.of(data)
    module = make_module(
        network.name, _maker(network, networks), shape, stream_seed(seed, "weights"),
        symbols=_reads_symbols(arm, shape),
    )  # fmt: skip
    module = module.to(device, getattr(torch, train.dtype))
    return CustomLearner(module, data.train, train, data.standardization, seed, data.outputs)


def _maker(network: CustomSpec, networks: Makers) -> Maker:
    if networks and network.name not in networks:
        near = nearest(network.name, networks)
        raise SpecError(f"networks: has no '{network.name}', which an arm names.{near}")
    if network.name not in networks:
        raise SpecError(
            f"network '{network.name}' is of kind 'custom': a file holds no code. Run the study "
            f"from Python: triptych.run(study, networks={{'{network.name}': make_module}})."
        )
    return networks[network.name]


def _reads_symbols(arm: ArmSpec, data: DataShape) -> bool:
    kind = arm.network.reads or arm.data.holds
    return kind == "sequences" and len(data.sample_shape) == 1

"""Which engine and device compute an arm, and the learner they make of it."""

from __future__ import annotations

import os
from functools import cache

from triptych.contracts import Dataset, Learner, stream
from triptych.errors import SpecError
from triptych.models import MLPNumpy, cost_on, create_torch, initial_weights
from triptych.records import environment
from triptych.spec import ArmSpec, MLPSpec
from triptych.training import CompiledLearner, NumpyLearner

# OpenMP's threads wait for each other in a busy loop unless told otherwise before PyTorch loads it.
# Beside any other busy program, steps as small as these then take up to nine times as long
# (docs/log.md, "waiting threads"); sleeping costs next to nothing. A user's own choice stands.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Below this many multiply-adds a step, a call into PyTorch costs more than the arithmetic.
_COMPILED_BELOW = 50_000
# From this many floating-point operations a step, threads share it.
_SHARED_FROM = 1_000_000_000


def choose_engine(arm: ArmSpec, data: Dataset) -> tuple[str, str]:
    """Return the engine that computes `arm`, and how to call it in a table."""
    if arm.engine != "auto":
        return arm.engine, arm.engine
    batch = arm.train.batch_size or len(data.train)
    small = batch * cost_on(arm.network, data).flops < 2 * _COMPILED_BELOW
    if isinstance(arm.network, MLPSpec) and small:
        engine = "numpy" if arm.network.dropout else "compiled"
        return engine, f"{engine} (chosen: calls into torch would cost more than the arithmetic)"
    return "torch", "torch (chosen: large enough to pay for its calls)"


def choose_device(asked: str, engine: str) -> str:
    """Return the device that `engine` computes on.

    Raises
    ------
    SpecError
        If a GPU was asked for and there is none.
    """
    if engine != "torch" or asked == "cpu":
        return "cpu"
    import torch

    if asked == "cuda" and not torch.cuda.is_available():
        raise SpecError("device: cuda is not available; use --device cpu.")
    return "cuda" if torch.cuda.is_available() else "cpu"


def create_learner(arm: ArmSpec, engine: str, data: Dataset, seed: int, device: str) -> Learner:
    """Return the network of `arm` with its optimiser, bound to the training rows of `data`."""
    weights = initial_weights(arm.network, data, stream(seed, "weights"))
    weights = {name: w.astype(arm.train.dtype) for name, w in weights.items()}
    masks = stream(seed, "dropout")
    if engine != "torch":
        assert isinstance(arm.network, MLPSpec)  # ArmSpec lets nothing else pass
        network = MLPNumpy(arm.network, weights)
        if engine == "compiled":
            # Here, because Numba takes half a second to load.
            from triptych.models.mlp_compiled import MLPCompiled

            kernel = MLPCompiled(network.weights, arm.train.optimizer, arm.train.clip_norm).fit
            return CompiledLearner(network, kernel, data.train, arm.train, data.standardization)
        return NumpyLearner(network, data.train, arm.train, data.standardization, masks)
    from triptych.training.torch_learner import TorchLearner

    module = create_torch(arm.network, weights, int(masks.integers(2**63)), device)
    return TorchLearner(module, data.train, arm.train, data.standardization)


@cache
def _all_threads() -> int:
    import torch

    return torch.get_num_threads()


def use_threads(arm: ArmSpec, data: Dataset, engine: str) -> None:
    """Let PyTorch compute with one thread where a step is too small to share.

    Two threads gain a tenth at best on such steps, and lose a multiple of it as soon as anything
    else wants a core (docs/log.md, "waiting threads").
    """
    if engine != "torch":
        return
    import torch

    rows = min(arm.train.batch_size or len(data.train), len(data.train))
    small = 3 * rows * cost_on(arm.network, data).flops < _SHARED_FROM
    every = _all_threads()
    torch.set_num_threads(1 if small else every)


def machine(engine: str, device: str) -> dict[str, str]:
    """Return the environment that `engine` computes in; see `triptych.records.environment`."""
    if engine != "torch":
        return environment(os.cpu_count() or 1, "cpu")
    import torch

    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    return environment(torch.get_num_threads(), name)

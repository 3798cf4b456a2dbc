"""From a network's spec and an engine's name to a learner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from triptych import chance
from triptych.chance import stream, stream_seed
from triptych.contracts import Dataset, IntArray, Learner, Split, Standardization, Weights
from triptych.engines.choice import DataShape
from triptych.engines.custom import NONE, Makers, create_custom
from triptych.engines.room import check_room
from triptych.engines.threads import keep_memory
from triptych.errors import SpecError
from triptych.models import CNNNumpy, MLPNumpy, RNNNumpy, create_torch, initial_weights
from triptych.spec import ArmSpec, CNNSpec, CustomSpec, MLPSpec, NetworkSpec, RNNSpec, TrainSpec
from triptych.training import (
    CompiledLearner,
    CompiledTogether,
    Kernels,
    NumpyLearner,
    Orders,
    weighted,
)

if TYPE_CHECKING:
    from triptych.training.torch_together import TorchTogether


def create_learner(
    arm: ArmSpec, engine: str, data: Dataset, seed: int, device: str, networks: Makers = NONE
) -> Learner:
    """Return the network of `arm` with its optimiser, bound to the training rows of `data`.

    Networks of one's own are made by the functions in `networks`.

    Raises
    ------
    ResourceError
        If there is too little memory for it.
    """
    network, train = arm.trained
    shape = DataShape.of(data)
    steps_on = shape.rows - train.rows_set_aside(shape.rows)
    check_room(network, train, replace(shape, rows=steps_on), device)
    rows = weighted(data.train, train.class_weight)
    if isinstance(network, CustomSpec):
        weighed = replace(data, train=rows)
        return create_custom(arm, network, weighed, seed, device, networks)
    weights = initial_weights(network, data, stream(seed, "weights"))
    return _CREATE[type(network)](
        network, train, engine, weights, rows, seed=seed, device=device,
        standardization=data.standardization,
    )  # fmt: skip


def create_cnn(  # noqa: PLR0913 (each is a choice of its own)
    network: CNNSpec,
    train: TrainSpec,
    engine: str,
    weights: Weights,
    split: Split,
    *,
    seed: int = 0,
    device: str = "cpu",
    standardization: Standardization | None = None,
) -> Learner:
    """Return a CNN with its optimiser, bound to the rows of `split`.

    Parameters
    ----------
    network : CNNSpec
    train : TrainSpec
    engine : {"numpy", "torch"}
    weights : Weights
        As `triptych.models.initial_weights` or a learner's `weights` gives them; copied, and cast
        to ``train.dtype``. Filters that whiten already are kept.
    split : Split
        Pictures (N, C, H, W).
    seed : int
        Of what varies pictures.
    device : str
        Of the torch engine.
    standardization : Standardization, optional
        Turns raw pictures into inputs.
    """
    weights = {name: w.astype(train.dtype) for name, w in weights.items()}
    if engine == "numpy":
        return NumpyLearner(CNNNumpy(network, weights), split, train, standardization)
    from triptych.training.torch_learner import TorchLearner

    keep_memory()  # what lies between layers is large
    module = create_torch(network, weights, device=device)
    learner = TorchLearner(module, split, train, standardization, stream_seed(seed, "augment"))
    if network.design == "whitened" and weights["whiten.weight"].any():
        # What follows them has learnt to read them; computed anew, some may change their sign.
        learner.whiten = None
    return learner


def create_mlp(  # noqa: PLR0913 (each is a choice of its own)
    network: MLPSpec,
    train: TrainSpec,
    engine: str,
    weights: Weights,
    split: Split,
    *,
    seed: int = 0,
    device: str = "cpu",
    standardization: Standardization | None = None,
) -> Learner:
    """Return an MLP with its optimiser, bound to the rows of `split`.

    Parameters
    ----------
    network : MLPSpec
    train : TrainSpec
    engine : {"numpy", "compiled", "torch"}
    weights : Weights
        ``w1 (I, H), b1 (H,), w2, ...``; copied, and cast to ``train.dtype``.
    split : Split
        Rows (N, I), or with more axes that are flattened.
    seed : int
        Of the dropout masks.
    device : str
        Of the torch engine.
    standardization : Standardization, optional
        Turns raw features into inputs.
    """
    weights = {name: np.array(w, dtype=train.dtype, order="C") for name, w in weights.items()}
    masks = stream_seed(seed, "dropout")
    if engine == "torch":
        from triptych.training.torch_learner import TorchLearner

        module = create_torch(network, weights, masks, device)
        return TorchLearner(module, split, train, standardization)
    numpy_network = MLPNumpy(network, weights, train.loss, masks)
    if engine == "numpy":
        return NumpyLearner(numpy_network, split, train, standardization)
    # Here, because Numba takes half a second to load.
    from triptych.models.compiled import Lanes, Plan

    matrices = list(weights.values())[::2]
    plan = Plan(
        sizes=(matrices[0].shape[0], *(w.shape[1] for w in matrices)),
        activation=network.activation,
        loss=train.loss,
        optimizer=train.optimizer,
        dtype=train.dtype,
        dropout=network.dropout,
        l2=train.l2,
        l2_scale=train.l2_scale,
        clip_norm=train.clip_norm,
    )
    kernels = Kernels(plan, Lanes)
    return CompiledLearner(numpy_network, kernels, split, train, standardization, masks)


def create_rnn(  # noqa: PLR0913 (each is a choice of its own)
    network: RNNSpec,
    train: TrainSpec,
    engine: str,
    weights: Weights,
    split: Split,
    *,
    seed: int = 0,
    device: str = "cpu",
    standardization: Standardization | None = None,
) -> Learner:
    """Return an RNN with its optimiser, bound to the sequences of `split`.

    Parameters
    ----------
    network : RNNSpec
    train : TrainSpec
    engine : {"numpy", "compiled", "torch"}
    weights : Weights
        As `triptych.models.initial_weights` gives them; copied, and cast to ``train.dtype``.
    split : Split
        Sequences, see `triptych.contracts.lengths_of`.
    seed : int
        Not used: nothing of a step is drawn.
    device : str
        Of the torch engine.
    standardization : Standardization, optional
        Turns raw features of a step into inputs; of vectors only.

    Raises
    ------
    SpecError
        If `engine` is not torch's, and the network is not one Elman layer that reads forward.
    """
    weights = {name: np.array(w, dtype=train.dtype, order="C") for name, w in weights.items()}
    if engine == "torch":
        from triptych.training.torch_learner import TorchLearner

        module = create_torch(network, weights, device=device)
        return TorchLearner(module, split, train, standardization)
    if not network.is_vanilla:
        raise SpecError(
            f"engine: '{engine}' computes one Elman layer that reads forward, got cell "
            f"'{network.cell}', layers {network.layers}, bidirectional {network.bidirectional}. "
            "Use 'torch'."
        )
    numpy_network = RNNNumpy(network, weights)
    if engine == "numpy":
        return NumpyLearner(numpy_network, split, train, standardization)
    from triptych.models.compiled import ElmanPlan

    plan = ElmanPlan(
        sizes=(*weights["wx"].shape, weights["wy"].shape[1]),
        output=network.output,
        optimizer=train.optimizer,
        dtype=train.dtype,
        l2=train.l2,
        l2_scale=train.l2_scale,
        clip_norm=train.clip_norm,
    )
    return CompiledLearner(numpy_network, Kernels(plan), split, train, standardization)


# Each takes its own kind of network, and all the same besides.
_CREATE: dict[type[NetworkSpec], Callable[..., Learner]] = {
    MLPSpec: create_mlp, CNNSpec: create_cnn, RNNSpec: create_rnn,
}  # fmt: skip


def create_orders(engine: str) -> Orders:
    """Return what draws orders: `triptych.chance.orders`, compiled where that pays."""
    if engine == "compiled":
        from triptych.models import compiled

        return compiled.Orders()

    def draw(seeds: Sequence[int], first_epoch: int, epochs: int, count: int) -> IntArray:
        return np.stack([chance.orders(seed, first_epoch, epochs, count) for seed in seeds])

    return draw


def create_together(engine: str) -> CompiledTogether | TorchTogether:
    """Return what lets learners of `engine` take their steps at the same time."""
    if engine == "compiled":
        return CompiledTogether()
    from triptych.training.torch_together import TorchTogether

    return TorchTogether()

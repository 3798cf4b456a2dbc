"""What a trained network is like inside: which findings a run gets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from triptych.chance import stream, stream_seed
from triptych.contracts import Array, Dataset, Learner, Split, State, Weights
from triptych.data import load
from triptych.explain import (
    SHARING,
    Boundary,
    Judged,
    calibration,
    chosen_epochs,
    class_shares,
    confusion,
    feature_maps,
    filters,
    gradient_flow,
    hidden_states,
    importance,
    levels,
    mistakes,
    occlusion,
)
from triptych.models import RNNNumpy, block_outputs, initial_weights
from triptych.records import Finding
from triptych.spec import ArmSpec, CNNSpec, MLPSpec, PalindromeSpec, RNNSpec

# One length for all arms, so that they can be compared; longer than what most are trained on.
_FLOW_LENGTH, _FLOW_STRINGS = 101, 64
_PATH_LENGTH, _PATH_STRINGS = 201, 200
# Smaller ones have no places to tell apart.
_LEAST_EDGE = 4


class Explainer:
    """Watches a run, and says at its end what explains it.

    It looks at a network only where that is judged anyway, and changes nothing: the weights of a
    run are the same with it.

    Parameters
    ----------
    arm : ArmSpec
    seed : int
    data : Dataset
        That the network is trained on.
    learner : Learner
        With its first weights.
    """

    def __init__(self, arm: ArmSpec, seed: int, data: Dataset, learner: Learner) -> None:
        self.arm, self.seed, self.data, self.learner = arm, seed, data, learner
        _, self.train = arm.trained
        self.boundary: Boundary | None = None
        if self._is_plane():
            self.boundary = Boundary(data.train, data.classes, self.train.loss, data.features)
            self.epochs = chosen_epochs(self.train.eval_every, self.train.epochs)
            self.boundary.look(0, learner.outputs)

    def _is_plane(self) -> bool:
        """Whether an MLP tells classes from two features."""
        data = self.data
        plane = data.kind == "table" and data.sample_shape == (2,) and bool(data.classes)
        return plane and isinstance(self.arm.network, MLPSpec) and self.train.loss in SHARING

    def look(self, epoch: int) -> None:
        """See the network after `epoch`, where that is one to see."""
        if self.boundary is not None and epoch in self.epochs:
            self.boundary.look(epoch, self.learner.outputs)

    def state(self) -> State:
        """Return what it has seen so far."""
        return State() if self.boundary is None else self.boundary.state()

    def restore(self, state: State) -> None:
        """Put back what `state` returned."""
        if self.boundary is not None:
            self.boundary.restore(state)

    def findings(self, weights: Weights, epoch: int) -> tuple[Finding, ...]:
        """Return the findings on the network with the weights that it ended with.

        Parameters
        ----------
        weights : Weights
            That the learner has too.
        epoch : int
            After which it had them.
        """
        if isinstance(self.arm.network, RNNSpec):
            return _recurrent(self.arm, self.seed, self.data, weights)
        return tuple(self._found(weights, epoch))

    def _found(self, weights: Weights, epoch: int) -> Iterator[Finding]:
        network, data, tells = self.arm.network, self.data, self.learner.outputs
        if self.boundary is not None:
            self.boundary.look(epoch, tells)
            yield self.boundary.finding(epoch)
        elif data.kind == "table":
            yield importance(tells, data.test, data.features, stream(self.seed, "explain"))
        judged = self._judged()
        if judged is None:
            return
        yield calibration(judged)
        if self.boundary is None:  # which says as much
            yield confusion(judged)
            worst = mistakes(judged, data.features)
            yield from [] if worst is None else [worst]
        if judged.black_white is not None:
            first = filters(weights, data.sample_shape)
            yield from [] if first is None else [first]
            if isinstance(network, CNNSpec):
                maps = _maps(network, data, weights, judged)
                yield from [] if maps is None else [maps]
            yield occlusion(tells, self.train.loss, judged, _cover(data))

    def _judged(self) -> Judged | None:
        """Return the test rows and the probabilities of their classes, where there are any."""
        data, test = self.data, self.data.test
        if not data.classes:
            return None
        shares = class_shares(self.learner.outputs(test.x), self.train.loss)
        if shares is None or not np.isfinite(shares).all():
            return None
        has_places = data.kind == "pictures" and min(data.sample_shape[1:]) >= _LEAST_EDGE
        return Judged(
            test.x, test.y, shares, data.classes, levels(data.train) if has_places else None
        )


def _maps(network: CNNSpec, data: Dataset, weights: Weights, judged: Judged) -> Finding | None:
    rows = judged.first_of_each(1)
    picture = judged.pictures(rows)
    assert picture is not None
    x = judged.x[rows]
    x = x.astype("float32") if data.standardization is None else data.standardization(x, "float32")
    maps = [block[0] for block in block_outputs(network, weights, x)]
    return feature_maps(maps, picture[0], judged.names(judged.y[rows])[0])


def _cover(data: Dataset) -> Array:
    """Return the mean of the training pictures by channel, (C, 1, 1), as raw pictures have it."""
    scale = data.standardization
    mean_CHW = data.train.x.mean(axis=0) if scale is None else scale.mean
    mean: Array = mean_CHW.mean(axis=(1, 2), keepdims=True)
    return mean.round() if data.train.x.dtype == np.uint8 else mean


def _recurrent(arm: ArmSpec, seed: int, data: Dataset, weights: Weights) -> tuple[Finding, ...]:
    """Return the findings on a vanilla RNN of palindromes."""
    network, source = arm.network, arm.data
    if not isinstance(network, RNNSpec) or not network.is_vanilla:
        return ()
    # Of strings whose steps were scrambled, "so far back in time" says nothing.
    if not isinstance(source, PalindromeSpec) or arm.scrambled:
        return ()
    first = initial_weights(network, data, stream(seed, "weights"))
    before = RNNNumpy(network, first)
    after = RNNNumpy(network, {name: w.astype("float64") for name, w in weights.items()})
    return (
        gradient_flow(before, after, _strings(source, seed, _FLOW_LENGTH, _FLOW_STRINGS)),
        hidden_states(after, _strings(source, seed, _PATH_LENGTH, _PATH_STRINGS)),
    )


def _strings(source: PalindromeSpec, seed: int, length: int, count: int) -> Split:
    """Draw palindromes of one length, from a stream that no training draws from."""
    spec = replace(source, length=length, shortest=None, probes=(), train_size=1, test_size=count)
    return load(spec, stream_seed(seed, "explain")).test

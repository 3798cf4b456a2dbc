"""What a trained network is like inside: which findings a run gets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from triptych.chance import stream, stream_seed
from triptych.contracts import Dataset, Learner, Split, State, Weights
from triptych.data import load
from triptych.explain import (
    SHARING,
    Boundary,
    Judged,
    Tempered,
    calibration,
    chosen_epochs,
    class_shares,
    confusion,
    feature_maps,
    filters,
    gradient_flow,
    hidden_states,
    importance,
    learning_rates,
    levels,
    mistakes,
    occlusion,
)
from triptych.models import RNNNumpy, block_outputs, initial_weights
from triptych.records import Finding
from triptych.runner.attributions import cover, rested_on
from triptych.spec import (
    ArmSpec,
    CNNSpec,
    CustomSpec,
    MLPSpec,
    PalindromeSpec,
    RNNSpec,
    SequenceFileSpec,
)
from triptych.training import RateFound

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

    Attributes
    ----------
    rates : RateFound or None
        Set where a learning rate was looked for.
    seconds : float
        Spent here so far.
    """

    def __init__(self, arm: ArmSpec, seed: int, data: Dataset, learner: Learner) -> None:
        self.seconds = 0.0
        self.arm, self.seed, self.data, self.learner = arm, seed, data, learner
        self.rates: RateFound | None = None
        self.temperature: float | None = None
        _, self.train = arm.trained
        self.boundary: Boundary | None = None
        if self._is_plane():
            self.boundary = Boundary(data.train, data.classes, self.train.loss, data.features)
            self.epochs = chosen_epochs(self.train.eval_every, self.train.epochs)
            self.boundary.look(0, learner.outputs)

    def _is_plane(self) -> bool:
        """Whether an MLP, or a network of one's own, tells classes from two features."""
        data = self.data
        plane = data.kind == "table" and data.sample_shape == (2,) and bool(data.classes)
        kinds = MLPSpec | CustomSpec
        return plane and isinstance(self.arm.network, kinds) and self.train.loss in SHARING

    def look(self, epoch: int) -> None:
        """See the network after `epoch`, where that is one to see."""
        if self.boundary is not None and epoch in self.epochs:
            with self._timed():
                self.boundary.look(epoch, self.learner.outputs)

    def state(self) -> State:
        """Return what it has seen so far."""
        return State() if self.boundary is None else self.boundary.state()

    def restore(self, state: State) -> None:
        """Put back what `state` returned."""
        if self.boundary is not None:
            self.boundary.restore(state)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - started

    def findings(
        self, weights: Weights, epoch: int, temperature: float | None = None
    ) -> tuple[Finding, ...]:
        """Return the findings on the network with the weights that it ended with.

        Parameters
        ----------
        weights : Weights
            That the learner has too.
        epoch : int
            After which it had them.
        temperature : float, optional
            By which its outputs are divided.
        """
        self.temperature = temperature
        with self._timed():
            return (*self._all(weights, epoch), *self._searched())

    def _all(self, weights: Weights, epoch: int) -> Iterator[Finding]:
        if isinstance(self.arm.network, RNNSpec):
            yield from _recurrent(self.arm, self.seed, self.data, weights)
            yield from self._of_own_sequences()
            return
        yield from self._found(weights, epoch)

    def _of_own_sequences(self) -> Iterator[Finding]:
        judged = self._judged() if isinstance(self.arm.data, SequenceFileSpec) else None
        if judged is not None:
            yield self._calibration(judged)
            yield confusion(judged)

    def _calibration(self, judged: Judged) -> Finding:
        if self.temperature is None:
            return calibration(judged)
        before = self._judged(divided=False)
        assert before is not None
        return calibration(judged, Tempered(self.temperature, before))

    def _searched(self) -> Iterator[Finding]:
        if self.rates is not None:
            yield learning_rates(self.rates.rates, self.rates.losses, self.rates.best)

    def _found(self, weights: Weights, epoch: int) -> Iterator[Finding]:
        network, data, tells = self.arm.network, self.data, self.learner.outputs
        if self.boundary is not None:
            self.boundary.look(epoch, tells)
            yield self.boundary.finding(epoch)
        elif data.kind == "table":
            yield importance(tells, data.test, data.features, stream(self.seed, "explain"))
        judged = self._judged()
        if self.boundary is None and isinstance(network, MLPSpec | CNNSpec):
            rests = rested_on(network, self.train, data, weights, judged, self.temperature or 1.0)
            yield from [] if rests is None else [rests]
        if judged is None:
            return
        yield self._calibration(judged)
        if self.boundary is None:  # which says as much
            yield confusion(judged)
        if self.boundary is None and data.kind != "sequences":
            worst = mistakes(judged, data.features, data.origin)
            yield from [] if worst is None else [worst]
        if judged.black_white is not None:
            yield from self._of_pictures(weights, judged)

    def _of_pictures(self, weights: Weights, judged: Judged) -> Iterator[Finding]:
        network, data = self.arm.network, self.data
        if not isinstance(network, CustomSpec):  # whose layers have any names
            first = filters(weights, data.sample_shape)
            yield from [] if first is None else [first]
        if isinstance(network, CNNSpec):
            maps = _maps(network, data, weights, judged)
            yield from [] if maps is None else [maps]
        yield occlusion(self.learner.outputs, self.train.loss, judged, cover(data))

    def _judged(self, *, divided: bool = True) -> Judged | None:
        """Return the test rows and the probabilities of their classes, where there are any.

        Those of outputs that are divided by the temperature, if there is one, unless told not to.
        """
        data, test = self.data, self.data.test
        if not data.classes:
            return None
        by = self.temperature if self.temperature and divided else 1.0
        shares = class_shares(self.learner.outputs(test.x) / by, self.train.loss)
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

"""Our layers, which call a learner's beside them and compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from triptych.contracts import Array, Backward, FloatArray
from triptych.models.cnn_layers_numpy import Pool
from triptych.models.layers_numpy import Activation, Dense, DenseBackward
from triptych.models.losses_numpy import Loss, LossBackward
from triptych.models.rnn_layers_numpy import Elman, ElmanBackward, ElmanGrads
from triptych.twin.diagnosis import agrees, diagnose
from triptych.twin.functions import Functions, raised
from triptych.twin.rnn_mistakes import mistakes_back, mistakes_forward, one_hot

# How a layer is called, by its function. The first function of each counts the layers.
MLP_PLACES = {"dense": "layer {}", "activation": "layer {}", "loss": "the loss"}
CNN_PLACES = {
    "conv": "conv{}", "norm": "norm{}", "activation": "relu{}", "pool": "pool{}", "dense": "head",
    "loss": "the loss",
}  # fmt: skip
RNN_PLACES = {"elman": "the recurrent layer", "dense": "the readout", "loss": "the loss"}

# Results of usual mistakes, by their description.
Guesses = Mapping[str, FloatArray]
Guess = Callable[..., Guesses]


def _nothing(*_: object) -> Guesses:
    return {}


@dataclass(frozen=True)
class Departure:
    """The first tensor that is not ours.

    Attributes
    ----------
    step : int
        Counted from 1.
    place : str
        ``"layer 2"``, ``"conv1"``, ``"the loss"``.
    function, tensor : str
        Which of the learner's functions, and which of the things it returned.
    what : str
        How it differs, in words.
    """

    step: int
    place: str
    function: str
    tensor: str
    what: str


class Departed(Exception):
    """Carries the departure out of the network's own code."""

    def __init__(self, departure: Departure) -> None:
        super().__init__(departure.what)
        self.departure = departure


class Judge:
    """Makes each call with ours and with the learner's function, and compares.

    Parameters
    ----------
    mine : Functions
    path : Path
        The learner's file.
    places : dict of str to str
        `MLP_PLACES`, `CNN_PLACES` or `RNN_PLACES`.
    """

    def __init__(self, mine: Functions, path: Path, places: dict[str, str]) -> None:
        self.mine, self.path, self.places = mine, path, places
        self.step = self.layer = 0

    def start(self, step: int) -> None:
        """Begin a step: the next layer is the first."""
        self.step, self.layer = step, 0

    def _place(self, function: str) -> str:
        self.layer += function == next(iter(self.places))
        return self.places[function].format(self.layer)

    def weighted(
        self, function: str, ours: Dense, guess: Guess = _nothing, guess_back: Guess = _nothing
    ) -> Dense:
        """Return what stands in for a layer with a weight and a bias.

        Parameters
        ----------
        function : str
            ``"dense"``, ``"conv"`` or ``"norm"``.
        ours : Dense
            Ours, or another of its signature.
        guess, guess_back : callable, optional
            Map ``(x, w, b)`` and ``(dy, x, w, b)`` to results of usual mistakes.
        """
        forward, back = f"{function}_forward", f"{function}_backward"

        def judged(x: FloatArray, w: FloatArray, b: FloatArray) -> tuple[FloatArray, DenseBackward]:
            place = self._place(function)
            y, backward = ours(x, w, b)
            bare = y - (b[:, None, None] if y.ndim > 2 else b)
            y = self._check(
                forward, place, {"y": y}, (x, w, b), len(x),
                lambda _: {"lacks its bias": bare, **guess(x, w, b)},
            )["y"]  # fmt: skip

            def judged_back(dy: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
                tensors = dict(zip(("dx", "dw", "db"), backward(dy), strict=True))
                found = self._check(
                    back, place, tensors, (dy, x, w, b), len(x), lambda _: guess_back(dy, x, w, b)
                )
                return found["dx"], found["dw"], found["db"]

            return y, judged_back

        return judged

    def activation(self, ours: Activation) -> Activation:
        """Return what stands in for an activation."""

        def judged(x: FloatArray) -> tuple[FloatArray, Backward]:
            place = self._place("activation")
            y, backward = ours(x)
            y = self._check("activation_forward", place, {"y": y}, (x,), len(x))["y"]

            def judged_back(dy: FloatArray) -> FloatArray:
                missing = {"is dy itself: the activation's slope is missing": dy}
                tensors, arguments = {"dx": backward(dy)}, (dy, x)
                return self._check(
                    "activation_backward", place, tensors, arguments, len(x), lambda _: missing
                )["dx"]

            return y, judged_back

        return judged

    def pool(self, ours: Pool) -> Pool:
        """Return what stands in for max pooling; a learner's knows its window."""

        def judged(
            x: FloatArray, size: int, stride: int, padding: int
        ) -> tuple[FloatArray, Backward]:
            place = self._place("pool")
            y, backward = ours(x, size, stride, padding)
            y = self._check("pool_forward", place, {"y": y}, (x,), len(x))["y"]

            def judged_back(dy: FloatArray) -> FloatArray:
                return self._check("pool_backward", place, {"dx": backward(dy)}, (dy, x), len(x))[
                    "dx"
                ]

            return y, judged_back

        return judged

    def elman(self, ours: Elman) -> Elman:
        """Return what stands in for the recurrent layer; a learner's reads one-hot vectors."""

        def judged(
            x: Array, h_BH: FloatArray, *weights: FloatArray
        ) -> tuple[FloatArray, ElmanBackward]:
            place = self._place("elman")
            wx, bx, wh, bh = weights
            h_TBH, backward = ours(x, h_BH, wx, bx, wh, bh)
            x_BTV = one_hot(x, wx)
            h_TBH = self._check(
                "elman_forward", place, {"h": h_TBH}, (x_BTV, h_BH, *weights), len(x),
                lambda _: mistakes_forward(x_BTV, h_TBH, *weights),
            )["h"]  # fmt: skip

            def judged_back(dh_BH: FloatArray) -> ElmanGrads:
                *grads, dh_TBH = backward(dh_BH)
                tensors = dict(zip(ElmanGrads._fields, grads, strict=False))
                found = self._check(
                    "elman_backward", place, tensors, (dh_BH, x_BTV, h_TBH, *weights), len(x),
                    lambda name: mistakes_back(name, dh_BH, x_BTV, h_TBH, *weights),
                )  # fmt: skip
                return ElmanGrads(**found, dh_TBH=dh_TBH)

            return h_TBH, judged_back

        return judged

    def loss(self, ours: Loss) -> Loss:
        """Return what stands in for a loss."""

        def judged(z: FloatArray, y: Array, share: FloatArray) -> tuple[float, LossBackward]:
            place = self._place("loss")
            value, backward = ours(z, y, share)
            tensors = {"the loss": np.array(value)}
            found = self._check("loss_forward", place, tensors, (z, y), len(z))["the loss"]

            def judged_back() -> FloatArray:
                dz = backward()
                guesses = {}
                if y.ndim == 1:
                    hot = (y[:, None] == np.arange(z.shape[1])) * share[:, None]
                    guesses = {
                        "is softmax(z) alone: 1 is not subtracted at the right class": dz + hot,
                        "is softmax(z) alone, and not divided by the batch": (dz + hot)
                        / share[:, None],
                    }
                return self._check(
                    "loss_backward", place, {"dz": dz}, (z, y), len(z), lambda _: guesses
                )["dz"]

            return float(found), judged_back

        return judged

    def _check(
        self,
        function: str,
        place: str,
        ours: Mapping[str, FloatArray],
        arguments: tuple[Array, ...],
        batch: int,
        guesses: Guess = _nothing,
    ) -> dict[str, FloatArray]:
        """Return what the learner's function does, or ours where there is none.

        `guesses` maps the name of a tensor to results of usual mistakes in it.
        """
        if function not in self.mine:
            return dict(ours)
        whole = Departure(self.step, place, function, "", "")
        try:
            # Copies, so that a function that writes to its arguments does not spoil ours.
            found = self.mine[function](*(a.copy() for a in arguments))
        except Exception as error:
            raise Departed(replace(whole, what=f"raised {raised(error, self.path)}")) from error
        parts = found if len(ours) > 1 else (found,)
        if not isinstance(parts, tuple | list) or len(parts) != len(ours):
            what = f"must return ({', '.join(ours)}), returned {_kind(found)}"
            raise Departed(replace(whole, what=what))
        for (name, right), part in zip(ours.items(), parts, strict=True):
            if not agrees(part, right):
                what = diagnose(part, right, batch, guesses(name))
                raise Departed(replace(whole, tensor=name, what=what))
        return {
            name: np.asarray(part, dtype=np.float64) for name, part in zip(ours, parts, strict=True)
        }


def _kind(value: object) -> str:
    if isinstance(value, tuple | list):
        return f"{len(value)} things"
    return f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else repr(value)

"""The vanilla (Elman) recurrent network in NumPy: the reference that other engines are held to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from triptych.contracts import Array, FloatArray, Weights
from triptych.models.layers_numpy import Dense, DenseBackward, dense
from triptych.models.losses_numpy import LOSSES, Loss, shares
from triptych.models.rnn_layers_numpy import Elman, ElmanBackward, elman, softmax
from triptych.spec import RNNSpec

# Unless there is a way back to go, the states of so many steps are held at once, and of fewer where
# there are many rows: 4096 rows of 128 units would hold 4 GB. This is 128 MB in float64.
_STEPS_AT_ONCE = 1000
_VALUES_AT_ONCE = 2**24


@dataclass(frozen=True)
class RNNLayers:
    """The functions that a network is made of; another one may stand in for each."""

    elman: Elman = elman
    dense: Dense = dense
    loss: Loss = LOSSES["softmax"]


class RNNNumpy:
    """``h_t = tanh(x_t Wx + bx + h_{t-1} Wh + bh)``, ``y = h_T Wy + by`` (Elman, 1990).

    Parameters
    ----------
    spec : RNNSpec
        One Elman layer, forward in time. With ``output="softmax"`` y is turned into probabilities
        before it is handed to the loss, as the paper's code does; the loss then applies a second
        softmax.
    weights : Weights
        ``wx (V, H), bx, wh (H, H), bh, wy (H, C), by``; kept, not copied.

    Attributes
    ----------
    weights : Weights
        The arrays it computes with; a step changes them in place.
    functions : RNNLayers
        What it computes with.
    """

    reads: Literal["sequences"] = "sequences"
    min_batch = 1

    def __init__(self, spec: RNNSpec, weights: Weights) -> None:
        self.spec = spec
        self.weights = weights
        self.functions = RNNLayers()

    @property
    def trainable(self) -> Weights:
        """All weights: each has a gradient."""
        return self.weights

    def products(self, sample_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of one sample's forward pass; symbols take none to read."""
        w = self.weights
        drive = w["wx"].size if len(sample_shape) == 2 else 0
        return sample_shape[0] * (w["wh"].size + drive) + w["wy"].size

    def states(self, x: Array, h_BH: FloatArray | None = None) -> tuple[FloatArray, ElmanBackward]:
        """Return the hidden states (T + 1, B, H) and their backward; see `elman`.

        `h_BH` is the state before the first step: zeros where absent.
        """
        w = self.weights
        if h_BH is None:
            h_BH = np.zeros((len(x), len(w["wh"])), w["wh"].dtype)
        return self.functions.elman(x, h_BH, w["wx"], w["bx"], w["wh"], w["bh"])

    def _read(self, h_BH: FloatArray) -> tuple[FloatArray, DenseBackward]:
        """Return what is handed to the loss, (B, C), and the backward to state and weights."""
        y_BC, backward = self.functions.dense(h_BH, self.weights["wy"], self.weights["by"])
        if self.spec.output == "logits":
            return y_BC, backward
        p_BC, softmax_backward = softmax(y_BC)
        return p_BC, lambda dp_BC: backward(softmax_backward(dp_BC))

    def outputs(self, x: Array) -> FloatArray:
        """Return logits, or probabilities, (B, C) for symbols (B, T) or vectors (B, T, V)."""
        h_BH = None
        values = max(1, len(x) * len(self.weights["wh"]))
        steps = max(1, min(_STEPS_AT_ONCE, _VALUES_AT_ONCE // values))
        for start in range(0, max(x.shape[1], 1), steps):
            h_TBH, _ = self.states(x[:, start : start + steps], h_BH)
            h_BH = h_TBH[-1]
        assert h_BH is not None
        return self._read(h_BH)[0]

    def loss(self, outputs: FloatArray, y: Array, weight: FloatArray | None = None) -> float:
        """Return the mean loss of outputs (B, C) for classes (B,)."""
        return self.functions.loss(outputs, y, shares(len(outputs), weight, outputs.dtype))[0]

    def loss_and_grads(
        self, x: Array, y: Array, weight: FloatArray | None = None, step: int = 0
    ) -> tuple[float, Weights]:
        """Return the mean loss and its gradients, named like the weights.

        Parameters
        ----------
        x : Array
            Symbols (B, T) or vectors (B, T, V).
        y : Array, shape (B,)
            Classes.
        weight : FloatArray, shape (B,), optional
            How much each row counts.
        step : int
            Not used: nothing is dropped.
        """
        loss, dh_BH, backward, dwy, dby = self._back(x, y, weight)
        g = backward(dh_BH)
        return loss, {
            "wx": g.dwx, "bx": g.dbx, "wh": g.dwh, "bh": g.dbh, "wy": dwy, "by": dby,
        }  # fmt: skip

    def state_gradients(self, x: Array, y: Array) -> FloatArray:
        """Return the gradient of the mean loss with respect to each hidden state (T + 1, B, H)."""
        _, dh_BH, backward, _, _ = self._back(x, y, None)
        return backward(dh_BH).dh_TBH

    def _back(
        self, x: Array, y: Array, weight: FloatArray | None
    ) -> tuple[float, FloatArray, ElmanBackward, FloatArray, FloatArray]:
        """Return the mean loss, and all gradients but those through time."""
        h_TBH, through_time = self.states(x)
        y_BC, read_backward = self._read(h_TBH[-1])
        loss, loss_backward = self.functions.loss(y_BC, y, shares(len(y), weight, y_BC.dtype))
        dh_BH, dwy, dby = read_backward(loss_backward())
        return loss, dh_BH, through_time, dwy, dby

"""The multilayer perceptron in NumPy: the reference that the other engines are held to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from triptych.chance import dropout_mask
from triptych.contracts import Array, Backward, FloatArray, Weights
from triptych.models.initial import mlp_weights
from triptych.models.layers_numpy import ACTIVATIONS, Activation, Dense, DenseBackward, dense, drop
from triptych.models.losses_numpy import LOSSES, Loss, shares
from triptych.spec import MLPSpec


@dataclass(frozen=True)
class Layers:
    """The functions that a network is made of; another one may stand in for each."""

    dense: Dense
    activation: Activation
    loss: Loss

    @classmethod
    def of(cls, activation: str, loss: str) -> Layers:
        """Return ours, by the names of the specs."""
        return cls(dense, ACTIVATIONS[activation], LOSSES[loss])


class MLPNumpy:
    """A multilayer perceptron with an activation between its linear layers.

    Parameters
    ----------
    spec : MLPSpec
    weights : Weights
        ``w1 (I, H), b1 (H,), ...``, see `triptych.models.initial.mlp_weights`; kept, not copied.
    loss : str
        A name of `triptych.models.losses_numpy.LOSSES`.
    dropout_seed : int
        Keys the dropout masks, see `triptych.chance.dropout_mask`.

    Attributes
    ----------
    weights : Weights
        The arrays it computes with; a step changes them in place.
    functions : Layers
        What it computes with.
    """

    reads: Literal["rows"] = "rows"
    min_batch = 1

    def __init__(
        self, spec: MLPSpec, weights: Weights, loss: str = "softmax", dropout_seed: int = 0
    ) -> None:
        self.spec = spec
        self.weights = weights
        self.dropout_seed = dropout_seed
        self.functions = Layers.of(spec.activation, loss)
        self.layers = range(1, len(spec.hidden) + 2)

    @classmethod
    def create(cls, spec: MLPSpec, inputs: int, classes: int, rng: np.random.Generator) -> MLPNumpy:
        """Return a network with first weights drawn from `rng`, float64."""
        return cls(spec, mlp_weights(spec, inputs, classes, rng))

    @property
    def trainable(self) -> Weights:
        """All weights: each has a gradient."""
        return self.weights

    def products(self, sample_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of one sample's forward pass, and as many as biases."""
        return sum(w.size for w in self.weights.values())

    def outputs(self, x: FloatArray) -> FloatArray:
        """Return the output in eval mode, shape (B, O), for x of shape (B, I)."""
        out = x
        for k in self.layers:
            out, _ = self.functions.dense(out, self.weights[f"w{k}"], self.weights[f"b{k}"])
            if k != self.layers[-1]:
                out, _ = self.functions.activation(out)
        return out

    def outputs_and_backward(self, x: FloatArray) -> tuple[FloatArray, Backward]:
        """Return the output (B, O) in eval mode, and what maps a slope by it to one by x (B, I)."""
        out = x
        backwards: list[Backward] = []
        for k in self.layers:
            w_IO, b_O = self.weights[f"w{k}"], self.weights[f"b{k}"]
            out, dense_backward = self.functions.dense(out, w_IO, b_O)
            backwards.append(_by_input(dense_backward))
            if k != self.layers[-1]:
                out, slope = self.functions.activation(out)
                backwards.append(slope)

        def backward(dy: FloatArray) -> FloatArray:
            for layer in reversed(backwards):
                dy = layer(dy)
            return dy

        return out, backward

    def loss(self, outputs: FloatArray, y: Array, weight: FloatArray | None = None) -> float:
        """Return the mean loss of outputs (B, O) for classes (B,) or targets (B, O)."""
        return self.functions.loss(outputs, y, shares(len(outputs), weight, outputs.dtype))[0]

    def loss_and_grads(
        self, x: FloatArray, y: Array, weight: FloatArray | None = None, step: int = 0
    ) -> tuple[float, Weights]:
        """Return the mean loss in train mode and its gradients, named like the weights.

        Parameters
        ----------
        x : FloatArray, shape (B, I)
        y : Array
            Classes (B,) for the softmax loss, else targets (B, O).
        weight : FloatArray, shape (B,), optional
            How much each row counts.
        step : int
            Steps taken before; the dropout masks depend on it.
        """
        out = x
        dense_backwards: list[DenseBackward] = []
        between: list[list[Backward]] = []
        for k in self.layers:
            w_IO, b_O = self.weights[f"w{k}"], self.weights[f"b{k}"]
            out, dense_backward = self.functions.dense(out, w_IO, b_O)
            dense_backwards.append(dense_backward)
            if k != self.layers[-1]:
                out, backwards = self._activate(out, step, k - 1)
                between.append(backwards)
        share_B = shares(len(y), weight, out.dtype)
        loss, loss_backward = self.functions.loss(out, y, share_B)
        gradient = loss_backward()
        grads: Weights = {}
        for k in reversed(self.layers):
            gradient, dw_IO, db_O = dense_backwards[k - 1](gradient)
            grads[f"w{k}"], grads[f"b{k}"] = dw_IO, db_O
            if k > 1:
                for backward in reversed(between[k - 2]):
                    gradient = backward(gradient)
        return loss, {name: grads[name] for name in self.weights}

    def _activate(self, x: FloatArray, step: int, layer: int) -> tuple[FloatArray, list[Backward]]:
        out, slope = self.functions.activation(x)
        if not self.spec.dropout:
            return out, [slope]
        shape = (out.shape[0], out.shape[1])
        mask = dropout_mask(self.dropout_seed, step, layer, shape, self.spec.dropout)
        out, masked = drop(out, mask)
        return out, [slope, masked]


def _by_input(backward: DenseBackward) -> Backward:
    """Return the backward of a linear layer without the gradients of its weights."""
    return lambda dy: backward(dy)[0]

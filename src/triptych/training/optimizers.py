"""The optimisers in NumPy, with PyTorch's definitions, so that the engines can be twins."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import assert_never

import numpy as np

from triptych.contracts import Array, FloatArray, Weights
from triptych.errors import SpecError
from triptych.spec import OptimizerSpec


class NumpyOptimizer:
    """Changes weights in place by one step at a time.

    Parameters
    ----------
    spec : OptimizerSpec
        Its `lr` is not used: each step is told its own.
    weights : Weights
        The arrays to change.

    Attributes
    ----------
    steps : int
        Taken so far.
    first, second : Weights
        The moments, named like the weights; a momentum's velocity is a first moment.
    """

    def __init__(self, spec: OptimizerSpec, weights: Weights) -> None:
        self.spec = spec
        self.weights = weights
        self.steps = 0
        self.first = {name: np.zeros_like(w) for name, w in weights.items()}
        self.second = {name: np.zeros_like(w) for name, w in weights.items()}

    def step(self, grads: Mapping[str, Array], lr: float) -> None:
        """Take one step along `grads`, which are named like the weights."""
        self.steps += 1
        decay = self.spec.weight_decay
        for name, w in self.weights.items():
            g = grads[name]
            if decay and self.spec.name == "adamw":
                w *= 1 - lr * decay
            elif decay:
                g = g + decay * w
            self._update(name, w, g, lr)

    def _update(self, name: str, w: FloatArray, g: FloatArray, lr: float) -> None:
        first, second, spec = self.first[name], self.second[name], self.spec
        match spec.name:
            case "sgd":
                w -= lr * g
            case "momentum" | "nesterov":
                # PyTorch's momentum starts at the first gradient; from zeros that is the same.
                first *= spec.momentum
                first += g
                w -= lr * (g + spec.momentum * first if spec.name == "nesterov" else first)
            case "rmsprop":
                second *= spec.alpha
                second += (1 - spec.alpha) * g * g
                w -= lr * g / (np.sqrt(second) + spec.eps)
            case "adam" | "adamw":
                first += (1 - spec.beta1) * (g - first)
                second *= spec.beta2
                second += (1 - spec.beta2) * g * g
                root = 1 / math.sqrt(1 - spec.beta2**self.steps)
                eps = adam_epsilon(spec, self.steps)
                pace = lr / (1 - spec.beta1**self.steps)
                w -= pace * first / (np.sqrt(second) * root + eps)
            case "muon":
                raise SpecError("optimizer: 'muon' is on the torch engine only.")
            case _:
                assert_never(spec.name)

    def state(self) -> Weights:
        """Return a copy of ``steps``, and of ``first/NAME`` and ``second/NAME`` of each weight."""
        state: Weights = {"steps": np.array(self.steps)}
        for kind, moments in (("first", self.first), ("second", self.second)):
            state |= {f"{kind}/{name}": m.copy() for name, m in moments.items()}
        return state

    def load(self, state: Mapping[str, Array]) -> None:
        """Put back what `state` returned."""
        self.steps = int(state["steps"])
        for kind, moments in (("first", self.first), ("second", self.second)):
            for name, m in moments.items():
                m[...] = state[f"{kind}/{name}"]


def adam_epsilon(spec: OptimizerSpec, step: int) -> float:
    """Return what Adam adds to the corrected root of the second moment at `step`, from 1."""
    return spec.eps / math.sqrt(1 - spec.beta2**step) if spec.epsilon_hat else spec.eps

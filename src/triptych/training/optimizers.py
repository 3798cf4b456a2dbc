"""The optimisers in NumPy, with PyTorch's definitions, so that the engines can be twins."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import assert_never

import numpy as np

from triptych.contracts import Array, FloatArray, Weights
from triptych.spec import OptimizerSpec


class NumpyOptimizer:
    """Changes weights in place by one step at a time.

    Parameters
    ----------
    spec : OptimizerSpec
        Its `lr` is not used: each step is told its own.
    weights : Weights
        The arrays to change.
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
                corrected = np.sqrt(second) / math.sqrt(1 - spec.beta2**self.steps)
                w -= lr / (1 - spec.beta1**self.steps) * first / (corrected + spec.eps)
            case _:
                assert_never(spec.name)

"""Where an engine first differs from another, and by how little."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from triptych.contracts import FloatArray, Weights


@dataclass(frozen=True)
class FirstDifference:
    """Where an engine first differs from the first one, by however little.

    Attributes
    ----------
    step : int
    tensor : str
        ``"loss"``, or the gradient of a weight.
    ulps : float
        The difference, in units of the last place of the tensor's largest value.
    """

    step: int
    tensor: str
    ulps: float


def told(grads: Weights, weights: Weights) -> Weights:
    """Return the gradients, and such weights as have none."""
    return {name: grads.get(name, w) for name, w in weights.items()}


def first_difference(step: int, loss: float, ours: Weights, theirs: Weights) -> FirstDifference:
    """Return what differs most, in units of its last place; see `told`."""

    def ulps(a: FloatArray, b: FloatArray) -> float:
        return float(np.abs(a - b).max() / np.spacing(max(np.abs(a).max(), 1e-300)))

    sizes = {"the loss": float(loss)}
    sizes |= {_called(name): ulps(ours[name], theirs[name]) for name in ours}
    tensor = max(sizes, key=lambda name: sizes[name])
    return FirstDifference(step, tensor, sizes[tensor])


def _called(name: str) -> str:
    """Return how a report calls the gradient of a weight, or a statistic."""
    if "running" in name:
        return name
    if "." in name:
        return f"the gradient of {name}"
    slope = "dW" if name[0] == "w" else "db"
    # A recurrent network's are called by what they read: wx, wh, wy.
    return f"{slope} of layer {name[1:]}" if name[1:].isdigit() else f"{slope}{name[1:]}"

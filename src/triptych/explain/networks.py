"""What a recurrent network must offer to be explained."""

from __future__ import annotations

from typing import Any, Protocol

from triptych.contracts import Array, FloatArray


class Recurrent(Protocol):
    """A recurrent network whose states and their gradients can be seen.

    T steps, B sequences, H hidden units; `triptych.models.RNNNumpy` is one.
    """

    def states(self, x: Array) -> tuple[FloatArray, Any]:
        """Return the hidden states (T + 1, B, H) first."""
        ...

    def state_gradients(self, x: Array, y: Array) -> FloatArray:
        """Return the gradient of the mean loss by each of them, (T + 1, B, H)."""
        ...

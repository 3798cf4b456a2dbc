"""A prediction's difference from that of a plain input, shared out among the inputs.

Sundararajan, Taly and Yan, 2017, "Axiomatic Attribution for Deep Networks": with F what is
predicted, x the input and x' the plain one, input i gets

    (x_i - x'_i) * integral of dF/dx_i at x' + a (x - x') for a from 0 to 1,

and the shares of all inputs sum to F(x) - F(x') ("completeness").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from triptych.contracts import Backward, FloatArray, IntArray
from triptych.explain.judged import class_shares

# Points of the path that are asked about in one call.
_AT_ONCE = 64
_FEWEST_STEPS, MOST_STEPS = 32, 2048
# Where the shares sum to the difference to within this share of it, there are points enough.
_TOLERANCE = 0.01
# Differences of outputs smaller than this are none.
_LEAST = 0.01

Forward = Callable[[FloatArray], tuple[FloatArray, Backward]]
"""Maps inputs (B, ...) to outputs (B, O) and their backward: `triptych.models.create_forward`."""


@dataclass(frozen=True)
class Attribution:
    """What predictions are made of.

    Attributes
    ----------
    shares : FloatArray, shape (R, ...)
        What each input adds to the prediction of each row.
    predicted, plain : FloatArray, shape (R,)
        What is predicted of each row, and of the plain input.
    """

    shares: FloatArray
    predicted: FloatArray
    plain: FloatArray

    @property
    def sums(self) -> FloatArray:
        """What the shares of each row sum to, (R,); ``predicted - plain`` but for the points."""
        found: FloatArray = self.shares.reshape(len(self.shares), -1).sum(axis=1)
        return found


@dataclass(frozen=True)
class Asked:
    """A network, and what of its outputs is explained.

    Attributes
    ----------
    forward : Forward
    loss : str
        Of ``"softmax"`` and ``"sigmoid"`` it is the probability of a class, see
        `triptych.explain.judged.class_shares`; of others the output itself.
    scale, shift : float
        What a number is multiplied by, and what is added, to be in the unit of what it tells.
    temperature : float
        By which outputs are divided before they are probabilities.
    most : int
        Points of a path, at most.
    """

    forward: Forward
    loss: str
    scale: float = 1.0
    shift: float = 0.0
    temperature: float = 1.0
    most: int = MOST_STEPS

    def at(self, x: FloatArray, output: int) -> tuple[FloatArray, FloatArray]:
        """Return what is explained at inputs (B, ...), (B,), and its slope by them (B, ...)."""
        outputs, backward = self.forward(x)
        divided = outputs / self.temperature
        shares = class_shares(divided, self.loss)
        if shares is None:
            slope = np.zeros_like(outputs)
            slope[:, output] = self.scale
            return self.scale * outputs[:, output] + self.shift, backward(slope)
        # Of a softmax inner is the share; of sigmoids s over their sum, times (1 - s).
        inner = shares if self.loss == "softmax" else shares * (1 - _sigmoid(divided))
        value = shares[:, output]
        slope = -value[:, None] * inner
        slope[:, output] += inner[:, output]
        return value, backward(slope / self.temperature)


def _sigmoid(outputs: FloatArray) -> FloatArray:
    found: FloatArray = 1 / (1 + np.exp(-np.clip(outputs, -700, 700)))
    return found


def attribute(asked: Asked, x: FloatArray, plain: FloatArray, outputs: IntArray) -> Attribution:
    """Return what each input adds to the predictions of some rows.

    Parameters
    ----------
    asked : Asked
    x : FloatArray, shape (R, ...)
        Standardised inputs.
    plain : FloatArray, shape (...)
        The plain input, standardised too.
    outputs : IntArray, shape (R,)
        Which output of each row.

    Notes
    -----
    The integral is a mean over the middles of ever more steps, 32 to ``asked.most``, until the
    shares of a row sum to within a hundredth of what they should.
    """
    found = [_one(asked, row, plain, int(k)) for row, k in zip(x, outputs, strict=True)]
    shares, predicted, least = zip(*found, strict=True)
    return Attribution(np.stack(shares), np.array(predicted), np.array(least))


def _one(
    asked: Asked, x: FloatArray, plain: FloatArray, output: int
) -> tuple[FloatArray, float, float]:
    """Return the shares of one row (...), and what is predicted of it and of the plain input."""
    way = x.astype(np.float64) - plain
    (predicted, least), _ = asked.at(np.stack([x.astype(np.float64), plain]), output)
    steps = min(_FEWEST_STEPS, asked.most)
    while True:
        shares = way * _mean_slope(asked, plain, way, steps, output)
        gap = abs(float(shares.sum()) - (predicted - least))
        if gap <= _TOLERANCE * max(abs(predicted - least), _LEAST) or 2 * steps > asked.most:
            return shares, float(predicted), float(least)
        steps *= 2


def _mean_slope(
    asked: Asked, plain: FloatArray, way: FloatArray, steps: int, output: int
) -> FloatArray:
    """Return the mean slope along the straight way from the plain input, (...)."""
    total = np.zeros_like(way)
    middles = (np.arange(steps) + 0.5) / steps
    for start in range(0, steps, _AT_ONCE):
        part = middles[start : start + _AT_ONCE].reshape(-1, *[1] * way.ndim)
        total += asked.at(plain + part * way, output)[1].sum(axis=0)
    return total / steps

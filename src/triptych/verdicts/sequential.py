r"""A mean's interval that stays valid however often one looks: the mathematics of the verdicts.

For :math:`n` values with mean :math:`\bar x` and standard deviation :math:`s`, let
:math:`t = \sqrt n (\bar x - \mu) / s`. Mixing Student's likelihood ratio over effect sizes
:math:`\delta = (\text{mean} - \mu) / \sigma \sim N(0, g)`, and over the unknown :math:`\sigma` with
its right Haar prior, gives

.. math::

    E_n(\mu) = (1 + ng)^{-1/2}
        \left(\frac{1 + t^2 / (n-1)}{1 + t^2 / ((n-1)(1 + ng))}\right)^{n/2},

a non-negative martingale with mean 1 when the values are Gaussian with mean :math:`\mu`, whatever
:math:`\sigma` is. So by Ville's inequality it ever reaches :math:`1/\alpha` with probability at
most :math:`\alpha`: the means that it has not refuted hold the true one at all :math:`n` at once.
Solved for :math:`t`, with :math:`c = ((1 + ng) / \alpha^2)^{1/n}`,

.. math::

    |t| \le b_n = \sqrt{(n-1) \frac{c - 1}{1 - c / (1 + ng)}},
    \qquad b_n = \infty \text{ where } c \ge 1 + ng.

Two things are added, both of which only widen the interval: figures of training need not be
Gaussian. No interval is given below `MIN_SEEDS` values, as fewer of a skewed figure too often all
lie on the same side of the mean, close together; and the end on the side of a long tail is moved
further out by the skewness of the sample. ``docs/verdicts.md`` says what was measured.

References
----------
.. [1] T. L. Lai, "On confidence sequences", Annals of Statistics 4 (1976) 265-280.
.. [2] H. Wang and A. Ramdas, "Anytime-valid t-tests and confidence sequences for Gaussian means
   with unknown variance", Sequential Analysis 44 (2025), arXiv:2310.03722.
.. [3] P. Grünwald, R. de Heide and W. Koolen, "Safe testing", Journal of the Royal Statistical
   Society B 86 (2024) 1091-1128.
.. [4] P. Hall, "On the removal of skewness by transformation", Journal of the Royal Statistical
   Society B 54 (1992) 221-228.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.spec import MIN_SEEDS

Array = NDArray[np.float64]

MIXING = 4.0
"""Variance g of the mixed effect sizes: a spread of 2 standard deviations, so that effects of 1
to 3, which a few seeds can show, are found soonest (docs/verdicts.md, "the mixing scale")."""

SKEW_GAIN = 0.7
"""The most by which an end moves out for each unit of sample skewness."""

HORIZON = 1000
"""How many more seeds are worth naming."""


def boundary(n: Any, error_rate: float) -> Array:
    """Return how large ``|t|`` may get at `n` values, so that it ever does in `error_rate` at most.

    Parameters
    ----------
    n : int or array of int
        At least 2.
    error_rate : float
        Between 0 and 1.

    Returns
    -------
    array
        Of the shape of `n`; infinite where so few values can refute no mean.

    Examples
    --------
    >>> boundary([2, 6, 100], 0.05).round(2).tolist()
    [inf, 4.73, 3.56]
    """
    n = np.asarray(n, dtype=float)
    growth = 1 + n * MIXING
    # In logarithms: 1 / error_rate ** 2 need not be a float.
    c = np.exp((np.log(growth) - 2 * math.log(error_rate)) / n)
    room = 1 - c / growth
    squared = np.divide((n - 1) * (c - 1), room, out=np.full_like(c, np.inf), where=room > 0)
    return np.asarray(np.sqrt(squared))


def log_e_value(t: Any, n: Any) -> Array:
    """Return the logarithm of the evidence that `n` values with statistic `t` have against a mean.

    Examples
    --------
    >>> float(log_e_value(boundary(6, 0.05), 6).round(6)) == round(math.log(20), 6)
    True
    """
    n = np.asarray(n, dtype=float)
    w = np.square(t) / (n - 1)
    growth = 1 + n * MIXING
    return np.asarray(n / 2 * (np.log1p(w) - np.log1p(w / growth)) - np.log(growth) / 2)


def reach(n: Any, skewness: Any, error_rate: float) -> Array:
    """Return how far from the mean an end lies, in standard errors.

    Parameters
    ----------
    n : int or array of int
        Values.
    skewness : float or array
        Of the sample, towards that end. Where it is positive the values have a long tail there:
        what they have not shown yet lies on that side.
    error_rate : float

    Returns
    -------
    array
        `boundary` from `MIN_SEEDS` values on, widened by the skewness. Hall [4]_ would multiply by
        ``1 + skewness * boundary / (3 * sqrt(n))``, to first order. Here it is three times as
        much, as a small sample shows only part of the skewness, up to `SKEW_GAIN`.
    """
    n = np.asarray(n)
    b = np.where(n >= MIN_SEEDS, boundary(np.maximum(n, MIN_SEEDS), error_rate), np.inf)
    gain = np.minimum(SKEW_GAIN, b / np.sqrt(n))
    return np.asarray(b * (1 + gain * np.maximum(skewness, 0.0)))


@dataclass(frozen=True)
class Sample:
    """What the seeds' values say of their mean, as far as an interval needs it.

    Attributes
    ----------
    n : int
    mean : float
    spread : float
        Standard deviation, never below half a step of what is measured.
    skewness : float
        Third standardised moment; 0 where all values are equal.
    """

    n: int
    mean: float
    spread: float
    skewness: float

    @classmethod
    def of(cls, values: Sequence[float], resolution: float = 0.0) -> Sample:
        """Return the sample of two values or more.

        Parameters
        ----------
        values : sequence of float
        resolution : float
            The step between neighbouring values, such as ``1 / test_rows`` of an accuracy. Equal
            values do not show that nothing varies, but that it varies by less than a step can
            show: two values one step apart have a standard deviation of half a step at most.
        """
        array = np.asarray(values, dtype=float)
        mean = float(array.mean())
        centred = array - mean
        least = resolution / 2
        moment = float(np.mean(centred**2))
        spread = max(math.sqrt(moment * len(array) / (len(array) - 1)), least)
        scale = max(math.sqrt(moment), least)
        # By the same floor: values that differ by rounding only have no tail.
        skewness = float(np.mean((centred / scale) ** 3)) if scale > 0 else 0.0
        return cls(len(array), mean, spread, skewness)

    def low(self, error_rate: float) -> float:
        """Return the lower end of the interval; minus infinity where there is none yet."""
        return self.mean - float(self._half(self.n, -self.skewness, error_rate))

    def high(self, error_rate: float) -> float:
        """Return the upper end of the interval; infinity where there is none yet."""
        return self.mean + float(self._half(self.n, self.skewness, error_rate))

    def _half(self, n: Any, skewness: float, error_rate: float) -> Array:
        return np.asarray(reach(n, skewness, error_rate) * self.spread / np.sqrt(n))

    def more_until(self, error_rate: float, low: float = -math.inf, high: float = math.inf) -> int:
        """Return how many more values would bring the interval between `low` and `high`.

        It takes their mean and spread to stay as they are, and half of their skewness to
        fade: where an interval is still open the other half is chance, more often than not.

        Returns
        -------
        int
            `HORIZON` + 1 where it is more than `HORIZON`.
        """
        n = np.arange(self.n + 1, self.n + HORIZON + 1)
        above = self.mean - self._half(n, -self.skewness / 2, error_rate) > low
        below = self.mean + self._half(n, self.skewness / 2, error_rate) < high
        inside = np.flatnonzero(above & below)
        return int(inside[0]) + 1 if len(inside) else HORIZON + 1

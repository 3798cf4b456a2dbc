"""Learning rates as a pure function of the step, one definition for every engine."""

from __future__ import annotations

from typing import assert_never

import numpy as np

from triptych.contracts import FloatArray
from triptych.spec import ScheduleSpec

# Smith and Topin (2018), with the constants of torch.optim.lr_scheduler.OneCycleLR.
_START_DIVISOR = 25.0
_END_DIVISOR = 25.0 * 1e4


def factors(spec: ScheduleSpec, epoch: int, steps_per_epoch: int, epochs: int) -> FloatArray:
    """Return the factor on the learning rate for each step of one epoch.

    Parameters
    ----------
    spec : ScheduleSpec
    epoch : int
        Counted from 1.
    steps_per_epoch, epochs : int
        How long the whole training is.

    Returns
    -------
    FloatArray, shape (steps_per_epoch,)
    """
    steps = (epoch - 1) * steps_per_epoch + np.arange(steps_per_epoch, dtype=np.float64)
    total = epochs * steps_per_epoch
    match spec.name:
        case "constant":
            return np.ones(steps_per_epoch)
        case "step":
            return np.full(steps_per_epoch, spec.gamma ** ((epoch - 1) // spec.step_epochs))
        case "linear":
            return 1 - steps / total
        case "cosine":
            return 0.5 * (1 + np.cos(np.pi * steps / total))
        case "one-cycle":
            return _one_cycle(steps, total, spec.warmup)
        case _:
            assert_never(spec.name)


def _one_cycle(steps: FloatArray, total: int, warmup: float) -> FloatArray:
    top = max(warmup * total - 1, 1e-9)
    end = max(total - 1 - top, 1e-9)
    rising = _cosine(1 / _START_DIVISOR, 1.0, steps / top)
    falling = _cosine(1.0, 1 / _END_DIVISOR, (steps - top) / end)
    return np.where(steps <= top, rising, falling)


def _cosine(start: float, stop: float, share: FloatArray) -> FloatArray:
    out: FloatArray = stop + (start - stop) / 2 * (1 + np.cos(np.pi * share))
    return out

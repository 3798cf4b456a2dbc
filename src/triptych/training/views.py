"""Test-time augmentation: the mean output over several views of each picture."""

from __future__ import annotations

import math

import numpy as np

from triptych.contracts import Array, FloatArray, IntArray, Learner
from triptych.spec import AugmentSpec

# A picture whose two best classes lie far apart is not decided by looking at it again.
_LOOKED_AT_AGAIN = 0.25


def mean_outputs(learner: Learner, x: Array, augment: AugmentSpec) -> FloatArray:
    """Return the mean of a learner's outputs over the `views` of pictures.

    Only the quarter of the pictures whose two largest outputs are closest together is looked at in
    other views than the first; the outputs of the others are those of the pictures as they are.

    Parameters
    ----------
    learner : Learner
        With at least two outputs.
    x : Array, shape (N, C, H, W)
    augment : AugmentSpec

    Returns
    -------
    FloatArray, shape (N, O)
    """
    out_NO = learner.outputs(x)
    best_N2 = np.partition(out_NO, -2, axis=1)[:, -2:]
    count = math.ceil(_LOOKED_AT_AGAIN * len(x))
    unsure = np.sort(np.argsort(best_N2[:, 1] - best_N2[:, 0], kind="stable")[:count])
    (share, _), *others = views(x[unsure], augment)
    seen = [share * out_NO[unsure], *(s * learner.outputs(view) for s, view in others)]
    out_NO[unsure] = np.sum(seen, axis=0)
    return out_NO


def reflected(places: IntArray, length: int) -> IntArray:
    """Return places outside of ``[0, length)`` mirrored at its ends, as numpy.pad's "reflect"."""
    last = max(length - 1, 1)
    inside: IntArray = last - np.abs(last - np.abs(places) % (2 * last))
    return np.minimum(inside, length - 1)


def views(x: Array, augment: AugmentSpec) -> list[tuple[float, Array]]:
    """Return pictures seen in several ways, each with its share of the mean over them.

    As they are; shifted by a pixel, down and right or up and left; and the mirror image of each
    (Jordan, 2024): as far as `augment` varies pictures so.

    Parameters
    ----------
    x : Array, shape (N, C, H, W)
    augment : AugmentSpec
    """
    shown = [(1.0, x)]
    if augment.translate:
        moved = [_shifted(x, by) for by in (1, -1)]
        shown = [(0.5, x), *((0.25, m) for m in moved)]
    if augment.flip:
        both = [(share / 2, (v, v[..., ::-1])) for share, v in shown]
        shown = [(share, v) for share, pair in both for v in pair]
    return shown


def _shifted(x: Array, by: int) -> Array:
    height, width = x.shape[2:]
    rows = reflected(np.arange(height) - by, height)
    columns = reflected(np.arange(width) - by, width)
    out: Array = x[:, :, rows[:, None], columns]
    return out

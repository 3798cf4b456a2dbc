"""What a prediction rests on: how it changes where a part of the picture is covered."""

from __future__ import annotations

import numpy as np

from triptych.contracts import Array, FloatArray
from triptych.explain.judged import Judged, Tells, class_shares
from triptych.explain.thumbnails import shrunk
from triptych.records import Finding

OCCLUSION = "occlusion"
_PICTURES = 4


def occlusion(tells: Tells, loss: str, judged: Judged, cover: Array) -> Finding:
    """Return by how much the probability of what is predicted falls, by the place that is covered.

    Zeiler and Fergus, 2014. It asks the network only for its outputs, so it is the same of every
    network and engine.

    Parameters
    ----------
    tells : Tells
    loss : str
        See `triptych.explain.judged.class_shares`.
    judged : Judged
        Pictures (N, C, H, W). The first of each of the first four classes is looked at, so that
        networks can be compared.
    cover : Array, shape (C, 1, 1)
        What a square is filled with.

    Returns
    -------
    Finding
        With ``pictures (P, h, w, c)``; ``falls (P, h, w)``, uint8, of the picture's largest: the
        mean over the squares that cover a pixel; ``predicted (P,)``, the probability of what is
        predicted, and ``lowest (P,)``, what is left of it at worst. Labels: ``true``,
        ``predicted``.
    """
    rows = judged.first_of_each(_PICTURES)
    pictures = judged.pictures(rows)
    assert pictures is not None
    edge = max(2, round(max(judged.x.shape[2:]) / 4))
    predicted = judged.predicted[rows]
    before = judged.shares[rows, predicted]
    falls, lowest = zip(
        *(
            _falls(tells, loss, judged.x[row], cover, edge, predicted[k])
            for k, row in enumerate(rows)
        ),
        strict=True,
    )
    small = shrunk(np.stack(falls))
    largest = small.max(axis=(1, 2), keepdims=True)
    shown = 255 * small / np.where(largest > 0, largest, 1.0)
    return Finding(
        kind=OCCLUSION,
        title="What a prediction rests on",
        caption=(
            f"A grey square of {edge} by {edge} pixels is moved over a test picture. The stronger "
            "the red, the more the probability of what the network predicts falls where the square "
            "lies; beneath is that probability, and the lowest that a square brings it to. Each "
            "picture has its own scale. The first test picture of each of the first "
            f"{len(rows)} classes, the same for all networks."
        ),
        arrays={
            "pictures": pictures,
            "falls": shown.round().astype(np.uint8),
            "predicted": before,
            "lowest": np.array(lowest),
        },
        labels={"true": judged.names(judged.y[rows]), "predicted": judged.names(predicted)},
    )


def _falls(
    tells: Tells, loss: str, picture: Array, cover: Array, edge: int, predicted: int
) -> tuple[FloatArray, float]:
    """Return the mean fall at each pixel (H, W), and the lowest probability."""
    height, width = picture.shape[1:]
    step = max(1, edge // 2)
    corners = [(top, left) for top in _starts(height, edge, step)
               for left in _starts(width, edge, step)]  # fmt: skip
    covered = np.repeat(picture[None], len(corners) + 1, axis=0)
    for one, (top, left) in zip(covered[1:], corners, strict=True):
        one[:, top : top + edge, left : left + edge] = cover
    shares = class_shares(tells(covered), loss)
    assert shares is not None
    found = shares[:, predicted]
    total, times = np.zeros((height, width)), np.zeros((height, width))
    for fall, (top, left) in zip(found[0] - found[1:], corners, strict=True):
        total[top : top + edge, left : left + edge] += fall
        times[top : top + edge, left : left + edge] += 1
    return np.maximum(total / times, 0.0), float(found.min())


def _starts(size: int, edge: int, step: int) -> list[int]:
    """Return where squares begin, the last at the end."""
    last = max(0, size - edge)
    return sorted({*range(0, last + 1, step), last})

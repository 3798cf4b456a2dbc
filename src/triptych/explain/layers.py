"""What the first layer looks for in pictures, and what a convolutional network makes of one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from triptych.contracts import Array, FloatArray, Weights
from triptych.explain.thumbnails import patterns, shrunk
from triptych.records import Finding

FILTERS, MAPS = "first layer", "feature maps"
_FILTERS, _CHANNELS = 24, 8
# Bytes of all filters together, so that those of an MLP on large pictures stay few.
_BYTES = 12_000


def filters(weights: Weights, sample_shape: tuple[int, ...]) -> Finding | None:
    """Return the first layer's weights as pictures, the largest first.

    Parameters
    ----------
    weights : Weights
        Of an MLP or a CNN, see `triptych.models.initial`.
    sample_shape : tuple of int
        C, H, W of the pictures.

    Returns
    -------
    Finding or None
        With ``filters (K, h, w, c)``, uint8. Label: ``reading``, how to read those of such a
        network. None where a network has no weights on pixels.
    """
    how = _first(weights, sample_shape)
    if how is None:
        return None
    kernels, reading = how
    most = max(4, min(_FILTERS, _BYTES // int(np.prod(kernels.shape[1:]))))
    size_K = np.square(kernels, dtype=np.float64).sum(axis=(1, 2, 3))
    kept = np.argsort(-size_K, kind="stable")[:most]
    cut = f" The {len(kept)} largest of {len(kernels)}." if len(kept) < len(kernels) else ""
    return Finding(
        kind=FILTERS,
        title="What the first layer looks for",
        caption=(
            "The weights of the first layer as pictures, one for each filter or hidden unit. "
            "Middle grey is 0, and each is scaled by its largest weight."
        ),
        arrays={"filters": patterns(kernels[kept].astype(np.float64))},
        labels={"reading": (reading + cut,)},
    )


def _first(weights: Weights, shape: tuple[int, ...]) -> tuple[FloatArray, str] | None:
    """Return the first weights (K, C, h, w), and how to read them."""
    if "w1" in weights:
        kernels = weights["w1"].T.reshape(-1, *shape)
        return shrunk(kernels.astype(np.float64)), (
            "Hidden units on all pixels. A unit with a clear shape looks for something; one of "
            "noise has kept much of its first weights."
        )
    if "whiten.weight" in weights:
        return weights["whiten.weight"], (
            "Filters of 2 by 2 pixels that take correlations out of patches, and their negatives: "
            "computed from the pictures, not learnt."
        )
    if "conv1.weight" in weights:
        return weights["conv1.weight"], (
            "Filters of 3 by 3 pixels, as they were learnt. One side light and the other dark is "
            "an edge; one that is all of a colour passes that colour on."
        )
    return None


def feature_maps(maps: Sequence[FloatArray], picture: Array, name: str) -> Finding | None:
    """Return what some blocks of a CNN make of one picture.

    Parameters
    ----------
    maps : sequence of FloatArray, each (C, H, W)
        The output of every block.
    picture : Array, uint8 (h, w, c)
    name : str
        Its class.

    Returns
    -------
    Finding or None
        With ``picture``; of the first, the middle and the last block that has places left,
        ``block_K (M, h, w, 1)``, uint8: the channels that answer most, brightest where they do.
        Labels: ``true``, ``blocks``. None where each map is one pixel.
    """
    placed = [k for k, found in enumerate(maps) if min(found.shape[1:]) > 1]
    if not placed:
        return None
    blocks = sorted({placed[0], placed[len(placed) // 2], placed[-1]})
    labels = []
    arrays: dict[str, Array] = {"picture": picture}
    for place, k in enumerate(blocks):
        found = maps[k].astype(np.float64)
        kept = np.argsort(-found.max(axis=(1, 2)), kind="stable")[:_CHANNELS]
        arrays[f"block_{place}"] = _bright(shrunk(found[kept]))[..., None]
        height, width = found.shape[1:]
        labels.append(f"block {k + 1} of {len(maps)}: {len(found)} maps of {height} × {width}")
    return Finding(
        kind=MAPS,
        title="What the network makes of one picture",
        caption=(
            "What blocks of convolutions hand on: bright where a filter answers. Of each block "
            f"the {_CHANNELS} maps that answer most strongly, each on its own scale. Early ones "
            "keep the picture's edges; late ones say only where something is that they know."
        ),
        arrays=arrays,
        labels={"true": (name,), "blocks": tuple(labels)},
    )


def _bright(maps: FloatArray) -> Array:
    """Return maps (M, h, w) as uint8, from each one's smallest value to its largest."""
    low = maps.min(axis=(1, 2), keepdims=True)
    room = maps.max(axis=(1, 2), keepdims=True) - low
    shown: Array = (255 * (maps - low) / np.where(room > 0, room, 1.0)).round().astype(np.uint8)
    return shown

"""How much each row counts where classes are to count alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from triptych.contracts import FloatArray, IntArray, Split


def balanced(y: IntArray) -> FloatArray:
    """Return the weight (N,) of each row: rows over classes times rows of its class.

    As scikit-learn's ``class_weight="balanced"``; their mean is 1.
    """
    counts = np.bincount(y)
    each = np.zeros(len(counts))
    there = counts > 0
    each[there] = len(y) / (there.sum() * counts[there])
    weights: FloatArray = each[y]
    return weights


def weighted(split: Split, class_weight: str | None) -> Split:
    """Return rows with the weights that `triptych.spec.TrainSpec.class_weight` asks for."""
    if class_weight is None:
        return split
    weight = balanced(split.y)
    if class_weight == "root":
        weight = np.sqrt(weight)
        weight /= weight.mean()
    return replace(split, weight=weight if split.weight is None else split.weight * weight)

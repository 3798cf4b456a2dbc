"""Each finding in one line, for a terminal and for programs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from triptych.contracts import Array
from triptych.records import Finding
from triptych.report.wording import accuracy, figure, plural, signed, visible

_PAIRS = 2


def finding_line(finding: Finding) -> str:
    """Return what a finding says in one line; empty of a kind from a later version, or damaged.

    Examples
    --------
    >>> arrays = {"error": np.array(0.031), "chance": np.array(0.02)}
    >>> finding_line(Finding("calibration", "", "", arrays))
    'calibration error 0.031 (by chance 0.020)'
    """
    line = _LINES.get(finding.kind)
    if line is None:
        return ""
    try:
        return visible(" ".join(line(finding).split()))
    except (KeyError, IndexError, TypeError, ValueError):
        return ""  # the page says what is damaged


def _boundary(finding: Finding) -> str:
    epochs, right = (finding.arrays[name].tolist() for name in ("epochs", "right"))
    first = "before training" if epochs[0] == 0 else f"at epoch {epochs[0]:,.0f}"
    return (
        f"training rows predicted right: {accuracy(right[0])} {first}, "
        f"{accuracy(right[-1])} at epoch {epochs[-1]:,.0f}"
    )


def _confusion(finding: Finding) -> str:
    arrays, labels = finding.arrays, finding.labels
    pairs = [
        f"{true} as {predicted} ({count:,.0f} of {of:,.0f})"
        for true, predicted, count, of in zip(
            labels["true"], labels["predicted"], arrays["pairs"].tolist(), arrays["of"].tolist(),
            strict=True,
        )
    ]  # fmt: skip
    return f"most confused: {', '.join(pairs[:_PAIRS])}" if pairs else "no test row is confused"


def _mistakes(finding: Finding) -> str:
    arrays, labels = finding.arrays, finding.labels
    wrong, of = arrays["wrong"].tolist()
    place = f"{labels['places'][0]}, " if "places" in labels else ""
    return (
        f"{wrong:,.0f} of {of:,.0f} test rows predicted wrong; the worst: {place}"
        f"{labels['true'][0]} as {labels['predicted'][0]}, held "
        f"{float(arrays['predicted'][0]):.2f} probable"
    )


def _occlusion(finding: Finding) -> str:
    before, lowest = (finding.arrays[name] for name in ("predicted", "lowest"))
    worst = int(np.argmax(before - lowest))
    name = finding.labels["predicted"][worst]
    return (
        f"a covered square takes the probability of {name} from {before[worst]:.2f} to "
        f"{lowest[worst]:.2f}"
    )


def _attributions(finding: Finding) -> str:
    arrays, labels = finding.arrays, finding.labels
    if "pictures" in arrays:
        adds = np.sort(arrays["toward"][0].astype(float), axis=None)[::-1]
        half = int(np.searchsorted(adds.cumsum(), adds.sum() / 2)) + 1
        return (
            f"half of what speaks for {labels['predicted'][0]} in a test picture stands in "
            f"{half:,} of {adds.size:,} pixels"
        )
    (of,) = labels["of"]
    shares_RK = arrays["shares"]
    row, column = np.unravel_index(np.abs(shares_RK).argmax(), shares_RK.shape)
    share = signed(float(shares_RK[row, column]), "share" if of == "probability" else of)
    unit = " points" if of == "probability" else ""
    return f"{labels['rows'][row]}: {labels['features'][column]} counts most, {share}{unit}"


def _filters(finding: Finding) -> str:
    return f"{plural(len(finding.arrays['filters']), 'filter')} of the first layer are on the page"


def _maps(finding: Finding) -> str:
    return f"what it makes of a {finding.labels['true'][0]}: {finding.labels['blocks'][-1]}"


def _importance(finding: Finding) -> str:
    (score,) = finding.labels["score"]
    drop = float(finding.arrays["drop"][0])
    return (
        f"most important column: {finding.labels['features'][0]} ({score} {signed(-drop, 'share')} "
        "points where it is shuffled)"
    )


def _calibration(finding: Finding) -> str:
    error, chance = (accuracy(float(finding.arrays[name])) for name in ("error", "chance"))
    return f"calibration error {error} (by chance {chance})"


def _flow(finding: Finding) -> str:
    back = finding.arrays["back"].tolist()
    after, before = (_reach(finding.arrays[name]) for name in ("after", "before"))
    return (
        f"gradient {back[-1]:,.0f} steps back: {after} of that at the end, before training {before}"
    )


def _states(finding: Finding) -> str:
    share = float(finding.arrays["explained"].sum())
    return f"two axes hold {share:.0%} of what its hidden state varies"


def _reach(gradients: Array) -> str:
    """Return how much of a gradient is left at its far end."""
    near, far = float(gradients[0]), float(gradients[-1])
    return figure(far / near) if near > 0 and math.isfinite(far / near) else "–"


# The kinds are those of `triptych.explain`.
_LINES: dict[str, Callable[[Finding], str]] = {
    "decision boundary": _boundary,
    "confusion": _confusion,
    "mistakes": _mistakes,
    "occlusion": _occlusion,
    "integrated gradients": _attributions,
    "first layer": _filters,
    "feature maps": _maps,
    "permutation importance": _importance,
    "calibration": _calibration,
    "gradient flow": _flow,
    "hidden states": _states,
}

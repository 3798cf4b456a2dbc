"""Which pixels or columns some predictions of a network are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from triptych.contracts import Array, FloatArray, IntArray, Origin
from triptych.explain.integrated_gradients import Asked, Attribution, attribute
from triptych.explain.judged import Judged
from triptych.explain.thumbnails import shrunk
from triptych.records import Finding

INTEGRATED = "integrated gradients"
_ROWS = 4
_COLUMNS = 10


def pixels_rested_on(asked: Asked, judged: Judged, x: FloatArray, plain: FloatArray) -> Finding:
    """Return which pixels some predictions are made of.

    Parameters
    ----------
    asked : Asked
    judged : Judged
        Pictures (N, C, H, W). The first of each of the first four classes is looked at, so that
        networks can be compared.
    x : FloatArray, shape (R, C, H, W)
        Those pictures, standardised: the rows of ``judged.first_of_each(4)``.
    plain : FloatArray, shape (C, H, W)
        An even grey, standardised.

    Returns
    -------
    Finding
        With ``pictures (R, h, w, c)``; ``toward (R, h, w)`` and ``against (R, h, w)``, uint8, of
        each picture's largest: what pixels add to the probability and take from it, all channels
        together; ``predicted (R,)``, that probability, ``plain (R,)``, that of the grey, and
        ``sums (R,)``, what the shares sum to. Labels: ``true``, ``predicted``.
    """
    rows = first_rows(judged)
    pictures = judged.pictures(rows)
    assert pictures is not None
    predicted = judged.predicted[rows]
    found = attribute(asked, x, plain, predicted)
    small_RHW = shrunk(found.shares.sum(axis=1))
    largest = np.abs(small_RHW).max(axis=(1, 2), keepdims=True)
    shown = 255 * small_RHW / np.where(largest > 0, largest, 1.0)
    return Finding(
        kind=INTEGRATED,
        title="Which pixels made a prediction",
        caption=(
            "Integrated gradients: the difference between the probability of what is predicted for "
            "a test picture and for an even grey, shared out among the pixels. Red pixels add to "
            "it, blue ones take from it, each picture on its own scale; beneath stand both "
            f"probabilities. {_completeness(found)} The first test picture of each of the first "
            f"{len(rows)} classes, the same for all networks."
        ),
        arrays={
            "pictures": pictures,
            "toward": shown.clip(0, 255).round().astype(np.uint8),
            "against": (-shown).clip(0, 255).round().astype(np.uint8),
            **_ends(found),
        },
        labels={"true": judged.names(judged.y[rows]), "predicted": judged.names(predicted)},
    )


def first_rows(judged: Judged) -> IntArray:
    """Return the rows that are explained: the first of each of the first four classes."""
    return judged.first_of_each(_ROWS)


def _ends(found: Attribution) -> dict[str, Array]:
    return {"predicted": found.predicted, "plain": found.plain, "sums": found.sums}


def _completeness(found: Attribution) -> str:
    """Return in words how far the shares are from what they should sum to."""
    gap = float(np.abs(found.sums - (found.predicted - found.plain)).max())
    return f"The shares sum to the difference to within {_digits(gap)}."


def _digits(gap: float) -> str:
    """Return a gap to one digit, none smaller than can be told from rounding."""
    return f"{gap:.1g}" if gap >= 1e-6 else "0.000001"


@dataclass(frozen=True)
class Rows:
    """Rows of a table that are explained.

    Attributes
    ----------
    x : FloatArray, shape (R, I)
        As the network reads them.
    plain : FloatArray, shape (I,)
        The mean of the training rows.
    outputs : IntArray, shape (R,)
        Which output of each row.
    names : tuple of str
        What each row is, and what is predicted of it.
    origins : tuple of Origin
        What each row was where it was read; empty where that is not known.
    """

    x: FloatArray
    plain: FloatArray
    outputs: IntArray
    names: tuple[str, ...]
    origins: tuple[Origin, ...] = ()


def columns_rested_on(
    asked: Asked, rows: Rows, features: tuple[tuple[str, str], ...], of: str
) -> Finding:
    """Return which columns some predictions are made of.

    Parameters
    ----------
    asked : Asked
    rows : Rows
    features : tuple of (str, str)
        See `triptych.contracts.Dataset`; inputs of one column count together.
    of : str
        What is shared out: ``"probability"``, or the name of a number.

    Returns
    -------
    Finding
        With ``shares (R, K)``, what the ten columns that count most in these rows add; ``others
        (R,)``, what all others add together; ``predicted (R,)`` and ``plain (R,)``, what is told
        of the row and of the mean row; ``sums (R,)``, what all shares sum to; ``values (R, K)``,
        what a column's input is, NaN of those that are several. Labels: ``features``, ``rows``,
        ``of``; ``texts``, R lists of K one after the other, that stand for the values: cells
        where their origin is known, else those of columns that are several.
    """
    found = attribute(asked, rows.x, rows.plain, rows.outputs)
    names = [column for column, _ in features]
    columns = list(dict.fromkeys(names))
    inputs = [np.flatnonzero([name == column for name in names]) for column in columns]
    whole_RK = np.stack([found.shares[:, some].sum(axis=1) for some in inputs], axis=1)
    kept = np.argsort(-np.abs(whole_RK).max(axis=0), kind="stable")[:_COLUMNS]
    left = len(columns) - len(kept)
    if rows.origins:
        texts = [one.cells[columns[k]] or "empty" for one in rows.origins for k in kept]
    else:
        texts = [_text(row, inputs[k], features) for row in rows.x for k in kept]
    values = [row[inputs[k][0]] if len(inputs[k]) == 1 else np.nan for row in rows.x for k in kept]
    return Finding(
        kind=INTEGRATED,
        title="Which columns made a prediction",
        caption=(
            f"Integrated gradients: the difference between the {of} that the network tells for a "
            "test row and for the mean training row, shared out among the columns"
            f"{', in points' if of == 'probability' else ''}. The stronger the tint, the more a "
            "column adds to it (blue) or takes from it (red); beneath stands the column's value "
            f"in that row{'' if rows.origins else ', as the network reads it'}. "
            + _completeness(found)
            + (f" The {len(kept)} columns that count most of {len(columns)}." if left else "")
        ),
        arrays={
            "shares": whole_RK[:, kept],
            "others": np.delete(whole_RK, kept, axis=1).sum(axis=1),
            "values": np.array(values, float).reshape(len(rows.x), len(kept)),
            **_ends(found),
        },
        labels={
            "features": tuple(columns[k] for k in kept),
            "rows": rows.names,
            "of": (of,),
            "texts": tuple(texts),
        },
    )


def _text(row: FloatArray, inputs: IntArray, features: tuple[tuple[str, str], ...]) -> str:
    """Return the text that a column has in a row; empty of one that is a number."""
    if len(inputs) == 1 and not features[inputs[0]][1]:
        return ""
    return next((features[k][1] for k in inputs if row[k] > 0), "none of those known")

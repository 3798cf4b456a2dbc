"""What a network of a table loses where one column is shuffled."""

from __future__ import annotations

import numpy as np

from triptych.contracts import Array, FloatArray, IntArray, Split
from triptych.explain.judged import Tells, numbered
from triptych.records import Finding

IMPORTANCE = "permutation importance"
_REPEATS = 5
_ROWS = 1000
_SHOWN = 10


def importance(
    tells: Tells, rows: Split, features: tuple[tuple[str, str], ...], rng: np.random.Generator
) -> Finding:
    """Return by how much accuracy, or R2, falls where a column's values change rows.

    Breiman, 2001; as scikit-learn's ``permutation_importance``, which would want an estimator.

    Parameters
    ----------
    tells : Tells
    rows : Split
        Test rows (N, I); the first thousand are used.
    features : tuple of (str, str)
        See `triptych.contracts.Dataset`; inputs of one column are shuffled together. Empty: each
        is a column by itself.
    rng : numpy.random.Generator

    Returns
    -------
    Finding
        With ``drop (K,)``, a mean over five shuffles, the ``least (K,)`` and the ``most (K,)``, of
        the ten columns that matter most; and ``score``, what it is without a shuffle. Labels:
        ``features``, ``score``.
    """
    rows = rows.take(np.arange(min(len(rows), _ROWS)))
    names = [column for column, _ in features or numbered(rows.x.shape[1])]
    columns = list(dict.fromkeys(names))
    whole = _score(tells(rows.x), rows.y)
    drops_KR = np.empty((len(columns), _REPEATS))
    for k, column in enumerate(columns):
        inputs: IntArray = np.flatnonzero([name == column for name in names])
        for repeat in range(_REPEATS):
            x = rows.x.copy()
            x[:, inputs] = rows.x[rng.permutation(len(x))][:, inputs]
            drops_KR[k, repeat] = whole - _score(tells(x), rows.y)
    mean_K = drops_KR.mean(axis=1)
    kept = np.argsort(-mean_K, kind="stable")[:_SHOWN]
    score = "accuracy" if rows.y.ndim == 1 else "R²"
    left = len(columns) - len(kept)
    return Finding(
        kind=IMPORTANCE,
        title="Which columns it uses",
        caption=(
            f"By how much {score} on {len(rows):,} test rows falls where one column's values are "
            f"shuffled among the rows: the mean of {_REPEATS} shuffles, and their range. A column "
            "that another one repeats may seem to be of no use, as the other stands in for it."
            + (f" {left} more columns matter less." if left else "")
        ),
        arrays={
            "drop": mean_K[kept],
            "least": drops_KR.min(axis=1)[kept],
            "most": drops_KR.max(axis=1)[kept],
            "score": np.array(whole),
        },
        labels={"features": tuple(columns[k] for k in kept), "score": (score,)},
    )


def _score(outputs: FloatArray, y: Array) -> float:
    if y.ndim == 1:
        return float((outputs.argmax(axis=1) == y).mean())
    left_O = np.square(y - outputs).sum(axis=0)
    whole_O = np.square(y - y.mean(axis=0)).sum(axis=0)
    return float((1 - left_O / np.where(whole_O > 0, whole_O, 1.0)).mean())

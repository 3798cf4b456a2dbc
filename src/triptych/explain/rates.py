"""How the loss goes with the learning rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from triptych.records import Finding

RATES = "learning rate"


def learning_rates(rates: Sequence[float], losses: Sequence[float], taken: float) -> Finding:
    """Return what short trainings came to at each learning rate.

    Parameters
    ----------
    rates, losses : sequence of float
        What was tried, and the loss of the rows set aside after it; not finite where it diverged.
    taken : float
        The rate that the network was trained with.
    """
    return Finding(
        kind=RATES,
        title="How the learning rate was found",
        caption=(
            "Before the training, a short one at each of some learning rates, from the same first "
            "weights; then the loss on rows that no step was taken on, set aside from the training "
            "rows. The test rows had no part in it. The rate with the least loss was taken."
        ),
        arrays={
            "rates": np.array(rates, float),
            "losses": np.array([x if np.isfinite(x) else np.nan for x in losses], float),
            "taken": np.array(float(taken)),
        },
    )

"""Claims and records to verdicts."""

from triptych.verdicts.verdicts import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Outcome,
    Verdict,
    compare,
    interval,
    judge,
)

__all__ = ["FAILS", "HOLDS", "UNDECIDED", "Outcome", "Verdict", "compare", "interval", "judge"]

"""Claims and records to verdicts."""

from triptych.verdicts.comparisons import FAILS, HOLDS, UNDECIDED, Outcome, compare, interval
from triptych.verdicts.verdicts import Verdict, judge

__all__ = ["FAILS", "HOLDS", "UNDECIDED", "Outcome", "Verdict", "compare", "interval", "judge"]

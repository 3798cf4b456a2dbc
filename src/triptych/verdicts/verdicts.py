"""Claims and records to verdicts, valid however often one looks and whenever one stops.

All verdicts of a study together err in at most 5 % of studies. Of K claims each has 1/K of that.
A claim of m comparisons holds if all do, which is wrong only if a comparison that is false was
found to hold: each may be tried with the whole share. It fails if any does, which has m ways to go
wrong: there the share is split by m. Causes explain a verdict and have no part in it, so
each stands for itself, at 5 %.
"""

from __future__ import annotations

from dataclasses import dataclass

from triptych.records import StudyRecord
from triptych.spec import ClaimSpec, Evidence
from triptych.verdicts.comparisons import ERROR_RATE, FAILS, HOLDS, UNDECIDED, Outcome, compare


@dataclass(frozen=True)
class Verdict:
    """What the seeds say of a claim, and of the causes offered for it.

    Attributes
    ----------
    claim : ClaimSpec
    verdict : {"holds", "fails", "undecided"}
        ``holds`` if every comparison does, ``fails`` if any does.
    outcomes : tuple of Outcome
        One for each comparison of the claim.
    causes : tuple of (Evidence, Outcome)
    data : tuple of str
        What the runs behind it were trained on.
    seeds : int
        On how many seeds it was decided, or is still open.
    """

    claim: ClaimSpec
    verdict: str
    outcomes: tuple[Outcome, ...]
    causes: tuple[tuple[Evidence, Outcome], ...]
    data: tuple[str, ...]
    seeds: int = 0

    @property
    def more(self) -> int:
        """About how many more seeds would decide it, or show that there is more to decide."""
        known = [outcome.more for outcome in self.outcomes if outcome.more]
        return min(known) if known and self.verdict == UNDECIDED else 0


def judge(record: StudyRecord) -> tuple[Verdict, ...]:
    """Return the verdict on every claim of the study, in order."""
    return tuple(_judge_claim(claim, record) for claim in record.study.claims)


def _judge_claim(claim: ClaimSpec, record: StudyRecord) -> Verdict:
    # By the claims that were written, not by those still open: dropping the decided ones, as Holm
    # does for one-sided hypotheses, is not valid where both directions give a verdict.
    share = ERROR_RATE / len(record.study.claims)
    outcomes = tuple(
        compare(test, comparison, record, share, ways_to_fail=len(claim.tests))
        for test, comparison in zip(claim.tests, claim.comparisons, strict=True)
    )
    verdicts = {outcome.verdict for outcome in outcomes}
    verdict = FAILS if FAILS in verdicts else UNDECIDED if UNDECIDED in verdicts else HOLDS
    causes = tuple((c, compare(c.test, c.comparison, record)) for c in claim.causes)
    arms = dict.fromkeys(arm for c in claim.comparisons for arm in c.arms)
    data = dict.fromkeys(run.data for arm in arms for run in record.of(arm))
    return Verdict(claim, verdict, outcomes, causes, tuple(data), _took(verdict, outcomes))


def _took(verdict: str, outcomes: tuple[Outcome, ...]) -> int:
    """Return on how many seeds a claim was decided: it fails by one test, holds by the last."""
    if verdict == FAILS:
        return min(o.decided for o in outcomes if o.verdict == FAILS)
    return max(o.decided for o in outcomes) if verdict == HOLDS else min(o.seeds for o in outcomes)

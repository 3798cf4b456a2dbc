"""How a study came out, in words: its verdicts, and the runs they are of."""

from __future__ import annotations

from collections.abc import Sequence

from triptych.records import BUDGET, DIVERGED, FAILED, MAX_SEEDS, RunRecord, StudyRecord
from triptych.report.wording import (
    SYMBOLS,
    OutcomeLike,
    VerdictLike,
    budget_text,
    duration,
    plural,
    seeds_text,
    visible,
)
from triptych.spec import Evidence


def summary(record: StudyRecord, verdicts: Sequence[VerdictLike]) -> str:
    """Return the outcome of the whole study, and what it took, in two sentences."""
    runs = f"{plural(len(record.runs), 'run')} on {_seeds(record)}"
    missing = sum(missing_runs(record, arm) for arm in record.study.arms)
    trouble = [*lost_runs(record.runs), *([f"{missing} missing"] if missing else [])]
    runs += f" ({', '.join(trouble)})" if trouble else ""
    if record.runs:
        runs += f", {duration(record.seconds)} of training{_machine(record)}"
    if not verdicts:
        return f"{runs}; no claims."
    counts = dict(tally(verdicts))
    holds, fails, open_ = (counts[v] for v in ("holds", "fails", "undecided"))
    return (
        f"Of {plural(len(verdicts), 'claim')}, {holds} {'holds' if holds == 1 else 'hold'}, "
        f"{fails} {'fails' if fails == 1 else 'fail'} and {open_} {'is' if open_ == 1 else 'are'} "
        f"undecided. {runs}."
    )


def lost_runs(runs: Sequence[RunRecord]) -> list[str]:
    """Return how many runs count in no mean and no verdict, by why: ``["1 diverged"]``."""
    statuses = [run.status for run in runs]
    return [f"{n} {status}" for status in (DIVERGED, FAILED) if (n := statuses.count(status))]


def missing_runs(record: StudyRecord, arm: str) -> int:
    """Return how many of an arm's runs there should be and are not."""
    return max(0, record.study.least_seeds - len(record.of(arm)))


def _seeds(record: StudyRecord) -> str:
    """Return on how many seeds arms were run."""
    if record.study.seeds != "auto":
        return seeds_text(record.study, record.study.least_seeds)
    counts = [len(record.of(arm)) for arm in record.study.arms]
    return seeds_text(record.study, min(counts), max(counts))


def taken(record: StudyRecord, verdict: VerdictLike) -> str:
    """Return on how many seeds a claim was decided, or why it is still open."""
    study, seeds = record.study, plural(verdict.seeds, "seed")
    if verdict.verdict != "undecided":
        return f"Decided on {seeds}."
    if study.seeds != "auto":
        whole = verdict.seeds == study.seeds
        asked = "all that were asked for" if whole else f"{study.seeds} asked for"
        return f"Open after {seeds}, {asked}."
    why = {
        MAX_SEEDS: ", the most that this study takes" + _lost_of(record, verdict),
        BUDGET: f": the budget of {budget_text(study)} ended" if study.budget else "",
        "": ": the study was stopped before its end",
    }
    return f"Open after {seeds}{why.get(record.stopped, '')}."


def why(verdict: VerdictLike) -> tuple[Evidence, OutcomeLike] | None:
    """Return the cause that says most of a claim: the first that holds, else the first tested."""
    holding = (pair for pair in verdict.causes if pair[1].verdict == "holds")
    return next(iter((*holding, *verdict.causes)), None)


def tally(verdicts: Sequence[VerdictLike]) -> list[tuple[str, int]]:
    """Return how many claims came out which way, in the order of `SYMBOLS`."""
    return [(name, sum(one.verdict == name for one in verdicts)) for name in SYMBOLS]


def _lost_of(record: StudyRecord, verdict: VerdictLike) -> str:
    """Return how many runs of a claim's arms count on no seed, as the end of a sentence."""
    arms = dict.fromkeys(arm for test in verdict.claim.comparisons for arm in test.arms)
    lost = lost_runs([run for arm in arms for run in record.of(arm)])
    return f" ({', '.join(lost)})" if lost else ""


def _machine(record: StudyRecord) -> str:
    """Return on which processors and devices the runs were made, as the end of a sentence."""
    wheres = [run.environment for run in record.runs]
    processors = dict.fromkeys(w["processor"] for w in wheres if w.get("processor"))
    devices = dict.fromkeys(w["device"] for w in wheres if w.get("device", "cpu") != "cpu")
    return visible(f" on {' and '.join(found)}") if (found := (*processors, *devices)) else ""

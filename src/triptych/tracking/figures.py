"""What a tracker is told of runs and claims, whatever its own form of it is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from triptych.records import RunRecord, StudyFolder, StudyRecord
from triptych.records.disk import RESULT_FILE
from triptych.report.outcome import taken
from triptych.report.readings import reading
from triptych.report.wording import VerdictLike, visible
from triptych.spec import flat, plain

_PLACE = ("step", "seconds")


@dataclass(frozen=True)
class Point:
    """The figures of one evaluation.

    Attributes
    ----------
    step : int
        Training steps taken.
    time : float
        When it was, in seconds since 1970.
    figures : dict of str to float
        By their names in records: ``epoch``, ``lr``, ``train_loss``, ...; all finite.
    """

    step: int
    time: float
    figures: dict[str, float]


def points(record: StudyRecord, run: RunRecord) -> Iterator[Point]:
    """Give the evaluations of a run, in order."""
    start = began(record, run)
    for row in run.curve:
        yield Point(int(row["step"]), start + row["seconds"], figures_of(row))


def began(record: StudyRecord, run: RunRecord) -> float:
    """Return when the training of a run may have begun, in seconds since 1970.

    Records hold durations, and files when they were written: from the end, by the seconds of its
    steps. So the same record gives the same time.
    """
    return ended(record, run) - run.seconds


def ended(record: StudyRecord, run: RunRecord) -> float:
    """Return when the result of a run was written, in seconds since 1970."""
    path = StudyFolder(record.folder).run(run.arm, run.seed).path / RESULT_FILE
    return path.stat().st_mtime if path.exists() else run.seconds


def figures_of(row: Mapping[str, float | None]) -> dict[str, float]:
    """Return the figures of an evaluation's row, or of another, that are numbers."""
    return {
        name: float(value)
        for name, value in row.items()
        if name not in _PLACE and value is not None and math.isfinite(value)
    }


def final_figures(run: RunRecord) -> dict[str, float]:
    """Return the figures of a run at its end: scores, seconds, memory, size."""
    found: dict[str, float | None] = {
        **run.scores,
        **{f"seconds_of_{part}": seconds for part, seconds in run.times.items()},
        "epochs": float(run.epochs),
        "parameters": float(run.parameters),
        "flops": float(run.flops),
        "peak_memory": run.peak_memory,
    }
    return {**figures_of(found), "seconds": run.seconds}


def settings(record: StudyRecord, run: RunRecord) -> dict[str, bool | float | str]:
    """Return what was asked for by its path, such as ``train.optimizer.lr``; lists are texts."""
    asked = flat(plain(record.study.arms[run.arm]))
    found: dict[str, bool | float | str] = {"arm": run.arm, "seed": run.seed}
    for name, value in asked.items():
        found[name] = value if isinstance(value, bool | int | float) else visible(str(value))
    return found | {"data": visible(run.data), "engine_used": visible(run.engine)}


def run_notes(run: RunRecord) -> dict[str, str]:
    """Return what a run was made of and where, as texts."""
    found = {
        "status": run.status,
        "error": run.error,
        "data": run.data,
        "fingerprint": run.fingerprint,
        "key": run.key,
        "notes": "; ".join(run.notes),
        **run.environment,
    }
    return {name: visible(text) for name, text in found.items() if text}


def claims(record: StudyRecord, verdicts: Sequence[VerdictLike]) -> Iterator[tuple[str, str]]:
    """Give each claim with its verdict, and what was measured for it, as texts."""
    for verdict in verdicts:
        tests = zip(verdict.claim.comparisons, verdict.outcomes, strict=True)
        measured = [reading(comparison, outcome) for comparison, outcome in tests]
        causes = [f"why: {cause.says} {outcome.verdict}" for cause, outcome in verdict.causes]
        text = " ".join([*measured, taken(record, verdict), *causes])
        yield visible(f"{verdict.verdict}: {verdict.claim.says}"), visible(text)

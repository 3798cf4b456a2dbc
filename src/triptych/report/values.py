"""A study's outcome as plain values: for programs, data frames and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from triptych.errors import SpecError
from triptych.records import StudyRecord, finite
from triptych.report.outcome import summary, taken
from triptych.report.readings import reading
from triptych.report.wording import SYMBOLS, OutcomeLike, VerdictLike, arm_label, visible
from triptych.spec import Comparison


def run_rows(record: StudyRecord) -> list[dict[str, Any]]:
    """Return a row for each run: what it was, its figures at the end, every score by its name."""
    return [
        {
            "arm": run.arm,
            "label": arm_label(record, run.arm),
            "seed": run.seed,
            "status": run.status,
            "error": run.error,
            "data": run.data,
            "engine": run.engine.split(" ", 1)[0],
            "parameters": run.parameters,
            "epochs": run.epochs,
            "seconds": run.seconds,
            "peak_memory": run.peak_memory,
            **run.scores,
        }
        for run in record.runs
    ]


def study_values(record: StudyRecord, verdicts: Sequence[VerdictLike]) -> dict[str, Any]:
    """Return claims, their verdicts and all runs as JSON has them; what is not finite is null.

    Returns
    -------
    dict
        ``title``, ``folder``, ``summary``; ``claims``, each with ``says``, ``verdict``, ``seeds``,
        ``tests`` and ``causes``; ``runs``, see `run_rows`; ``notes``, ``cuts``.
    """
    values = {
        "title": record.study.title,
        "folder": str(record.folder),
        "summary": summary(record, verdicts),
        "claims": [_claim(verdict) for verdict in verdicts],
        "runs": run_rows(record),
        "notes": list(record.notes),
        "cuts": list(record.study.cuts),
    }
    found = finite(values)
    assert isinstance(found, dict)
    return found


def _claim(verdict: VerdictLike) -> dict[str, Any]:
    tests = zip(verdict.claim.comparisons, verdict.outcomes, strict=True)
    return {
        "says": verdict.claim.says,
        "verdict": verdict.verdict,
        "seeds": verdict.seeds,
        "tests": [_test(comparison, outcome) for comparison, outcome in tests],
        "causes": [
            {"says": cause.says, **_test(cause.comparison, outcome)}
            for cause, outcome in verdict.causes
        ],
    }


def _test(comparison: Comparison, outcome: OutcomeLike) -> dict[str, Any]:
    """Return a comparison's outcome; `effect` is its left side minus its right."""
    return {
        "test": outcome.test,
        "verdict": outcome.verdict,
        "effect": outcome.effect,
        "low": outcome.low,
        "high": outcome.high,
        "unit": outcome.unit,
        "seeds": outcome.seeds,
        "reading": reading(comparison, outcome),
    }


def run_frame(record: StudyRecord) -> Any:
    """Return `run_rows` as a data frame of pandas, or of polars where pandas is not there.

    Raises
    ------
    SpecError
        If neither is installed.
    """
    rows = run_rows(record)
    names = dict.fromkeys(name for row in rows for name in row)
    # A run that diverged has no scores, which must not leave a column out.
    columns = {name: [row.get(name) for row in rows] for name in names}
    try:
        import pandas

        return pandas.DataFrame(columns)
    except ImportError:
        pass
    try:
        import polars

        return polars.DataFrame(columns)
    except ImportError:
        raise SpecError("a data frame needs pandas or polars; pip install pandas.") from None


def notebook_html(record: StudyRecord, verdicts: Sequence[VerdictLike]) -> str:
    """Return what a notebook shows of a study: its claims in a table, and where its page is."""
    rows = [
        Markup("<tr><td>{}</td><td style='text-align:left'>{}</td></tr>").format(
            f"{SYMBOLS[verdict.verdict]} {verdict.verdict}",
            Markup("<br>").join([
                Markup("<b>{}</b>").format(visible(verdict.claim.says)),
                *(escape(text) for text in _readings(verdict)),
                escape(taken(record, verdict)),
            ]),
        )
        for verdict in verdicts
    ]  # fmt: skip
    table = Markup("<table>{}</table>").format(Markup("").join(rows)) if rows else Markup("")
    return Markup("<h4>{}</h4>{}<p>{}<br>triptych report {}</p>").format(
        visible(record.study.title),
        table,
        visible(summary(record, verdicts)),
        visible(str(record.folder)),
    )


def _readings(verdict: VerdictLike) -> list[str]:
    tests = zip(verdict.claim.comparisons, verdict.outcomes, strict=True)
    return [visible(reading(comparison, outcome)) for comparison, outcome in tests]

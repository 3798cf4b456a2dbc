"""A study's outcome as plain values: for programs, data frames and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from triptych.errors import SpecError
from triptych.records import RunRecord, StudyRecord, finding_values, finite
from triptych.report.figures import columns, heading
from triptych.report.finding_lines import finding_line
from triptych.report.outcome import summary, taken
from triptych.report.readings import reading
from triptych.report.wording import (
    SYMBOLS,
    OutcomeLike,
    VerdictLike,
    arm_label,
    measured,
    visible,
)
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
        ``tests`` and ``causes``; ``runs``, see `run_rows`, each with its ``curve``, a list for each
        figure of an evaluation, its ``findings``, each with a ``line`` that says it in short, and
        its ``times``, seconds by what they were spent on; ``notes``, ``cuts``.
    """
    values = {
        "title": record.study.title,
        "folder": str(record.folder),
        "summary": summary(record, verdicts),
        "claims": [_claim(verdict) for verdict in verdicts],
        "runs": [
            {**row, "curve": _curve(run), "findings": _findings(run), "times": run.times}
            for row, run in zip(run_rows(record), record.runs, strict=True)
        ],
        "notes": list(record.notes),
        "cuts": list(record.study.cuts),
    }
    found = finite(values)
    assert isinstance(found, dict)
    return found


def _curve(run: RunRecord) -> dict[str, list[Any]]:
    """Return evaluations by figure: names once, and not in each of some thousand rows."""
    names = dict.fromkeys(name for row in run.curve for name in row)
    return {name: [row.get(name) for row in run.curve] for name in names}


def _findings(run: RunRecord) -> list[dict[str, Any]]:
    return [{**finding_values(one), "line": finding_line(one)} for one in run.findings]


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
    return _frame(run_rows(record))


def curve_frame(record: StudyRecord) -> Any:
    """Return a data frame with a row for each evaluation of each run; else as `run_frame`."""
    return _frame(
        [{"arm": run.arm, "seed": run.seed, **row} for run in record.runs for row in run.curve]
    )


def _frame(rows: Sequence[dict[str, Any]]) -> Any:
    names = dict.fromkeys(name for row in rows for name in row)
    # A run that diverged has no scores, which must not leave a column out.
    table = {name: [row.get(name) for row in rows] for name in names}
    try:
        import pandas

        return pandas.DataFrame(table)
    except ImportError:
        pass
    try:
        import polars

        return polars.DataFrame(table)
    except ImportError:
        raise SpecError("a data frame needs pandas or polars; pip install pandas.") from None


def notebook_html(record: StudyRecord, verdicts: Sequence[VerdictLike]) -> str:
    """Return what a notebook shows: claims and arms in tables, and where the page is."""
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
    return Markup("<h4>{}</h4>{}{}<p>{}<br>triptych report {}</p>").format(
        visible(record.study.title),
        table,
        _measured(record),
        visible(summary(record, verdicts)),
        visible(str(record.folder)),
    )


def _measured(record: StudyRecord) -> Markup:
    """Return the means of every arm's figures as a table."""
    shown = columns(record)
    head = Markup("").join(Markup("<th>{}</th>").format(text) for text in map(heading, shown))
    rows = [
        Markup("<tr><td style='text-align:left'>{}</td>{}</tr>").format(
            arm_label(record, name),
            Markup("").join(
                Markup("<td>{}</td>").format(measured(record.finished(name), column)[0])
                for column in shown
            ),
        )
        for name in record.study.arms
    ]
    return Markup("<table><tr><th>arm</th>{}</tr>{}</table>").format(head, Markup("").join(rows))


def _readings(verdict: VerdictLike) -> list[str]:
    tests = zip(verdict.claim.comparisons, verdict.outcomes, strict=True)
    return [visible(reading(comparison, outcome)) for comparison, outcome in tests]

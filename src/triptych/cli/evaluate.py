"""``triptych evaluate``: what a model is worth on rows whose answers are known."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from triptych.cli.console import create_console, say
from triptych.cli.predict import add_model_and_data, say_remarks

if TYPE_CHECKING:
    from rich.table import Table

    from triptych.saved.evaluation import Evaluation
    from triptych.saved.intervals import Score

_SAYS = """\
Score a model on a file or folder whose answers are known: each score with its interval of 95 %, of
each class and, with --group, of each group. Nothing is written.
"""
_NAMES = {
    "accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "macro_f1": "macro F1",
    "log_loss": "log loss", "brier": "Brier score", "ece": "calibration error (ECE)",
    "r2": "R²", "rmse": "RMSE", "mae": "MAE",
}  # fmt: skip
# Of which 1 is not the best there is.
_OPEN = ("log_loss", "brier", "ece", "rmse", "mae")
# What a terminal shows of it; --json has all.
_MOST_CLASSES, _MOST_CONFUSED, _MOST_GROUPS = 40, 12, 20


def add_evaluate(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``evaluate`` to the parsers of the command line."""
    evaluate = commands.add_parser(
        "evaluate", parents=[common], help="score a model on known rows", description=_SAYS
    )
    add = evaluate.add_argument
    add_model_and_data(evaluate)
    add("--target", metavar="COLUMN", help="of the answers, if it is called otherwise than the one "
        "that was trained on")  # fmt: skip
    add("--group", metavar="COLUMN", help="score the rows of each of its values by themselves; "
        "where there are many, intervals are of whole groups")  # fmt: skip
    add("--json", action="store_true", help="print all of it as JSON, for programs")
    evaluate.set_defaults(call=_evaluate)


def _evaluate(options: argparse.Namespace) -> None:
    from triptych.saved import evaluate_file, load

    model = load(options.model)
    found = evaluate_file(
        model, options.data, target=options.target, group=options.group,
        skip_bad=options.skip_bad, encoding=options.encoding,
    )  # fmt: skip
    if options.json:
        print(json.dumps(found.to_dict(), indent=2, allow_nan=False))
    else:
        console = create_console()
        for table in _tables(found, model.classes, options.group or ""):
            say(console, table)
        say(console, _how(found, options.group or ""))
    say_remarks(found.remarks)


def _tables(found: Evaluation, classes: tuple[str, ...], group: str) -> Iterator[Table]:
    """Give the scores as tables: all rows, each class, who is taken for whom, each group."""
    from triptych.report.wording import plural

    scores = _table(plural(found.rows, "row"), ("score", "value", "95 % interval"))
    for name, score in found.scores.items():
        scores.add_row(_NAMES[name], *_figures(name, score))
    yield scores
    if found.classes:
        yield _class_table(found)
    if found.confusion is not None and len(classes) <= _MOST_CONFUSED:
        yield _confusion_table(found, classes)
    if found.groups:
        yield _group_table(found, group)


def _class_table(found: Evaluation) -> Table:
    shown = found.classes[:_MOST_CLASSES]
    title = _first(len(shown), len(found.classes), "class", "classes")
    table = _table(title, ("class", "rows", "precision", "recall", "F1"))
    for one in shown:
        scores = [_in_one("f1", score) for score in (one.precision, one.recall, one.f1)]
        table.add_row(_cell(one.name), f"{one.rows:,}", *scores)
    return table


def _confusion_table(found: Evaluation, classes: tuple[str, ...]) -> Table:
    assert found.confusion is not None
    table = _table("Rows of each class, by what was told", ("", *map(_cell, classes)))
    for name, row in zip(classes, found.confusion.tolist(), strict=True):
        table.add_row(_cell(name), *(f"{count:,}" for count in row))
    return table


def _group_table(found: Evaluation, group: str) -> Table:
    shown = found.groups[:_MOST_GROUPS]
    names = [name for name in ("accuracy", "log_loss", "r2", "rmse") if name in found.scores]
    title = _first(len(shown), found.group_count, "group", "groups")
    table = _table(title, (_cell(group), "rows", *(_NAMES[name] for name in names)))
    for one in shown:
        scores = [_in_one(name, one.scores[name]) for name in names]
        table.add_row(_cell(one.name), f"{one.rows:,}", *scores)
    return table


def _table(title: str, columns: Any) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for k, name in enumerate(columns):
        table.add_column(name, justify="right" if k else "left", overflow="fold")
    return table


def _first(shown: int, count: int, one: str, many: str) -> str:
    if shown == count:
        return f"{count:,} {one if count == 1 else many}"
    return f"The first {shown:,} of {count:,} {many}; --json has more"


def _figures(name: str, score: Score) -> tuple[str, str]:
    """Return a score and its interval as texts: three decimals where 1 is best, else digits."""
    from triptych.report.wording import accuracy, figure

    text = figure if name in _OPEN else accuracy
    interval = f"{text(score.low)} to {text(score.high)}"
    return text(score.value), "" if math.isnan(score.low) else interval


def _in_one(name: str, score: Score) -> str:
    value, interval = _figures(name, score)
    return f"{value} ({interval})" if interval else value


def _cell(name: str) -> str:
    from triptych.report.wording import visible

    return visible(name).replace("\n", "␊")


def _how(found: Evaluation, group: str) -> str:
    """Say where the intervals come from."""
    from triptych.saved.intervals import RESAMPLES

    if found.drawn == "groups":
        drawn = f"whole groups of {_cell(group)!r}, {found.group_count:,} of them"
        return f"Intervals: the bootstrap over {RESAMPLES:,} draws of {drawn}."
    text = f"the bootstrap over {RESAMPLES:,} draws of rows"
    if found.classes:
        text = f"shares of rows by Wilson's formula, the others by {text}"
    if found.groups:
        text += f"; {found.group_count} groups are too few to be drawn from"
    return f"Intervals: {text}."

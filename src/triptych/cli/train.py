"""``triptych train``: a network on data of one's own, and whether it is worth it."""

from __future__ import annotations

import argparse
import json
import math
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triptych.cli.console import create_console, say
from triptych.cli.keeping import add_keeping, rhythm
from triptych.cli.watching import telling_what_is_kept, watch_study

if TYPE_CHECKING:
    from rich.table import Table

    from triptych.baseline import TrainOptions, TrainResult

_SAYS = """\
Look at some data, train the network that fits them beside simpler models, on the same splits of
the rows, and say whether it is worth it. DATA is a table: .csv, .tsv, .parquet, .npz; a folder with
a sub-folder of pictures for each class, or a file of labels; or sequences: .txt, .tsv (a label, a
tab, symbols), .jsonl, or a .csv whose rows share ids and have times. Writes a page, and the model
as one file that 'triptych predict' uses. Called again, it goes on, or is finished at once.
"""


def add_train(
    commands: Any, common: argparse.ArgumentParser, count: Callable[[str], object]
) -> None:
    """Add ``train`` to the parsers of the command line; `count` reads a number of seeds."""
    train = commands.add_parser(
        "train", parents=[common], help="train on data of your own, beside simpler models",
        description=_SAYS,
    )  # fmt: skip
    add = train.add_argument
    add("data", metavar="DATA", type=Path, help="a file or folder of your own")
    add("--target", metavar="COLUMN", help="what to tell (default: by its name, else the last)")
    add("--group", metavar="COLUMN", help="rows of one value stay on one side of the split")
    add("--time", metavar="COLUMN", help="hold out the last rows by this column's order")
    add("--ignore", metavar="COLUMN", action="append", default=[], help="leave a column out")
    add("--text", metavar="COLUMN", action="append", default=[],
        help="a column of names that look like numbers")  # fmt: skip
    add(
        "--missing",
        choices=("refuse", "fill", "drop"),
        help="of empty cells, which are an error without it",
    )
    add("--seeds", type=count, metavar="N", help="splits, each with its own first weights; auto: "
        "until every claim is decided (default: by size)")  # fmt: skip
    add("--test-size", type=float, default=0.2, metavar="SHARE", help="held out (default: 0.2)")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--out", type=Path, help="folder of runs and page (default: triptych-runs/NAME)")
    add("--model", type=Path, metavar="PATH", help="the model (default: model.safetensors there)")
    add("--encoding", default="utf-8", help="of text (default: utf-8)")
    add("--skip-bad", action="store_true", help="leave out pictures that cannot be read")
    add_keeping(train)
    add("--json", action="store_true", help="print the outcome as JSON; the rest goes to stderr")
    train.set_defaults(call=_train)


def _options(given: argparse.Namespace) -> TrainOptions:
    from triptych.baseline import TrainOptions

    return TrainOptions(
        data=given.data, target=given.target, group=given.group, time=given.time,
        ignore=tuple(given.ignore), text=tuple(given.text), missing=given.missing,
        seeds=given.seeds, test_size=given.test_size, device=given.device, out=given.out,
        model=given.model, encoding=given.encoding, skip_bad=given.skip_bad,
        checkpoint=rhythm(given), inexact=given.inexact,
    )  # fmt: skip


def _train(given: argparse.Namespace) -> None:
    from triptych.baseline import execute, finish, held_out, make_plan
    from triptych.report.wording import visible

    options = _options(given)
    plan = make_plan(options)
    console = create_console(errors=given.json)
    for text in (*plan.says, *filter(None, [plan.before])):
        say(console, visible(text))
    folder = plan.folder.path
    watch_study(plan.study, console, execute(plan, options), folder, debug=given.debug)
    with telling_what_is_kept(folder):
        found = finish(plan)
    say(console, _table(found, plan.metric))
    for text in found.effects:
        say(console, visible(text))
    say(console, _bold(found.verdict))
    say(console, visible(f"The page: {found.page}"))
    say(console, visible(f"The model: {found.path}, of seed {plan.study.first_seed}: "
                         f"{held_out(found.run, plan.metric)}"))  # fmt: skip
    new = "NEW" if options.data.is_dir() else f"NEW{options.data.suffix}"
    say(console, visible(f"Next: triptych predict {shlex.quote(str(found.path))} {new}"))
    if given.json:
        print(json.dumps(found.to_dict(), indent=2, allow_nan=False))


def _bold(text: str) -> Any:
    from rich.text import Text

    from triptych.report.wording import visible

    return Text(f"\n{visible(text)}", style="bold")


def _table(found: TrainResult, metric: str) -> Table:
    """Return the network beside its references: held-out scores, means over seeds."""
    from rich.table import Table
    from rich.text import Text

    from triptych.report.wording import accuracy, figure, metric_name, visible

    numbers = all(math.isnan(line.accuracy) for line in found.lines)
    shown = accuracy
    heads = [metric_name(metric).removeprefix("test "), "95 % interval"]
    heads += ["RMSE"] if numbers else ["log loss"]
    if metric == "test_balanced_accuracy":
        heads.insert(2, "accuracy")
    table = Table(title="Held-out rows", title_justify="left")
    table.add_column("model")
    for head in (*heads, "time"):
        table.add_column(head, justify="right", no_wrap=True)
    for line in found.lines:
        between = "–" if math.isnan(line.low) else f"{shown(line.low)} to {shown(line.high)}"
        cells = [shown(line.score), between, figure(line.rmse if numbers else line.loss)]
        if "accuracy" in heads[1:]:
            cells.insert(2, shown(line.accuracy))
        table.add_row(*(Text(visible(c)) for c in (line.label, *cells, _seconds(line.seconds))))
    return table


def _seconds(value: float) -> str:
    from triptych.report.wording import duration

    return f"{value:.2f} s" if value < 10 else duration(value)

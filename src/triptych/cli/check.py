"""``triptych check``: what a study would take, before it is run."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from triptych.cli.console import create_console, say

if TYPE_CHECKING:
    from rich.table import Table

    from triptych.models import Cost
    from triptych.runner.estimates import ArmEstimate, StudyEstimate
    from triptych.spec import ArmSpec

_SAYS = """\
Check a study whole, load its data, train each arm for two seconds, and say what all of it would
take. Nothing is written.
"""

_COLUMNS = (
    "arm", "data", "rows", "features", "parameters", "FLOPs a sample", "engine", "s a run",
    "memory",
)  # fmt: skip
_SPARE, _NARROW = ("features", "FLOPs a sample"), 100


def add_check(
    commands: Any, common: argparse.ArgumentParser, study: argparse.ArgumentParser
) -> None:
    """Add ``check`` to the parsers of the command line; `study` has the options that name one."""
    check = commands.add_parser(
        "check", parents=[common, study], help="say what a study would take", description=_SAYS
    )
    check.add_argument(
        "--no-trial", dest="trials", action="store_false", help="train nothing: no time, no memory"
    )
    check.set_defaults(call=_check)


def _check(options: argparse.Namespace) -> None:
    from rich.text import Text

    from triptych.report.wording import visible
    from triptych.runner import Setting
    from triptych.runner.estimates import estimate_study
    from triptych.studies import find_study

    study = find_study(options.study, options.scale)
    study = study.with_seeds(options.seeds, options.budget, options.first_seed)
    console = create_console()
    with console.status("loading the data") as status:
        found = estimate_study(
            study, Setting(options.data_dir, options.device), trials=options.trials,
            told=lambda name: status.update(f"trying arm {name}"),
        )  # fmt: skip
    console.print(Text(visible(study.title), style="bold"))
    say(console, _table(found, narrow=console.width < _NARROW))
    for text, style in _lines(found):
        say(console, Text(visible(text), style=style))


def _table(found: StudyEstimate, *, narrow: bool) -> Table:
    """Return what each arm takes, without what a narrow terminal has no room for."""
    from rich.table import Table
    from rich.text import Text

    from triptych.report.wording import visible

    table = Table()
    left_out = _SPARE if narrow else ()
    for name in _COLUMNS:
        if name not in left_out:
            right = name in _COLUMNS[4:] and name != "engine"
            table.add_column(
                name, justify="right" if right else "left", no_wrap=right, overflow="fold"
            )
    for name, arm in found.arms.items():
        cells = [
            found.study.arms[name].label or name,
            arm.data,
            f"{arm.train_rows:,} + {arm.test_rows:,}",
            " x ".join(map(str, arm.sample_shape)),
            *_costs(found.study.arms[name], arm.cost),
            arm.engine,
            *_taken(arm),
        ]
        kept = (c for key, c in zip(_COLUMNS, cells, strict=True) if key not in left_out)
        table.add_row(*(Text(visible(cell)) for cell in kept))
    return table


def _costs(spec: ArmSpec, cost: Cost) -> tuple[str, str]:
    """Return parameters and FLOPs, of which a reference has none that compare."""
    if spec.network.kind == "reference":
        return "–", "–"
    return f"{cost.parameters:,}", _counted(cost.flops)


def _counted(value: float) -> str:
    """Return a large number by its thousands.

    Examples
    --------
    >>> _counted(160), _counted(1_234_567), _counted(2.5e12)
    ('160', '1.23 M', '2.5 T')
    """
    for unit in ("", " k", " M", " G"):
        if value < 1000:
            return f"{value:.3g}{unit}"
        value /= 1000
    return f"{value:.3g} T"


def _taken(arm: ArmEstimate) -> tuple[str, str]:
    from triptych.report.wording import figure

    if arm.trial is None:
        return "", ""
    gpu = f", GPU {_bytes(arm.trial.gpu_memory)}" if arm.trial.gpu_memory else ""
    return figure(arm.trial.seconds), f"{_bytes(arm.trial.memory)}{gpu}"


def _bytes(count: float) -> str:
    """Return memory in its unit.

    Examples
    --------
    >>> _bytes(450e6), _bytes(2.34e9), _bytes(float("nan"))
    ('450 MB', '2.3 GB', '–')
    """
    if math.isnan(count):
        return "–"
    return f"{count / 1e6:.0f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def _lines(found: StudyEstimate) -> Iterator[tuple[str, str]]:
    """Give what is said below the table, each with its style."""
    for name, arm in found.arms.items():
        if arm.trial is not None and arm.trial.trouble:
            yield f"warning: arm {name}: {arm.trial.trouble}", "yellow"
    for note in found.notes:
        yield f"note: {note}", "yellow"
    yield _runs(found), ""
    if found.is_timed:
        yield _time(found), ""
        yield from _budget(found)
    yield from _seeds(found)


def _runs(found: StudyEstimate) -> str:
    from triptych.report.wording import plural, seeds_text

    study = found.study
    least, most = (sum(found.runs(n).values()) for n in (study.least_seeds, study.most_seeds))
    if study.least_seeds == study.most_seeds:
        seeds = seeds_text(study, study.least_seeds)
        return f"{plural(least, 'run')}: {plural(len(study.arms), 'arm')} on {seeds}."
    return (
        f"{least:,} to {plural(most, 'run')}: {plural(len(study.arms), 'arm')} on "
        f"{seeds_text(study, study.least_seeds, study.most_seeds)}, until every claim is decided."
    )


def _time(found: StudyEstimate) -> str:
    from triptych.report.wording import duration

    study = found.study
    least, most = (found.seconds(n) for n in (study.least_seeds, study.most_seeds))
    time = f"about {duration(least)}"
    if most > least:
        time = f"from {time} ({study.least_seeds} seeds) to {duration(most)} ({study.most_seeds})"
    return f"Time: {time}, on this machine as busy as it is now; memory: {_bytes(found.memory)}."


def _budget(found: StudyEstimate) -> Iterator[tuple[str, str]]:
    """Say whether the budget is enough, for a verdict and for all seeds."""
    from triptych.report.wording import budget_text, duration, plural

    study, seeds = found.study, found.seeds_in_budget
    if study.budget is None:
        return
    budget = f"the budget of {budget_text(study)}"
    if seeds >= study.most_seeds:
        yield f"{budget.capitalize()} is enough for all {study.most_seeds} seeds.", "green"
        return
    need = duration(found.seconds(study.least_seeds))
    if seeds < study.least_seeds:
        enough = "not enough for one seed" if not seeds else f"enough for {plural(seeds, 'seed')}"
        if seeds == 1:
            enough += ", and two are the least that can be compared"
        yield (
            f"warning: {budget} is {enough} of every arm; a verdict takes {study.least_seeds}, "
            f"about {need}. Give more, or fewer epochs, rows or arms; the same command goes on.",
            "yellow",
        )
        return
    yield (
        f"{budget.capitalize()} is enough for a verdict ({study.least_seeds} seeds, about {need}), "
        f"and cuts what would come after about {plural(seeds, 'seed')} of {study.most_seeds}.",
        "green",
    )


def _seeds(found: StudyEstimate) -> Iterator[tuple[str, str]]:
    """Warn where no verdict can come of it."""
    from triptych.report.wording import plural
    from triptych.spec import MIN_SEEDS

    study = found.study
    if not study.claims:
        yield "warning: there is no claim, so there will be figures but no verdict.", "yellow"
    elif study.most_seeds < MIN_SEEDS:
        yield (
            f"warning: {plural(study.most_seeds, 'seed')} cannot decide anything; a verdict takes "
            f"{MIN_SEEDS} at least.",
            "yellow",
        )

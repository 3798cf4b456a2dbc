"""``triptych runs`` and ``triptych rerun``: what was run, compared, deleted, done again."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triptych.cli.console import create_console, say
from triptych.errors import SpecError

if TYPE_CHECKING:
    from triptych.records import RunEntry, Selection, StudyEntry

LIST = "list"
_NAMES = "a run: its folder, STUDY/ARM/seed-N, or the start of its key"


def add_runs(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``runs`` and ``rerun`` to the command line."""
    runs = commands.add_parser(
        "runs",
        help="list, compare or delete the runs that there are",
        description="List the runs that there are. 'triptych runs list --help' has its options.",
    )
    runs.default = LIST
    what = runs.add_subparsers(dest="what", required=True, metavar="[FOLDER | COMMAND]")
    _add_list(what, common)
    _add_compare(what, common)
    _add_delete(what, common)
    rerun = commands.add_parser(
        "rerun", parents=[common], help="do a recorded run again and see whether the same comes out"
    )
    rerun.add_argument("run", metavar="RUN", help=_NAMES)
    rerun.add_argument("--data-dir", type=Path, help="folder of CIFAR-10 in the binary layout")
    rerun.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto",
                       help="auto (default): as recorded")  # fmt: skip
    rerun.set_defaults(call=_rerun)


def _add_list(what: Any, common: argparse.ArgumentParser) -> None:
    parser = what.add_parser(LIST, parents=[common], help="list them (default)")
    add = parser.add_argument
    add("folders", nargs="*", type=Path, metavar="FOLDER",
        help="of a study, or of several (default: triptych-runs)")  # fmt: skip
    _add_selection(parser)
    add("--where", metavar="CONDITION", help="such as 'test_accuracy > 0.9 and seconds < 5'")
    add("--sort", metavar="ORDER", help="arm, seed, status, score, seconds, epochs, finished or "
        "size; with --sort=-score from the best")  # fmt: skip
    add("--limit", type=_count, metavar="N", help="list so many at most")
    add("--json", action="store_true", help="for programs")
    parser.set_defaults(call=_list)


def _add_compare(what: Any, common: argparse.ArgumentParser) -> None:
    parser = what.add_parser("compare", parents=[common], help="what two runs differ in")
    parser.add_argument("one", metavar="RUN", help=_NAMES)
    parser.add_argument("other", metavar="RUN", help="another")
    parser.set_defaults(call=_compare)


def _add_delete(what: Any, common: argparse.ArgumentParser) -> None:
    parser = what.add_parser("delete", parents=[common], help="delete runs")
    add = parser.add_argument
    add("runs", nargs="*", metavar="RUN", help=f"{_NAMES}; or, with filters, the folder of a study "
        "(default then: all under triptych-runs)")  # fmt: skip
    _add_selection(parser)
    add("--former", action="store_true", help="those of settings or seeds the study has no more")
    add("--older-than", metavar="TIME", help="those that ended longer ago, such as '30 days'")
    add("--yes", action="store_true", help="do not ask")
    add("--dry-run", action="store_true", help="only say what would be deleted")
    parser.set_defaults(call=_delete)


def _add_selection(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--arm", action="append", default=[], metavar="ARM", help="runs of this arm; repeatable")
    add("--seed", action="append", default=[], type=int, metavar="N", help="repeatable")
    add("--status", action="append", default=[], metavar="STATUS",
        help="finished, diverged, failed, unfinished, damaged or former; repeatable")  # fmt: skip


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


_count.__name__ = "number of runs"  # argparse's message names the type


def _selection(options: argparse.Namespace) -> Selection:
    from triptych.records import FORMER, STATUSES, Selection
    from triptych.spec import nearest, parse_condition, seconds_of

    statuses = [*options.status, *([FORMER] if getattr(options, "former", False) else [])]
    for status in statuses:
        if status not in STATUSES:
            raise SpecError(f"--status: unknown status {status!r}.{nearest(status, STATUSES)}")
    where, older = getattr(options, "where", None), getattr(options, "older_than", None)
    return Selection(
        arms=tuple(options.arm),
        seeds=tuple(options.seed),
        statuses=tuple(statuses),
        where=parse_condition(where) if where is not None else None,
        older_than=seconds_of(older, "--older-than") if older is not None else None,
    )


def _list(options: argparse.Namespace) -> None:
    from triptych.records import list_studies, sorted_runs
    from triptych.report.run_tables import foot_lines, runs_json, runs_table

    selection = _selection(options)
    studies = list_studies(options.folders)
    runs = [run for study in studies for run in study.runs if selection.takes(run)]
    _check_arms(options.arm, studies)
    if options.sort:
        runs = sorted_runs(runs, options.sort)
    runs = runs[: options.limit]
    if options.json:
        print(json.dumps(runs_json(studies, runs), indent=2))
        return
    console = create_console()
    if not studies:
        say(console, "No runs yet: 'triptych run toys' makes some, under triptych-runs.")
        return
    if runs:
        width = console.width if console.is_terminal else None
        say(console, runs_table(runs, plain=not console.is_terminal, width=width))
    for line in foot_lines(studies, len(runs)):
        say(console, line)


def _check_arms(arms: Sequence[str], studies: Sequence[StudyEntry]) -> None:
    from triptych.spec import nearest

    known = {run.arm for study in studies for run in study.runs}
    for arm in arms:
        if known and arm not in known:
            raise SpecError(f"--arm: no run of an arm {arm!r}.{nearest(arm, known)}")


def _compare(options: argparse.Namespace) -> None:
    from triptych.records import find_run
    from triptych.rerun import compare_runs
    from triptych.rerun.show import comparison_lines

    one, other = find_run(options.one), find_run(options.other)
    found = compare_runs(one.folder, other.folder)
    console = create_console()
    for line in comparison_lines(found, (one.place, other.place)):
        say(console, line)


def _delete(options: argparse.Namespace) -> int:
    from triptych.records import delete_runs
    from triptych.report.wording import plural, visible
    from triptych.spec import size_text

    runs = _to_delete(options)
    console = create_console()
    if not runs:
        say(console, "No run is all that: nothing to delete.")
        return 0
    for run in runs:
        say(console, visible(f"{run.place}  {run.status}  {size_text(run.size)}"))
    total = f"{plural(len(runs), 'run')}, {size_text(sum(run.size for run in runs))}"
    if options.dry_run:
        say(console, f"These would be deleted: {total}.")
        return 0
    if not options.yes and not _agreed(f"Delete {total}? [y/N] "):
        say(console, "Nothing was deleted.")
        return 0
    done = delete_runs(runs)
    kept = [one for one in done if one.why_not]
    for one in kept:
        say(console, visible(f"{one.run.place} stays: {one.why_not}."))
    freed = size_text(sum(one.freed for one in done))
    gone = f"Deleted {plural(len(done) - len(kept), 'run')}, {freed}."
    if len(done) > len(kept):
        gone += " Pages show them until 'triptych report FOLDER' writes them again."
    say(console, gone)
    return 4 if kept else 0


def _to_delete(options: argparse.Namespace) -> list[RunEntry]:
    from triptych.records import Selection, find_run, list_studies, named_study

    selection = _selection(options)
    folders = [study for name in options.runs if (study := named_study(name))]
    named = [name for name in options.runs if not named_study(name)]
    if selection == Selection() and (folders or not named):
        raise SpecError("delete: name runs, or say which: --status, --former, --older-than, --arm "
                        "or --seed. See 'triptych runs delete --help'.")  # fmt: skip
    runs = [find_run(name) for name in named]
    if folders or not named:
        runs += [run for study in list_studies(folders) for run in study.runs]
    unique = {run.folder.path.absolute(): run for run in runs}
    return [run for run in unique.values() if selection.takes(run)]


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise SpecError("delete: nobody is there to be asked; add --yes to delete them.")
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _rerun(options: argparse.Namespace) -> int:
    from triptych.live import Watcher
    from triptych.records import find_run
    from triptych.rerun import Again
    from triptych.rerun.show import repeat_lines
    from triptych.runner import Setting

    again = Again(find_run(options.run).folder, Setting(options.data_dir, options.device))
    console = create_console()
    Watcher(again.study, console).watch(again.events())
    assert again.repeat is not None  # the events have ended
    for line in repeat_lines(again.repeat, again.record):
        say(console, line)
    return 0 if again.repeat.outcome != "differs" else 1

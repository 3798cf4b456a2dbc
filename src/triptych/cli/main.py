"""The command line: parse, call, print."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

from triptych import __version__
from triptych.cli.check import add_check
from triptych.cli.console import create_console
from triptych.cli.evaluate import add_evaluate
from triptych.cli.export import add_export, live_events, to_tensorboard
from triptych.cli.init import add_init
from triptych.cli.keeping import add_keeping, rhythm
from triptych.cli.models import add_models
from triptych.cli.output import refused
from triptych.cli.parsing import Parser
from triptych.cli.predict import add_predict
from triptych.cli.runs import add_runs
from triptych.cli.train import add_train
from triptych.cli.twin import add_twin_cnn, add_twin_mlp, add_twin_rnn
from triptych.cli.watching import Terminated, telling_what_is_kept, watch_study
from triptych.errors import TriptychError

if TYPE_CHECKING:
    from rich.console import Console

    from triptych.runner import StudyResult
    from triptych.spec import StudySpec


_JSON = "print verdicts, runs, curves and findings as JSON, for programs"


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = Parser(
        prog="triptych",
        description="Train, compare and explain MLP, CNN and RNN, and put claims to the test.",
    )
    parser.add_argument("--version", action="version", version=f"triptych {__version__}")
    common = Parser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show tracebacks")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    study = _study_options()
    run = commands.add_parser("run", parents=[common, study], help="run a study and write its page")
    run.add_argument("--out", type=Path, help="folder of runs and page; finished runs are kept")
    run.add_argument("--jobs", type=_count, default=1, metavar="N",
                     help="runs made at the same time; auto: one for each core")  # fmt: skip
    run.add_argument("--disk", metavar="SIZE", help="the most that the study's folder may take, "
                     "such as '2 GB' (default: TRIPTYCH_DISK); drops old weights")  # fmt: skip
    add_keeping(run)
    run.add_argument("--tensorboard", type=Path, metavar="DIR",
                     help="folder of event files, written as it runs")  # fmt: skip
    run.add_argument("--json", action="store_true", help=f"{_JSON}; the rest goes to stderr")
    run.set_defaults(call=_run)

    add_train(commands, common, _count)
    add_init(commands, common)
    add_check(commands, common, study)

    add_models(commands, common)
    add_predict(commands, common)
    add_evaluate(commands, common)

    report = commands.add_parser("report", parents=[common], help="write the page of a study again")
    report.add_argument("run", metavar="RUN", type=Path, help="folder of a study")
    report.add_argument("--json", action="store_true", help=_JSON)
    report.set_defaults(call=_report)

    add_export(commands, common)
    add_runs(commands, common)
    twin = commands.add_parser(
        "twin", help="train the engines side by side, or your own layer beside ours"
    )
    networks = twin.add_subparsers(dest="network", required=True, metavar="NETWORK")
    add_twin_mlp(networks, common)
    add_twin_cnn(networks, common)
    add_twin_rnn(networks, common)

    data = commands.add_parser("data", parents=[common], help="fetch a data set into the cache")
    data.add_argument("name", metavar="NAME", choices=("cifar10",), help="cifar10")
    data.add_argument("--data-dir", type=Path, help="where to put it, instead of the cache")
    data.set_defaults(call=_data)
    return parser


def _study_options() -> Parser:
    """Return the options that say which study is meant, and where it runs."""
    study = Parser(add_help=False)
    add = study.add_argument
    add(
        "study", metavar="STUDY", help="one that ships, such as 'toys', or the path of a study.toml"
    )
    add("--scale", help="the study's scale: quick (default) or full for 'paper'")
    add("--seeds", type=_count, help="runs of every arm, instead of the study's; "
        "auto: until every claim is decided")  # fmt: skip
    add("--first-seed", type=int, metavar="N", help="seeds N, N + 1, ... instead of the study's")
    add("--budget", metavar="TIME", help="with seeds auto, such as '5 min'")
    add("--data-dir", type=Path, help="folder of CIFAR-10 in the binary layout")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    return study


def _count(text: str) -> int | Literal["auto"]:
    if text == "auto":
        return "auto"
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


_count.__name__ = "number"  # argparse's message names the type


def _run(options: argparse.Namespace) -> None:
    from triptych.records import StudyFolder
    from triptych.report.wording import budget_text, visible
    from triptych.runner import Setting, default_folder, execute_study, read_result

    study = _study(options)
    folder = StudyFolder(options.out or default_folder(options.study, study))
    setting = Setting(
        options.data_dir, options.device, disk=_disk(options), checkpoint=rhythm(options),
        inexact=options.inexact,
    )  # fmt: skip
    console = create_console(errors=options.json)
    scale = f", {study.scale} scale" if study.scale else ""
    seeds = str(study.seeds)
    if study.seeds == "auto":
        seeds = f"until every claim is decided, {study.max_seeds} at most"
        seeds += f", for {budget_text(study)}" if study.budget else ""
    seeds += f", from {study.first_seed} on" if study.first_seed else ""
    size = f"arms: {len(study.arms)}, seeds: {seeds}{scale}"
    begin = visible(f"{study.title}\n{size}; kept in {folder.path}")
    console.print(begin, highlight=False, soft_wrap=True)
    live = live_events(options.tensorboard)
    events = execute_study(study, folder, setting, options.jobs)
    followed = live.follow(events) if live else events
    watch_study(study, console, followed, folder.path, debug=options.debug)
    with telling_what_is_kept(folder.path):
        result = read_result(folder.path)
        _show(result, console, anew=False)
    if live:
        to_tensorboard(result, options.tensorboard, console)
    if options.json:
        _print_json(result)
    _show_disk(folder.path, setting.disk, console)
    result.check_finished()


def _study(options: argparse.Namespace) -> StudySpec:
    from triptych.studies import find_study

    study = find_study(options.study, options.scale)
    return study.with_seeds(options.seeds, options.budget, options.first_seed)


def _report(options: argparse.Namespace) -> None:
    from triptych.runner import read_result

    result = read_result(options.run)
    if options.json:
        result.write_page(anew=True)
        _print_json(result)
        return
    _show(result, create_console())


def _print_json(result: StudyResult) -> None:
    print(json.dumps(result.to_dict(), indent=2, allow_nan=False))


def _disk(options: argparse.Namespace) -> int | None:
    """Return the limit on what a study may take, in bytes."""
    from triptych.spec import bytes_of

    if options.disk is not None:
        return bytes_of(options.disk, "--disk")
    asked = os.environ.get("TRIPTYCH_DISK")
    return bytes_of(asked, "TRIPTYCH_DISK") if asked else None


def _show_disk(folder: Path, most: int | None, console: Console) -> None:
    from triptych.records import DiskLimit, disk_use
    from triptych.spec import size_text

    if most is not None and (dropped := DiskLimit(folder, most).make_room()[1]):
        console.print(f"note: {dropped}", style="yellow", highlight=False)
    used = disk_use(folder)
    text = f"It takes {size_text(used)} on disk"
    if most is not None:
        text += f", {'of' if used <= most else 'more than'} the {size_text(most)} it may"
    console.print(f"{text}; 'triptych runs' lists it.", highlight=False, soft_wrap=True)


def _show(result: StudyResult, console: Console, *, anew: bool = True) -> None:
    from triptych.records import StudyFolder
    from triptych.report import study_tables
    from triptych.report.wording import duration

    page = result.write_page(anew=anew)
    for table in study_tables(result.record, result.verdicts):
        console.print(table)
    seconds = StudyFolder(result.record.folder).page_seconds()
    took = f" (drawn in {duration(seconds)})" if seconds else ""
    console.print(f"The page: {page}{took}", highlight=False, soft_wrap=True)


def _data(options: argparse.Namespace) -> None:
    from triptych.data import fetch_cifar10

    print(f"CIFAR-10 is in {fetch_cifar10(options.data_dir)}")


def _on_terminate(*_: object) -> None:
    # A second signal ends at once.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated


def _show_warning(message: Warning | str, *_: object) -> None:
    print(f"triptych: note: {message}", file=sys.stderr)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code.

    Exit codes: 0 done, 1 twins depart or a run differs, 2 wrong option or study, 3 data,
    4 run folder or disk, 5 unsafe file, 6 diverged, 130 interrupted, 143 terminated.
    """
    sys.exit(_guarded(sys.argv[1:] if arguments is None else arguments))


def _one_line(error: TriptychError) -> str:
    """Return an error as a terminal may show it: names in it may hold what a terminal obeys."""
    text = " ".join(str(error).split())
    if text.isprintable():
        return text
    from triptych.report.wording import visible

    return visible(text)


def _guarded(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, _on_terminate)
    warnings.showwarning = _show_warning  # type: ignore[assignment] # it takes more than it uses
    try:
        options = build_parser().parse_args(arguments)
        code = options.call(options)
        sys.stdout.flush()
    except TriptychError as error:
        if "--debug" in arguments:
            raise
        print(f"triptych: {_one_line(error)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except Terminated:
        return 143
    except OSError as error:
        if "--debug" in arguments or (said := refused(error)) is None:
            raise
        return said
    return code or 0

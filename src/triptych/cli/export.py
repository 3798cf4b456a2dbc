"""``triptych export``: a study for those who track elsewhere, a model as ONNX."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triptych.cli.console import create_console, say
from triptych.errors import SpecError

if TYPE_CHECKING:
    from rich.console import Console

    from triptych.runner import StudyResult
    from triptych.tracking import LiveEvents

_SAYS = """\
Write a model as ONNX; or a study's runs for TensorBoard, or into an MLflow store: every evaluation
by its training step, settings, figures at the end, claims with their verdicts. Runs are taken from
records, so it works for any study that was ever run; exporting again adds what is new and doubles
nothing.
"""


def add_export(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``export`` to the parsers of the command line."""
    export = commands.add_parser(
        "export", parents=[common], description=_SAYS,
        help="write a model as ONNX, or a study's runs for TensorBoard or MLflow",
    )  # fmt: skip
    add = export.add_argument
    add("what", metavar="FOLDER | MODEL", type=Path, help="folder of a study, or a model's file")
    add("--onnx", metavar="FILE", type=Path,
        help="of a model: the ONNX file to write; needs triptych[onnx]")  # fmt: skip
    add("--tensorboard", metavar="DIR", type=Path,
        help="folder of event files, for tensorboard --logdir")  # fmt: skip
    add("--mlflow", metavar="WHERE", help="address of an MLflow server or store, such as "
        "http://localhost:5000; or a folder, for mlflow ui")  # fmt: skip
    export.set_defaults(call=_export)


def _export(options: argparse.Namespace) -> None:
    to_trackers = options.tensorboard is not None or options.mlflow is not None
    if options.onnx is not None:
        if to_trackers:
            raise SpecError("export: --onnx takes a model; --tensorboard and --mlflow a study.")
        _to_onnx(options.what, options.onnx)
        return
    if not to_trackers:
        raise SpecError(
            "export: to where? Name --onnx FILE for a model; for a study --tensorboard DIR or "
            "--mlflow WHERE."
        )
    from triptych.runner import read_result

    result = read_result(options.what)
    console = create_console()
    if options.tensorboard is not None:
        to_tensorboard(result, options.tensorboard, console)
    if options.mlflow is not None:
        _to_mlflow(result, options.mlflow, console)


def _to_onnx(path: Path, file: Path) -> None:
    from triptych.report.wording import visible
    from triptych.saved import load

    model = load(path)
    written = model.to_onnx(file)
    console = create_console()
    say(console, visible(f"{file}: {model.summary}"))
    for line in written.lines:
        say(console, visible(line))


def live_events(folder: Path | None) -> LiveEvents | None:
    """Return what writes a study's evaluations as they come; None without a folder for them."""
    if folder is None:
        return None
    from triptych.tracking import LiveEvents

    return LiveEvents(folder)


def to_tensorboard(result: StudyResult, folder: Path, console: Console) -> None:
    """Write a study for TensorBoard, and say how to look at it."""
    from triptych.report.wording import plural, visible
    from triptych.tracking import export_tensorboard

    export_tensorboard(result.record, result.verdicts, folder)
    runs = plural(len(result.record.runs), "run")
    say(console, f"{runs} for TensorBoard: tensorboard --logdir {visible(str(folder))}")


def _to_mlflow(result: StudyResult, where: str, console: Console) -> None:
    from triptych.report.wording import plural, visible
    from triptych.tracking import export_mlflow, require_mlflow

    require_mlflow(where)  # before a page is written
    done = export_mlflow(result.record, result.verdicts, where, result.write_page())
    there = f", {done.kept} were there" if done.kept else ""
    say(console, f"{plural(done.added, 'run')} added to MLflow{there}: "
        f"mlflow ui --backend-store-uri {visible(done.uri)}")  # fmt: skip

"""``triptych predict``: what a model says of rows that it has not seen."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triptych.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[[str], object]

_SAYS = """\
Predict the rows of a file or folder, of any size, and write them as CSV: what each row is called,
what is predicted, and the probability of each class. DATA is of the kind that the model was trained
on: a table, whose columns are found by name; a folder of pictures or a single one; sequences. What
was odd, such as a category that no training row had, is said at the end.
"""


def add_predict(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``predict`` to the parsers of the command line."""
    predict = commands.add_parser(
        "predict", parents=[common], help="predict rows with a model", description=_SAYS
    )
    add = predict.add_argument
    add_model_and_data(predict)
    add("--out", type=Path, metavar="FILE", help="write there, whole or not at all, instead of to "
        "the standard output")  # fmt: skip
    add("--json", action="store_true", help="a line of JSON for each row, for programs")
    add("--probabilities", action=argparse.BooleanOptionalAction, default=None,
        help="those of all classes (default: where there are any)")  # fmt: skip
    predict.set_defaults(call=_predict)


def add_model_and_data(parser: argparse.ArgumentParser) -> None:
    """Add which model, and how its data are read, to a command's parser."""
    add = parser.add_argument
    add("model", metavar="MODEL", type=Path, help="a file that 'triptych train' wrote")
    add("data", metavar="DATA", type=Path, help="a file or folder of your own")
    add("--skip-bad", action="store_true", help="leave out pictures that cannot be read")
    add("--encoding", help="of text (default: as of the file that was trained on)")


def _predict(options: argparse.Namespace) -> None:
    from triptych.saved import Remarks, load, predict_file
    from triptych.saved.prediction_text import Writer

    writer = Writer(load(options.model), options.probabilities, as_json=options.json)
    _check_out(options)
    remarks = Remarks()
    some_rows = predict_file(
        writer.model, options.data, skip_bad=options.skip_bad, encoding=options.encoding,
        remarks=remarks,
    )  # fmt: skip
    with _opened(options.out) as write:
        head = writer.head
        for some in some_rows:
            # A fault of the first rows leaves nothing behind, not even a header.
            write(head + writer.text(some))
            head = ""
    say_remarks(remarks.lines)
    if options.out is not None:
        from triptych.report.wording import plural, visible

        rows = plural(remarks.rows, "row")
        print(visible(f"Wrote {options.out}: {rows} predicted."), file=sys.stderr)


def say_remarks(lines: tuple[str, ...]) -> None:
    """Print what was odd to the standard error, so that it is in no one's way."""
    sys.stdout.flush()
    for line in lines:
        print(f"triptych: note: {line}", file=sys.stderr)


def _check_out(options: argparse.Namespace) -> None:
    """Refuse to write over what is read, or over what is no file."""
    out: Path | None = options.out
    if out is None or not out.exists():
        return
    for name, path in (("MODEL", options.model), ("DATA", options.data)):
        if path.exists() and out.samefile(path):
            raise SpecError(f"--out: {str(out)!r} is {name} itself; name another file.")
    if not out.is_file():
        raise SpecError(f"--out: {str(out)!r} is no file; name one to write.")


@contextmanager
def _opened(out: Path | None) -> Iterator[Write]:
    """Open where text is written to: a file, which is there whole or not at all, or the output."""
    from triptych.records import atomic_file, write_on

    with nullcontext() if out is None else atomic_file(out) as file:
        if file is None:
            yield _print
        else:
            yield lambda text: write_on(file, text.encode())


def _print(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))

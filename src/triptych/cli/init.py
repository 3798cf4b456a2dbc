"""``triptych init``: a first study of one's own data."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from triptych.cli.console import create_console
from triptych.errors import SpecError

_SAYS = """\
Look at some data and write a commented study of them, that runs as it is. DATA is a folder with a
sub-folder of pictures for each class, or with a CSV of file,label beside them; a table: .csv, .tsv,
.parquet, .npz; or sequences: .txt, .tsv (a label, a tab, symbols), .jsonl, or a .csv whose rows
share ids and have times. Without DATA, the built-in digits.
"""


def add_init(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``init`` to the parsers of the command line."""
    init = commands.add_parser(
        "init", parents=[common], help="look at data and write a first study", description=_SAYS
    )
    add = init.add_argument
    add("data", metavar="DATA", nargs="?", type=Path, help="a file or folder of your own")
    add("--target", metavar="COLUMN", help="column or field of the label; of lines first or last")
    add("--skip-bad", action="store_true", help="leave out pictures that cannot be read")
    add("--encoding", default="utf-8", help="of text (default: utf-8)")
    add("--out", type=Path, default=Path("study.toml"), help="default: study.toml")
    add("--force", action="store_true", help="write over a file that is there")
    init.set_defaults(call=_init)


def _init(options: argparse.Namespace) -> None:
    from triptych.data import load
    from triptych.data.looks import look
    from triptych.records import write_atomic
    from triptych.report.wording import visible
    from triptych.spec import DataSpec, parse_study, structure_one
    from triptych.studies.starter import describe, starter

    out: Path = options.out
    _check_out(out, force=options.force)
    source: dict[str, Any] = {"source": "digits"}
    if options.data is not None:
        source = look(options.data, options.target, options.encoding)
    elif options.target is not None:
        raise SpecError(f"--target: needs DATA, got {options.target!r} alone.")
    if options.skip_bad:
        source["skip_bad"] = _folder_only(source)
    data = load(structure_one(DataSpec, source, "data"), 0)
    if "path" in source:
        source["path"] = _seen_from(out.parent, source["path"])
    text = starter(source, data, str(out))
    study = parse_study(text, folder=out.parent)
    write_atomic(out, _encoded(text))
    console = create_console()
    lines = [f"{data.name}: {describe(data, source)}", *(f"note: {note}" for note in data.notes)]
    if left := source.get("ignore"):
        names = ", ".join(map(repr, left))
        lines.append(f"note: left out, in ignore: {names}: ids, or too many texts.")
    for line in lines:
        console.print(visible(line), highlight=False, soft_wrap=True)
    console.print(
        f"Wrote {visible(str(out))}: {len(study.arms)} arms, {len(study.claims)} claims. "
        "Next: triptych check, then triptych run, on that file.",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def _folder_only(source: dict[str, Any]) -> bool:
    if source["source"] != "folder":
        raise SpecError("--skip-bad: needs a folder of pictures as DATA.")
    return True


def _check_out(out: Path, *, force: bool) -> None:
    """Refuse names that no study can have, and files that are there."""
    if out.suffix != ".toml":
        raise SpecError(f"--out: a study ends in .toml, got {str(out)!r}.")
    if out.is_dir() or (out.exists() and not force):
        raise SpecError(
            f"--out: {str(out)!r} is there already; name another, or add --force to write over it."
        )
    if not out.parent.is_dir():
        raise SpecError(f"--out: there is no folder {str(out.parent)!r}.")


def _seen_from(folder: Path, path: str) -> str:
    """Return a relative path as it is from the study's folder, where the study will look."""
    if Path(path).is_absolute():
        return path
    try:
        return os.path.relpath(path, folder)
    except ValueError:  # on another drive
        return str(Path(path).absolute())


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise SpecError(
            "DATA: its name is not UTF-8, so no study can name it; rename it."
        ) from None

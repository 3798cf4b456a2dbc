"""``triptych inspect``: what a model's file holds."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triptych.cli.console import create_console, say

if TYPE_CHECKING:
    from rich.console import RenderableType

    from triptych.saved.describing import Section


def add_models(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``inspect`` to the command line."""
    inspect = commands.add_parser(
        "inspect", parents=[common], help="what a model is, what it was trained on, its scores"
    )
    inspect.add_argument("model", metavar="MODEL", type=Path, help="a model's file")
    inspect.add_argument("--json", action="store_true", help="for programs: all but the weights")
    inspect.set_defaults(call=_inspect)


def _inspect(options: argparse.Namespace) -> None:
    from triptych.report.wording import visible
    from triptych.saved import load
    from triptych.saved.describing import sections
    from triptych.saved.header import header_of

    model = load(options.model)
    if options.json:
        about = {"file": str(options.model), "summary": model.summary}
        about |= {"parameters": model.parameters, **header_of(model)}
        print(json.dumps(about, indent=2, allow_nan=False))
        return
    console = create_console()
    say(console, visible(f"{options.model}: {model.summary}"))
    for section in sections(model):
        say(console, "")
        for shown in _shown(section, plain=not console.is_terminal):
            say(console, shown)


def _shown(section: Section, *, plain: bool) -> list[RenderableType]:
    """Return a section's title and its table; without lines where it is for a pipe."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from triptych.report.wording import visible

    table = Table(
        box=SIMPLE_HEAD if section.heads and not plain else None, show_header=bool(section.heads),
        pad_edge=False, padding=(0, 2, 0, 0),
    )  # fmt: skip
    heads = section.heads or ("", "")
    figures = section.title == "Scores"
    for k, head in enumerate(heads):
        table.add_column(
            Text(visible(head)), justify="right" if figures and k else "left", no_wrap=plain,
            style="" if section.heads or k else "dim", overflow="fold",
        )  # fmt: skip
    for row in section.rows:
        table.add_row(*(Text(visible(cell).replace("\n", "␊")) for cell in row))
    return [Text(section.title, style="bold"), table]

"""``triptych inspect``: what a model's file holds."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from triptych.cli.console import create_console, say

if TYPE_CHECKING:
    from rich.table import Table

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
    from rich.text import Text

    from triptych.report.wording import visible
    from triptych.saved import load
    from triptych.saved.describing import sections
    from triptych.saved.header import header_of

    model = load(options.model)
    if options.json:
        about = {"file": str(options.model), "summary": model.summary}
        table = {**about, "parameters": model.parameters, **header_of(model)}
        print(json.dumps(table, indent=2, allow_nan=False))
        return
    console = create_console()
    say(console, visible(f"{options.model}: {model.summary}"))
    for section in sections(model):
        say(console, "")
        if console.is_terminal:
            say(console, Text(section.title, style="bold"))
            say(console, _table(section))
        else:
            for line in _lines(section):
                say(console, line)


def _cells(section: Section) -> list[tuple[str, ...]]:
    """Return the rows of a section, the heads first, with nothing a terminal would obey."""
    from triptych.report.wording import visible

    rows = [section.heads, *section.rows] if section.heads else section.rows
    return [tuple(visible(cell).replace("\n", "␊") for cell in row) for row in rows]


def _table(section: Section) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    rows = _cells(section)
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, show_header=bool(section.heads))
    for k in range(len(rows[0])):
        head = Text(rows[0][k]) if section.heads else ""
        justify: Literal["right", "left"] = "right" if section.numbers and k else "left"
        style = "" if section.heads or k else "dim"
        table.add_column(head, justify=justify, style=style, overflow="fold")
    for row in rows[1:] if section.heads else rows:
        table.add_row(*map(Text, row))
    return table


def _lines(section: Section) -> list[str]:
    """Return a section for a pipe: a row on a line, however long."""
    from rich.cells import cell_len, set_cell_size

    rows = _cells(section)
    widths = [max(cell_len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = [
        "  ".join(set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return [section.title, *(line.rstrip() for line in lines)]

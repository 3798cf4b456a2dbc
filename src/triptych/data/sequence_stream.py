"""Sequences on their way past a network: a file of any layout, some at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from triptych.contracts import Array, Prepared
from triptych.data.sequence_items import Item
from triptych.data.sequence_json import json_items
from triptych.data.sequence_lines import line_items
from triptych.data.sequence_preparation import SequencePreparation
from triptych.data.sequence_tables import table_items
from triptych.data.text_files import shown, text_blocks
from triptych.errors import DataError

# Numbers that are in memory together, padded.
_VALUES = 1 << 22
# Tables up to this size are gathered by id, in whatever order their rows come.
_GATHERED_BYTES = 1 << 24


def read_steps(
    preparation: SequencePreparation,
    path: Path,
    *,
    rows: int,
    needs_target: bool = False,
    group: str | None = None,
    encoding: str | None = None,
) -> Iterator[Prepared]:
    """Give the sequences of a file, prepared, some at a time.

    Parameters
    ----------
    preparation : SequencePreparation
    path : Path
    rows : int
        How many sequences at a time, at most.
    needs_target : bool
        Whether each must have a label.
    group : str, optional
        A column of a table, or a field of JSON lines, that says to what each belongs.
    encoding : str, optional
        Instead of that of the file that was trained on.

    Raises
    ------
    DataError
        Naming the line, of a symbol that is not known too.
    """
    form = preparation.form
    blocks = text_blocks(path, encoding or form.encoding)
    lines = (line for block in blocks for line in block.split("\n"))
    extra: tuple[str, ...] = ()
    if form.layout == "table":
        together = path.is_file() and path.stat().st_size > _GATHERED_BYTES
        extra, items = table_items(
            lines, path.name, preparation, needs_target=needs_target, group=group, together=together
        )
    elif form.layout == "json":
        items = json_items(lines, path.name, preparation, needs_target=needs_target, group=group)
    elif group is not None:
        raise DataError(f"{path.name}: lines of symbols have no column {shown(group)}.")
    else:
        items = line_items(lines, path.name, form, needs_target=needs_target)
    notes = (f"columns that the model does not read: {', '.join(map(shown, extra))}",)
    held: Prepared | None = None
    for some in _some(items, rows, len(preparation.features) or 1):
        if held is not None:
            yield held
        held = _prepared(preparation, some, path.name, grouped=group is not None)
    assert held is not None  # a file without sequences is an error
    yield replace(held, notes=notes if extra else ())


def _some(items: Iterable[Item], rows: int, width: int) -> Iterator[list[Item]]:
    """Give sequences some at a time, as many as there is room for when they are padded."""
    found: list[Item] = []
    longest = 0
    for item in items:
        longer = max(longest, len(item.steps))
        if found and (len(found) == rows or (len(found) + 1) * longer * width > _VALUES):
            yield found
            found, longer = [], len(item.steps)
        found.append(item)
        longest = longer
    if found:
        yield found


def _prepared(
    preparation: SequencePreparation, items: list[Item], name: str, *, grouped: bool
) -> Prepared:
    x = preparation.scaled(_encoded(preparation, items, name))
    unseen: dict[str, Counter[str]] = {}
    longer = [len(item.steps) for item in items if len(item.steps) > preparation.longest]
    if longer:
        unseen["length"] = Counter(f"{length:,} steps" for length in longer)
    y = None
    if items[0].label is not None:
        index = {label: k for k, label in enumerate(preparation.classes)}
        labels = [item.label or "" for item in items]
        y = np.array([index.get(label, -1) for label in labels], np.int64)
        if unknown := Counter(label for label in labels if label not in index):
            unseen[preparation.form.label] = unknown
    groups = tuple(item.group for item in items) if grouped else ()
    return Prepared(x, y, tuple(item.place for item in items), unseen, groups)


def _encoded(preparation: SequencePreparation, items: list[Item], name: str) -> Array:
    """Return sequences as arrays, symbols by their places among those known."""
    # Here, because SciPy takes a while to load.
    from triptych.data.sequence_steps import Steps
    from triptych.data.symbols import finite, like, places

    lengths = np.array([len(item.steps) for item in items])
    if preparation.steps == "strings":
        steps = Steps("strings", list(chain.from_iterable(i.steps for i in items)), lengths)
    else:
        steps = Steps(preparation.steps, np.concatenate([i.steps for i in items]), lengths)
    if preparation.steps == "vectors":
        return finite(steps)
    codes = places(steps, preparation.alphabet)
    unknown = np.flatnonzero(codes < 0)
    if len(unknown):
        at, ends = int(unknown[0]), np.cumsum(lengths)
        row = int(np.searchsorted(ends, at, "right"))
        step = at - int(ends[row] - lengths[row])
        symbol = steps.values[at]
        text = shown(symbol) if isinstance(symbol, str) else str(symbol)
        raise DataError(
            f"{name} line {items[row].line}, step {step}: {text} is no symbol that the model "
            f"knows: {like(symbol, preparation.alphabet)}."
        )
    return steps.padded(codes, -1)

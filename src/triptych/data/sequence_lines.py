"""Sequences as lines of symbols, each with its label before or after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from triptych.data.sequence_items import Item
from triptych.data.sequence_preparation import SequenceForm
from triptych.data.text_files import shown
from triptych.errors import DataError


def read_symbols(
    lines: list[str], name: str, form: SequenceForm
) -> tuple[list[list[str]], list[str], SequenceForm]:
    """Return sequences and labels of lines, and how the lines turned out to hold them.

    Parameters
    ----------
    lines : list of str
    name : str
        Of the file, for messages.
    form : SequenceForm
        Its separator and spaces are found.

    Raises
    ------
    DataError
    """
    tabs = any("\t" in line for line in lines)
    form = replace(form, separator="\t" if tabs else ",")
    labels, texts = [], []
    for number, line in enumerate(lines, start=1):
        label, text = _parted(line, form, f"{name} line {number}")
        labels.append(label)
        texts.append(text)
    form = replace(form, spaced=any(" " in text for text in texts))
    return [form.symbols(text) for text in texts], labels, form


def line_items(
    lines: Iterable[str], name: str, form: SequenceForm, *, needs_target: bool
) -> Iterator[Item]:
    """Give the sequences of lines; where no label is asked for, lines need none.

    Parameters
    ----------
    lines : iterable of str
    name : str
    form : SequenceForm
    needs_target : bool

    Raises
    ------
    DataError
        If a line is no sequence, or has a label where the first has none.
    """
    labelled = needs_target
    for number, line in enumerate(lines, start=1):
        where = f"{name} line {number}"
        if number == 1:
            labelled |= form.separator in line
        if not labelled:
            text = line.strip()
            if not text:
                raise DataError(f"{where}: the line is blank; remove it.")
            if form.separator in text:
                raise DataError(f"{where}: there is a label here and none on line 1.")
            yield Item(number, f"line {number}", form.symbols(text), None)
            continue
        label, text = _parted(line, form, where)
        yield Item(number, f"line {number}", form.symbols(text), label if needs_target else None)


def _parted(line: str, form: SequenceForm, where: str) -> tuple[str, str]:
    """Return the label and the sequence of a line."""
    parts = [part.strip() for part in line.split(form.separator)]
    if not any(parts):
        raise DataError(f"{where}: the line is blank; remove it.")
    if len(parts) != 2:
        by = "a tab" if form.separator == "\t" else "a comma"
        fields = "1 field" if len(parts) == 1 else f"{len(parts)} fields"
        raise DataError(f"{where}: {fields}, expected 2: label and sequence, with {by} between.")
    label, text = parts if form.label == "first" else reversed(parts)
    if not label:
        raise DataError(f"{where}: there is no label before or after {shown(text)}.")
    if not text:
        raise DataError(f"{where}: the sequence is empty; leave it and its label out.")
    return label, text

"""Text from files of others: read whole, decoded strictly, told by line number."""

from __future__ import annotations

import codecs
import difflib
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from triptych.errors import DataError

# A line that is longer is hardly one; a million numbers take about as much.
LONGEST_LINE = 1 << 24
# Python's float also takes "1_000", "nan" and the digits of other scripts.
_FORM = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_NUMBER = re.compile(_FORM, re.ASCII)
_NUMBERS = re.compile(rf"{_FORM}(?:\n{_FORM})*", re.ASCII)
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_lines(path: Path, encoding: str) -> list[str]:
    """Return the lines of a file, without their ends and without blank ones at the end.

    Parameters
    ----------
    path : Path
    encoding : str
        A byte order mark of UTF-8 is left out.

    Raises
    ------
    DataError
        If the file is none, is empty, or is not text, naming line or byte.
    """
    text = _decoded(read_bytes(path), path.name, encoding)
    if not text.strip():
        raise DataError(f"{path.name}: the file is empty.")
    if "\0" in text:
        place = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{path.name} line {place}: there is a NUL byte; this is no text file.")
    # Not by splitlines, which also ends lines at what may stand in a sequence.
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while not lines[-1].strip():
        lines.pop()
    for number, line in enumerate(lines, start=1):
        if len(line) > LONGEST_LINE:
            raise DataError(
                f"{path.name} line {number}: {len(line):,} characters, at most "
                f"{LONGEST_LINE:,} are read."
            )
    return lines


def read_bytes(path: Path) -> bytes:
    """Return what a file holds.

    Raises
    ------
    DataError
        If there is none, or it cannot be read.
    """
    try:
        if not path.is_file():
            raise DataError(f"{path}: there is no such file.")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise DataError(f"{path}: cannot be read: {error}.") from error


def _decoded(raw: bytes, name: str, encoding: str) -> str:
    if raw.startswith(_UTF16) and encoding.lower().startswith("utf-8"):
        raise DataError(f"{name}: this is UTF-16 by its first bytes; pass encoding='utf-16'.")
    try:
        return raw.decode("utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{name} line {line}: byte {error.start} is not {encoding}; pass encoding=, for "
            "example 'cp1252'."
        ) from error
    except (LookupError, UnicodeError) as error:
        raise DataError(f"{name}: {error}; pass an encoding of text, as 'utf-8'.") from error


def number_of(text: str) -> float:
    """Return the number that a cell holds; NaN where it is empty or says so.

    Raises
    ------
    ValueError
        If it holds something else.
    """
    cell = text.strip()
    if cell.lower() in ("", "nan", "na", "null", "none"):
        return math.nan
    if not _NUMBER.fullmatch(cell):
        if cell.lower().lstrip("+-") in ("inf", "infinity"):
            return math.inf
        raise ValueError(f"{shown(text)} is not a number")
    return float(cell)


def numbers_of(cells: Sequence[str]) -> list[float] | None:
    """Return what `number_of` does of many cells, in a third of the time.

    None where one of them is no number by itself: empty, or with a space.
    """
    if not _NUMBERS.fullmatch("\n".join(cells)):
        return None
    try:
        return list(map(float, cells))
    except ValueError:  # a line break within a cell
        return None


def hint(word: str, words: Iterable[str]) -> str:
    """Return which of some names from a file is nearest to one that is not there, or all."""
    known = list(words)
    close = difflib.get_close_matches(word, known, 1)
    if close:
        return f"Did you mean {shown(close[0])}?"
    return f"There are: {', '.join(map(shown, known[:8]))}{', ...' if len(known) > 8 else ''}."


def shown(value: object) -> str:
    """Return a value as a message may show it: on one line, and short."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def counted(count: int, noun: str) -> str:
    """Return how a sentence about some things begins: how many there are, and is or are.

    Examples
    --------
    >>> counted(1, "row"), counted(1200, "row")
    ('1 row is', '1,200 rows are')
    """
    return f"{count:,} {noun} is" if count == 1 else f"{count:,} {noun}s are"

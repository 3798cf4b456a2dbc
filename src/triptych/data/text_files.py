"""Text from files of others: in blocks of lines, decoded strictly, told by line number."""

from __future__ import annotations

import codecs
import io
import math
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from triptych.contracts import FloatArray
from triptych.data.beginnings import check_beginning
from triptych.errors import DataError
from triptych.spec.naming import closest

# A line that is longer is hardly one; a million numbers take about as much.
LONGEST_LINE = 1 << 24
# Python's float also takes "1_000", "nan" and the digits of other scripts.
_FORM = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_NUMBER = re.compile(_FORM, re.ASCII)
_OF_NUMBERS = b"0123456789+-.eE"
ADVICE = "pass encoding= (--encoding), for example 'cp1252'"
"""What to do where text is of another encoding than it was read in."""
_BLOCK_BYTES = 1 << 22


def read_lines(path: Path, encoding: str, advice: str = ADVICE) -> list[str]:
    """Return the lines of a file, without their ends and without blank ones at the end.

    Parameters
    ----------
    path : Path
    encoding : str
        A byte order mark of UTF-8 is left out.
    advice : str
        What to do where the file is of another encoding.

    Raises
    ------
    DataError
        If the file is none, is empty, or is not text, naming line or byte.
    """
    return [line for block in text_blocks(path, encoding, advice) for line in block.split("\n")]


def text_blocks(path: Path, encoding: str, advice: str = ADVICE) -> Iterator[str]:
    """Give the lines of a file in blocks of a few megabytes, however large it is.

    Parameters
    ----------
    path, encoding, advice
        As of `read_lines`.

    Yields
    ------
    str
        Whole lines with line feeds between them and none at the end.

    Raises
    ------
    DataError
        As `read_lines`, when the block is asked for.
    """
    number, blank, found = 1, "", False  # blank: lines that are left out where nothing follows
    for text in _whole_lines(_decoded(path, encoding, advice), path.name):
        block = blank + text.replace("\r\n", "\n").removesuffix("\r")
        end = _end_of_text(block)
        blank = block[end + 1 :] + "\n" if end < len(block) else ""
        _check_text(block, path.name, number)
        if len(blank) > LONGEST_LINE:
            raise DataError(f"{path.name}: there are {len(blank):,} blank lines in a row.")
        if end > 0:
            found = True
            yield block[:end]
            number += block.count("\n", 0, end) + 1
    if not found:
        raise DataError(f"{path.name}: the file is empty.")


def _whole_lines(texts: Iterable[str], name: str) -> Iterator[str]:
    """Give text in pieces that end where a line does."""
    rest, number = "", 1
    for text in texts:
        # Not by splitlines, which also ends lines at what may stand in a sequence.
        whole, end, after = text.rpartition("\n")
        if not end:
            rest += text
            if len(rest) > LONGEST_LINE:
                raise _too_long(name, number, rest)
            continue
        number += whole.count("\n") + 1
        yield rest + whole
        rest = after
    if rest:
        yield rest


def _end_of_text(block: str) -> int:
    """Return where the last line ends that is not blank; -1 where all are."""
    end = len(block)
    while end >= 0:
        start = block.rfind("\n", 0, end) + 1
        if block[start:end].strip():
            break
        end = start - 1
    return end


def _check_text(block: str, name: str, number: int) -> None:
    """Refuse what no text holds, in a block whose first line has this number."""
    if "\0" in block:
        place = number + block.count("\n", 0, block.index("\0"))
        raise DataError(
            f"{name} line {place}: there is a NUL byte; this is no text file, or UTF-16 "
            "without its mark (--encoding utf-16-le)."
        )
    if len(block) > LONGEST_LINE:
        for place, line in enumerate(block.split("\n"), start=number):
            if len(line) > LONGEST_LINE:
                raise _too_long(name, place, line)


def _too_long(name: str, number: int, line: str) -> DataError:
    return DataError(
        f"{name} line {number}: {len(line):,} characters, at most {LONGEST_LINE:,} are read."
    )


def open_bytes(path: Path) -> BinaryIO:
    """Return a file that is open for reading.

    Raises
    ------
    DataError
        If there is none, or it cannot be read.
    """
    try:
        if not path.is_file():
            raise DataError(f"{path}: there is no such file.")
        return path.open("rb")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise DataError(f"{path}: cannot be read: {error}.") from error


def _decoded(path: Path, encoding: str, advice: str) -> Iterator[str]:
    """Give the text of a file piece by piece."""
    name = path.name
    decoder = _decoder(name, encoding)
    read = lines = 0
    with open_bytes(path) as file:
        while True:
            raw = file.read(_BLOCK_BYTES)
            if not read and encoding.lower() in ("utf-8", "utf8", "utf-8-sig"):
                check_beginning(raw, name)
            read, lines = read + len(raw), lines + raw.count(b"\n")
            try:
                yield decoder.decode(raw, final=not raw)
            except UnicodeDecodeError as error:
                # Of bytes that the decoder had kept, and of those that were just read.
                line = lines - error.object.count(b"\n", error.start) + 1
                raise DataError(
                    f"{name} line {line}: byte {read - len(error.object) + error.start} is not "
                    f"{encoding}; {advice}."
                ) from error
            except UnicodeError as error:
                raise _no_encoding(name, error) from error
            if not raw:
                return


def _decoder(name: str, encoding: str) -> codecs.IncrementalDecoder:
    try:
        # Refuses what is no encoding of text, such as "hex"; the decoders alone do not.
        io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        strict = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
        return codecs.getincrementaldecoder(strict)()
    except (LookupError, ValueError) as error:
        raise _no_encoding(name, error) from error


def _no_encoding(name: str, error: Exception) -> DataError:
    return DataError(f"{name}: {error}; pass an encoding of text, as 'utf-8'.")


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


def numbers_of(cells: Sequence[str]) -> FloatArray | None:
    """Return what `number_of` does of many cells (N,), in a fraction of the time.

    None where one of them is neither empty nor a number by itself: a space is in it, or a word.
    """
    text = "\n".join(cells)
    if text.count("\n") >= max(len(cells), 1):  # a line break within a cell
        return None
    found = numbers_in(text, "\n")
    if found is not None or "" not in cells:
        return found
    known = [cell for cell in cells if cell]
    found = numbers_in("\n".join(known), "\n") if known else np.empty(0)
    if found is None:
        return None
    values = np.full(len(cells), np.nan)
    values[[bool(cell) for cell in cells]] = found
    return values


def numbers_in(text: str, separator: str) -> FloatArray | None:
    """Return numbers (N,) that stand in a text; None where something else stands between two.

    Parameters
    ----------
    text : str
    separator : str
        One character.
    """
    if not text.isascii() or text.encode().translate(None, _OF_NUMBERS + separator.encode()):
        return None
    # Of these characters alone, what is a number to strtod is one to `number_of`, and the same.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # NumPy before 2.3, at what is none
        try:
            found = np.fromstring(text.replace(separator, ","), sep=",")
        except ValueError:
            return None
    return found if len(found) == text.count(separator) + 1 else None


def hint(word: str, words: Iterable[str]) -> str:
    """Return which of some names from a file is nearest to one that is not there, or all."""
    known = list(words)
    if not known:
        return "There are none."
    if (close := closest(word, known)) is not None:
        return f"Did you mean {shown(close)}?"
    if all(_NUMBER.fullmatch(one) for one in known[:2]):
        return f"Is there no header? The first line begins with {shown(known[0])}."
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

"""Text from files of others that may be larger than memory: decoded strictly, line by line."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from triptych.data.text_files import LONGEST_LINE
from triptych.errors import DataError

_BLOCK = 1 << 20
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def stream_lines(path: Path, encoding: str) -> Iterator[str]:
    """Give the lines of a file, as `triptych.data.text_files.read_lines` returns them.

    Parameters
    ----------
    path : Path
    encoding : str
        A byte order mark of UTF-8 is left out.

    Raises
    ------
    DataError
        As of `read_lines`, as soon as the lines come to what is wrong.
    """
    try:
        if not path.is_file():
            raise DataError(f"{path}: there is no such file.")
        with path.open("rb") as file:
            yield from _whole(_texts(file, path.name, encoding), path.name)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise DataError(f"{path}: cannot be read: {error}.") from error


def _whole(texts: Iterator[str], name: str) -> Iterator[str]:
    """Give the lines of text that comes in pieces, without blank ones at the end."""
    number, blanks, rest = 0, 0, ""
    is_empty = True
    for text in texts:
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            number += 1
            if not line.strip():
                blanks += 1
                continue
            yield from [""] * blanks
            is_empty, blanks = False, 0
            yield _checked(line, number, name)
        if len(rest) > LONGEST_LINE:
            _checked(rest, number + 1, name)
    if rest.strip():
        yield from [""] * blanks
        is_empty = False
        yield _checked(rest, number + 1, name)
    if is_empty:
        raise DataError(f"{name}: the file is empty.")


def _checked(line: str, number: int, name: str) -> str:
    """Return a line without the end that other systems give it."""
    if "\0" in line:
        raise DataError(f"{name} line {number}: there is a NUL byte; this is no text file.")
    if len(line) > LONGEST_LINE:
        raise DataError(
            f"{name} line {number}: {len(line):,} characters, at most {LONGEST_LINE:,} are read."
        )
    return line.removesuffix("\r")


def _texts(file: BinaryIO, name: str, encoding: str) -> Iterator[str]:
    """Give the text of a file in pieces."""
    decode, read, lines = _decoder(encoding, name), 0, 0
    while True:
        raw = file.read(_BLOCK)
        if not read and raw.startswith(_UTF16) and encoding.lower().startswith("utf-8"):
            raise DataError(f"{name}: this is UTF-16 by its first bytes; pass encoding='utf-16'.")
        kept = len(decode.getstate()[0])  # of a letter that the last block cut
        try:
            text = decode.decode(raw, final=not raw)
        except UnicodeDecodeError as error:
            place = read - kept + error.start
            line = lines + error.object.count(b"\n", 0, error.start) + 1
            raise DataError(
                f"{name} line {line}: byte {place} is not {encoding}; pass encoding=, for example "
                "'cp1252'."
            ) from error
        except UnicodeError as error:
            raise DataError(f"{name}: {error}; pass an encoding of text, as 'utf-8'.") from error
        yield text
        if not raw:
            return
        read += len(raw)
        lines += text.count("\n")


def _decoder(encoding: str, name: str) -> codecs.IncrementalDecoder:
    usual = encoding.lower() in ("utf-8", "utf8")
    try:
        return codecs.getincrementaldecoder("utf-8-sig" if usual else encoding)("strict")
    except LookupError as error:
        raise DataError(f"{name}: {error}; pass an encoding of text, as 'utf-8'.") from error

"""The text of a study file: read within bounds, and what is wrong in it told by path and line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from triptych.errors import SpecError

MAX_BYTES = 1_000_000
# tomllib takes memory by the square of the parts of a dotted key; a study has five.
MOST_PARTS = 32

# A key of many parts, in text whose quoted parts are single letters and whose comments are gone.
_LONG_KEY = re.compile(rf"(?<![\w-])[\w-]++(?:[ \t]*+\.[ \t]*+[\w-]++){{{MOST_PARTS},}}", re.ASCII)
_QUOTED = re.compile(
    r'"""(?:\\.|[^\\])*?(?:"""|\\?\Z)' r"|'''.*?(?:'''|\Z)"
    r'|"(?:\\.|[^"\\\n])*"?' r"|'[^'\n]*'?" r"|#[^\n]*",
    re.DOTALL,
)  # fmt: skip
_TWICE = re.compile("Cannot (?:overwrite|declare|mutate)|Duplicate inline table key")
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_HEADER = re.compile(r"\s*\[\[?\s*([^\[\]#]+?)\s*\]")


def study_text(path: Path) -> str:
    """Return the text of a study file, without the mark that some editors begin it with.

    Parameters
    ----------
    path : Path

    Raises
    ------
    SpecError
        If it is no file, cannot be read, has more than 1 MB, or is not UTF-8.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would never end
            raise SpecError(f"cannot read the study {path}: it is no file.")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
            size = path.stat().st_size
    except OSError as error:
        raise SpecError(f"cannot read the study {path}: {error.strerror}.") from None
    except ValueError as error:  # a NUL in its name
        raise SpecError(f"cannot read the study {path}: {error}.") from None
    if len(raw) > MAX_BYTES:
        raise SpecError(f"{path.name}: config too large, {size:,} bytes; at most 1 MB.")
    try:
        return raw.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise SpecError(f"{path.name}: not UTF-8 at byte {error.start}; save it as such.") from None


def toml_table(text: str) -> dict[str, Any]:
    """Return what a TOML text holds.

    Raises
    ------
    SpecError
        If it is no TOML, naming the line; has a key twice, naming the key; or is nested deeper than
        any study.
    """
    if _LONG_KEY.search(_QUOTED.sub(_stand_in, text)):
        raise SpecError(f"config too deep: a key of more than {MOST_PARTS} parts.")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(_reason(str(error), text)) from None
    except RecursionError:
        raise SpecError("config too deep.") from None
    except ValueError:  # Python's limit on the digits of an integer
        raise SpecError("a whole number has more digits than can be read.") from None


def _stand_in(found: re.Match[str]) -> str:
    return "" if found[0].startswith("#") else "q"


def _reason(said: str, text: str) -> str:
    if not _TWICE.match(said):
        return f"this is no valid TOML: {said}."
    lines = text.split("\n")
    place = _PLACE.search(said)
    number = int(place[1]) if place and place[1] else len(lines)
    column = int(place[2]) - 1 if place and place[2] else len(lines[-1])
    path = _twice(said, lines[:number], column)
    return f"{path}: the key is there twice, again on line {number}; leave one of them out."


def _twice(said: str, lines: list[str], column: int) -> str:
    """Return the path of a key that is there twice, of which the second is on the last line."""
    if "(" in said.partition(" (at ")[0]:  # a table, or what an inline table has already
        return ".".join(re.findall(r"'([^']*)'", said))
    headers = [found[1] for line in lines[:-1] if (found := _HEADER.match(line))]
    key = lines[-1].partition("=")[0].strip()
    path = [*headers[-1:], key]
    if named := re.match(r"Duplicate inline table key '([^']*)'", said):
        path = [*headers[-1:], *_open_tables(lines[-1][:column]), named[1]]
    return ".".join(path)


def _open_tables(text: str) -> list[str]:
    """Return the keys of the inline tables that a line has opened and not closed."""
    found: list[str] = []
    for key, _ in re.findall(r"([\w.-]*)\s*=?\s*(\{)|\}", text):
        if key:
            found.append(key)
        elif found:
            found.pop()
    return found

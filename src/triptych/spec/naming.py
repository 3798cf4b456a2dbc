"""Names and values as messages show them: short, on one line, with what was meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from triptych.errors import SpecError

_MOST_COMPARED = 10_000  # names, which takes a second


def shown(value: object) -> str:
    """Return a value as a message may show it: on one line, and short."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def unknown_key(path: str, key: str, known: Iterable[str]) -> SpecError:
    """Return the error on a key that a table must not have, with the nearest that it may have.

    Parameters
    ----------
    path : str
        Of the table; empty at the top.
    key : str
    known : iterable of str
    """
    name = key if re.fullmatch(r"[\w-]{1,60}", key, re.ASCII) else shown(key)
    return SpecError(f"{path}{'.' if path else ''}{name}: unknown key.{nearest(key, known)}")


def closest(word: str, known: Sequence[str]) -> str | None:
    """Return the one of some names that a word was meant to be; None where none is near.

    The same but for capitals first, then by `difflib`, among the first 10,000.
    """
    same = [one for one in known if one.casefold() == word.casefold()]
    # Of a longer word nobody means one of these, and to compare it takes long.
    close = same or difflib.get_close_matches(word[:200], known[:_MOST_COMPARED], n=1)
    return close[0] if close else None


def nearest(word: str, words: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the closest of `words`, or the list of them."""
    known = sorted(words)
    if (close := closest(word, known)) is not None:
        return f" Did you mean {close!r}?"
    return f" Known: {', '.join(known)}." if known else " There are none."


def figure(number: float) -> str:
    """Return a number as people write it, -1 and not -1.0."""
    return shown(int(number) if abs(number) < 1e15 and number == int(number) else number)

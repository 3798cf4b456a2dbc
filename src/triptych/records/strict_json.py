"""JSON from elsewhere: nothing twice, nothing infinite, and never more than there is room for."""

from __future__ import annotations

import json
import math
from typing import Any

MOST_DEPTH = 32
MOST_VALUES = 500_000
"""Values that one text may hold: a list without any takes 64 bytes of memory, and 3 of the text."""


def strict_json(text: bytes | str) -> Any:
    """Return the value of a JSON text.

    Parameters
    ----------
    text : bytes or str
        Bytes are UTF-8; whoever reads it has looked at its length.

    Raises
    ------
    ValueError
        If it is no JSON, holds a key twice, NaN, an infinity, or a number past the largest double,
        or more values or levels than anything that Triptych writes.
    """
    # Of bytes json would guess the encoding.
    text = text if isinstance(text, str) else text.decode("utf-8")
    if text.count(",") >= MOST_VALUES:
        raise ValueError(f"it holds more than {MOST_VALUES:,} values")
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite
        )
    except RecursionError:
        raise ValueError(f"it is nested deeper than {MOST_DEPTH} levels") from None
    _check_depth(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise ValueError(f"the key {key[:80]!r} is there twice")
        table[key] = value
    return table


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:80]} is past the largest number")
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MOST_DEPTH + 1):
        level = [
            item
            for one in level
            if isinstance(one, dict | list)
            for item in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise ValueError(f"it is nested deeper than {MOST_DEPTH} levels")

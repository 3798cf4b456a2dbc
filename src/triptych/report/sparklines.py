"""A curve as one line of letters, for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = "_.-~=+*#"
"""The same for a terminal whose encoding has no blocks: the taller the letter, the higher."""
_GAP = " "


def sparkline(values: Sequence[float | None], width: int = 12, letters: str = BLOCKS) -> str:
    """Return a curve as `width` letters at most, from its lowest value to its highest.

    Parameters
    ----------
    values : sequence of float or None
        What is None or not finite leaves a gap.
    width : int
        Of more values evenly spaced ones are shown, the first and the last among them.
    letters : str
        From low to high.

    Examples
    --------
    >>> sparkline([0, 1, 2, 3, 4, 5, 6, 7]), sparkline([3, None, 1], letters=PLAIN)
    ('▁▂▃▄▅▆▇█', '# _')
    >>> sparkline(range(1000), 4), sparkline([0.5, 0.5]), sparkline([])
    ('▁▃▆█', '▁▁', '')
    """
    shown = [values[place] for place in _places(len(values), width)]
    there = [value for value in shown if value is not None and math.isfinite(value)]
    low, high = (min(there), max(there)) if there else (0.0, 0.0)
    # Halves, so that no difference of two numbers is infinite.
    room = high / 2 - low / 2
    found = []
    for value in shown:
        if value is None or not math.isfinite(value):
            found.append(_GAP)
        else:
            share = (value / 2 - low / 2) / room if room else 0.0
            found.append(letters[round(share * (len(letters) - 1))])
    return "".join(found)


def some(values: Sequence[float | None], count: int = 3) -> list[float | None]:
    """Return so many values of a curve, evenly spaced, the first and the last among them.

    Examples
    --------
    >>> some([9, 8, 7, 6, 5]), some([1])
    ([9, 7, 5], [1])
    """
    return [values[place] for place in _places(len(values), count)]


def _places(count: int, most: int) -> list[int]:
    if count <= most:
        return list(range(count))
    if most == 1:
        return [count - 1]
    return [round(k * (count - 1) / (most - 1)) for k in range(most)]


def can_write(letters: str, encoding: str) -> bool:
    """Whether an encoding has these letters.

    Examples
    --------
    >>> can_write(BLOCKS, "utf-8"), can_write(BLOCKS, "latin-1"), can_write("a", "no such")
    (True, False, False)
    """
    try:
        letters.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True

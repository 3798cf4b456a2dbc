"""How long something may take, as people write it."""

from __future__ import annotations

import re

from triptych.errors import SpecError
from triptych.spec.naming import nearest

_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "day": 86400.0, "days": 86400.0}
_LONGEST = 366 * 24 * 3600.0


def seconds_of(value: float | str, path: str) -> float:
    """Return a duration in seconds.

    Parameters
    ----------
    value : float or str
        Seconds, or a number and its unit.
    path : str
        Where it stands in its file, for messages.

    Examples
    --------
    >>> seconds_of("10 min", "budget"), seconds_of("1.5h", "budget"), seconds_of(90, "budget")
    (600.0, 5400.0, 90.0)

    Raises
    ------
    SpecError
        If it is no duration, or not in (0 s, 366 days].
    """
    seconds = _parsed(value, path) if isinstance(value, str) else float(value)
    # Written so that NaN, which compares false to everything, is refused.
    if not 0 < seconds <= _LONGEST:
        raise SpecError(f"{path}: {value} not in (0 s, 8784 h].")
    return seconds


def _parsed(text: str, path: str) -> float:
    match = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([A-Za-z]*)\s*", text)
    if match is None:
        raise SpecError(f"{path}: must be a time such as '90 s', '10 min' or '2 h', got {text!r}.")
    number, unit = match.groups()
    if unit and unit not in _UNITS:
        raise SpecError(f"{path}: unknown unit {unit!r} in {text!r}.{nearest(unit, _UNITS)}")
    return float(number) * _UNITS[unit or "s"]

"""How much room something may take, as people write it."""

from __future__ import annotations

import re

from triptych.errors import SpecError
from triptych.spec.naming import nearest

_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def bytes_of(text: str, path: str) -> int:
    """Return a size in bytes.

    Parameters
    ----------
    text : str
        A number and its unit, or bytes.
    path : str
        Where it was given, for messages.

    Examples
    --------
    >>> bytes_of("2 GB", "--disk"), bytes_of("1.5MB", "--disk"), bytes_of("512", "--disk")
    (2000000000, 1500000, 512)

    Raises
    ------
    SpecError
        If it is no size, or 0.
    """
    match = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([A-Za-z]*)\s*", text, re.ASCII)
    if match is None or len(text) > 40:
        raise SpecError(f"{path}: must be a size such as '500 MB' or '2 GB', got {text[:40]!r}.")
    number, unit = match.groups()
    units = {name.lower(): size for name, size in _UNITS.items()}
    if unit and unit.lower() not in units:
        raise SpecError(f"{path}: unknown unit {unit!r} in {text!r}.{nearest(unit, _UNITS)}")
    size = int(float(number) * units[(unit or "B").lower()])
    if size < 1:
        raise SpecError(f"{path}: {text} is less than a byte.")
    return size


def size_text(size: int) -> str:
    """Return bytes as people read them.

    Examples
    --------
    >>> size_text(950), size_text(14_200), size_text(999_999), size_text(2_345_678_901)
    ('950 B', '14.2 kB', '1 MB', '2.35 GB')
    """
    fitting = [name for name, unit in _UNITS.items() if size < 999.5 * unit]
    name = fitting[0] if fitting else "TB"
    return f"{size / _UNITS[name]:.3g} {name}"

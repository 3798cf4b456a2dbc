"""Numbers that came from a file."""

from __future__ import annotations

# Just below the largest double; an integer past that one would overflow.
_LARGEST = 1.7e308


def is_number(value: object) -> bool:
    """Whether it is a whole number or a float, no truth value, and one that a float can hold."""
    return type(value) in (int, float) and abs(value) <= _LARGEST  # type: ignore[arg-type]

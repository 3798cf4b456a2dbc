"""Dates of ISO 8601: how they are read, and what of a date a network reads."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np

from triptych.contracts import Array, FloatArray

_DATE = r"\d{4}-\d{2}-\d{2}"
_TIME = r"\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?"
# Python also takes "20240101", which is a number, and weeks.
_FORM = re.compile(rf"{_DATE}(?:[T ]{_TIME})?", re.ASCII)
_FIRST, _DAY = datetime(1970, 1, 1), timedelta(days=1)

DAY_INPUTS = ("days", "month (sin)", "month (cos)", "weekday (sin)", "weekday (cos)")
TIME_INPUTS = ("time (sin)", "time (cos)")


def day_of(cell: str) -> float | None:
    """Return the days from 1970 to a date, a time of day as part of one; None where it is none.

    A time with an offset is taken in UTC; one without as it stands.

    Examples
    --------
    >>> day_of("1970-01-03 06:00"), day_of("1970-01-03T06:00+06:00"), day_of("3.1.1970")
    (2.25, 2.0, None)
    """
    text = cell.strip()
    if not _FORM.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):  # a month of 13; year 1 in another zone
        return None
    return (moment - _FIRST) / _DAY


def iso(day: float) -> str:
    """Return days from 1970 as a date, with its time of day where that is not midnight.

    Beyond the years 1 to 9999, which a calendar here has no words for, as a number of days.
    """
    try:
        moment = _FIRST + timedelta(days=day)
    except OverflowError:
        return f"{day:g} days from 1970"
    return moment.isoformat(sep=" ") if day % 1 else moment.date().isoformat()


def days_of(moments: Array) -> FloatArray:
    """Return the days from 1970 to each moment (N,), datetime64; NaN where there is none."""
    days: FloatArray = (moments - np.datetime64(0, "D")) / np.timedelta64(1, "D")
    return days.astype(np.float64)


def has_times(days: FloatArray) -> bool:
    """Whether some moment of a column is no midnight."""
    known = days[~np.isnan(days)]
    return bool((known % 1 != 0).any())


def cycles(days: FloatArray, *, timed: bool) -> FloatArray:
    """Return months, weekdays and, where `timed`, times of day as points on circles.

    Parameters
    ----------
    days : FloatArray, shape (N,)
        From 1970; of NaN all is 0.
    timed : bool

    Returns
    -------
    FloatArray, shape (N, 4) or (N, 6)
        Sines and cosines, as `DAY_INPUTS` names them from the second on, and `TIME_INPUTS`.
    """
    known = ~np.isnan(days)
    there = np.where(known, days, 0.0)
    whole = np.floor(there)
    months = whole.astype(np.int64).astype("M8[D]").astype("M8[M]").astype(np.int64) % 12
    turns = [months / 12, (whole + 3) % 7 / 7]  # the first of 1970 was a Thursday
    if timed:
        turns.append(there - whole)
    angles = 2 * np.pi * np.stack(turns, axis=1)
    out: FloatArray = np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(len(days), -1)
    out[~known] = 0.0
    return out

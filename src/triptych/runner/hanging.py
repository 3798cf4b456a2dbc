"""Which processes hang: they have been at a run for minutes, and computed nothing.

A run may well say nothing for an hour, so what counts is the processor's time that the system says
a process has taken. One that computes without end is not found; nor is any where the system does
not say (it does on Linux).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from triptych.report.wording import duration

SECONDS_BETWEEN_LOOKS = 5.0
_MOST_SECONDS = 300.0


class Hanging:
    """Looks at processes from time to time, and tells which have done nothing for too long."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._seen: dict[int, tuple[int | None, float]] = {}

    def among(self, processes: Iterable[int]) -> list[int]:
        """Return those that hang; others are asked about again within some seconds.

        Parameters
        ----------
        processes : iterable of int
            Their ids.
        """
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_LOOKS:
            return []
        # If this process was stopped for an hour, so were the others: that hour does not count.
        waited = min(now - self._last, 2 * SECONDS_BETWEEN_LOOKS)
        self._last = now
        self._seen = {process: self._idle(process, waited) for process in processes}
        return [process for process, (_, idle) in self._seen.items() if idle >= _MOST_SECONDS]

    def _idle(self, process: int, waited: float) -> tuple[int | None, float]:
        """Return what a process has taken by now, and for how many seconds that has not changed."""
        taken = processor_time(process)
        before, idle = self._seen.get(process, (None, 0.0))
        return (taken, idle + waited) if taken is not None and taken == before else (taken, 0.0)


def why_hung() -> str:
    """Return what is told of a run whose process hung."""
    return f"its process hung: it computed nothing for {duration(_MOST_SECONDS)}, and was ended"


def processor_time(process: int) -> int | None:
    """Return the time that all threads of a process took, in ticks; None where nobody says."""
    try:
        stat = Path(f"/proc/{process}/stat").read_bytes()  # man 5 proc: utime, stime
    except OSError:
        return None
    fields = stat.rpartition(b")")[2].split()
    return int(fields[11]) + int(fields[12])

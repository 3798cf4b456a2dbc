"""How much memory a run takes."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # man 5 proc, /proc/pid/clear_refs


class PeakMemory:
    """The most resident memory that this process has had since this was made.

    It is that of the whole process: Python, the libraries that are loaded, data that are kept.

    Parameters
    ----------
    own_process : bool
        Whether the process does nothing else, so that its peak is what is asked for even where it
        cannot be reset (that takes Linux).
    """

    def __init__(self, *, own_process: bool = False) -> None:
        self._own_process = own_process
        give_back()
        try:
            _CLEAR.write_text(_RESET_PEAK)
            self._was_reset = True
        except OSError:
            self._was_reset = False
        if "torch" in sys.modules:
            import torch

            if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
                torch.cuda.reset_peak_memory_stats()

    def megabytes(self, device: str = "cpu") -> float | None:
        """Return it in MB (10^6 bytes); None where it cannot be told.

        Parameters
        ----------
        device : {"cpu", "cuda"}
            For a GPU it is the most that PyTorch had there.
        """
        if device == "cuda":
            import torch

            return float(torch.cuda.max_memory_allocated()) / 1e6
        if self._was_reset:
            return _high_water_mark()
        return process_peak() if self._own_process else None


def give_back() -> None:
    """Return what runs before have freed to the system, where the C library is glibc."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return


def _high_water_mark() -> float | None:
    for line in _STATUS.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return None


def process_peak() -> float | None:
    """Return the most resident memory of this process, in MB; None where it cannot be told."""
    try:
        # Not by getrusage: that counts what the process was before it became this one.
        return _high_water_mark()
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6

"""Memory that runs out, as NumPy, PyTorch and the system tell it, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from triptych.errors import ResourceError

JUDGED_ROWS = 4096
"""The most rows that PyTorch evaluates at once."""
JUDGED_VALUES = 250 * 3 * 32 * 32
"""And the most inputs: a CNN's widest activations at 32 x 32 are 64 channels, 66 MB a layer."""

# PyTorch's allocator for the CPU, oneDNN and C++ tell it by a RuntimeError of this text.
_TEXTS = ("can't allocate memory", "not enough memory", "bad_alloc", "out of memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on the CPU or a GPU."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in _TEXTS)


@contextmanager
def memory_told(batch_size: int, setting: str = "train.batch_size") -> Iterator[None]:
    """Say what to do where memory runs out within.

    Parameters
    ----------
    batch_size : int
        Rows a step.
    setting : str
        What sets it.

    Raises
    ------
    ResourceError
        In place of whatever said that memory ran out.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        hint = f"{setting} = {batch_size // 2}" if batch_size > 1 else "a smaller network"
        raise ResourceError(
            f"out of memory in batches of {batch_size:,} rows; try {hint}."
        ) from error

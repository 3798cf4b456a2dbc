"""What computes: threads, devices, and how records name them."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

from triptych.contracts import Dataset
from triptych.engines.choice import DataShape
from triptych.models import cost_on
from triptych.records import environment
from triptych.spec import ArmSpec, ReferenceSpec
from triptych.training.blas import SHARED_FROM, all_threads, one_thread

# OpenMP's threads wait for each other in a busy loop unless told otherwise before PyTorch loads it.
# Beside any other busy program, steps as small as these then take up to nine times as long
# (docs/log.md, "waiting threads"); sleeping costs next to nothing. A user's own choice stands.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


# glibc's names for two of its settings, in malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


@cache
def keep_memory() -> None:
    """Let the process keep the memory that it frees, where the C library is glibc.

    By default each tensor above 32 MB is fetched from the system and given back, and the system
    clears every page of it: a ReLU of 123 MB took 36 ms instead of 7 (docs/log.md, "memory").
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or none that can be asked
        return
    # Before 2.35 the first may be 32 MB at most, and asking for more changes nothing.
    if not mallopt(_M_MMAP_THRESHOLD, 1 << 30):
        mallopt(_M_MMAP_THRESHOLD, 1 << 25)
    mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)


# How many threads PyTorch is to have in a process that works for another, as that one has them.
_INHERITED = "TRIPTYCH_TORCH_THREADS"


@cache
def _all_threads() -> int:
    import torch

    return int(os.environ.get(_INHERITED) or torch.get_num_threads())


def inherited() -> dict[str, str]:
    """Return the environment of a process that is to compute as this one does."""
    threads = {_INHERITED: str(_all_threads())} if "torch" in sys.modules else {}
    return {**os.environ, **threads}


def is_small(arm: ArmSpec, data: Dataset | DataShape) -> bool:
    """Whether a step of `arm` is too small to be shared among threads; a reference has one.

    A network whose work is not known is not small.
    """
    if isinstance(arm.network, ReferenceSpec):
        return True
    network, train = arm.trained
    rows = min(train.batch_size or data.rows, data.rows)
    return 0 < 3 * rows * cost_on(network, data).flops < SHARED_FROM


def use_threads(arm: ArmSpec, data: Dataset, engine: str) -> None:
    """Let PyTorch compute with one thread where a step is too small to share.

    Two threads gain a tenth at best on such steps, and lose a multiple of it as soon as anything
    else wants a core (docs/log.md, "waiting threads").
    """
    if engine != "torch":
        return
    import torch

    every = _all_threads()
    torch.set_num_threads(1 if is_small(arm, data) else every)


def threads_of_blas(arm: ArmSpec, data: Dataset) -> AbstractContextManager[Any]:
    """Return a context in which all products of a run, also when it is judged, have its threads.

    A product's last bits depend on how many threads share it. So how many a run has follows from
    its steps and the machine alone, and not from how many runs are made at the same time.
    """
    return one_thread() if is_small(arm, data) else nullcontext()


def threads_taken(arm: ArmSpec, data: Dataset | DataShape, engine: str) -> int:
    """Return how many threads a run of `arm` computes with: one, or all that the process has."""
    if is_small(arm, data):
        return 1
    return _all_threads() if engine == "torch" else all_threads()


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Let PyTorch have so many threads in all for a while; None: as many as it has."""
    if count is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    _all_threads.cache_clear()
    try:
        yield
    finally:
        torch.set_num_threads(before)
        _all_threads.cache_clear()


def machine(engine: str, device: str) -> dict[str, str]:
    """Return the environment that `engine` computes in; see `triptych.records.environment`."""
    if engine == "scikit-learn":
        return environment(1, "cpu")
    if engine != "torch":
        return environment(os.cpu_count() or 1, "cpu")
    import torch

    return environment(torch.get_num_threads(), device_name(device))


def device_name(device: str) -> str:
    """Return how records name a device: ``"cpu"``, or what the GPU is called."""
    if device != "cuda":
        return "cpu"
    import torch

    return torch.cuda.get_device_name()

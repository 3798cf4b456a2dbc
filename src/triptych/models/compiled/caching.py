"""Numba's decorator as all kernels use it: kept on disk until any source changes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import config, njit

from triptych.records import temporary_cache

# Division by zero gives an infinity, as in NumPy. Python's rule that it raises would put a test,
# and a scalar loop, around every division; what is not finite is looked for elsewhere.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def _source() -> int:
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for path in (*sorted(here.glob("*.py")), here.parent.parent / "chance.py"):
        digest.update(path.read_bytes())
    return int.from_bytes(digest.digest()[:7], "big")


# Numba looks only at the age of the file that a kernel stands in, not at those it calls. A kernel
# that captures this number is compiled anew when any of them changes.
SOURCE = _source()


def helper(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return the decorator of what kernels call; it is kept with each of them."""
    decorator: Callable[[Callable[..., Any]], Any] = njit(**OPTIONS, **options)
    return decorator


def inlined() -> Callable[[Callable[..., Any]], Any]:
    """Return the decorator of a helper that stands in one or two places only.

    What calls a helper is optimised together with it, so each level of calls costs the compiler the
    whole once more; put in where it is called, it is one level less.
    """
    return helper(inline="always")


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return the decorator of a kernel, which must capture `SOURCE`.

    Compiled kernels are kept in the package's folder, else in the user's cache; where neither can
    be written, in `triptych.records.temporary_cache`. Where Numba was told of a folder by its own
    variable which cannot be written either, each process compiles anew.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        if not _has_home():
            _keep_elsewhere()
        for _ in range(2):
            try:
                return njit(cache=True, **OPTIONS, **options)(function)
            except RuntimeError:  # no place to keep it
                _keep_elsewhere()
        return njit(**OPTIONS, **options)(function)

    return decorate


def _has_home() -> bool:
    """Whether the user's cache is somewhere; else Numba would make a folder called "~"."""
    try:
        return Path.home().is_absolute()
    except RuntimeError:
        return os.access(Path(__file__).parent, os.W_OK)


def _keep_elsewhere() -> None:
    if not config.CACHE_DIR:
        config.CACHE_DIR = str(temporary_cache())

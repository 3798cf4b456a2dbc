"""Where a run happened: everything outside its spec that can change its bits."""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("triptych", "numpy", "scipy", "scikit-learn", "torch")


@cache
def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


@cache
def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def environment(threads: int, device: str) -> dict[str, str]:
    """Return library versions, machine, thread count and device, all as text.

    Parameters
    ----------
    threads : int
        That the engine computes with.
    device : str
        ``"cpu"`` or a GPU's name.
    """
    return {
        **_versions(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": str(os.cpu_count() or 1),
        "threads": str(threads),
        "device": device,
    }

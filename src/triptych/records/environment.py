"""Where a run happened: everything outside its spec that can change its bits."""

from __future__ import annotations

import hashlib
import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("triptych", "numpy", "scipy", "scikit-learn", "torch", "numba")


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


@cache
def code_id(*names: str) -> str:
    """Return the identity of some packages' and modules' files, without loading them.

    A version stands still while its code is worked on; this does not.

    Parameters
    ----------
    *names : str
        Such as ``"triptych.data"``: all files directly in that package.
    """
    digest = hashlib.sha256()
    for name in names:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            continue
        origin = Path(spec.origin)
        files = sorted(origin.parent.iterdir()) if origin.stem == "__init__" else [origin]
        for file in files:
            if file.is_file():
                digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()

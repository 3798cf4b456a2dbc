"""A study on a disk of 4 MB that is really full: of a file system in memory, and of ext4.

Needs the right to mount; without it there are no trials.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fault_trials import Outcome, Trial, in_child, make

from triptych.records.files import DISK

_MEGABYTES = 4
_ROOM = (0, 4096, 20_000, 40_000, 60_000, 90_000, 130_000, 200_000)
"""Bytes that are left before the study begins."""


def full(study: str) -> Outcome:
    """Run a study on a disk with little room, make room, and let it go on."""
    outcome = Outcome(study)
    for kind in ("tmpfs", "ext4"):
        with small_disk(kind) as home:
            if home is not None:
                outcome += _on(home, study)
    return outcome


def make_synced(text: str, folder: Path) -> None:
    """Make a study as users do: some disks only say at a sync that they are full."""
    vars(DISK).pop("sync", None)
    make(text, folder)


def _on(home: Path, study: str) -> Outcome:
    """Return what came of it; a trial is where the disk was full."""
    trial = Trial(study, make=make_synced, home=home)
    for room in _ROOM:
        trial.clear()
        with (home / "ballast").open("wb", buffering=0) as ballast:
            left = shutil.disk_usage(home).free - room
            ballast.write(bytes(left))
        code = in_child(trial.act)
        where = f"{room} bytes left"
        (home / "ballast").unlink()
        if code not in (0, 4):
            trial.outcome.note("rude", f"{where}: exit {code}")
        elif code == 4:
            trial.outcome.trials += 1
            trial.finish(where)
    if not trial.outcome.trials:
        trial.outcome.note("rude", f"{home} was never full")
    return trial.close()


@contextmanager
def small_disk(kind: str) -> Iterator[Path | None]:
    """Give a folder on a disk of its own, None where that cannot be mounted."""
    home = Path(tempfile.mkdtemp(prefix="faults-"))
    place = home / "disk"
    place.mkdir()
    size = f"{_MEGABYTES}m"
    if kind == "tmpfs":
        mounted = _runs("mount", "-t", "tmpfs", "-o", f"size={size}", "none", place)
    else:
        image = home / "image"
        with image.open("wb") as file:
            file.truncate(_MEGABYTES << 20)
        mounted = _runs("mkfs.ext4", "-q", "-m", "0", image) and _runs(
            "mount", "-o", "loop", image, place
        )
    try:
        yield place if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", place], check=True)
        shutil.rmtree(home)


def _runs(*command: object) -> bool:
    """Whether a command is there and does what it is asked to."""
    if os.geteuid() or shutil.which(str(command[0])) is None:
        return False
    done = subprocess.run(list(map(str, command)), capture_output=True, check=False)
    return done.returncode == 0

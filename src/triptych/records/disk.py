"""What a study takes on disk, and how that is kept within a limit."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from triptych.errors import RunError
from triptych.records.files import DISK
from triptych.spec import size_text

RUNS, WEIGHTS_FILE, RESULT_FILE = "runs", "weights.safetensors", "result.json"
CHECKPOINT_FILES = ("checkpoint-a.safetensors", "checkpoint-b.safetensors")
DISK_LOCK = "disk.lock"
_SEED_FOLDER = re.compile(r"seed-(0|[1-9]\d{0,8})")
# What a run writes beside its weights: the result and the weights' header.
_BESIDE = 16_000
_NAMED = 3


def file_sizes(folder: Path) -> dict[str, tuple[int, float]]:
    """Return bytes and time of change of each file of a folder, by its name.

    A link counts as itself, not as what it leads to.
    """
    found = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    stat = entry.stat(follow_symlinks=False)
                    found[entry.name] = (stat.st_size, stat.st_mtime)
    except OSError:  # it went while it was looked at
        pass
    return found


def disk_use(folder: Path) -> int:
    """Return the bytes of all files in a folder and below it; links are not followed."""
    return sum(
        size for path, _, _ in os.walk(folder) for size, _ in file_sizes(Path(path)).values()
    )


def seed_folders(study: Path) -> Iterator[Path]:
    """Give the folders of a study's runs, by arm and seed; links are none of ours."""
    for arm in _folders(study / RUNS):
        yield from sorted(filter(is_seed_folder, _folders(arm)), key=seed_of)


def is_seed_folder(folder: Path) -> bool:
    """Whether a folder is named as those of runs are."""
    return _SEED_FOLDER.fullmatch(folder.name) is not None


def seed_of(folder: Path) -> int:
    """Return the seed that a run's folder is named after."""
    return int(folder.name.removeprefix("seed-"))


def _folders(path: Path) -> list[Path]:
    if path.is_symlink():
        return []
    try:
        with os.scandir(path) as entries:
            return sorted(Path(e.path) for e in entries if e.is_dir(follow_symlinks=False))
    except OSError:
        return []


@dataclass(frozen=True)
class DiskLimit:
    """The most bytes that a study's folder may take.

    Weights are what is dropped for it, the oldest first: scores, curves and the page need none.
    What runs under way may be taken up from is gone when they end, and drops no weights.

    Attributes
    ----------
    study : Path
        The folder.
    most : int
        Bytes.
    """

    study: Path
    most: int

    def check(self) -> None:
        """Refuse to begin a run that would not fit even if no weights were kept.

        Raises
        ------
        RunError
        """
        weights = sum(size for _, size, _ in self._weights())
        rest = self._lasting() - weights
        if rest + max(_BESIDE, self._largest()) > self.most:
            raise RunError(
                f"{str(self.study)!r} takes {size_text(rest)} without any weights, which leaves no "
                f"room for a run within {size_text(self.most)}. Give it more with --disk, or see "
                "'triptych runs delete'."
            )

    def has_room(self, needed: int) -> bool:
        """Whether `needed` more bytes fit as it is."""
        return disk_use(self.study) + needed <= self.most

    def _lasting(self) -> int:
        """Return the bytes of all but the checkpoints of runs that have not ended."""
        under_way = 0
        for files in map(file_sizes, seed_folders(self.study)):
            if RESULT_FILE not in files:
                under_way += sum(files[name][0] for name in CHECKPOINT_FILES if name in files)
        return disk_use(self.study) - under_way

    def make_room(self, needed: int = 0) -> tuple[bool, str]:
        """Drop old weights until `needed` more bytes fit, if that can be.

        Returns
        -------
        bool, str
            Whether they fit now, and what was dropped, in a sentence.
        """
        # Runs of several processes may end at the same time.
        with FileLock(self.study / DISK_LOCK):
            too_much = self._lasting() + needed - self.most
            old = sorted(self._weights(), key=lambda found: found[2])
            if too_much > sum(size for _, size, _ in old):
                return False, ""
            dropped = []
            for path, size, _ in old:
                if too_much <= 0:
                    break
                try:
                    DISK.remove(path)
                except OSError as error:
                    reason = error.strerror or error
                    raise RunError(f"cannot drop {path}: {reason}.") from error
                too_much -= size
                dropped.append(f"{path.parent.parent.name}/{path.parent.name}")
            return True, self._told(dropped)

    def _told(self, dropped: list[str]) -> str:
        if not dropped:
            return ""
        named = ", ".join(dropped[:_NAMED])
        more = f" and {len(dropped) - _NAMED} more runs" if len(dropped) > _NAMED else ""
        most = size_text(self.most)
        return f"weights of {named}{more} were dropped to stay within {most}; scores are kept."

    def _largest(self) -> int:
        """Return what the largest run takes without its weights, as the next one may, too."""
        runs = [file_sizes(folder) for folder in seed_folders(self.study)]
        return max(
            (sum(size for name, (size, _) in files.items()
                 if name not in (WEIGHTS_FILE, *CHECKPOINT_FILES))
             for files in runs), default=0,
        )  # fmt: skip

    def _weights(self) -> list[tuple[Path, int, float]]:
        """Return path, bytes and time of each run's weights."""
        found = []
        for folder in seed_folders(self.study):
            files = file_sizes(folder)
            if WEIGHTS_FILE in files:
                found.append((folder / WEIGHTS_FILE, *files[WEIGHTS_FILE]))
        return found

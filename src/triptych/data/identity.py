"""What a data set is made from, told without making it."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

from triptych.data.cifar10 import FILES, cifar10_folder
from triptych.records import code_id, environment
from triptych.spec import (
    ArraysSpec,
    BundledSpec,
    Cifar10Spec,
    DataSpec,
    DigitsSpec,
    FolderSpec,
    PalindromeSpec,
    SequenceFileSpec,
    TableSpec,
    ToySpec,
    plain,
)

# A file that is written twice within a tick of the file system's clock may have one time.
_SETTLED_SECONDS = 2.0


def source_id(spec: DataSpec, seed: int, data_dir: Path | None = None) -> str:
    """Return the identity of what `triptych.data.load` would read or draw; SHA-256, hexadecimal.

    Two calls that give one identity stand for data sets of one fingerprint: what is drawn follows
    from spec, seed, code, library versions and processor; what is read, from files of the same
    place, size and times. Empty where nobody can say without loading.

    Parameters
    ----------
    spec, seed, data_dir
        As of `triptych.data.load`.

    Raises
    ------
    DataError, UnsafeFileError
        If a folder was named that cannot be used.
    """
    match spec:
        case ToySpec() | DigitsSpec() | PalindromeSpec() | BundledSpec() | ArraysSpec():
            files: list[Path] = []
        case Cifar10Spec():
            folder = cifar10_folder(data_dir)
            # Where there is none, digits stand in, which are drawn.
            files = [folder / name for name in FILES] if folder else []
        case TableSpec() | SequenceFileSpec():
            files = [Path(spec.path)]
        case FolderSpec():
            files = sorted(path for path in Path(spec.path).rglob("*") if path.is_file())
    stamps = _stamps(files)
    if stamps is None or (isinstance(spec, FolderSpec) and not stamps):
        return ""
    made_by = {k: v for k, v in environment(0, "").items() if k not in ("cores", "threads")}
    code = code_id("triptych.data", "triptych.chance")
    text = json.dumps([plain(spec), seed, stamps, made_by, code], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _stamps(files: list[Path]) -> list[tuple[str | int, ...]] | None:
    """Return what changes when a file does; None where one is missing or was just written."""
    found: list[tuple[str | int, ...]] = []
    for file in files:
        try:
            stat = file.stat()
        except OSError:
            return None
        if max(stat.st_mtime, stat.st_ctime) > time.time() - _SETTLED_SECONDS:
            return None
        place = str(file.resolve())
        found.append((place, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino))
    return found

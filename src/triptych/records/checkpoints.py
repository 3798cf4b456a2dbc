"""Checkpoints of a run under way: two files that take turns, so that one is whole at any time.

A file is in the safetensors format. Among its metadata is a SHA-256 over all that it holds, so that
one that was damaged, however slightly, is known as such and never taken up. With it goes how long
the log of the run was by then, and a SHA-256 of that part: what came after it is dropped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from triptych.contracts import Array, State
from triptych.errors import CheckpointError
from triptych.records.disk import CHECKPOINT_FILES
from triptych.records.files import remove, write_atomic
from triptych.records.reading import read_whole
from triptych.records.tensors import MOST_TENSORS

# Weights, their moments, and the best weights so far: four times what a model may hold.
_MOST_BYTES = 4 * MOST_TENSORS
_LENGTH = 8  # bytes of a safetensors file that say how long its header is


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a run had come to, and of what it was.

    Attributes
    ----------
    spec : str
        Identity of the arm's settings, see `triptych.spec.spec_id`.
    fingerprint : str
        Of the data.
    environment : dict of str to str
        Where it was computed.
    step : int
        Steps that were taken.
    log, log_hash : int, str
        Bytes of the metrics by then, and their SHA-256.
    state : State
    """

    spec: str
    fingerprint: str
    environment: dict[str, str]
    step: int
    log: int
    log_hash: str
    state: State


@dataclass(frozen=True)
class Found:
    """The newest checkpoint that is whole, and which files are not."""

    checkpoint: Checkpoint
    damaged: tuple[str, ...] = ()


class Checkpoints:
    """The checkpoints in a run's folder: the newest and the one before it.

    Parameters
    ----------
    folder : Path
    log : Path
        The run's metrics.
    """

    def __init__(self, folder: Path, log: Path) -> None:
        self.folder, self.log = folder, log
        self.next = CHECKPOINT_FILES[0]

    def write(self, content: bytes) -> None:
        """Write a checkpoint, from `packed`, in the place of the older one.

        Raises
        ------
        RunError
            If the disk is full or fails; the newest one before is as it was.
        """
        write_atomic(self.folder / self.next, content)
        self._turn(self.next)

    def _turn(self, newest: str) -> None:
        first, second = CHECKPOINT_FILES
        self.next = second if newest == first else first

    def newest(self) -> Found | None:
        """Return the newest checkpoint that is whole; None where there is no file.

        Raises
        ------
        CheckpointError
            If there are files, and none of them is whole.
        """
        whole: dict[str, Checkpoint] = {}
        damaged = []
        for name in CHECKPOINT_FILES:
            try:
                content = read_whole(self.folder / name, _MOST_BYTES)
            except FileNotFoundError:
                continue
            except OSError:
                damaged.append(name)
                continue
            try:
                whole[name] = self._checked(unpacked(content))
            except ValueError:
                damaged.append(name)
        if not whole:
            if damaged:
                what = "is damaged" if len(damaged) == 1 else "are damaged"
                raise CheckpointError(
                    f"{self.folder}: {' and '.join(damaged)} {what}, so the run cannot go on. "
                    f"'triptych runs delete {self.folder}' lets it start again."
                )
            return None
        newest = max(whole, key=lambda name: whole[name].step)
        self._turn(newest)
        return Found(whole[newest], tuple(damaged))

    def _checked(self, checkpoint: Checkpoint) -> Checkpoint:
        """Return the checkpoint if the log still begins as it did.

        Raises
        ------
        ValueError
        """
        try:
            content = read_whole(self.log)[: checkpoint.log]
        except OSError:
            raise ValueError("no log") from None
        if len(content) < checkpoint.log or _sha(content) != checkpoint.log_hash:
            raise ValueError("another log")
        return checkpoint

    def drop(self) -> None:
        """Remove all of them.

        Raises
        ------
        RunError
            If the disk refuses.
        """
        for name in CHECKPOINT_FILES:
            remove(self.folder / name)
        self.next = CHECKPOINT_FILES[0]


def packed(checkpoint: Checkpoint) -> bytes:
    """Return a checkpoint as the bytes of a file."""
    table = {
        f.name: getattr(checkpoint, f.name) for f in fields(checkpoint) if f.name != "state"
    } | {"values": checkpoint.state.values}
    # As it may hold NaN, this is Python's JSON, for Python alone.
    text = json.dumps(table, sort_keys=True)
    arrays = {name: np.asarray(a, order="C") for name, a in checkpoint.state.arrays.items()}
    return safetensors.numpy.save(arrays, {"checkpoint": text, "sha256": _digest(text, arrays)})


def unpacked(content: bytes) -> Checkpoint:
    """Return what `packed` was given.

    Raises
    ------
    ValueError
        If not every byte is what it was.
    """
    try:
        length = int.from_bytes(content[:_LENGTH], "little")
        metadata = json.loads(content[_LENGTH : _LENGTH + length])["__metadata__"]
        text, digest = metadata["checkpoint"], metadata["sha256"]
        found = safetensors.numpy.load(content)
        if _digest(text, found) != digest:
            raise ValueError("another hash")
        table = json.loads(text)
        _check_kinds(table)
        # What was read may be read-only, and a view of all of it.
        arrays = {name: array.copy() for name, array in found.items()}
        return Checkpoint(state=State(arrays, table.pop("values")), **table)
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"damaged: {error}") from None


def _check_kinds(table: Any) -> None:
    """Refuse a table that no `packed` wrote, though its hash is right.

    Raises
    ------
    ValueError
    """
    kinds = {
        "spec": str, "fingerprint": str, "environment": dict, "step": int, "log": int,
        "log_hash": str, "values": dict,
    }  # fmt: skip
    if not isinstance(table, dict) or table.keys() != kinds.keys():
        raise ValueError("other keys")
    for name, kind in kinds.items():
        if type(table[name]) is not kind or (kind is int and table[name] < 0):
            raise ValueError(f"{name} is {str(table[name])[:80]}")


def log_until(content: bytes) -> dict[str, Any]:
    """Return what a checkpoint says of a log that holds `content`."""
    return {"log": len(content), "log_hash": _sha(content)}


def _digest(text: str, arrays: Mapping[str, Array]) -> str:
    """Return the SHA-256 of values, names, dtypes, shapes and numbers."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\n{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

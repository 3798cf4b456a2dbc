"""Tensors in safetensors files: all of a header is checked before room is made for any of them.

The format: 8 bytes that hold the header's length, little-endian; the header, a table of JSON that
gives for each tensor its dtype, its shape and where its bytes start and end; and those bytes, C
order, little-endian, one tensor after the other. In the header
``__metadata__`` is a table of texts.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import safetensors.numpy

from triptych.contracts import Array, Weights
from triptych.records.strict_json import strict_json

MOST_HEADER = 8_000_000
"""Bytes of a header. What is read from so many takes 100 MB of memory at most."""
MOST_TENSORS = 2**32
"""Bytes of all tensors; a file with holes takes less on disk than it says."""
_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip
_PICKLED = (b"\x80", b"PK\x03\x04")  # a pickle, and PyTorch's archive of one


@dataclass(frozen=True)
class Entry:
    """Where a tensor is in a file, and what it is.

    Attributes
    ----------
    dtype : np.dtype
    shape : tuple of int
    start, end : int
        In the bytes that follow the header.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int
    end: int


class TensorFile:
    """An open safetensors file whose header has been checked.

    Parameters
    ----------
    file : binary file
        At its start.

    Attributes
    ----------
    metadata : dict of str to str
    entries : dict of str to Entry
        By name.

    Raises
    ------
    ValueError
        If the header is not one, or its tensors do not fill the rest of the file exactly.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        size = os.fstat(file.fileno()).st_size
        first = file.read(8)
        length = header_bytes(first)
        if length > size - 8 and first.startswith(_PICKLED):
            raise ValueError("it looks like pickled code, which is never read")
        if len(first) < 8 or length > size - 8:
            raise ValueError(f"it is no safetensors file, or has been cut: {size:,} bytes")
        if length > MOST_HEADER:
            raise ValueError(f"its header has {length:,} bytes, at most {MOST_HEADER:,} are read")
        table = strict_json(file.read(length))
        if not isinstance(table, dict):
            raise ValueError("its header is no table")
        self.metadata = _texts(table.pop("__metadata__", {}))
        self.entries = {name: _entry(name, value) for name, value in table.items()}
        self._start = 8 + length
        self._check_places(size - self._start)

    def _check_places(self, size: int) -> None:
        """Refuse tensors that overlap, leave a gap, or end elsewhere than the file."""
        if size > MOST_TENSORS:
            raise ValueError(f"its tensors have {size:,} bytes, at most {MOST_TENSORS:,} are read")
        end = 0
        for name, entry in sorted(self.entries.items(), key=lambda one: (one[1].start, one[1].end)):
            if entry.start != end:
                how = "overlaps the one before" if entry.start < end else "leaves a gap before it"
                raise ValueError(f"tensor {name[:80]!r} {how}")
            end = entry.end
        if end != size:
            raise ValueError(f"its tensors take {end:,} bytes, and {size:,} follow the header")

    def read(self, name: str) -> Array:
        """Return one tensor.

        Raises
        ------
        ValueError
            If the file has been cut since it was opened.
        """
        entry = self.entries[name]
        array = np.empty(entry.shape, entry.dtype)
        self._file.seek(self._start + entry.start)
        content: Any = memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type] # 3.12 knows
        if self._file.readinto(content) != array.nbytes:  # type: ignore[attr-defined]
            raise ValueError(f"it ends within tensor {name[:80]!r}")
        return array.astype(entry.dtype.newbyteorder("="), copy=False)


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise ValueError("its __metadata__ is no table of texts")
    return value


def _entry(name: str, value: object) -> Entry:
    """Return what a header says of a tensor."""
    whose = f"tensor {name[:80]!r}"
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{whose} needs dtype, shape and data_offsets, and no more")
    kind, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(kind, str) or kind not in _DTYPES:
        raise ValueError(f"{whose} has an unknown dtype, {str(kind)[:80]!r}")
    if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2:
        raise ValueError(f"{whose} has a shape or data_offsets that are no counts")
    dtype = np.dtype(_DTYPES[kind])
    # In Python's integers, which do not overflow.
    if offsets[1] - offsets[0] != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{whose} of shape {str(shape)[:80]} does not fit its data_offsets")
    return Entry(dtype, tuple(shape), *offsets)


def _are_counts(value: object) -> bool:
    if not isinstance(value, list):
        return False
    return all(isinstance(v, int) and not isinstance(v, bool) and v >= 0 for v in value)


def header_bytes(content: bytes) -> int:
    """Return how long the header is, by the first 8 bytes of a file."""
    return int.from_bytes(content[:8], "little")


def dump_tensors(weights: Weights, metadata: Mapping[str, str]) -> bytes:
    """Return tensors as the content of a safetensors file."""
    content: bytes = safetensors.numpy.save(weights, dict(metadata))
    return content


@contextmanager
def open_tensors(path: Path) -> Iterator[TensorFile]:
    """Open a safetensors file.

    Raises
    ------
    OSError
        If it cannot be opened, or is no ordinary file.
    ValueError
        See `TensorFile`.
    """
    if path.exists() and not path.is_file():  # reading a pipe would wait for whoever writes to it
        raise OSError(f"{path.name} is no file")
    with path.open("rb") as file:
        yield TensorFile(file)


def read_tensors(path: Path) -> Weights:
    """Return all tensors of a safetensors file, by name.

    Raises
    ------
    OSError, ValueError
        See `open_tensors`.
    """
    with open_tensors(path) as file:
        return {name: file.read(name) for name in file.entries}

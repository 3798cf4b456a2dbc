"""Tables in .npz files: arrays of one length, read without ever unpickling anything."""

from __future__ import annotations

import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from triptych.contracts import Array
from triptych.data.columns import (
    MOST_VALUES,
    Column,
    Columns,
    check_column,
    check_size,
    column_of_texts,
)
from triptych.data.csv_rows import check_names
from triptych.data.dates import days_of
from triptych.data.text_files import open_bytes, shown
from triptych.errors import DataError, UnsafeFileError

# Data hardly ever shrinks to less than a hundredth; files made to blow up do.
_MOST_RATIO, _HARMLESS_BYTES = 100, 1 << 20
_PICKLE = b"\x80"
# The last of them are what Python's parser and tokenizer raise on the header of an array.
_DAMAGE = (
    OSError, EOFError, ValueError, NotImplementedError, RuntimeError, zipfile.BadZipFile,
    zlib.error, lzma.LZMAError, struct.error, SyntaxError, tokenize.TokenError, MemoryError,
)  # fmt: skip
_KINDS = "biufUM"


def array_chunks(
    file: Path, ignore: tuple[str, ...], rows: int, only: frozenset[str] | None = None
) -> Iterator[Columns]:
    """Give the arrays of an ``.npz`` file as columns, some rows at a time; one chunk at least.

    An array (N,) is a column of its name; so is one (N, 1); of an array (N, k) called
    ``x`` the columns are ``x[0]`` to ``x[k - 1]``.

    Parameters
    ----------
    file : Path
    ignore : tuple of str
        Arrays that are left out.
    rows : int
        The most of a chunk.
    only : set of str, optional
        Columns that are read, as far as they are there; absent: all.

    Raises
    ------
    DataError
        If the file is damaged, or an array is no column or of another length.
    UnsafeFileError
        If an array holds pickled objects, or the file blows up when it is unpacked.
    """
    try:
        with open_bytes(file) as raw, zipfile.ZipFile(raw) as archive, ExitStack() as opened:
            names = tuple(info.filename.removesuffix(".npy") for info in archive.infolist())
            for name in ignore:
                check_column(name, names, file.name, "ignore")
            check_names(names, file.name)
            _check_overlap(archive, file)
            arrays = [
                _opened(archive, info, name, f"{file.name}: array {shown(name)}", opened)
                for name, info in zip(names, archive.infolist(), strict=True)
                if name not in ignore
            ]
            yield from _chunks(file.name, arrays, rows, only)
    except _DAMAGE as error:
        raise _unreadable(file, error) from error


@dataclass(frozen=True)
class _Open:
    """An array (N, k) in an archive, at its first row that was not read yet."""

    name: str
    what: str
    kind: np.dtype[Any]
    rows: int
    columns: int
    streams: Sequence[IO[bytes]]  # one of all columns, or one of each

    @property
    def names(self) -> tuple[str, ...]:
        """Of its columns."""
        if self.columns == 1:
            return (self.name,)
        return tuple(f"{self.name}[{k}]" for k in range(self.columns))

    def read(self, count: int) -> Iterator[Column]:
        """Give the columns of the next rows."""
        parts = [self._read(stream, count) for stream in self.streams]
        values = np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
        for name, column in zip(self.names, values.T, strict=True):
            yield _column(name, column, self.what)

    def _read(self, stream: IO[bytes], count: int) -> Array:
        width = self.columns // len(self.streams)
        size = count * width * self.kind.itemsize
        raw = stream.read(size)
        if len(raw) != size:
            raise DataError(f"{self.what} does not hold the values that it claims.")
        return (
            np.frombuffer(raw, self.kind).reshape(count, width)
            if size
            else np.empty((count, width), self.kind)
        )


def _chunks(
    name: str, arrays: Sequence[_Open], rows: int, only: frozenset[str] | None
) -> Iterator[Columns]:
    if not arrays:
        raise DataError(f"{name}: there are no arrays.")
    lengths = {array.name: array.rows for array in arrays}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{shown(name)} {n:,}" for name, n in list(lengths.items())[:4])
        raise DataError(f"{name}: arrays must have one length, got {told}.")
    names = [column for array in arrays for column in array.names]
    check_names(names, name)
    whole = arrays[0].rows
    step = max(1, min(rows, MOST_VALUES // len(names)))
    for before in range(0, max(whole, 1), step):
        count = min(step, whole - before)
        found = [column for array in arrays for column in array.read(count)]
        columns = tuple(c for c in found if only is None or c.name in only)
        unread = tuple(c.name for c in found if only is not None and c.name not in only)
        yield Columns(name, columns, None, before, unread)


def _unreadable(file: Path, error: Exception) -> DataError | UnsafeFileError:
    with file.open("rb") as opened:
        if opened.read(1) == _PICKLE:
            return _pickled(file.name)
    return DataError(f"{file.name}: this is no whole .npz file: {error}.")


def _check_overlap(archive: zipfile.ZipFile, file: Path) -> None:
    """Refuse arrays that share bytes: many of one part of a file blow up past any ratio."""
    parts = sorted(
        (one.header_offset, one.compress_size, one.filename) for one in archive.infolist()
    )
    ends = [start for start, _, _ in [*parts, (file.stat().st_size, 0, "")]]
    for (start, size, name), end in zip(parts, ends[1:], strict=True):
        if start + size > end:
            raise UnsafeFileError(
                f"{file.name}: array {shown(name)} overlaps what follows it; save it with "
                "numpy.savez."
            )


def _pickled(what: str) -> UnsafeFileError:
    return UnsafeFileError(
        f"{what} contains pickled code, which is never run; save plain numbers or texts."
    )


def _opened(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, what: str, stack: ExitStack
) -> _Open:
    """Return one array, after what its header claims was found to be there."""
    if info.file_size > max(_HARMLESS_BYTES, _MOST_RATIO * info.compress_size):
        raise UnsafeFileError(
            f"{what} unpacks to {info.file_size:,} bytes from {info.compress_size:,}, more than "
            f"{_MOST_RATIO} times as many; save it with numpy.savez."
        )
    first = stack.enter_context(archive.open(info))
    shape, by_columns, kind = _header(first, what)
    if kind.hasobject:
        raise _pickled(what)
    if kind.kind not in _KINDS or kind.names is not None or not 1 <= len(shape) <= 2:
        raise DataError(
            f"{what} is {kind} of shape {shape}; numbers, texts or dates (N,) or (N, k) are read."
        )
    start, count, width = first.tell(), math.prod(shape), math.prod(shape[1:])
    if info.file_size - start != count * kind.itemsize:
        raise DataError(f"{what} claims {count:,} values, and does not hold as many.")
    check_size(what, 1, width)
    streams = [first]
    if by_columns and width > 1:
        streams += [stack.enter_context(archive.open(info)) for _ in range(width - 1)]
        for k, stream in enumerate(streams[1:], start=1):
            stream.seek(start + k * shape[0] * kind.itemsize)
    return _Open(name, what, kind, shape[0], width, streams)


def _header(opened: IO[bytes], what: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(opened)
    if version not in ((1, 0), (2, 0)):
        raise DataError(f"{what} is of version {version} of the format; 1 and 2 are read.")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, by_columns, kind = read(opened)
    return shape, by_columns, kind


def _column(name: str, values: Array, what: str) -> Column:
    if values.dtype.kind == "U":
        _check_letters(values, what)
        return column_of_texts(name, values.tolist())
    if values.dtype.kind == "M":
        return Column(name, days_of(values), dated=True)
    return Column(name, values.astype(np.float64))


def _check_letters(values: Array, what: str) -> None:
    """Refuse numbers that stand for no letter, which Python cannot make a text of."""
    if not values.size or not values.itemsize:
        return
    number = np.dtype("u4").newbyteorder(values.dtype.byteorder)
    letters = np.ascontiguousarray(values).view(number)
    if (letters > 0x10FFFF).any() or ((letters >> 11) == 0x1B).any():  # or is half a letter
        raise DataError(f"{what} has texts that are none: letters that Unicode does not have.")

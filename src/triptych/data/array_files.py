"""Tables in .npz files: arrays of one length, read without ever unpickling anything."""

from __future__ import annotations

import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from triptych.contracts import Array
from triptych.data.columns import Column, Columns, check_column, check_size, column_of_texts
from triptych.data.csv_rows import check_names
from triptych.data.text_files import shown
from triptych.errors import DataError, UnsafeFileError

# Data hardly ever shrinks to less than a hundredth; files made to blow up do.
_MOST_RATIO, _HARMLESS_BYTES = 100, 1 << 20
_PICKLE = b"\x80"
_DAMAGE = (
    OSError, EOFError, ValueError, NotImplementedError, RuntimeError, zipfile.BadZipFile,
    zlib.error, lzma.LZMAError, struct.error,
)  # fmt: skip
_KINDS = "biufU"


def read_arrays(file: Path, ignore: tuple[str, ...]) -> Columns:
    """Return the arrays of an ``.npz`` file as columns, but for those to be ignored.

    An array (N,) is a column of its name; so is one (N, 1); of an array (N, k) called
    ``x`` the columns are ``x[0]`` to ``x[k - 1]``.

    Parameters
    ----------
    file : Path
    ignore : tuple of str
        Arrays.

    Raises
    ------
    DataError
        If the file is damaged, or an array is no column or of another length.
    UnsafeFileError
        If an array holds pickled objects, or the file blows up when it is unpacked.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            names = tuple(info.filename.removesuffix(".npy") for info in archive.infolist())
            for name in ignore:
                check_column(name, names, file.name, "ignore")
            check_names(names, file.name)
            arrays = {
                name: _array(archive, info, f"{file.name}: array {shown(name)}")
                for name, info in zip(names, archive.infolist(), strict=True)
                if name not in ignore
            }
    except _DAMAGE as error:
        raise _unreadable(file, error) from error
    if not arrays:
        raise DataError(f"{file.name}: there are no arrays.")
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{shown(name)} {n:,}" for name, n in list(lengths.items())[:4])
        raise DataError(f"{file.name}: arrays must have one length, got {told}.")
    columns = tuple(column for name, array in arrays.items() for column in _columns(name, array))
    check_names([column.name for column in columns], file.name)
    return Columns(file.name, columns)


def _unreadable(file: Path, error: Exception) -> DataError | UnsafeFileError:
    if not file.is_file():
        return DataError(f"{file}: there is no such file.")
    with file.open("rb") as opened:
        if opened.read(1) == _PICKLE:
            return _pickled(file.name)
    return DataError(f"{file.name}: this is no whole .npz file: {error}.")


def _pickled(what: str) -> UnsafeFileError:
    return UnsafeFileError(
        f"{what} contains pickled code, which is never run; save plain numbers or texts."
    )


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, what: str) -> Array:
    """Return one array, after what its header claims was found to be there."""
    if info.file_size > max(_HARMLESS_BYTES, _MOST_RATIO * info.compress_size):
        raise UnsafeFileError(
            f"{what} unpacks to {info.file_size:,} bytes from {info.compress_size:,}, more than "
            f"{_MOST_RATIO} times as many; save it with numpy.savez."
        )
    with archive.open(info) as opened:
        shape, by_columns, kind = _header(opened, what)
        if kind.hasobject:
            raise _pickled(what)
        if kind.kind not in _KINDS or kind.names is not None or not 1 <= len(shape) <= 2:
            raise DataError(
                f"{what} is {kind} of shape {shape}; numbers or texts (N,) or (N, k) are read."
            )
        check_size(what, shape[0], math.prod(shape[1:]))
        count = math.prod(shape)
        raw = opened.read(count * kind.itemsize + 1)
        if len(raw) != count * kind.itemsize:
            raise DataError(f"{what} claims {count:,} values, and does not hold as many.")
        flat = np.frombuffer(raw, kind) if count else np.empty(0, kind)
        return flat.reshape(shape, order="F" if by_columns else "C")


def _header(opened: IO[bytes], what: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(opened)
    if version not in ((1, 0), (2, 0)):
        raise DataError(f"{what} is of version {version} of the format; 1 and 2 are read.")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, by_columns, kind = read(opened)
    return shape, by_columns, kind


def _columns(name: str, array: Array) -> Iterator[Column]:
    parts = [array] if array.ndim == 1 else list(array.T)
    names = [name] if len(parts) == 1 else [f"{name}[{k}]" for k in range(len(parts))]
    for each, values in zip(names, parts, strict=True):
        if values.dtype.kind == "U":
            yield column_of_texts(each, values.tolist())
        else:
            yield Column(each, values.astype(np.float64))

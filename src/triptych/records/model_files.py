"""Model files: safetensors with one JSON header, written whole, and read as if by an enemy's hand.

``docs/models.md`` describes the format. What the header means is for `triptych.saved` to say; here
are its bytes, and that the tensors are exactly those that it leads one to expect.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from triptych.contracts import Weights
from triptych.errors import DataError, SpecError, UnsafeFileError
from triptych.records.files import finite, write_atomic
from triptych.records.strict_json import strict_json
from triptych.records.tensors import (
    MOST_HEADER,
    TensorFile,
    dump_tensors,
    header_bytes,
    open_tensors,
)

KEY = "triptych"
"""Under which ``__metadata__`` holds the header: the only key."""


class ModelFile:
    """A model's file that is open, with its header.

    Attributes
    ----------
    header : dict
        As it was written; not yet known to make sense.
    """

    def __init__(self, file: TensorFile) -> None:
        if file.metadata.keys() != {KEY}:
            raise ValueError(f"its __metadata__ must hold {KEY!r}, and no more: it is no model")
        header = strict_json(file.metadata[KEY])
        if not isinstance(header, dict):
            raise ValueError("its header is no table")
        self._file = file
        self.header: dict[str, Any] = header

    def weights(self, shapes: Mapping[str, tuple[int, ...]], dtype: str) -> Weights:
        """Return the weights, in the order of `shapes`.

        Parameters
        ----------
        shapes : mapping of str to tuple of int
            All tensors that there must be.
        dtype : {"float32", "float64"}
            Of each.

        Raises
        ------
        ValueError
            If one is missing, too many, of another shape or dtype, or not finite.
        """
        entries = self._file.entries
        for name in (*shapes, *entries):
            if (name in shapes) != (name in entries):
                state = "is missing" if name in shapes else "is none of its network's"
                raise ValueError(f"tensor {name[:80]!r} {state}")
        for name, shape in shapes.items():
            found = entries[name]
            if found.shape != shape or found.dtype != np.dtype(dtype).newbyteorder("<"):
                raise ValueError(
                    f"tensor {name!r} must be {dtype} of shape {shape}, "
                    f"got {found.dtype.name} of shape {found.shape}"
                )
        weights: Weights = {}
        for name in shapes:
            weights[name] = self._file.read(name)
            if not np.isfinite(weights[name]).all():
                raise ValueError(f"tensor {name!r} has weights that are not finite")
        return weights


def write_model(path: Path, header: Mapping[str, Any], weights: Weights) -> None:
    """Write a model's file, or leave what is there as it was.

    Parameters
    ----------
    path : Path
    header : mapping
        Plain values of JSON; numbers that are not finite become null.
    weights : Weights

    Raises
    ------
    SpecError
        If the header is none, or too long to be read again.
    RunError
        If it cannot be written.
    """
    try:
        # In the order that it was made in, which whoever reads it is shown.
        text = json.dumps(finite(dict(header)), allow_nan=False)
        strict_json(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise SpecError(f"{path.name}: the header cannot be kept as JSON: {error}.") from None
    content = dump_tensors(weights, {KEY: text})
    if (length := header_bytes(content)) > MOST_HEADER:
        raise SpecError(
            f"{path.name}: the header would take {length:,} bytes, and at most {MOST_HEADER:,} are "
            "read. Leave out facts, or columns of many categories."
        )
    write_atomic(path, content)


@contextmanager
def open_model(path: Path) -> Iterator[ModelFile]:
    """Open a model's file; whatever within finds it wrong may raise a ValueError.

    Raises
    ------
    DataError
        If there is no such file, or it cannot be read.
    UnsafeFileError
        If it is anything else than a model that Triptych wrote.
    """
    # Its weights may be any other file that it names, so it is not opened at all.
    if path.suffix.lower() == ".onnx":
        raise UnsafeFileError(
            f"{path.name}: ONNX is written, not read; give the model's own file, .safetensors."
        )
    try:
        with open_tensors(path) as file:
            yield ModelFile(file)
    except OSError as error:
        raise DataError(f"cannot read the model {path}: {error.strerror or error}.") from None
    except (ValueError, MemoryError) as error:
        raise UnsafeFileError(f"{path.name}: this is no model of Triptych's: {error}.") from None

"""From a spec to a data set that is ready for training."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from triptych.contracts import Dataset
from triptych.data.arrange import arrange
from triptych.data.arrays import Arrays, Handed, load_arrays, read_arrays
from triptych.data.cifar10 import fetch_cifar10, find_cifar10, load_cifar10
from triptych.data.digits import load_digits_pictures
from triptych.data.folders import load_folder
from triptych.data.identity import source_id
from triptych.data.palindromes import load_palindromes
from triptych.data.preparing import preparation_of, read_prepared
from triptych.data.sequence_files import load_sequence_file
from triptych.data.tables import load_bundled, load_table
from triptych.data.toys import load_toy
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
)

__all__ = [
    "Arrays",
    "Handed",
    "arrange",
    "fetch_cifar10",
    "find_cifar10",
    "load",
    "load_arrays",
    "preparation_of",
    "read_arrays",
    "read_prepared",
    "source_id",
]


def load(  # noqa: C901, PLR0911 (one case for each source)
    spec: DataSpec, seed: int, data_dir: Path | None = None
) -> Dataset:
    """Return the data set of `spec` for one seed of a study.

    Parameters
    ----------
    spec : DataSpec
    seed : int
        Fixes the draw and the split, the same for every arm.
    data_dir : Path, optional
        Where CIFAR-10 is; see `triptych.data.cifar10.find_cifar10`.

    Raises
    ------
    DataError, UnsafeFileError
        If files that were named cannot be used.
    SpecError
        Of arrays, which are in no file: `load_arrays` takes them from what was handed over.
    """
    match spec:
        case ToySpec():
            return load_toy(spec, seed)
        case DigitsSpec():
            return load_digits_pictures(spec, seed)
        case Cifar10Spec():
            return load_cifar10(spec, seed, data_dir)
        case PalindromeSpec():
            return load_palindromes(spec, seed)
        case TableSpec():
            return load_table(spec, seed)
        case BundledSpec():
            return load_bundled(spec, seed)
        case FolderSpec():
            return load_folder(spec, seed)
        case SequenceFileSpec():
            return load_sequence_file(spec, seed)
        case ArraysSpec():
            return load_arrays(spec, {}, seed)
        case _:
            assert_never(spec)

"""Data on their way: splits, data sets, and how what was read became what a network reads.

Shape suffixes used throughout: N rows of a data set, B batch, S steps, I/O in/out, H hidden,
T time, V vocabulary, C classes or channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
Weights = dict[str, Array]


def lengths_of(x: Array) -> IntArray:
    """Return the steps (N,) of each of some sequences, of which the longest has T.

    Parameters
    ----------
    x : Array
        Symbols (N, T), signed with -1 past the end; or vectors (N, T, D), float with NaN past the
        end. Nothing but the end may be so marked, and what is unsigned has one length.
    """
    if x.dtype.kind == "u":
        return np.full(len(x), x.shape[1])
    there_NT = x >= 0 if x.ndim == 2 else ~np.isnan(x[:, :, 0])
    lengths: IntArray = there_NT.sum(axis=1)
    return lengths


def latest(times: FloatArray, count: int) -> NDArray[np.bool_]:
    """Return which rows (N,) are the latest, about `count` of them; rows of one time together.

    Neither none nor all of them, unless all are of one time: none then.
    """
    moments, sizes = np.unique(times, return_counts=True)
    if len(moments) < 2:
        return np.zeros(len(times), bool)
    from_the_end = np.cumsum(sizes[:0:-1])
    few = int(np.argmin(np.abs(from_the_end - count)))
    found: NDArray[np.bool_] = times >= moments[-1 - few]
    return found


@dataclass(frozen=True)
class Split:
    """Rows and what is to be learnt of them.

    Attributes
    ----------
    x : Array, shape (N, ...)
        Features: float (N, I); uint8 pictures (N, C, H, W); sequences, see `lengths_of`.
    y : Array
        Class indices, int64 (N,); or numbers to tell, float (N, O).
    weight : FloatArray, shape (N,), optional
        How much each row counts; all alike where absent.
    groups : IntArray, shape (N,), optional
        Rows of one number belong together (copies; one patient's): none is set aside to judge
        others by. Absent: each row is by itself.
    times : FloatArray, shape (N,), optional
        When each row was, where later rows are judged by; the latest are set aside then.
    """

    x: Array
    y: Array
    weight: FloatArray | None = None
    groups: IntArray | None = None
    times: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: IntArray) -> Split:
        """Return the given rows, in that order."""
        there = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: v[rows] for k, v in there.items() if v is not None})


@dataclass(frozen=True)
class Standardization:
    """What is subtracted and what divided by, broadcast over one sample's features."""

    mean: FloatArray
    std: FloatArray

    def __call__(self, x: Array, dtype: str) -> FloatArray:
        """Return ``(x - mean) / std`` in `dtype`, shape as `x`."""
        out: FloatArray = x.astype(dtype)
        out -= self.mean.astype(dtype)
        out /= self.std.astype(dtype)
        return out


class Preparation(Protocol):
    """How what a source holds becomes what a network reads: all that was fitted to training rows.

    It is plain data, so that a model file can hold it and prepare other rows in the same way.
    """

    @property
    def kind(self) -> str:
        """``"table"``, ``"pictures"`` or ``"sequences"``."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, which labels index; none where numbers are to be told."""
        ...

    @property
    def target(self) -> Standardization | None:
        """How numbers to tell became those that networks learn, (O,); None of classes."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """Return it as values of JSON, from which `triptych.data.preparation_of` makes it again."""
        ...


@dataclass(frozen=True)
class Prepared:
    """Some rows of a source as a network reads them, on their way past.

    Attributes
    ----------
    x : Array, shape (N, ...)
        As `Split.x`, and standardised as training rows were.
    y : Array or None
        As `Split.y`; -1 of a class that the model does not know; None where no target was read.
    places : tuple of str
        What each row is called: a line of a file, the name of a picture.
    unseen : mapping of str to (mapping of str to int)
        By column, values that no training row had, and how often each came. Of the target, too. Of
        many different ones some are kept; the empty text stands for the others.
    groups : tuple of str
        The cell of each row in the column that was asked for; empty without one.
    notes : tuple of str
        What a reader must know of the source, such as columns that are not read or files that
        cannot be; each is given once, with some of its rows.
    """

    x: Array
    y: Array | None
    places: tuple[str, ...]
    unseen: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Origin:
    """What a row was where it was read, before it became inputs.

    Attributes
    ----------
    place : str
        What the row is called there: ``line 83`` of a file of text, ``row 83`` of another.
    cells : mapping of str to str
        By column, in the column's own unit; empty texts of empty cells.
    """

    place: str
    cells: Mapping[str, str]


@dataclass(frozen=True)
class Dataset:
    """A data set ready for training: two splits that share no row where that can be had.

    Attributes
    ----------
    name : str
        What the data really is (``"digits"`` also where it stands in for CIFAR-10).
    train, test : Split
        The rows to fit and the rows to judge by.
    classes : tuple of str
        Names of the classes, which labels index; none where numbers are to be told.
    kind : str
        ``"table"``, ``"pictures"`` or ``"sequences"``.
    fingerprint : str
        SHA-256 over both splits, hexadecimal.
    standardization : Standardization, optional
        How raw features become inputs; None where they are inputs already.
    notes : tuple of str
        What a reader must know (a stand-in, a leak, a cut).
    features : tuple of (str, str)
        Of a table, each input's column, and the text it stands for if any; none without names.
    symbols : int, optional
        How many symbols sequences are made of; absent: as many as classes.
    probes : mapping of int to Split
        Further sequences that a trained network is judged by, by their length.
    target : Standardization, optional
        How numbers to tell became those of the splits, (O,); None of classes.
    arranged : str
        How places were changed for the network that reads it, in words; empty where they were not.
    preparation : Preparation, optional
        How other rows of the same kind become inputs, where data of one's own were read.
    origin : callable, optional
        From a row of the test split to what it was where it was read; of tables.
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    kind: str
    fingerprint: str
    standardization: Standardization | None = None
    notes: tuple[str, ...] = ()
    features: tuple[tuple[str, str], ...] = ()
    symbols: int | None = None
    probes: Mapping[int, Split] = field(default_factory=dict)
    target: Standardization | None = None
    arranged: str = ""
    preparation: Preparation | None = None
    origin: Callable[[int], Origin] | None = None

    @property
    def outputs(self) -> int:
        """One for each class, or for each number to tell."""
        return len(self.classes) or int(self.train.y.shape[1])

    @property
    def rows(self) -> int:
        """How many rows there are to train on."""
        return len(self.train)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample, without the rows."""
        return tuple(self.train.x.shape[1:])

    @property
    def step_inputs(self) -> int:
        """How many features a step has, or how many symbols there are."""
        shape = self.sample_shape
        return shape[1] if len(shape) == 2 else self.symbols or len(self.classes)

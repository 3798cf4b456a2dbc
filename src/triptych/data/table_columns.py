"""How one column of a table becomes inputs, and how the target becomes what is told."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from triptych.contracts import FloatArray, IntArray, Standardization
from triptych.data.columns import Column, Kind, as_texts, written
from triptych.data.dates import DAY_INPUTS, TIME_INPUTS, cycles
from triptych.data.strict import (
    different,
    fields,
    flag,
    many,
    number,
    one_of,
    optional,
    positive,
    text,
)
from triptych.errors import UnsafeFileError

OTHER = "(any other)"
"""How the input is called that texts share which have none of their own."""

Unseen = dict[str, int]
"""Texts that no training row had, and how often each came."""


@dataclass(frozen=True)
class PreparedColumn:
    """How the cells of one column become inputs.

    A number is one input, standardised. A text has an input for each word, of which its own is 1
    and all others are 0. A date is days, standardised, and then points on circles: its month, its
    weekday, and its time of day where there are times.

    Attributes
    ----------
    name : str
    kind : {"number", "text", "date"}
    mean, deviation : float
        Of the training rows' numbers or days; 0 and 1 of texts.
    fill : float, optional
        What takes the place of an empty cell's number or days; a date's other inputs are 0 then, as
        are a text's. Absent of texts, and where empty cells are refused.
    words : tuple of str
        The texts that have an input.
    seen : tuple of bool
        Whether some training row had each of them; the input of one that none had is always 0.
    shared : bool
        Whether all other texts have one more input, together.
    timed : bool
        Whether a date has a time of day.
    """

    name: str
    kind: Kind
    mean: float = 0.0
    deviation: float = 1.0
    fill: float | None = None
    words: tuple[str, ...] = ()
    seen: tuple[bool, ...] = ()
    shared: bool = False
    timed: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """What each input is beside the name of the column; one of a number is nothing else."""
        if self.kind == "text":
            return (*self.words, *([OTHER] if self.shared else []))
        if self.kind == "date":
            return (*DAY_INPUTS, *(TIME_INPUTS if self.timed else ()))
        return ("",)

    def set_inputs(self, out: FloatArray, column: Column) -> Unseen:
        """Write the inputs of a column's N cells, and say which texts none of them is for.

        Parameters
        ----------
        out : FloatArray, shape (N, I)
            Zeros.
        column : Column
            Of this kind.
        """
        if self.kind == "text":
            return self._set_words(out, column)
        values = column.values
        if self.fill is not None:
            values = np.where(np.isnan(values), self.fill, values)
        out[:, 0] = (values - self.mean) / self.deviation
        if self.kind == "date":
            out[:, 1:] = cycles(column.values, timed=self.timed)
        return {}

    def _set_words(self, out: FloatArray, column: Column) -> Unseen:
        known = {
            w: k for k, (w, seen) in enumerate(zip(self.words, self.seen, strict=True)) if seen
        }
        elsewhere = len(self.words) if self.shared else -1
        inputs = np.array([known.get(word, elsewhere) for word in column.words], dtype=np.int64)
        rows: IntArray = np.flatnonzero(~np.isnan(column.values))
        codes = column.values[rows].astype(np.int64)
        places = inputs[codes]
        out[rows[places >= 0], places[places >= 0]] = 1.0
        counts = np.bincount(codes[places < 0], minlength=len(column.words))
        return {column.words[k]: int(counts[k]) for k in np.flatnonzero(counts)}

    def as_dict(self) -> dict[str, Any]:
        """Return it as values of JSON."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, value: object, where: str) -> Self:
        """Return what `as_dict` made.

        Raises
        ------
        UnsafeFileError
            If it is anything else.
        """
        found = fields(value, where, {
            "name": text, "kind": one_of("number", "text", "date"), "mean": number,
            "deviation": positive, "fill": optional(number), "words": many(text),
            "seen": many(flag), "shared": flag, "timed": flag,
        })  # fmt: skip
        different(found["words"], f"{where}.words")
        if len(found["words"]) != len(found["seen"]):
            raise UnsafeFileError(f"{where}: must say of each word whether it was seen.")
        return cls(**found)


@dataclass(frozen=True)
class PreparedTarget:
    """How the cells of the target become what is told.

    Attributes
    ----------
    name : str
        Of its column.
    kind : {"number", "text"}
        What the cells are, of classes too.
    classes : tuple of str
        Which labels index; none where numbers are to be told.
    mean, deviation : float
        Of the training rows' numbers; 0 and 1 of classes.
    """

    name: str
    kind: Kind
    classes: tuple[str, ...] = ()
    mean: float = 0.0
    deviation: float = 1.0

    @property
    def scale(self) -> Standardization | None:
        """How numbers to tell become those that networks learn, (1,); None of classes."""
        if self.classes:
            return None
        return Standardization(np.array([self.mean]), np.array([self.deviation]))

    def told(self, column: Column) -> tuple[FloatArray | IntArray, Unseen]:
        """Return what is to be told of a column's N cells, as `triptych.contracts.Split` has it.

        Classes are int64 (N,), and -1 of one that is not known, which is counted; numbers (N, 1).
        """
        if self.scale is not None:
            return self.scale(column.values[:, None], "float64"), {}
        present = as_texts(column) if self.kind == "text" else column
        known = {name: k for k, name in enumerate(self.classes)}
        values, codes = np.unique(present.values, return_inverse=True)
        names = [present.words[int(v)] if present.words else written(v) for v in values.tolist()]
        labels = np.array([known.get(name, -1) for name in names], dtype=np.int64)
        counts = np.bincount(codes.reshape(-1), minlength=len(names))
        unseen = {n: int(c) for n, c in zip(names, counts, strict=True) if n not in known}
        return labels[codes.reshape(-1)], unseen

    def as_dict(self) -> dict[str, Any]:
        """Return it as values of JSON."""
        return {**asdict(self), "classes": list(self.classes)}

    @classmethod
    def from_dict(cls, value: object, where: str) -> Self:
        """Return what `as_dict` made.

        Raises
        ------
        UnsafeFileError
            If it is anything else.
        """
        found = fields(value, where, {
            "name": text, "kind": one_of("number", "text"), "classes": many(text),
            "mean": number, "deviation": positive,
        })  # fmt: skip
        different(found["classes"], f"{where}.classes")
        if len(found["classes"]) == 1 or (found["kind"] == "text" and not found["classes"]):
            raise UnsafeFileError(f"{where}.classes: two are the least, got {found['classes']}.")
        return cls(**found)

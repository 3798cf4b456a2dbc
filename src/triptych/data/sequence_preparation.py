"""How sequences of one's own become what a network reads: how they stand in a file, symbols, scale.

N sequences, T steps, D features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np

from triptych.contracts import Array, FloatArray, Standardization
from triptych.data.strict import (
    count,
    different,
    fields,
    flag,
    many,
    number,
    one_of,
    positive,
    text,
    whole,
)
from triptych.errors import DataError, UnsafeFileError

Layout = Literal["lines", "table", "json"]
StepKind = Literal["strings", "integers", "vectors"]


@dataclass(frozen=True, kw_only=True)
class SequenceForm:
    r"""How sequences stand in a file, see `triptych.read_sequences`.

    Attributes
    ----------
    layout : {"lines", "table", "json"}
    label : str
        Of lines ``"first"`` or ``"last"``, where the label stands; else its column or field.
    id, time, sequence, encoding : str
    separator : {"\t", ","}
        Of lines: what stands between label and sequence.
    spaced : bool
        Of lines: whether spaces stand between symbols; else each character is one.
    """

    layout: Layout
    label: str
    id: str = "id"
    time: str = "time"
    sequence: str = "sequence"
    encoding: str = "utf-8"
    separator: Literal["\t", ","] = "\t"
    spaced: bool = False

    def symbols(self, line: str) -> list[str]:
        """Return the symbols of a line's sequence."""
        return [symbol for symbol in line.split(" ") if symbol] if self.spaced else list(line)

    def with_label(self, label: str, name: str) -> Self:
        """Return the form of another file, called `name`, whose label is somewhere else.

        Raises
        ------
        DataError
            If lines are to have it anywhere but first or last.
        """
        if self.layout == "lines" and label not in ("first", "last"):
            raise DataError(f"{name}: target must be 'first' or 'last' with lines, got {label!r}.")
        return replace(self, label=label)

    @classmethod
    def from_dict(cls, value: object, where: str) -> Self:
        """Return what `dataclasses.asdict` made.

        Raises
        ------
        UnsafeFileError
        """
        found = fields(value, where, {
            "layout": one_of("lines", "table", "json"), "label": text, "id": text, "time": text,
            "sequence": text, "encoding": text, "separator": one_of("\t", ","), "spaced": flag,
        })  # fmt: skip
        if found["layout"] == "lines":
            one_of("first", "last")(found["label"], f"{where}.label")
        return cls(**found)


@dataclass(frozen=True, kw_only=True)
class SequencePreparation:
    """What every sequence of a source is made into; see `triptych.contracts.lengths_of`.

    Attributes
    ----------
    classes : tuple of str
    form : SequenceForm
    steps : {"strings", "integers", "vectors"}
        What a step is. The first two are symbols, and become their places among those known.
    strings : tuple of str
    integers : tuple of int
        The symbols, sorted, whichever of them `steps` names.
    features : tuple of str
        Names of the D numbers of a vector; columns, of a table.
    mean, std : tuple of float
        What is subtracted and divided by, (D,): of all steps of the training rows.
    longest : int
        Steps of the longest training row.
    """

    kind: ClassVar[str] = "sequences"
    classes: tuple[str, ...]
    form: SequenceForm
    steps: StepKind
    strings: tuple[str, ...] = ()
    integers: tuple[int, ...] = ()
    features: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    longest: int

    @property
    def target(self) -> None:
        """No number is told of sequences."""
        return None

    @property
    def symbols(self) -> int | None:
        """How many symbols there are; None of vectors."""
        return len(self.strings or self.integers) or None

    @property
    def alphabet(self) -> Array:
        """The symbols, sorted: strings as objects, or int64."""
        if self.steps == "strings":
            return np.array(self.strings, dtype=object)
        return np.array(self.integers, dtype=np.int64)

    def scaled(self, x: Array) -> Array:
        """Return what a network reads: vectors scaled, in float64; symbols as they are.

        Parameters
        ----------
        x : Array
            As `triptych.data.symbols` makes it of steps: places of symbols (N, T), or vectors
            (N, T, D).
        """
        if self.steps != "vectors":
            return x
        # In float32 there is no second between today's time stamps, so not left to the learners.
        scale = Standardization(_numbers(self.mean), _numbers(self.std))
        return scale(x, "float64")

    def as_dict(self) -> dict[str, Any]:
        """Return it as values of JSON."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_dict(cls, value: object, where: str = "preparation") -> Self:
        """Return what `as_dict` made.

        Raises
        ------
        UnsafeFileError
            If it is anything else: other keys, kinds or numbers, or parts that do not fit.
        """
        found = fields(value, where, {
            "kind": one_of("sequences"), "classes": many(text), "form": SequenceForm.from_dict,
            "steps": one_of("strings", "integers", "vectors"), "strings": many(text),
            "integers": many(whole), "features": many(text), "mean": many(number),
            "std": many(positive), "longest": count,
        })  # fmt: skip
        different(found["classes"], f"{where}.classes")
        _check_parts(found, where)
        del found["kind"]
        return cls(**found)


def _check_parts(found: dict[str, Any], where: str) -> None:
    """Refuse symbols beside vectors, or none of the kind that steps are."""
    for name in ("strings", "integers"):
        values: Sequence[Any] = found[name]
        if bool(values) != (name == found["steps"]) or list(values) != sorted(set(values)):
            raise UnsafeFileError(
                f"{where}.{name}: must be the symbols, sorted and all different, where steps are "
                f"{name}, and none else."
            )
    features, mean, std = (len(found[name]) for name in ("features", "mean", "std"))
    if not features == mean == std or bool(features) != (found["steps"] == "vectors"):
        raise UnsafeFileError(
            f"{where}.features, mean, std: must be as many, and none but of vectors, got "
            f"{features}, {mean} and {std}."
        )


def _numbers(values: tuple[float, ...]) -> FloatArray:
    return np.array(values, dtype=np.float64)

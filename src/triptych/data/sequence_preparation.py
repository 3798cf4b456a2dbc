"""How sequences of one's own become what a network reads: how they stand in a file, symbols, scale.

N sequences, T steps, D features.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np

from triptych.contracts import Array, FloatArray, Standardization
from triptych.data.strict import check_classes, strictly
from triptych.errors import SpecError
from triptych.spec import plain
from triptych.spec.fields import Checked, between

Layout = Literal["lines", "table", "json"]
StepKind = Literal["strings", "integers", "vectors"]

_LONGEST = 1 << 62
_FINITE = between(-sys.float_info.max, sys.float_info.max)


@dataclass(frozen=True, kw_only=True)
class SequenceForm(Checked):
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

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layout == "lines" and self.label not in ("first", "last"):
            raise SpecError(f"label: must be 'first' or 'last' of lines, got {self.label!r}.")

    def symbols(self, text: str) -> list[str]:
        """Return the symbols of a line's sequence."""
        return [symbol for symbol in text.split(" ") if symbol] if self.spaced else list(text)


@dataclass(frozen=True, kw_only=True)
class SequencePreparation(Checked):
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

    kind: Literal["sequences"] = "sequences"
    classes: tuple[str, ...]
    form: SequenceForm
    steps: StepKind
    strings: tuple[str, ...] = ()
    integers: tuple[int, ...] = field(default=(), metadata=between(-(2**63), 2**63 - 1))
    features: tuple[str, ...] = ()
    mean: tuple[float, ...] = field(default=(), metadata=_FINITE)
    std: tuple[float, ...] = field(
        default=(), metadata=between(0, sys.float_info.max, open_low=True)
    )
    longest: int = field(metadata=between(1, _LONGEST))

    def __post_init__(self) -> None:
        super().__post_init__()
        check_classes(self.classes)
        parts: dict[str, Sequence[Any]] = {
            "strings": self.strings, "integers": self.integers, "vectors": self.features
        }  # fmt: skip
        for name, values in parts.items():
            if bool(values) != (name == self.steps):
                raise SpecError(f"steps: {self.steps!r} does not go with {len(values)} {name}.")
            if name != "vectors" and list(values) != sorted(set(values)):
                raise SpecError(f"{name}: must be sorted, and all different.")
        if not len(self.features) == len(self.mean) == len(self.std):
            raise SpecError(
                f"features, mean, std: must be as many, got {len(self.features)}, "
                f"{len(self.mean)} and {len(self.std)}."
            )

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
        return cast("dict[str, Any]", plain(self))

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> SequencePreparation:
        """Make it of what `as_dict` returned.

        Raises
        ------
        UnsafeFileError
            If a key or value is anything else.
        """
        return strictly(cls, mapping)


def _numbers(values: tuple[float, ...]) -> FloatArray:
    return np.array(values, dtype=np.float64)

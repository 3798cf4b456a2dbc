"""What something that is under way has come to, so that it can be taken up again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from triptych.contracts.data import Weights


@dataclass(frozen=True)
class State:
    """Arrays and plain values, from which what wrote them is as it was.

    Attributes
    ----------
    arrays : mapping of str to Array
        By name; parts of a name are kept apart by ``/``.
    values : dict
        All else, as JSON holds it; NaN may be among it.
    """

    arrays: Weights = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def join(cls, parts: Mapping[str, State]) -> State:
        """Return several states as one, which `part` takes apart again."""
        arrays = {
            f"{name}/{key}": a for name, one in parts.items() for key, a in one.arrays.items()
        }
        return cls(arrays, {name: one.values for name, one in parts.items()})

    def part(self, name: str) -> State:
        """Return what was joined under a name; an empty state where nothing was."""
        return State(self.under(name), self.values.get(name, {}))

    def under(self, name: str) -> Weights:
        """Return the arrays whose names begin with ``name/``, by the rest of them."""
        start = f"{name}/"
        return {
            key.removeprefix(start): a for key, a in self.arrays.items() if key.startswith(start)
        }

    @property
    def not_finite(self) -> set[str]:
        """The names of arrays in which not all numbers are finite."""
        return {name for name, array in self.arrays.items() if not np.isfinite(array).all()}


def named(name: str, arrays: Mapping[str, Any]) -> Weights:
    """Return arrays under a name, as `State.under` finds them."""
    return {f"{name}/{key}": array for key, array in arrays.items()}

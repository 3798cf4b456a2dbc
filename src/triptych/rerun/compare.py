"""What two recorded runs differ in: what was asked, where it ran, what came out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from triptych.contracts import Array, Weights
from triptych.errors import RunError
from triptych.records import RunFolder, RunRecord
from triptych.spec import flat

# Of an evaluation, what no training repeats.
TIMES = ("seconds",)
_NAMES = ("label", "part")


@dataclass(frozen=True)
class Difference:
    """Something that is not the same in two runs; empty where one has nothing of the kind."""

    name: str
    one: str
    other: str


@dataclass(frozen=True)
class ScoreDifference:
    """A final score of both; NaN where one has none."""

    name: str
    one: float
    other: float


@dataclass(frozen=True)
class TensorDifference:
    """How far two tensors of one shape are apart.

    Attributes
    ----------
    name : str
    shape : tuple of int
    absolute : float
        The largest difference of two values; infinite where one is not finite and the other is.
    relative : float
        That, as a share of the largest value of the first.
    """

    name: str
    shape: tuple[int, ...]
    absolute: float
    relative: float


@dataclass(frozen=True)
class RunComparison:
    """What differs between two runs.

    Attributes
    ----------
    one, other : RunRecord
    spec, data, environment : tuple of Difference
        Settings by their path, data, and where they ran.
    scores : tuple of ScoreDifference
        All that either has, also where they are equal.
    parts : Difference or None
        The first evaluation that is not the same, by its epoch, and what it says; None where all
        of both are.
    weights : {"equal", "differ", "shapes", "absent"}
        Whether they are the same to the bit; of other names or shapes; not kept of one.
    tensors : tuple of TensorDifference
        Those that are not the same to the bit.
    """

    one: RunRecord
    other: RunRecord
    spec: tuple[Difference, ...]
    data: tuple[Difference, ...]
    environment: tuple[Difference, ...]
    scores: tuple[ScoreDifference, ...]
    parts: Difference | None
    weights: str
    tensors: tuple[TensorDifference, ...]

    @property
    def same_bits(self) -> bool:
        """Whether all that was recorded of the outcome is the same, weights only where kept."""
        ended = (self.one.status, self.one.error) == (self.other.status, self.other.error)
        equal = all(_same(s.one, s.other) for s in self.scores)
        return ended and equal and self.parts is None and self.weights in ("equal", "absent")


def compare_runs(one: RunFolder, other: RunFolder) -> RunComparison:
    """Return what differs between two runs that ended.

    Raises
    ------
    RunError
        If a record is missing or damaged.
    """
    first, second = one.read(), other.read()
    weights, tensors = _compare_weights(one, other)
    return RunComparison(
        first, second,
        spec=_differences(_settings(one), _settings(other)),
        data=_differences(_data(first), _data(second)),
        environment=_differences(
            {**first.environment, "engine": engine_of(first)},
            {**second.environment, "engine": engine_of(second)},
        ),
        scores=_scores(first, second),
        parts=_parts(first.curve, second.curve),
        weights=weights,
        tensors=tensors,
    )  # fmt: skip


def engine_of(record: RunRecord) -> str:
    """Return which engine computed a run, without why."""
    return record.engine.split(" ")[0]


def _settings(folder: RunFolder) -> dict[str, object]:
    """Return all that was asked for by its path, but for what it is called."""
    table = folder.read_spec()
    arm = table.get("arm")
    found = flat(arm) if isinstance(arm, dict) else {}
    return {"seed": table.get("seed"), **{k: v for k, v in found.items() if k not in _NAMES}}


def _data(record: RunRecord) -> dict[str, object]:
    rows = f"{record.train_rows} / {record.test_rows}"
    return {"data": record.data, "rows": rows, "fingerprint": record.fingerprint[:12]}


def _differences(one: Mapping[str, object], other: Mapping[str, object]) -> tuple[Difference, ...]:
    return tuple(
        Difference(key, _text(one.get(key)), _text(other.get(key)))
        for key in dict.fromkeys([*one, *other])
        if one.get(key) != other.get(key)
    )


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _scores(one: RunRecord, other: RunRecord) -> tuple[ScoreDifference, ...]:
    names = dict.fromkeys([*one.scores, *other.scores])
    return tuple(
        ScoreDifference(name, _number(one.scores.get(name)), _number(other.scores.get(name)))
        for name in names
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def _parts(one: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]]) -> Difference | None:
    """Return the first evaluation that only one has, or that says something else."""
    for k in range(max(len(one), len(other))):
        rows = [curve[k] if k < len(curve) else {} for curve in (one, other)]
        for key in dict.fromkeys([*rows[0], *rows[1]]):
            if key not in TIMES and rows[0].get(key) != rows[1].get(key):
                epoch = (rows[0] or rows[1])["epoch"]
                values = [f"{key} {row[key]}" if row.get(key) is not None else "" for row in rows]
                return Difference(f"epoch {epoch}", *values)
    return None


def _compare_weights(one: RunFolder, other: RunFolder) -> tuple[str, tuple[TensorDifference, ...]]:
    if not (one.has_weights() and other.has_weights()):
        return "absent", ()
    return compare_weights(one.weights(), other.weights())


def compare_weights(one: Weights, other: Weights) -> tuple[str, tuple[TensorDifference, ...]]:
    """Return whether weights are the same to the bit, and how far those tensors are that are not.

    Returns
    -------
    {"equal", "differ", "shapes"}, tuple of TensorDifference
    """
    if _shapes(one) != _shapes(other):
        return "shapes", ()
    different = tuple(
        _apart(name, w, other[name]) for name, w in one.items() if not _same_bits(w, other[name])
    )
    return ("differ" if different else "equal"), different


def _shapes(weights: Weights) -> dict[str, tuple[tuple[int, ...], str]]:
    return {name: (w.shape, w.dtype.str) for name, w in weights.items()}


def _same_bits(one: Array, other: Array) -> bool:
    # By their bytes: -0.0 equals 0.0, and NaN nothing.
    return one.tobytes() == other.tobytes()


def _apart(name: str, one: Array, other: Array) -> TensorDifference:
    a, b = one.astype("float64"), other.astype("float64")
    with np.errstate(invalid="ignore"):  # of infinity and infinity
        gaps = np.nan_to_num(np.abs(a - b), nan=np.inf)
    gaps[(a == b) | (np.isnan(a) & np.isnan(b))] = 0.0
    absolute = float(gaps.max(initial=0.0))
    largest = float(np.abs(a[np.isfinite(a)]).max(initial=0.0))
    relative = absolute / largest if largest else math.inf if absolute else 0.0
    return TensorDifference(name, one.shape, absolute, relative)


def require_ended(record: RunRecord, folder: RunFolder) -> None:
    """Refuse a run that is no outcome of its spec.

    Raises
    ------
    RunError
        If it neither finished nor diverged.
    """
    if record.status not in ("finished", "diverged"):
        raise RunError(f"{folder.path}: the run {record.status}, so there is nothing to repeat.")

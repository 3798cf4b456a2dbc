"""How long the rest of a study takes: guessed from its arms, corrected by what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from triptych.spec import (
    ArmSpec,
    ArraysSpec,
    BundledSpec,
    Cifar10Spec,
    CNNSpec,
    DataSpec,
    DigitsSpec,
    FolderSpec,
    PalindromeSpec,
    ReferenceSpec,
    RNNSpec,
    SequenceFileSpec,
    StudySpec,
    TableSpec,
    ToySpec,
)

# Seconds that a step costs before any of it is arithmetic, and arithmetic a second: only to
# share out the time left among arms that have not run yet.
_SECONDS_A_CALL = {"compiled": 2e-7, "numpy": 3e-5, "torch": 1.5e-4, "auto": 1.5e-4}
_FLOPS_A_SECOND = 1e11
# Of gradient boosting on digits, the slowest of the references.
_SECONDS_A_FITTED_ROW = 3e-3
# Of data that nobody has counted yet.
_ROWS_OF_FILES = 1000


def guess_seconds(arm: ArmSpec) -> float:
    """Return a rough guess of one run's seconds, from its spec alone."""
    rows = _rows(arm.data)
    if isinstance(arm.network, ReferenceSpec):
        return rows * _SECONDS_A_FITTED_ROW
    _, train = arm.trained
    calls = 1.0
    flops = 1e6
    if isinstance(arm.network, CNNSpec):
        calls = 5.0 * len(arm.network.channels)
        flops = 2e3 * sum(c * c for c in arm.network.channels)
    elif isinstance(arm.network, RNNSpec) and isinstance(arm.data, PalindromeSpec):
        calls = float(arm.data.length)
        flops = 2.0 * arm.data.length * arm.network.hidden**2
    steps = math.ceil(rows / (train.batch_size or rows))
    a_step = calls * _SECONDS_A_CALL[arm.engine] + 3 * flops * rows / steps / _FLOPS_A_SECOND
    return train.epochs * steps * a_step


def _rows(data: DataSpec) -> int:
    match data:
        case ToySpec():
            return data.n_samples
        case DigitsSpec():
            return data.train_limit or 1437
        case Cifar10Spec():
            return data.train_limit or 50_000
        case PalindromeSpec():
            return data.train_size
        case TableSpec() | BundledSpec() | FolderSpec() | SequenceFileSpec() | ArraysSpec():
            return _ROWS_OF_FILES


@dataclass
class Forecast:
    """How much of a study is done and how long the rest takes, corrected by what was measured."""

    study: StudySpec
    measured: dict[str, float] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    done: int = 0

    def __post_init__(self) -> None:
        if self.study.seeds != "auto":
            self.left = list(self.study.arms) * self.study.seeds

    @property
    def total(self) -> int:
        """Runs that were made or are planned by now."""
        return self.done + len(self.left)

    def plan(self, runs: Mapping[str, int]) -> None:
        """Take further runs, so many of each arm, to be made."""
        self.left += [arm for arm, count in runs.items() for _ in range(count)]

    def ended(self, arm: str, seconds: float, *, kept: bool) -> None:
        """Note that a run of `arm` took `seconds`, or had been there already."""
        self.left.remove(arm)
        self.done += 1
        if not kept:
            self.measured[arm] = seconds

    def seconds_left(self, under_way: Iterable[tuple[str, int, float, float]]) -> float:
        """Return the seconds that the rest would take, one run after the other.

        Parameters
        ----------
        under_way : iterable of (str, int, float, float)
            Of runs that are made: their arm, how many of it are trained together, how much of them
            is done, 0 to 1, and the seconds spent on each so far.
        """
        rest = sum(self._expected(name) for name in self.left)
        running = 0.0
        for arm, runs, share, elapsed in under_way:
            expected = self._expected(arm)
            rest -= runs * expected
            whole = elapsed / share if share > 0.02 else expected
            running += runs * max(0.0, whole - elapsed)
        return max(0.0, rest) + running

    def _expected(self, arm: str) -> float:
        if arm in self.measured:
            return self.measured[arm]
        guessed = sum(guess_seconds(self.study.arms[name]) for name in self.measured)
        ratio = sum(self.measured.values()) / guessed if guessed else 1.0
        return guess_seconds(self.study.arms[arm]) * ratio


def clock(seconds: float) -> str:
    """Return seconds as ``m:ss``, or ``h:mm:ss``.

    Examples
    --------
    >>> clock(75), clock(3700)
    ('1:15', '1:01:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

"""How a learning rate is found."""

from __future__ import annotations

from dataclasses import dataclass, field

from triptych.errors import SpecError
from triptych.spec.fields import Checked, between

_RATE = between(0.0, 10.0, open_low=True)


@dataclass(frozen=True, kw_only=True)
class SearchSpec(Checked):
    """How a learning rate is found: short trainings at each of a few rates, before the real one.

    Each starts from the first weights of the run, sees the training rows alone, and is judged by
    the rows that are set aside for early stopping. The best takes the place of ``optimizer.lr``.

    Attributes
    ----------
    low, high : float
        The least and the largest rate; those between are at equal ratios.
    rates : int
        How many are tried.
    steps : int
        About how many steps each takes, whole epochs of as many rows as that makes.
    """

    low: float = field(default=0.005, metadata=_RATE)
    high: float = field(default=0.05, metadata=_RATE)
    rates: int = field(default=3, metadata=between(2, 100))
    steps: int = field(default=40, metadata=between(1, 1_000_000))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low >= self.high:
            raise SpecError(f"low: must be below high, got {self.low:g} and {self.high:g}.")

    @property
    def grid(self) -> tuple[float, ...]:
        """The rates that are tried, the least first."""
        ratio = (self.high / self.low) ** (1 / (self.rates - 1))
        return tuple(float(f"{self.low * ratio**k:.3g}") for k in range(self.rates))

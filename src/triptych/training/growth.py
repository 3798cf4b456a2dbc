"""Sequences that grow while a network learns: which rows each step takes (`GrowthSpec`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from triptych.chance import key
from triptych.contracts import FloatArray, IntArray
from triptych.spec import GrowthSpec


class Growth:
    """Draws the rows of each step, and lets the allowed length grow by the losses it is told.

    Bengio et al. (2009) call such an order of examples a curriculum. What a round draws is a
    function of its number and of the stage by then.

    Parameters
    ----------
    spec : GrowthSpec
    rows : IntArray, shape (n,)
        That may be drawn.
    lengths : IntArray, shape (n,)
        Of their sequences.
    batch_size : int
    seed : int
        Keys what is drawn, from `triptych.chance.stream_seed`.

    Attributes
    ----------
    stage : int
        How often the allowed length has grown.
    """

    def __init__(
        self, spec: GrowthSpec, rows: IntArray, lengths: IntArray, batch_size: int, seed: int
    ) -> None:
        order = np.argsort(lengths, kind="stable")
        self.spec, self.seed, self.batch_size = spec, seed, batch_size
        self.rows, self.lengths = rows[order], lengths[order]
        self.known = np.unique(lengths)
        self.stage = self.done = 0
        self.losses: list[float] = []
        self.drawn: tuple[int, IntArray] = (-1, rows)

    @property
    def longest(self) -> float:
        """The allowed length."""
        shortest, whole = self.known[0], self.known[-1] - self.known[0]
        # Multiplied first: 49 * (1 / 49) is below 1.
        return float(shortest + whole * (self.stage + 1) / self.spec.stages)

    def left(self) -> int:
        """Return how many steps are left of the round."""
        return self.spec.every - self.done % self.spec.every

    def order(self, steps: int) -> IntArray:
        """Return the rows of the next steps, not past the end of the round; (steps * B,)."""
        round_, place = divmod(self.done, self.spec.every)
        if self.drawn[0] != round_:
            self.drawn = (round_, self._round(round_))
        return self.drawn[1][place : place + steps].ravel()

    def _round(self, round_: int) -> IntArray:
        """Draw the rows (steps, B) of a round."""
        rng = np.random.Generator(np.random.PCG64(int(key(self.seed, round_))))
        allowed = self.known[self.known <= self.longest]
        lengths = rng.choice(allowed, self.spec.every)
        first = np.searchsorted(self.lengths, lengths, "left")
        last = np.searchsorted(self.lengths, lengths, "right")
        # Where a batch would see the same few rows again and again, their neighbours join.
        few = np.minimum(self.batch_size, len(self.rows))
        first = np.minimum(first, np.maximum(0, last - few))
        last = np.maximum(last, first + few)
        places = rng.random((self.spec.every, self.batch_size)) * (last - first)[:, None]
        drawn: IntArray = self.rows[first[:, None] + places.astype(np.int64)]
        return drawn

    def tell(self, losses: FloatArray) -> None:
        """Take the losses of the steps that were drawn last; at the end of a round, maybe grow."""
        self.losses += losses.tolist()
        self.done += len(losses)
        if self.done % self.spec.every == 0:
            if np.mean(self.losses) < self.spec.gate:
                self.stage = min(self.stage + 1, self.spec.stages - 1)
            self.losses = []

    def state(self) -> dict[str, Any]:
        """Return how far it is, as values of JSON: what it draws follows from that."""
        return {"stage": self.stage, "done": self.done, "losses": list(self.losses)}

    def load(self, state: Mapping[str, Any]) -> None:
        """Put back what `state` returned."""
        self.stage, self.done = int(state["stage"]), int(state["done"])
        self.losses = [float(loss) for loss in state["losses"]]

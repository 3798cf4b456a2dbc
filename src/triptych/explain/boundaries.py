"""Where a network of two features divides the plane, as training went on."""

from __future__ import annotations

import numpy as np

from triptych.contracts import Array, FloatArray, IntArray, Split, State, Weights
from triptych.explain.judged import Tells, class_shares, named, numbered
from triptych.records import Finding

BOUNDARY = "decision boundary"
_PANELS = 6
# Points of the grid along each feature; a page blends between them.
_GRID = 40
_POINTS = 240
_MARGIN = 0.08


def chosen_epochs(every: int, last: int) -> tuple[int, ...]:
    """Return some of the epochs after which a network is judged, ever fewer, without the last.

    Parameters
    ----------
    every : int
        Epochs from one evaluation to the next.
    last : int

    Examples
    --------
    >>> chosen_epochs(10, 1500), chosen_epochs(1, 4), chosen_epochs(5, 5)
    ((10, 40, 120, 430), (1, 2, 3), ())
    """
    judged = np.arange(every, last, every)
    if not len(judged):
        return ()
    wanted = np.geomspace(every, last, _PANELS - 1)[:-1]
    nearest = np.abs(np.log(judged[:, None] / wanted)).argmin(axis=0)
    return tuple(int(judged[k]) for k in np.unique(nearest))


class Boundary:
    """Looks at a network before, during and after training.

    Parameters
    ----------
    train : Split
        Rows of two features, and their classes.
    classes : tuple of str
    loss : str
        See `triptych.explain.judged.class_shares`.
    features : tuple of (str, str)
        See `triptych.contracts.Dataset`; numbered where absent.
    """

    def __init__(
        self,
        train: Split,
        classes: tuple[str, ...],
        loss: str,
        features: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.train, self.classes, self.loss = train, classes, loss
        self.features = named(features or numbered(2))
        low, high = train.x.min(axis=0), train.x.max(axis=0)
        room = _MARGIN * np.where(high > low, high - low, 1.0)
        self.low, self.high = low - room, high + room
        # The middle of each pixel; the first line is the uppermost.
        middles = (np.arange(_GRID) + 0.5) / _GRID
        places = np.stack(np.meshgrid(middles, middles[::-1]), axis=-1).reshape(-1, 2)
        self.grid = (self.low + (self.high - self.low) * places).astype(train.x.dtype)
        self.seen: dict[int, tuple[Array, Array, float]] = {}

    def look(self, epoch: int, tells: Tells) -> None:
        """See where the network stands after `epoch`; epoch 0 is before training."""
        shares = class_shares(tells(self.grid), self.loss)
        rows = class_shares(tells(self.train.x), self.loss)
        if shares is None or rows is None or not np.isfinite(shares).all():
            return
        right = float((rows.argmax(axis=1) == self.train.y).mean())
        self.seen[epoch] = shares.argmax(axis=1).astype(np.uint8), _lead(shares), right

    def state(self) -> State:
        """Return what was seen so far."""
        arrays: Weights = {}
        for epoch, (predicted, sure, _) in self.seen.items():
            arrays |= {f"{epoch}/predicted": predicted, f"{epoch}/sure": sure}
        return State(arrays, {str(epoch): right for epoch, (*_, right) in self.seen.items()})

    def restore(self, state: State) -> None:
        """Put back what `state` returned; epoch 0 stays where that was not seen."""
        self.seen |= {
            int(epoch): (state.arrays[f"{epoch}/predicted"], state.arrays[f"{epoch}/sure"], right)
            for epoch, right in state.values.items()
        }

    def finding(self, last: int) -> Finding:
        """Return what was seen up to epoch `last`.

        Returns
        -------
        Finding
            With ``predicted (P, G, G)`` and ``sure (P, G, G)``, uint8: the likeliest class of each
            pixel, from the upper left, and by how much it leads the next, of 255; after
            ``epochs (P,)``; ``right (P,)``, accuracy on training rows; some of these, ``points (K,
            2)`` from 0 to 1 along each feature, and their classes ``labels (K,)``; ``low (2,)``
            and ``high (2,)``, what the edges of the grid are.
        """
        epochs = [epoch for epoch in sorted(self.seen) if epoch <= last]
        kept = self._kept()
        points = (self.train.x[kept] - self.low) / (self.high - self.low)
        return Finding(
            kind=BOUNDARY,
            title="The decision boundary as it grew",
            caption=(
                "The plane of the two features. Its colour is the class that the network would "
                "predict there, the fainter the less sure it is; a faint seam is the boundary. "
                f"Dots are {'' if len(kept) == len(self.train) else f'{len(kept)} of '}the "
                f"{len(self.train):,} training rows, in the colour of their own class: one on the "
                "other colour is a row predicted wrong. Beneath stands the share predicted right."
            ),
            arrays={
                "predicted": np.stack([self.seen[e][0] for e in epochs]).reshape(-1, _GRID, _GRID),
                "sure": np.stack([self.seen[e][1] for e in epochs]).reshape(-1, _GRID, _GRID),
                "right": np.array([self.seen[e][2] for e in epochs]),
                "epochs": np.array(epochs, float),
                "points": points.astype(float),
                "labels": self.train.y[kept].astype(float),
                "low": self.low.astype(float),
                "high": self.high.astype(float),
            },
            labels={"classes": self.classes, "features": self.features},
        )

    def _kept(self) -> IntArray:
        """Return rows evenly spread over those there are."""
        count = min(_POINTS, len(self.train))
        return np.linspace(0, len(self.train) - 1, count).round().astype(np.int64)


def _lead(shares: FloatArray) -> Array:
    """Return by how much the likeliest class leads the next, (N,), of 255."""
    second, first = np.partition(shares, -2, axis=1)[:, -2:].T
    lead: Array = (255 * (first - second)).round().astype(np.uint8)
    return lead

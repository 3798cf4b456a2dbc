"""How pictures become inputs: varied for training, scaled to the size of the day, standardised.

Whole batches at once, from uint8, on whatever device they are on. What is drawn is a function of
the step and the row, so that any step can be repeated by itself.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from triptych import chance
from triptych.contracts import Array, IntArray, Standardization
from triptych.spec import TrainSpec
from triptych.training.views import reflected

# Networks with a few poolings need this many pixels; smaller pictures stay as they are.
_SMALLEST_EDGE = 8
# Which of a step's numbers: counters of one key, see `triptych.chance.key`.
_SHIFTS, _CUTS = 0, 1


def edge_at(spec: TrainSpec, epoch: int, edge: int) -> int:
    """Return how long the shorter edge of pictures is in an epoch.

    Parameters
    ----------
    spec : TrainSpec
    epoch : int
        Counted from 0.
    edge : int
        How long it is by itself.
    """
    if not spec.resolutions:
        return edge
    # The last epoch is at full size even where there are fewer epochs than sizes.
    part = -1 if epoch + 1 >= spec.epochs else epoch * len(spec.resolutions) // spec.epochs
    return max(min(_SMALLEST_EDGE, edge), round(spec.resolutions[part] * edge))


class PictureInputs:
    """Turns uint8 pictures (B, C, H, W) into what a network takes.

    Parameters
    ----------
    spec : TrainSpec
    standardization : Standardization
    seed : int
        Keys what is drawn, see `triptych.chance.key`.
    like : Tensor
        Of the dtype and on the device that inputs are to have.
    layout : torch.memory_format
        Channels last for convolutions.

    Attributes
    ----------
    edge : int or None
        How long the shorter edge is now; None: as it is.
    """

    def __init__(
        self,
        spec: TrainSpec,
        standardization: Standardization,
        seed: int,
        like: Tensor,
        layout: torch.memory_format,
    ) -> None:
        self.spec, self.seed, self.layout = spec, seed, layout
        self.shift = torch.tensor(standardization.mean).to(like)
        self.scale = torch.tensor(standardization.std).to(like)
        self.edge: int | None = None

    def plain(self, x: Tensor) -> Tensor:
        """Return pictures as inputs of the present size, or other features as they are."""
        out = self._standardized(x)
        return self._sized(out) if x.dim() == 4 else out

    def varied(self, x: Tensor, rows_B: IntArray, epoch: int, step: int) -> Tensor:
        """Return pictures as inputs, varied as ``spec.augment`` says.

        Parameters
        ----------
        x : Tensor, shape (B, C, H, W)
        rows_B : IntArray, shape (B,)
            Which rows of the training split they are.
        epoch, step : int
            Counted from 0, over the whole training.
        """
        augment = self.spec.augment
        if augment.flip or augment.translate:
            x = self._moved(x, rows_B, epoch, step)
        out = self._standardized(x)
        if augment.cutout:
            out = self._cut(out, step)
        return self._sized(out)

    def _standardized(self, x: Tensor) -> Tensor:
        # A standardised picture has its mean at 0, which is what cutting sets it to.
        return (x.to(self.scale.dtype) - self.shift) / self.scale

    def _sized(self, x: Tensor) -> Tensor:
        shorter = min(x.shape[2:])
        if self.edge is not None and self.edge != shorter:
            size = [round(length * self.edge / shorter) for length in x.shape[2:]]
            x = F.interpolate(x, size, mode="bilinear", antialias=True)
        return x.contiguous(memory_format=self.layout)

    def _moved(self, x: Tensor, rows_B: IntArray, epoch: int, step: int) -> Tensor:
        """Return pictures flipped and shifted, all by one look-up."""
        places: list[IntArray] = [np.tile(np.arange(n), (len(x), 1)) for n in x.shape[2:]]
        if self.spec.augment.flip:
            flipped_B = flips(self.seed, rows_B, epoch)
            places[1] = np.where(flipped_B[:, None], places[1][:, ::-1], places[1])
        if most := self.spec.augment.translate:
            drawn = self._drawn(step, _SHIFTS, len(x)) * (2 * most + 1)
            shifts_B2 = drawn.astype(np.int64) - most
            places = [
                reflected(p + shifts_B2[:, k : k + 1], p.shape[1]) for k, p in enumerate(places)
            ]
        rows_BH, columns_BW = (torch.from_numpy(np.ascontiguousarray(p)) for p in places)
        flat_B = (rows_BH[:, :, None] * x.shape[3] + columns_BW[:, None, :]).flatten(1)
        flat_B = flat_B.to(x.device)[:, None, :].expand(-1, x.shape[1], -1)
        return x.flatten(2).gather(2, flat_B).view_as(x)

    def _cut(self, x: Tensor, step: int) -> Tensor:
        edge = self.spec.augment.cutout
        drawn_B2 = self._drawn(step, _CUTS, len(x))
        inside = []
        for k, length in enumerate(x.shape[2:]):
            # The square may reach over the edge, as in the paper.
            start_B1 = (drawn_B2[:, k : k + 1] * length).astype(np.int64) - edge // 2
            places = np.arange(length)[None]
            inside.append(torch.from_numpy((places >= start_B1) & (places < start_B1 + edge)))
        rows_BH, columns_BW = (i.to(x.device) for i in inside)
        return x.masked_fill(rows_BH[:, None, :, None] & columns_BW[:, None, None, :], 0.0)

    def _drawn(self, step: int, which: int, count: int) -> Array:
        """Return two numbers in [0, 1) for each picture of a step, (B, 2)."""
        return chance.uniform(chance.key(self.seed, step, which), 2 * count).reshape(count, 2)


def flips(seed: int, rows_B: IntArray, epoch: int) -> Array:
    """Return which rows are mirrored in an epoch: each in every other one, (B,)."""
    with np.errstate(over="ignore"):
        drawn = chance.mix64(chance.key(seed) + rows_B.astype(np.uint64) * chance.GOLDEN)
    mirrored: Array = (drawn >> np.uint64(63)).astype(np.int64) ^ (epoch & 1) == 1
    return mirrored

"""How pictures of one's own become what a network reads: one size, grey or colour, classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from triptych.contracts import Array
from triptych.data.picture_files import MOST_PIXELS, Header, read_pixels
from triptych.data.strict import check_classes, strictly
from triptych.errors import SpecError
from triptych.spec import plain
from triptych.spec.fields import Checked, between


@dataclass(frozen=True, kw_only=True)
class PicturePreparation(Checked):
    """What every picture of a source is made into: uint8 (channels, H, W).

    How colours become grey or RGB is fixed, see `triptych.data.picture_files`. What is subtracted
    and divided by is `triptych.contracts.Dataset.standardization`, for pictures stay uint8 until a
    network reads them.

    Attributes
    ----------
    classes : tuple of str
    size : tuple of int
        Height and width that every picture gets.
    channels : int
        1: all are grey; 3: RGB.
    scaled : bool
        Whether pictures of other sizes were among those that it was made for.
    """

    kind: Literal["pictures"] = "pictures"
    classes: tuple[str, ...]
    size: tuple[int, ...] = field(metadata=between(1, MOST_PIXELS))
    channels: int
    scaled: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        check_classes(self.classes)
        if len(self.size) != 2 or self.size[0] * self.size[1] > MOST_PIXELS:
            raise SpecError(
                f"size: must be height and width of {MOST_PIXELS:,} pixels at most, got "
                f"{list(self.size)}."
            )
        if self.channels not in (1, 3):
            raise SpecError(f"channels: must be 1 or 3, got {self.channels}.")

    @property
    def target(self) -> None:
        """No number is told of pictures."""
        return None

    @property
    def edges(self) -> tuple[int, int]:
        """Height and width."""
        return (self.size[0], self.size[1])

    @property
    def sample_bytes(self) -> int:
        """What one picture takes."""
        return self.channels * self.size[0] * self.size[1]

    def pixels(self, file: Path) -> Array:
        """Return a picture, uint8 (channels, H, W).

        Raises
        ------
        BadPicture
            If the file is no picture, or is damaged.
        """
        return read_pixels(file, self.channels, self.edges)

    def unseen(self, header: Header) -> dict[str, str]:
        """Return in what a picture is unlike all that the preparation was made for."""
        found = {}
        if header.has_colour and self.channels == 1:
            found["colour"] = "in colour, read as grey"
        if not self.scaled and header.size != self.edges:
            found["size"] = "{} x {}, scaled".format(*header.size)
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return it as values of JSON."""
        return cast("dict[str, Any]", plain(self))

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> PicturePreparation:
        """Make it of what `as_dict` returned.

        Raises
        ------
        UnsafeFileError
            If a key or value is anything else.
        """
        return strictly(cls, mapping)

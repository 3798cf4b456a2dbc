"""How pictures of one's own become what a network reads: one size, grey or colour, classes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from triptych.contracts import Array
from triptych.data.picture_files import MOST_PIXELS, Header, read_pixels
from triptych.data.strict import count, different, fields, flag, many, one_of, text
from triptych.errors import UnsafeFileError


@dataclass(frozen=True)
class PicturePreparation:
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

    kind: ClassVar[str] = "pictures"
    classes: tuple[str, ...]
    size: tuple[int, int]
    channels: int
    scaled: bool

    @property
    def target(self) -> None:
        """No number is told of pictures."""
        return None

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
        return read_pixels(file, self.channels, self.size)

    def unseen(self, header: Header) -> dict[str, str]:
        """Return in what a picture is unlike all that the preparation was made for."""
        found = {}
        if header.has_colour and self.channels == 1:
            found["colour"] = "in colour, read as grey"
        if not self.scaled and header.size != self.size:
            found["size"] = "{} x {}, scaled".format(*header.size)
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return it as values of JSON."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_dict(cls, value: object, where: str = "preparation") -> Self:
        """Return what `as_dict` made.

        Raises
        ------
        UnsafeFileError
            If it is anything else: other keys, kinds or numbers.
        """
        found = fields(value, where, {
            "kind": one_of("pictures"), "classes": many(text), "size": many(count),
            "channels": count, "scaled": flag,
        })  # fmt: skip
        classes, size, channels = found["classes"], found["size"], found["channels"]
        different(classes, f"{where}.classes")
        if len(size) != 2 or size[0] * size[1] > MOST_PIXELS:
            raise UnsafeFileError(
                f"{where}.size: must be height and width of {MOST_PIXELS:,} pixels at most."
            )
        if channels not in (1, 3):
            raise UnsafeFileError(f"{where}.channels: must be 1 or 3, got {channels}.")
        return cls(classes, size, channels, found["scaled"])

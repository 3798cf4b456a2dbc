"""One picture from a file: what it is by its header, and its pixels, by fixed rules.

Colours of any kind become 8-bit grey or RGB: 16-bit grey is divided by 257, palettes are looked up,
CMYK is converted, what is transparent is laid over white. Pictures stand as their EXIF orientation
says, in a PNG where it comes before the pixels; of an animation the first picture counts.
"""

from __future__ import annotations

import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from triptych.contracts import Array

if TYPE_CHECKING:
    from PIL import Image

# By Pillow's names; others have decoders that few have tried to break.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM")
SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".pbm")
)
MOST_PIXELS = 50_000_000
# Pillow's words for how pixels are stored.
_SIXTEEN_BIT = frozenset(("I", "I;16", "I;16L", "I;16B", "I;16N"))
_GREY = frozenset(("1", "L", "LA", "La")) | _SIXTEEN_BIT
_COLOUR = frozenset(("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB"))
_ORIENTATION = 0x0112


class BadPicture(Exception):
    """A file that is no usable picture; its text says why in a few words."""


@dataclass(frozen=True)
class Header:
    """What a file says of its picture: (height, width) as it stands, and whether it has colour."""

    size: tuple[int, int]
    has_colour: bool


def read_header(path: Path) -> Header:
    """Return what the header of a picture says; no pixel is decoded.

    Raises
    ------
    BadPicture
    """
    with _opened(path) as picture:
        width, height = picture.size
        size = (width, height) if _orientation(picture) >= 5 else (height, width)
        return Header(size, picture.mode not in _GREY)


def read_pixels(path: Path, channels: int, size: tuple[int, int]) -> Array:
    """Return a picture, uint8 (channels, H, W), scaled to `size` where it has another.

    Parameters
    ----------
    path : Path
    channels : int
        1, or 3 for RGB.
    size : tuple of int
        Height and width.

    Raises
    ------
    BadPicture
        If the file is truncated or damaged.
    """
    from PIL import Image, ImageOps

    with _opened(path) as picture:
        upright = picture if _orientation(picture) == 1 else ImageOps.exif_transpose(picture)
        flat = _over_white(_eight_bit(upright)).convert("RGB" if channels == 3 else "L")
        if (flat.height, flat.width) != size:
            # Pillow's filter widens when it makes smaller, so nothing is skipped over.
            flat = flat.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        pixels: Array = np.asarray(flat)
        return np.moveaxis(pixels, -1, 0) if channels == 3 else pixels[None]


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture of an allowed format, mode and size; whatever fails becomes `BadPicture`."""
    from PIL import Image, UnidentifiedImageError

    try:
        _check_file(path)
        with warnings.catch_warnings():
            # Pillow warns of large pictures, which are refused here, and of odd metadata.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as picture:
                _check_size(picture.size)
                if picture.mode not in _GREY | _COLOUR:
                    raise BadPicture(f"pixels of kind {picture.mode!r}")
                yield picture
    except BadPicture:
        raise
    except UnidentifiedImageError:
        raise BadPicture("not a picture") from None
    except Image.DecompressionBombError:
        raise BadPicture(_too_large()) from None
    except OSError as error:
        # Pillow's own errors have no number: a file that ends early, or is damaged.
        raise BadPicture(error.strerror or _first_words(error)) from None
    except (MemoryError, RecursionError) as error:
        raise BadPicture(type(error).__name__) from None
    # Decoders raise whatever their parsing runs into: struct.error, SyntaxError, ValueError, ...
    except Exception as error:
        raise BadPicture(_first_words(error)) from None


def _check_file(path: Path) -> None:
    found = path.stat()
    # Opening a pipe would wait for ever.
    if not stat.S_ISREG(found.st_mode):
        raise BadPicture("not a file")
    if not found.st_size:
        raise BadPicture("empty")


def _check_size(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MOST_PIXELS:
        raise BadPicture(f"{size[0]:,} x {size[1]:,} pixels, {_too_large()}")


def _too_large() -> str:
    return f"more than {MOST_PIXELS // 1_000_000} million"


def _first_words(error: Exception) -> str:
    words = " ".join(str(error).split())[:60]
    return f"damaged: {words}" if words else "damaged"


def _orientation(picture: Image.Image) -> int:
    """Return how the pixels are to be turned, 1 to 8 as EXIF counts; 5 to 8 swap the edges."""
    # Pillow would decode all of a PNG to look for it behind the pixels.
    if picture.format == "PNG" and "exif" not in picture.info:
        return 1
    found = picture.getexif().get(_ORIENTATION, 1)
    return found if found in range(1, 9) else 1


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Return 16-bit grey as 8-bit grey, which Pillow's own conversion would cut off at 255."""
    from PIL import Image

    if picture.mode not in _SIXTEEN_BIT:
        return picture
    values = np.asarray(picture).astype(np.int64).clip(0, 65_535)
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _over_white(picture: Image.Image) -> Image.Image:
    from PIL import Image

    if not picture.has_transparency_data:
        return picture
    above = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", above.size, "white"), above)

"""Small pictures inside the page: PNG as text, so that it needs no other file."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from triptych.contracts import Array
from triptych.report.wording import visible

_CHANNELS = {1: 0, 3: 2, 4: 6}
# Of pictures on a sheet, in pixels: how large they are at least, and how far apart.
_LEAST_EDGE, _GAP = 24, 3
# Tells black from black on a dark page, and white from white on a white one.
_FRAME = (128, 128, 128, 255)
_STEPS = np.uint8(0xFC)
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(pixels: Array) -> bytes:
    """Return a picture as PNG (ISO 15948), which needs no more than zlib.

    Parameters
    ----------
    pixels : Array, uint8 (h, w, c)
        Grey, colours, or colours and opacity: c is 1, 3 or 4.

    Raises
    ------
    ValueError
        If it is nothing of the kind.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in _CHANNELS:
        raise ValueError(f"no picture: {pixels.dtype} of shape {pixels.shape}")
    height, width, channels = pixels.shape
    head = struct.pack(">IIBBBBB", width, height, 8, _CHANNELS[channels], 0, 0, 0)
    # Each value is written as its step from the pixel to the left, which is filter 1, and stands
    # before each line: photographs take a sixth less.
    lines = np.ones((height, 1 + width * channels), np.uint8)
    lines[:, 1:] = np.diff(pixels, axis=1, prepend=np.uint8(0)).reshape(height, -1)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b"")]
    return _SIGNATURE + b"".join(_chunk(name, content) for name, content in parts)


def _chunk(name: bytes, content: bytes) -> bytes:
    checked = name + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def address(pixels: Array) -> str:
    """Return a picture as the ``data:`` address of an image."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def image(pixels: Array, description: str) -> Markup:
    """Return a picture as an element that shows its pixels, (h, w, c) as `png` takes them.

    Colours are shown in 64 steps of each, which on a small picture none can tell from 256, and
    which take a third less.
    """
    height, width = pixels.shape[:2]
    if pixels.shape[2] != 1:
        pixels = pixels & _STEPS
    frame = "" if pixels.shape[2] == 4 else Markup(' class="framed"')
    return Markup('<img{} src="{}" width="{}" height="{}" alt="{}">').format(
        frame, address(pixels), width, height, visible(description)
    )


def sheet(pictures: Array, columns: int, shown: int | None = None) -> Array:
    """Return pictures (K, h, w, c) of one or three channels as one, (h', w', 4).

    They stand in rows, each in a thin frame; small ones are magnified, so that it stays thin.

    Parameters
    ----------
    pictures : Array, uint8 (K, h, w, c)
    columns : int
        Pictures in a row.
    shown : int, optional
        Places of those after the first so many are left clear.
    """
    zoom = max(1, math.ceil(_LEAST_EDGE / max(pictures.shape[1:3])))
    large = pictures.repeat(zoom, axis=1).repeat(zoom, axis=2)
    count, height, width = large.shape[:3]
    columns = max(1, min(columns, count))
    step = np.array([height, width]) + 2 + _GAP
    rows = math.ceil(count / columns)
    whole = np.zeros((*(step * (rows, columns) - _GAP), 4), np.uint8)
    for k, picture in enumerate(large[:shown]):
        top, left = step * divmod(k, columns)
        place = whole[top : top + height + 2, left : left + width + 2]
        place[...] = _FRAME
        place[1:-1, 1:-1, :3], place[1:-1, 1:-1, 3] = picture, 255
    return whole


def layers(pictures: Sequence[Array], description: str) -> Markup:
    """Return pictures of one size on top of each other, the lower ones seen through the upper."""
    height, width = pictures[0].shape[:2]
    images = [
        f'<image href="{address(one & 0xFC)}" width="{width}" height="{height}"/>'
        for one in pictures
    ]
    return Markup(
        '<svg class="pixels" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(width, height, visible(description), Markup("".join(images)))

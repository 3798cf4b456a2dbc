"""What a file is by its first bytes, where it was taken for text and is none."""

from __future__ import annotations

import codecs

from triptych.errors import DataError

_ENCODING = "pass encoding='{}' (--encoding)"
# A mark of UTF-32 begins with one of UTF-16.
_KNOWN = (
    (codecs.BOM_UTF32_LE, "UTF-32", _ENCODING.format("utf-32")),
    (codecs.BOM_UTF32_BE, "UTF-32", _ENCODING.format("utf-32")),
    (codecs.BOM_UTF16_LE, "UTF-16", _ENCODING.format("utf-16")),
    (codecs.BOM_UTF16_BE, "UTF-16", _ENCODING.format("utf-16")),
    (b"\x1f\x8b", "a gzip archive", "unpack it"),
    (b"PK\x03\x04", "a zip archive or a spreadsheet", "unpack it, or save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet", "save it as CSV"),
    (b"PAR1", "a Parquet file", "let its name end in .parquet"),
    (b"%PDF-", "a PDF", "save it as text"),
)


def check_beginning(raw: bytes, name: str) -> None:
    """Refuse a file that is no text in UTF-8, and say what it is by its first bytes.

    Parameters
    ----------
    raw : bytes
        How it begins; some kilobytes, as a table may begin with the letters of a mark.
    name : str
        Of the file, for messages.

    Raises
    ------
    DataError
        Which says what to do.
    """
    for mark, what, advice in _KNOWN:
        if raw.startswith(mark) and not (mark.isascii() and _is_text(raw)):
            raise DataError(f"{name}: this is {what} by its first bytes; {advice}.")


def _is_text(raw: bytes) -> bool:
    try:
        # The last letter may be cut.
        codecs.getincrementaldecoder("utf-8")().decode(raw)
    except UnicodeDecodeError:
        return False
    return b"\0" not in raw

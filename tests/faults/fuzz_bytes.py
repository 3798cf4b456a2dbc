"""Damage and malice: what a fuzzer makes of a whole file, drawn by a generator of its own."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from random import Random

HARMED = "harmed"
"""The file that code in a fuzzed file would make, if it were run."""
MOST_BYTES = 1 << 20


class Harm:
    """What makes the file, if it is unpickled."""

    def __reduce__(self):
        """Return a call of the shell."""
        return os.system, (f"touch {HARMED}",)


PICKLE = pickle.dumps(Harm())
TOKENS = [
    b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n", b"\n\n", b'"', b'"""', b"'",
    b",", b"\t",
    b"\xc0\x80", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", "\u202egnp.\u202c".encode(),
    b"\x1b[2J\x1b[31m",
    b"<img src=x onerror=alert(1)>", b"</script><script>alert(1)</script>", b"=cmd|'/C calc'!A0",
    b"{{7*7}}", b"%s%n%x", b"$(touch harmed)", b"`touch harmed`", b"; touch harmed",
    b"__import__('os').system('touch harmed')", b"!!python/object/apply:os.system ['touch harmed']",
    b"../../../../etc/passwd", b"/dev/zero", b"/etc/passwd", b"file:///etc/passwd",
    b"http://a.invalid/",
    b"null", b"true", b"false", b"[]", b"{}", b'""', b"NaN", b"nan", b"inf", b"-Infinity", b"1e999",
    b"-1", b"0", b"-0", b"0x10", b"1_000", b"1,5", "\u0661".encode(), b"1e-400",
    b"9" * 400, b"9" * 5000,
    b"2026-13-45", b"0000-00-00", b"9999-12-31", b"[" * 100_000, b'{"a":' * 50_000, b"a" * 140_000,
    b"a.b" * 3000, PICKLE, b"PK\x03\x04", b"\x93NUMPY\x03\x00", b"PAR1", b"\x89PNG\r\n\x1a\n",
]  # fmt: skip
NUMBERS = [
    b"-1", b"0", b"1", b"2", b"65536", b"1000000", b"2147483648", b"4294967295", b"1000000000000",
    b"9223372036854775807", b"9223372036854775808", b"18446744073709551616", b"1" + b"0" * 400,
    b"1e308", b"1e999", b"-1e999", b"0.0", b"-0.0", b"NaN", b"null", b"true", b'"7"',
    b"[7]", b"0.5",
]  # fmt: skip
_WORDS = re.compile(rb"[A-Za-z_]{2,}|-?\d+(?:\.\d+)?")
_DIGITS = re.compile(rb"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def mutated(seed: bytes, others: Sequence[bytes], draw: Random) -> bytes:
    """Return a seed after one to four changes; `others` are files whose parts may be put in."""
    content = seed
    for _ in range(draw.choice((1, 1, 1, 2, 2, 3, 4))):
        content = draw.choice(_CHANGES)(content, others, draw)[:MOST_BYTES]
    return content


def _flip(content, others, draw):
    if not content:
        return content
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 4, 16))):
        changed[_place(content, draw)] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _place(content, draw):
    """Return a place, as often among the first bytes, or the last, as anywhere."""
    where = draw.randrange(len(content))
    return draw.choice((where, where % 64, len(content) - 1 - where % 64)) % len(content)


def _set(content, others, draw):
    at = draw.randrange(len(content) + 1)
    return content[:at] + bytes([draw.choice((0, 1, 127, 128, 254, 255))]) + content[at + 1 :]


def _cut(content, others, draw):
    return content[: draw.randrange(len(content) + 1)]


def _drop(content, others, draw):
    start, end = sorted((draw.randrange(len(content) + 1), draw.randrange(len(content) + 1)))
    return content[:start] + content[min(end, start + draw.choice((1, 4, 64, 4096))) :]


def _repeat(content, others, draw):
    start = draw.randrange(len(content) + 1)
    part = content[start : start + draw.choice((1, 8, 100, 2000))]
    return content[:start] + part * draw.choice((2, 3, 50, 2000)) + content[start:]


def _splice(content, others, draw):
    other = draw.choice(others)
    return content[: draw.randrange(len(content) + 1)] + other[draw.randrange(len(other) + 1) :]


def _length(content, others, draw):
    """Blow up what may be a length: a number of 1 to 8 bytes in either order."""
    size = draw.choice((1, 2, 4, 8))
    if len(content) < size:
        return content
    at = min(_place(content, draw), len(content) - size)
    value = draw.choice(
        (0, 1, 2, 127, 2**15, 2**24, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
    )
    order = draw.choice(("little", "big"))
    return content[:at] + (value % 256**size).to_bytes(size, order) + content[at + size :]


def _digits(content, others, draw):
    return _replaced(content, _DIGITS, NUMBERS, draw)


def _words(content, others, draw):
    return _replaced(content, _WORDS, TOKENS, draw)


def _swapped(content, others, draw):
    """Put a word of the file, or of another, where another word is."""
    source = draw.choice((content, content, draw.choice(others)))
    found = _WORDS.findall(source[:100_000]) or TOKENS
    return _replaced(content, _WORDS, found, draw)


def _replaced(content, pattern, values, draw):
    places = list(pattern.finditer(content[:200_000]))
    if not places:
        return _insert(content, (), draw)
    found = draw.choice(places)
    return content[: found.start()] + draw.choice(values) + content[found.end() :]


def _insert(content, others, draw):
    at = draw.choice((0, len(content), draw.randrange(len(content) + 1)))
    return content[:at] + draw.choice(TOKENS) + content[at:]


def _lines(content, others, draw):
    lines = content.split(b"\n")
    k, j = draw.randrange(len(lines)), draw.randrange(len(lines))
    match draw.randrange(4):
        case 0:
            lines[k], lines[j] = lines[j], lines[k]
        case 1:
            del lines[k]
        case 2:
            lines.insert(j, lines[k])
        case _:
            lines[k] = draw.choice(draw.choice(others).split(b"\n"))[:10_000]
    return b"\n".join(lines)


def _whole(content, others, draw):
    """Put something else altogether in its place; seldom, as little is learnt from it."""
    if draw.random() < 0.8:
        return _flip(content, others, draw)
    return draw.choice((
        b"", PICKLE, draw.choice(others), draw.randbytes(draw.choice((1, 100, 5000))),
        bytes(draw.choice((1, 100, MOST_BYTES))), b"[" * 200_000, b'{"a":' * 200_000,
        content.decode("latin-1").encode("utf-16"), gzip.compress(content),
    ))  # fmt: skip


_CHANGES: tuple[Callable[[bytes, Sequence[bytes], Random], bytes], ...] = (
    _flip, _flip, _set, _cut, _drop, _repeat, _splice, _length, _length, _digits, _digits, _words,
    _swapped, _swapped, _insert, _lines, _whole,
)  # fmt: skip


# What follows damages what is inside, and makes checksums and lengths right again: damage that
# a checksum tells never meets the code behind it.


def in_zip(content: bytes, others: Sequence[bytes], draw: Random) -> bytes:
    """Return a zip of which one member, or its name, was changed."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    k = draw.randrange(len(members))
    name, inside = members[k]
    if draw.random() < 0.2:
        name = draw.choice((name[:-4], "../" + name, "/etc/" + name, members[0][0], "\x1b[31m.npy"))
    else:
        inside = mutated(inside, others, draw)
    members[k] = (name, inside)
    warnings.simplefilter("ignore")  # of a name that is there twice
    out = io.BytesIO()
    method = draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, inside in members:
            archive.writestr(zipfile.ZipInfo(name), inside, method)
    return out.getvalue()


def in_png(content: bytes, others: Sequence[bytes], draw: Random) -> bytes:
    """Return a PNG of which one chunk was changed, its checksum right."""
    at, chunks = 8, []
    while at + 8 <= len(content):
        (size,) = struct.unpack(">I", content[at : at + 4])
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += size + 12
    k = draw.randrange(len(chunks))
    kind, inside = chunks[k]
    if kind == b"IDAT" and draw.random() < 0.5:
        inside = zlib.compress(mutated(zlib.decompress(inside), others, draw))
    elif draw.random() < 0.2:
        kind = draw.choice((b"PLTE", b"tRNS", b"eXIf", b"iCCP", b"zTXt", b"acTL", b"IHDR", b"gAMA"))
    else:
        inside = mutated(inside, others, draw)
    chunks[k] = (kind, inside)
    parts = [
        struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks
    ]
    return content[:8] + b"".join(parts)


def in_safetensors(content: bytes, others: Sequence[bytes], draw: Random) -> bytes:
    """Return a safetensors file whose header was changed, its length right."""
    length = int.from_bytes(content[:8], "little")
    head = content[8 : 8 + length]
    if draw.random() < 0.7:  # within the text that its metadata hold
        table = json.loads(head)
        for key, text in table.get("__metadata__", {}).items():
            is_json = text.startswith("{") and draw.random() < 0.6
            changed = _json(text, draw) if is_json else mutated(text.encode(), others, draw)
            table["__metadata__"][key] = changed.decode("utf-8", "replace")
        head = json.dumps(table).encode()
    else:
        head = mutated(head, others, draw)
    return len(head).to_bytes(8, "little") + head + content[8 + length :]


def in_json(content: bytes, others: Sequence[bytes], draw: Random) -> bytes:
    """Return JSON, or lines of it, in which one value is another."""
    lines = content.decode().splitlines()
    try:
        return _json(content.decode(), draw)
    except ValueError:
        k = draw.randrange(len(lines))
        lines[k] = _json(lines[k], draw).decode("utf-8", "replace")
    return "\n".join([*lines, ""]).encode()


_VALUES = [
    None, True, False, 0, -1, 1, 2, 7, 10**6, 2**31, 2**63, 10**400, 1e308, -0.0, 0.5, float("nan"),
    float("inf"), "", "x", "7", "=cmd()", "\x1b[31m", "\u202e", "<img src=x onerror=alert(1)>",
    "../../x", "/etc/passwd", "a" * 70_000, [], [[]], {}, {"a": 1}, [1, 2, 3], [None],
    ["a"], [[1], [2, 3]],
    "\ud800", "2026-01-01", {"bytes": "AAAA", "shape": [2**40]},
]  # fmt: skip


def _json(text: str, draw: Random) -> bytes:
    """Return JSON in which one value was changed, moved or left out."""
    whole = json.loads(text)
    places = list(_places(whole))
    if not places:
        return json.dumps(draw.choice(_VALUES)).encode()
    parent, key = draw.choice(places)
    match draw.randrange(5):
        case 0:
            del parent[key]
        case 1:
            other, name = draw.choice(places)
            parent[key] = json.loads(json.dumps(other[name]))
        case 2 if isinstance(parent, dict):
            parent[draw.choice(("x", "", "kind", "a" * 300, "\x1b[31m"))] = parent.pop(key)
        case 3 if isinstance(parent, list):
            parent[key:key] = [parent[key]] * draw.choice((1, 10, 1000))
        case _:
            parent[key] = draw.choice(_VALUES)
    return json.dumps(whole).encode()


def _places(value):
    """Give each value within, as what holds it and the key."""
    if not isinstance(value, dict | list):
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        yield from _places(item)


def in_gzip(content: bytes, others: Sequence[bytes], draw: Random) -> bytes:
    """Return a gzip of what was changed."""
    return gzip.compress(mutated(gzip.decompress(content), others, draw), 1)

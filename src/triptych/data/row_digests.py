"""Whether two sets hold the same rows, told without either of them in memory."""

from __future__ import annotations

import hashlib

import numpy as np

from triptych.contracts import Array, lengths_of

_BYTES = 16
_MODULUS = 1 << (8 * _BYTES)


def row_digest(x: Array, y: Array) -> int:
    """Return the sum of the hashes of some rows, below 2**128.

    The order of rows does not count, how often each comes does, and sums over parts of a set add up
    to that of the whole (modulo 2**128): a hash of sets as AdHash (Bellare and Micciancio, 1997).

    Parameters
    ----------
    x : Array, shape (N, ...)
        As of `triptych.contracts.Split`; of sequences what is past their end does not count.
    y : Array
    """
    ends = _ends(x)
    total = 0
    for k, label in enumerate(y):
        row = np.ascontiguousarray(x[k] if ends is None else x[k, : ends[k]])
        digest = hashlib.blake2b(row.tobytes() + label.tobytes(), digest_size=_BYTES).digest()
        total += int.from_bytes(digest, "big")
    return total % _MODULUS


def added(one: int, other: int) -> int:
    """Return the digest of two sets together."""
    return (one + other) % _MODULUS


def _ends(x: Array) -> list[int] | None:
    """Return how long each sequence is; None of other rows."""
    is_symbols = x.ndim == 2 and x.dtype.kind == "i"
    is_vectors = x.ndim == 3 and x.dtype.kind == "f"
    return [int(n) for n in lengths_of(x)] if len(x) and (is_symbols or is_vectors) else None

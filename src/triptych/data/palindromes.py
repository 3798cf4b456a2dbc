"""Decimal palindromes: from all digits but the last, predict the last.

The paper's source draws a number below ``10 ** half`` and takes its digits, which overflows for
long strings. Here the digits themselves are drawn, so that any length works.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from triptych.chance import stream
from triptych.contracts import Array, Dataset, IntArray, Split
from triptych.data.fingerprints import fingerprint
from triptych.spec import PalindromeSpec

# Up to here all strings are listed and divided; beyond, a clash is rare and drawn again.
_LISTABLE = 1_000_000
_HELD_OUT = 0.2
# A million steps take a network seconds; these are 20 strings of a million digits.
_PROBE_DIGITS = 20_000_000


def load_palindromes(spec: PalindromeSpec, seed: int) -> Dataset:
    """Return palindromes without their last digit, and the last digit: y int64 (N,), ten classes.

    x is uint8 (N, T - 1); or, of several lengths, int8 with -1 past the end.

    Parameters
    ----------
    spec : PalindromeSpec
    seed : int
        Draws the strings, with replacement, and chooses which are held out.
    """
    if spec.shortest is None:
        halves = _halves(spec, stream(seed, "draw"))
        train, test = (_split(mirror(h_NH, spec.length)) for h_NH in halves)
        name, notes = f"palindromes T={spec.length}", _notes(spec, *halves)
    else:
        train, test, notes = _of_all_lengths(spec, spec.shortest, seed)
        name = f"palindromes T={spec.shortest} to {spec.length}"
    return Dataset(
        name=name,
        train=train,
        test=test,
        classes=tuple(map(str, range(10))),
        kind="sequences",
        fingerprint=fingerprint(train, test),
        notes=notes + _probe_notes(spec),
        symbols=10,
        probes=_probes(spec, seed),
    )


def _halves(spec: PalindromeSpec, rng: np.random.Generator) -> list[Array]:
    """Draw the first halves (N, ceil(T / 2)) of both splits."""
    half = (spec.length + 1) // 2
    if spec.split == "paper" or half == 1:
        return [rng.integers(0, 10, (n, half), dtype=np.uint8) for n in _sizes(spec)]
    if 10**half <= _LISTABLE:
        return _divided(spec, half, rng)
    return _redrawn(spec, half, rng)


def _of_all_lengths(
    spec: PalindromeSpec, shortest: int, seed: int
) -> tuple[Split, Split, tuple[str, ...]]:
    """Draw both splits, about equally many strings of each length from `shortest` on."""
    lengths = range(shortest, spec.length + 1)
    shares = [np.diff(np.arange(len(lengths) + 1) * n // len(lengths)) for n in _sizes(spec)]
    parts: list[list[Split]] = [[], []]
    notes: list[str] = []
    for t, train, test in zip(lengths, *shares, strict=True):
        one = replace(spec, length=t, shortest=None, train_size=int(train), test_size=int(test))
        halves = _halves(one, stream(seed, f"draw {t}"))
        notes += _notes(one, *halves)
        for part, half_NH in zip(parts, halves, strict=True):
            split = _split(mirror(half_NH, t))
            part.append(Split(_padded(split.x, spec.length - 1), split.y))
    train, test = (
        Split(np.concatenate([p.x for p in part]), np.concatenate([p.y for p in part]))
        for part in parts
    )
    return train, test, tuple(notes)


def _padded(x_NT: Array, steps: int) -> Array:
    out = np.full((len(x_NT), steps), -1, np.int8)
    out[:, : x_NT.shape[1]] = x_NT
    return out


def _probes(spec: PalindromeSpec, seed: int) -> dict[int, Split]:
    """Draw strings of the lengths that a trained network is judged at, for each anew."""
    found = {}
    for length in spec.probes:
        count = _probe_count(spec, length)
        rng = stream(seed, f"probe {length}")
        half_NH = rng.integers(0, 10, (count, (length + 1) // 2), dtype=np.uint8)
        found[length] = _split(mirror(half_NH, length))
    return found


def _probe_count(spec: PalindromeSpec, length: int) -> int:
    return max(1, min(spec.probe_size, _PROBE_DIGITS // length))


def _probe_notes(spec: PalindromeSpec) -> tuple[str, ...]:
    """Say where fewer strings than asked for are judged, as an accuracy is then coarser."""
    counts = {length: _probe_count(spec, length) for length in spec.probes}
    return tuple(
        f"Palindromes of length {length:,}: {count} strings are judged, not {spec.probe_size:,}, "
        f"as more would have above {_PROBE_DIGITS // 1_000_000} million digits."
        for length, count in counts.items()
        if count < spec.probe_size
    )


def mirror(half_NH: Array, length: int) -> Array:
    """Return the palindromes (N, length) whose first halves (N, ceil(length / 2)) are given."""
    mirrored = half_NH[:, ::-1]
    return np.concatenate([half_NH, mirrored[:, length % 2 :]], axis=1)


def _sizes(spec: PalindromeSpec) -> tuple[int, int]:
    return spec.train_size, spec.test_size


def _split(strings_NT: Array) -> Split:
    return Split(strings_NT[:, :-1], strings_NT[:, -1].astype(np.int64))


def _divided(spec: PalindromeSpec, half: int, rng: np.random.Generator) -> list[Array]:
    """Hold out a fifth of the strings of every class, then draw from both parts."""
    per_class = 10 ** (half - 1)
    held = max(1, round(_HELD_OUT * per_class))
    # A string's number is its first half read as a number, so its first digit is its class.
    orders = np.stack([c * per_class + rng.permutation(per_class) for c in range(10)])
    parts = (orders[:, held:].ravel(), orders[:, :held].ravel())
    drawn = [rng.choice(part, n) for part, n in zip(parts, _sizes(spec), strict=True)]
    return [digits_of(numbers, half) for numbers in drawn]


def digits_of(numbers_N: IntArray, count: int) -> Array:
    """Return the decimal digits of numbers, uint8 (N, count), most significant first."""
    powers = 10 ** np.arange(count - 1, -1, -1)
    return (numbers_N[:, None] // powers % 10).astype(np.uint8)


def _redrawn(spec: PalindromeSpec, half: int, rng: np.random.Generator) -> list[Array]:
    """Draw both parts, and draw a test string again while it is in the training set."""
    train = rng.integers(0, 10, (spec.train_size, half), dtype=np.uint8)
    test = rng.integers(0, 10, (spec.test_size, half), dtype=np.uint8)
    known = np.unique(_keys(train))
    while (clashes := np.isin(_keys(test), known)).any():
        test[clashes] = rng.integers(0, 10, (int(clashes.sum()), half), dtype=np.uint8)
    return [train, test]


def _keys(half_NH: Array) -> Array:
    """Return one comparable value for each row: its first 16 digits as an integer.

    Two rows that share them count as the same string, which only makes the held-out set
    stricter.
    """
    digits = half_NH[:, :16].astype(np.int64)
    return digits @ 10 ** np.arange(digits.shape[1], dtype=np.int64)


def _notes(spec: PalindromeSpec, train: Array, test: Array) -> tuple[str, ...]:
    """Say what chance alone makes of the two sets; long strings never meet twice."""
    half = (spec.length + 1) // 2
    if half > 16:
        return ()
    name = f"Palindromes of length {spec.length}"
    if half == 1:
        return (
            f"{name}: there are only 10, one of each class, so none can be held out; "
            "training and test share them all.",
        )
    notes = []
    in_paper = spec.split == "paper"
    if in_paper:
        shared = float(np.isin(_keys(test), _keys(train)).mean())
        notes.append(
            f"{name}: drawn from all {10**half:,} strings as in the paper; {shared:.0%} of the "
            "test strings are in the training set too."
        )
    available = 10**half if in_paper else round((1 - _HELD_OUT) * 10**half)
    if spec.train_size > 10 * available:
        notes.append(
            f"{name}: {spec.train_size:,} training draws of {available:,} distinct strings, so "
            "training accuracy can be memory; the test strings are "
            f"{'shared' if in_paper else 'others'}."
        )
    return tuple(notes)

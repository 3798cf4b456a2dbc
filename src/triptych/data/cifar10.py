"""CIFAR-10 in the official binary layout: found, fetched, checked and read, never unpickled.

The archive holds six files of 10,000 records; a record is one label byte and 3072 pixel bytes
(1024 red, 1024 green, 1024 blue, row by row).
"""

from __future__ import annotations

import os
import socket
import tarfile
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import numpy as np

from triptych.chance import stream
from triptych.contracts import Array, Dataset, IntArray, Split
from triptych.data.digits import channel_standardization, load_digits_pictures
from triptych.data.fingerprints import fingerprint
from triptych.errors import DataError, RunError, UnsafeFileError
from triptych.records import make_folder, temporary_cache, write_atomic
from triptych.spec import Cifar10Spec, DigitsSpec

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"  # which the authors publish
# As TensorFlow Datasets pins it too; it is this one that a download must have.
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
FOLDER = "cifar-10-batches-bin"
_PICKLED_FOLDER = "cifar-10-batches-py"
TRAIN_FILES = tuple(f"data_batch_{k}.bin" for k in range(1, 6))
TEST_FILE = "test_batch.bin"
FILES = (*TRAIN_FILES, TEST_FILE)
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
RECORDS = 10_000
RECORD_BYTES = 1 + 3 * 32 * 32
ENVIRONMENT_VARIABLE = "TRIPTYCH_DATA"
# Without a network a user should not wait; a slow one has this long between two packets.
_TIMEOUT_SECONDS = (3, 30)
# Names may take a resolver without a network half a minute, which no time-out of a socket ends.
_MOST_SECONDS_TO_REACH = 4.0


def load_cifar10(spec: Cifar10Spec, seed: int, data_dir: Path | None) -> Dataset:
    """Return CIFAR-10, or the digits in its place where it cannot be had.

    Parameters
    ----------
    spec : Cifar10Spec
    seed : int
        Chooses the training pictures where the spec limits them.
    data_dir : Path, optional
        See `find_cifar10`; if absent everywhere a download is tried, once in a process.

    Raises
    ------
    DataError, UnsafeFileError
        If a folder was named and its files are missing, damaged or not the binary layout.
    """
    folder = cifar10_folder(data_dir)
    if folder is None:
        note = (
            "CIFAR-10 was not found: the built-in digits (1797 pictures of 8 x 8) stand in for it. "
            "Get it with 'triptych data cifar10', or name its folder with --data-dir."
        )
        digits = DigitsSpec(train_limit=spec.train_limit, test_limit=spec.test_limit)
        return load_digits_pictures(digits, seed, (note,))
    (x_train, y_train), (x_test, y_test) = _read_all(folder)
    train, test = Split(x_train, y_train), Split(x_test, y_test)
    train = _subset(train, spec.train_limit, stream(seed, "subset"))
    test = _subset(test, spec.test_limit, stream(seed, "test subset"))
    scale = channel_standardization(train.x)
    return Dataset("cifar10", train, test, CLASSES, "pictures", fingerprint(train, test), scale)


def cifar10_folder(data_dir: Path | None) -> Path | None:
    """Return where CIFAR-10 is, downloaded if it was nowhere; None where it cannot be had."""
    return find_cifar10(data_dir) or _downloaded()


def _subset(split: Split, limit: int | None, rng: np.random.Generator) -> Split:
    """Return `limit` rows at random: a copy of the files may be sorted by class."""
    if limit is None:
        return split
    return split.take(np.sort(rng.permutation(len(split))[:limit]))


def find_cifar10(data_dir: Path | None = None) -> Path | None:
    """Return the folder of the six files, or None.

    Looked for in `data_dir`, else in the folder that TRIPTYCH_DATA names, else in the cache;
    each may be the folder itself or its parent.

    Raises
    ------
    DataError, UnsafeFileError
        If a folder was named and does not hold the files.
    """
    named = data_dir
    if named is None and os.environ.get(ENVIRONMENT_VARIABLE):
        named = Path(os.environ[ENVIRONMENT_VARIABLE])
    if named is None:
        cached = cache_folder() / FOLDER
        return cached if all((cached / name).is_file() for name in FILES) else None
    for folder in (named, named / FOLDER, named / _PICKLED_FOLDER):
        if (folder / TEST_FILE).exists() or (folder / TRAIN_FILES[0]).exists():
            return folder
        _refuse_pickles(folder)
    raise DataError(
        f"{named}: no CIFAR-10 in the binary layout here; expected {FOLDER}/{TRAIN_FILES[0]} "
        "and five more."
    )


def _refuse_pickles(folder: Path) -> None:
    for name in ("data_batch_1", "test_batch"):
        if (folder / name).is_file():
            raise UnsafeFileError(
                f"{folder / name} contains pickled code; use the binary archive instead: {URL}, "
                f"SHA-256 {SHA256}, MD5 {MD5}."
            )


@cache
def cache_folder() -> Path:
    """Return the user's cache; a temporary folder, with one warning, where it cannot be used."""
    import pooch

    folder = Path(pooch.os_cache("triptych"))
    if folder.is_absolute():  # of a user without a home it begins with "~"
        with suppress(RunError):
            make_folder(folder)
            return folder
    return temporary_cache()


@cache
def _downloaded() -> Path | None:
    """Try a download once; None where there is no network."""
    try:
        return fetch_cifar10()
    except DataError:
        return None


def fetch_cifar10(destination: Path | None = None) -> Path:
    """Download and unpack CIFAR-10, unless it is there already; return its folder.

    Parameters
    ----------
    destination : Path, optional
        Where to put `cifar-10-batches-bin`; the cache where absent.

    Raises
    ------
    DataError
        If it cannot be downloaded, or is not what the checksum says.
    UnsafeFileError
        If the archive holds something else under the expected names.
    RunError
        If the disk is full.
    """
    import pooch

    home = destination or cache_folder()
    if all((home / FOLDER / name).is_file() for name in FILES):
        return home / FOLDER
    make_folder(home)
    name = Path(URL).name
    pooch.get_logger().setLevel("ERROR")
    try:
        if not (home / name).exists():
            _reach(URL)
        downloader = pooch.HTTPDownloader(timeout=_TIMEOUT_SECONDS, progressbar=False)
        archive = pooch.retrieve(URL, f"sha256:{SHA256}", name, home, downloader=downloader)
    except Exception as error:  # requests, urllib3 and pooch raise types of their own
        raise DataError(
            f"cannot download CIFAR-10 ({type(error).__name__}). Put {URL} (SHA-256 {SHA256}, MD5 "
            f"{MD5}) into {home} by hand and call this again, or name a folder that holds "
            f"{FOLDER} with --data-dir."
        ) from error
    unpack(Path(archive), home)
    Path(archive).unlink()
    return home / FOLDER


def _reach(url: str) -> None:
    """Connect to where an address leads, through a proxy where one is set, and hang up.

    Raises
    ------
    OSError
        If that takes more than a few seconds, or cannot be done.
    """
    parts = urlsplit(url)
    proxies = {} if proxy_bypass(parts.hostname or "") else getproxies()
    through = proxies.get(parts.scheme) or proxies.get("all") or url
    there = urlsplit(through if "://" in through else f"http://{through}")
    port = there.port or (80 if there.scheme == "http" else 443)
    failed: list[OSError] = [TimeoutError()]

    def connect() -> None:
        try:
            socket.create_connection((there.hostname, port), _TIMEOUT_SECONDS[0]).close()
            failed.clear()
        except OSError as error:
            failed[:] = [error]

    trying = threading.Thread(target=connect, daemon=True)
    trying.start()
    trying.join(_MOST_SECONDS_TO_REACH)
    if failed:
        raise failed[0]


def unpack(archive: Path, home: Path) -> None:
    """Read the six expected files out of `archive`, and nothing else, into ``home / FOLDER``.

    Names, kinds and sizes are checked before a byte is read; no path comes from the archive.

    Raises
    ------
    UnsafeFileError
        If an expected member is not a regular file of the expected size.
    DataError
        If a member is missing or the archive is damaged.
    """
    expected = {f"{FOLDER}/{name}": name for name in FILES}
    size = RECORDS * RECORD_BYTES
    make_folder(home / FOLDER)
    try:
        with tarfile.open(archive, "r|*") as tar:
            for member in tar:
                if member.name not in expected:
                    _check_passed_over(archive.name, member, size)
                    continue
                if not member.isreg() or member.size != size:
                    raise UnsafeFileError(
                        f"{archive.name}: {member.name!r} must be a file of {size:,} bytes, "
                        f"got {'a file' if member.isreg() else 'something else'} of "
                        f"{member.size:,}."
                    )
                source = tar.extractfile(member)
                assert source is not None  # isreg says so
                write_atomic(home / FOLDER / expected.pop(member.name), source.read(size))
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{archive}: damaged archive ({error}).") from None
    if expected:
        raise DataError(f"{archive}: has no {next(iter(expected))!r}.")


def _check_passed_over(archive: str, member: tarfile.TarInfo, most: int) -> None:
    """Refuse what is larger than any expected file: to pass it over, all of it is unpacked."""
    if member.size > most:
        raise UnsafeFileError(
            f"{archive}: {member.name!r} has {member.size:,} bytes, and no file of CIFAR-10 has "
            f"more than {most:,}."
        )


@cache
def _read_all(folder: Path) -> tuple[tuple[Array, IntArray], tuple[Array, IntArray]]:
    """Read both splits once in a process; all arms share the arrays, which are read-only."""
    return _read(folder, TRAIN_FILES), _read(folder, (TEST_FILE,))


def _read(folder: Path, names: tuple[str, ...]) -> tuple[Array, IntArray]:
    x = np.empty((RECORDS * len(names), 3, 32, 32), np.uint8)
    y = np.empty(RECORDS * len(names), np.int64)
    for k, name in enumerate(names):
        records = _records(folder / name)
        part = slice(k * RECORDS, (k + 1) * RECORDS)
        y[part] = records[:, 0]
        x[part] = records[:, 1:].reshape(-1, 3, 32, 32)
    x.flags.writeable = y.flags.writeable = False
    return x, y


def _records(path: Path) -> Array:
    size = RECORDS * RECORD_BYTES
    try:
        found = path.stat().st_size
        if found != size:
            raise DataError(
                f"{path}: {found:,} bytes, expected {size:,}; the file is not whole. "
                "Fetch it again with 'triptych data cifar10'."
            )
        records = np.fromfile(path, np.uint8).reshape(RECORDS, RECORD_BYTES)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from None
    if (bad := np.flatnonzero(records[:, 0] >= len(CLASSES))).size:
        raise DataError(f"{path}: label {records[bad[0], 0]} in record {bad[0]}, classes are 0-9.")
    return records

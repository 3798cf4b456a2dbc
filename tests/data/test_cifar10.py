"""CIFAR-10: found where the policy says, read right, and refused where it is damaged or unsafe."""

import hashlib
import io
import pickle
import shutil
import socket
import tarfile
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pooch
import pytest

from triptych.data import cifar10
from triptych.data import load as load_data
from triptych.errors import DataError, UnsafeFileError
from triptych.records import temporary_cache
from triptych.spec import BundledSpec, Cifar10Spec, DigitsSpec, ToySpec

N = 20


def records(seed):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(10), rng.integers(0, 10, N - 10)])[:, None]
    return np.hstack([labels, rng.integers(0, 256, (N, 3072))]).astype(np.uint8)


@pytest.fixture(autouse=True)
def small_files_and_no_network(monkeypatch, tmp_path):
    """Twenty records a file, an empty cache, and a network that is not there."""
    monkeypatch.setattr(cifar10, "RECORDS", N)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache")
    monkeypatch.delenv(cifar10.ENVIRONMENT_VARIABLE, raising=False)

    def refused(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(socket, "create_connection", refused)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    kept = (cifar10._read_all, cifar10._downloaded, cifar10.cache_folder, temporary_cache)
    for cached in kept:
        cached.cache_clear()
    yield
    for cached in kept:
        cached.cache_clear()


@pytest.fixture
def network(monkeypatch):
    """Let the host be reached."""
    monkeypatch.setattr(socket, "create_connection", lambda *_: socket.socket())


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "data" / cifar10.FOLDER
    path.mkdir(parents=True)
    for k, name in enumerate(cifar10.FILES):
        (path / name).write_bytes(records(k).tobytes())
    return path


@pytest.mark.parametrize("parent", [True, False])
def test_pictures_are_read_channel_by_channel_and_stay_uint8(folder, parent):
    data = load_data(Cifar10Spec(), 0, folder.parent if parent else folder)
    assert (data.name, len(data.train), len(data.test)) == ("cifar10", 5 * N, N)
    assert data.train.x.dtype == np.uint8
    third = records(2)[7]
    picture = data.train.x[2 * N + 7]
    assert data.train.y[2 * N + 7] == third[0]
    np.testing.assert_array_equal(picture[0, 0], third[1:33])  # first red row
    np.testing.assert_array_equal(picture[1, 0], third[1025:1057])  # first green row
    assert data.notes == ()


def test_limits_draw_a_subset_for_each_seed(folder):
    spec = Cifar10Spec(train_limit=30, test_limit=8)
    one, again, other = (load_data(spec, seed, folder) for seed in (0, 0, 1))
    assert (len(one.train), len(one.test)) == (30, 8)
    assert one.fingerprint == again.fingerprint != other.fingerprint


def test_all_arms_share_one_read_only_copy(folder):
    one, two = (load_data(Cifar10Spec(), seed, folder) for seed in (0, 1))
    assert np.shares_memory(one.train.x, two.train.x)
    with pytest.raises(ValueError, match="read-only"):
        one.train.x[0] = 0


def test_the_environment_variable_names_the_folder(folder, monkeypatch):
    monkeypatch.setenv(cifar10.ENVIRONMENT_VARIABLE, str(folder.parent))
    assert load_data(Cifar10Spec(), 0).name == "cifar10"


def test_the_cache_is_looked_at_last(folder, tmp_path):
    (tmp_path / "cache").mkdir()
    folder.rename(tmp_path / "cache" / cifar10.FOLDER)
    assert load_data(Cifar10Spec(), 0).name == "cifar10"


def test_without_any_of_it_the_digits_stand_in_and_say_so():
    data = load_data(Cifar10Spec(train_limit=100), 0)
    assert (data.name, len(data.train)) == ("digits", 100)
    assert "CIFAR-10 was not found: the built-in digits" in data.notes[0]


def test_a_failed_download_is_tried_once(monkeypatch):
    tries = []

    def refused(*args, **kwargs):
        tries.append(args)
        raise OSError

    monkeypatch.setattr(socket, "create_connection", refused)
    for seed in range(3):
        load_data(Cifar10Spec(), seed)
    assert len(tries) == 1


def test_a_named_folder_without_the_files_is_an_error_not_a_stand_in(tmp_path):
    with pytest.raises(DataError, match="no CIFAR-10 in the binary layout here"):
        load_data(Cifar10Spec(), 0, tmp_path / "nowhere")


@pytest.mark.fault(40)
@pytest.mark.parametrize("cut", [1, N * 3073])
def test_a_truncated_file_is_named_with_both_sizes(folder, cut):
    path = folder / "data_batch_4.bin"
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DataError, match=r"data_batch_4.bin: [\d,]+ bytes, expected 61,460"):
        load_data(Cifar10Spec(), 0, folder)


def test_a_missing_file_is_named(folder):
    (folder / "data_batch_2.bin").unlink()
    with pytest.raises(DataError, match="cannot read .*data_batch_2.bin"):
        load_data(Cifar10Spec(), 0, folder)


@pytest.mark.fault(11)
def test_a_label_outside_the_classes_is_named_with_its_record(folder):
    bad = records(3)
    bad[11, 0] = 17
    (folder / "data_batch_4.bin").write_bytes(bad.tobytes())
    with pytest.raises(DataError, match=r"label 17 in record 11, classes are 0-9"):
        load_data(Cifar10Spec(), 0, folder)


@pytest.mark.fault(40)
@pytest.mark.parametrize("inside", ["", "cifar-10-batches-py", "cifar-10-batches-bin"])
@pytest.mark.parametrize("name", ["data_batch_1", "test_batch"])
def test_pickled_batches_are_refused_unread(tmp_path, monkeypatch, inside, name):
    """Wherever torchvision puts them; the archive to have instead is named, with its checksums."""
    (tmp_path / inside).mkdir(exist_ok=True)
    (tmp_path / inside / name).write_bytes(pickle.dumps(Canary()))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsafeFileError, match="contains pickled code; use the binary arch") as told:
        load_data(Cifar10Spec(), 0, tmp_path)
    for what in (cifar10.URL, cifar10.SHA256, cifar10.MD5):
        assert what in str(told.value)
    assert cifar10.MD5 == "c32a1d4ab5d03f1284b67883e8d87530"
    assert not (tmp_path / "canary").exists()


class Canary:
    """Leaves a file where it is unpickled."""

    def __reduce__(self):
        return (open, ("canary", "w"))


@pytest.mark.fault(40)
def test_the_archive_of_pickles_has_nothing_that_is_read(tmp_path, monkeypatch):
    """`cifar-10-python.tar.gz` under the name of the binary one: no member is one that is asked."""
    monkeypatch.chdir(tmp_path)
    members = [(f"cifar-10-batches-py/{name}", pickle.dumps(Canary()), tarfile.REGTYPE)
               for name in ("data_batch_1", "test_batch", "batches.meta")]  # fmt: skip
    with pytest.raises(DataError, match=r"has no 'cifar-10-batches-bin/data_batch_1\.bin'"):
        cifar10.unpack(archive(tmp_path / "a.tar.gz", members), tmp_path / "home")
    assert not (tmp_path / "canary").exists()


def archive(path, members):
    with tarfile.open(path, "w:gz") as tar:
        for name, content, kind in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            info.size = len(content) if kind == tarfile.REGTYPE else 0
            info.linkname = "/etc/passwd" if kind != tarfile.REGTYPE else ""
            tar.addfile(info, io.BytesIO(content))
    return path


def good_members():
    return [
        (f"{cifar10.FOLDER}/{name}", records(k).tobytes(), tarfile.REGTYPE)
        for k, name in enumerate(cifar10.FILES)
    ]


@pytest.mark.fault(35)
def test_an_archive_is_unpacked_by_expected_names_only(tmp_path):
    evil = [
        ("../escaped.bin", b"x", tarfile.REGTYPE),
        ("/tmp/triptych-escaped.bin", b"x", tarfile.REGTYPE),
        (f"{cifar10.FOLDER}/../../escaped.bin", b"x", tarfile.REGTYPE),
        (f"{cifar10.FOLDER}/link", b"", tarfile.SYMTYPE),
    ]
    home = tmp_path / "home"
    cifar10.unpack(archive(tmp_path / "a.tar.gz", evil + good_members()), home)
    found = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert found == {"a.tar.gz"} | {f"home/{cifar10.FOLDER}/{name}" for name in cifar10.FILES}
    assert load_data(Cifar10Spec(), 0, home).name == "cifar10"


@pytest.mark.fault(35)
@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE]
)
def test_an_expected_name_that_is_no_regular_file_is_refused(tmp_path, kind):
    members = [(f"{cifar10.FOLDER}/{cifar10.TEST_FILE}", b"", kind)]
    with pytest.raises(UnsafeFileError, match="must be a file of 61,460 bytes, got something else"):
        cifar10.unpack(archive(tmp_path / "a.tar.gz", members), tmp_path / "home")


@pytest.mark.fault(35)
def test_a_member_of_another_size_is_refused_before_it_is_read(tmp_path):
    members = [(f"{cifar10.FOLDER}/{cifar10.TEST_FILE}", b"0" * 100_000, tarfile.REGTYPE)]
    with pytest.raises(UnsafeFileError, match="got a file of 100,000"):
        cifar10.unpack(archive(tmp_path / "a.tar.gz", members), tmp_path / "home")


def test_a_damaged_or_incomplete_archive_is_an_error(tmp_path):
    whole = archive(tmp_path / "a.tar.gz", good_members())
    (tmp_path / "cut.tar.gz").write_bytes(whole.read_bytes()[:5000])
    with pytest.raises(DataError, match="damaged archive"):
        cifar10.unpack(tmp_path / "cut.tar.gz", tmp_path / "home")
    short = archive(tmp_path / "b.tar.gz", good_members()[:-1])
    with pytest.raises(DataError, match="has no 'cifar-10-batches-bin/test_batch.bin'"):
        cifar10.unpack(short, tmp_path / "home")


def test_a_fetch_unpacks_what_was_downloaded_and_keeps_it(network, monkeypatch):
    asked = []

    def retrieve(url, known_hash, name, path, downloader):
        asked.append((url, known_hash))
        return str(archive(path / name, good_members()))

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    folder = cifar10.fetch_cifar10()
    assert asked == [(cifar10.URL, f"sha256:{cifar10.SHA256}")]
    assert cifar10.fetch_cifar10() == folder
    assert len(asked) == 1
    assert sorted(p.name for p in folder.parent.iterdir()) == [cifar10.FOLDER]


@pytest.mark.fault(40)
def test_a_download_that_is_not_what_the_checksum_says_is_refused(network, tmp_path, monkeypatch):
    class Fake:
        def __init__(self, **kwargs):
            pass

        def __call__(self, url, output, pooch_object):
            Path(output).write_bytes(b"something else")

    monkeypatch.setattr(pooch, "HTTPDownloader", Fake)
    with pytest.raises(DataError, match=r"cannot download CIFAR-10 \(ValueError\).*by hand"):
        cifar10.fetch_cifar10()
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.fault(47)
@pytest.mark.parametrize("cache", ["file/cache", "~/.cache/triptych"])
def test_a_cache_that_cannot_be_used_is_replaced_by_a_temporary_folder(
    tmp_path, monkeypatch, cache
):
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    # Without HOME, and of a user whom the system does not know, "~" stays as it is.
    where = cache if cache.startswith("~") else tmp_path / cache
    monkeypatch.setattr(pooch, "os_cache", lambda name: where)
    with pytest.warns(UserWarning, match="^the user's cache cannot be written; .* is used instead"):
        first = cifar10.cache_folder()
    assert first.parent == tmp_path / "temporary"
    assert first.stat().st_mode & 0o077 == 0
    assert not (tmp_path / "~").exists()
    cifar10.cache_folder.cache_clear()
    assert cifar10.cache_folder() == first  # without another warning
    temporary_cache.cache_clear()  # as another process of this user would
    with pytest.warns(UserWarning, match="is used instead"):
        assert temporary_cache() == first


@pytest.mark.fault(47)
def test_what_others_may_write_is_never_taken_for_the_cache(tmp_path):
    with pytest.warns(UserWarning, match="is used instead"):
        first = temporary_cache()
    first.chmod(0o777)
    (first / "of-another").write_text("")
    temporary_cache.cache_clear()
    with pytest.warns(UserWarning, match="is used instead"):
        second = temporary_cache()
    assert second != first
    assert not list(second.iterdir())
    shutil.rmtree(first)
    first.symlink_to(tmp_path)
    temporary_cache.cache_clear()
    with pytest.warns(UserWarning, match="is used instead"):
        assert temporary_cache() not in (first, second)


@pytest.mark.fault(48)
def test_without_a_network_it_is_said_at_once_where_to_put_the_file(tmp_path, call):
    start = time.monotonic()
    code, out, err = call("data", "cifar10")
    assert time.monotonic() - start < 5
    assert (code, out, err.count("\n")) == (3, "", 1)
    for words in (cifar10.URL, f"SHA-256 {cifar10.SHA256}", str(tmp_path / "cache"), "--data-dir"):
        assert words in err


@pytest.mark.fault(48)
def test_a_name_that_nobody_resolves_takes_less_than_five_seconds(monkeypatch):
    ended = threading.Event()

    def hangs(*_):
        ended.wait(60)
        raise OSError

    monkeypatch.setattr(socket, "create_connection", hangs)
    start = time.monotonic()
    with pytest.raises(DataError, match=r"cannot download CIFAR-10 \(TimeoutError\)"):
        cifar10.fetch_cifar10()
    assert time.monotonic() - start < 5
    ended.set()


@pytest.mark.fault(48)
def test_a_file_that_was_put_there_is_taken_without_a_network(tmp_path, monkeypatch):
    name = Path(cifar10.URL).name
    (tmp_path / "cache").mkdir()
    whole = archive(tmp_path / "cache" / name, good_members())
    monkeypatch.setattr(cifar10, "SHA256", hashlib.sha256(whole.read_bytes()).hexdigest())
    assert load_data(Cifar10Spec(), 0).name == "cifar10"
    assert not whole.exists()


@pytest.mark.fault(48)
def test_a_proxy_is_what_must_be_reached_where_one_is_set(network, monkeypatch):
    asked = []
    connect = socket.create_connection
    monkeypatch.setattr(
        socket, "create_connection", lambda place, *rest: asked.append(place) or connect()
    )
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    cifar10._reach(cifar10.URL)
    monkeypatch.setenv("https_proxy", "short.example:3129")
    cifar10._reach(cifar10.URL)
    monkeypatch.delenv("https_proxy")
    monkeypatch.setenv("all_proxy", "http://all.example:3130")
    cifar10._reach(cifar10.URL)
    monkeypatch.setenv("no_proxy", "cs.toronto.edu")
    cifar10._reach(cifar10.URL)
    assert asked == [
        ("proxy.example", 3128), ("short.example", 3129), ("all.example", 3130),
        ("www.cs.toronto.edu", 443),
    ]  # fmt: skip


@pytest.mark.fault(48)
def test_what_is_built_in_needs_no_network(monkeypatch):
    def no_network(*_, **__):
        raise AssertionError("nothing here needs a network")

    monkeypatch.setattr(socket, "socket", no_network)
    for spec in (DigitsSpec(), ToySpec(source="moons"), BundledSpec(source="iris")):
        assert len(load_data(spec, 0).train)
    assert "the built-in digits" in load_data(Cifar10Spec(), 0).notes[0]

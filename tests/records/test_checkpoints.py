"""Two checkpoints take turns; one that is damaged, however slightly, is never taken up."""

import errno
import hashlib
import json

import numpy as np
import pytest
import safetensors.numpy

from triptych.contracts import State
from triptych.errors import CheckpointError, RunError
from triptych.records import Checkpoints
from triptych.records import files as files_module
from triptych.records.checkpoints import Checkpoint, _digest, log_until, packed, unpacked
from triptych.records.disk import CHECKPOINT_FILES

LOG = b'{"epoch": 1}\n'
STATE = State(
    {"w": np.arange(6.0).reshape(2, 3), "n": np.array(3), "none": np.zeros((0, 2), np.float32),
     "b": np.array([True, False]), "turned": np.arange(6.0).reshape(2, 3).T},
    {"seconds": 0.1, "nan": float("nan"), "list": [1, None, {"a": "ü"}]},
)  # fmt: skip


def checkpoint(step=7, log=LOG, **fields):
    about = {"spec": "s", "fingerprint": "f", "environment": {"numpy": "2"}, "state": STATE}
    return Checkpoint(**{**about, "step": step, **log_until(log), **fields})


@pytest.fixture
def kept(tmp_path):
    (tmp_path / "log").write_bytes(LOG + b'{"epoch": 2}\n{"ep')
    return Checkpoints(tmp_path, tmp_path / "log")


def anew(kept):
    return Checkpoints(kept.folder, kept.log)


def test_what_is_read_is_what_was_written():
    found = unpacked(packed(checkpoint()))
    assert (found.step, found.spec, found.environment) == (7, "s", {"numpy": "2"})
    assert (found.log, found.log_hash) == (len(LOG), hashlib.sha256(LOG).hexdigest())
    assert repr(found.state.values) == repr({k: STATE.values[k] for k in sorted(STATE.values)})
    assert found.state.arrays.keys() == STATE.arrays.keys()
    for name, array in STATE.arrays.items():
        back = found.state.arrays[name]
        assert (back.dtype, back.shape) == (array.dtype, array.shape)
        assert np.array_equal(back, array)
        assert back.flags.writeable


def test_every_flipped_bit_and_every_shorter_file_is_known():
    whole = packed(checkpoint())
    rng = np.random.default_rng(0)
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(rng.integers(8))
        with pytest.raises(ValueError, match="damaged"):
            unpacked(bytes(flipped))
        with pytest.raises(ValueError, match="damaged"):
            unpacked(whole[:place])
    with pytest.raises(ValueError, match="damaged"):
        unpacked(whole + b"\0")


def test_there_are_two_at_most_and_the_newest_is_found(kept):
    assert kept.newest() is None
    for step in range(5):
        kept.write(packed(checkpoint(step)))
        found = anew(kept).newest()
        assert (found.checkpoint.step, found.damaged) == (step, ())
        names = {path.name for path in kept.folder.iterdir()} - {"log"}
        assert names == set(CHECKPOINT_FILES[: step + 1])


def test_one_that_was_taken_up_is_not_the_next_to_be_overwritten(kept):
    for step in range(4):
        again = anew(kept)
        again.newest()
        again.write(packed(checkpoint(step)))
    steps = [unpacked((kept.folder / name).read_bytes()).step for name in CHECKPOINT_FILES]
    assert sorted(steps) == [2, 3]


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "folder"])
def test_a_damaged_one_is_passed_over_for_the_one_before_and_overwritten_first(kept, harm):
    for step in (1, 2):
        kept.write(packed(checkpoint(step)))
    path = kept.folder / CHECKPOINT_FILES[1]
    content = path.read_bytes()
    if harm == "folder":
        path.unlink()
        path.mkdir()
    else:
        harmed = {"flip": content[:-1] + b"\xff", "cut": content[:-1], "empty": b""}[harm]
        path.write_bytes(harmed)
    again = anew(kept)
    found = again.newest()
    assert (found.checkpoint.step, found.damaged) == (1, (CHECKPOINT_FILES[1],))
    assert again.next == CHECKPOINT_FILES[1]


def test_where_none_is_whole_it_is_an_error_with_the_way_out(kept):
    for step in (1, 2):
        kept.write(packed(checkpoint(step)))
        (kept.folder / CHECKPOINT_FILES[step - 1]).write_bytes(b"?")
    with pytest.raises(CheckpointError, match=r"a.safetensors and .*b.safetensors are damaged.*"
                       "runs delete .* start again") as caught:  # fmt: skip
        anew(kept).newest()
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("log", [None, b"", LOG[:-1], LOG.replace(b"1", b"2")])
def test_one_whose_log_is_not_there_any_more_is_none(kept, log):
    kept.write(packed(checkpoint()))
    kept.log.unlink() if log is None else kept.log.write_bytes(log)
    with pytest.raises(CheckpointError, match=r"a\.safetensors is damaged"):
        anew(kept).newest()


@pytest.mark.parametrize("operation", ["open", "write", "sync", "rename"])
def test_a_write_that_fails_leaves_the_newest_as_it_was(kept, monkeypatch, operation):
    kept.write(packed(checkpoint(1)))

    def fail(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(files_module.DISK, operation, fail)
    for _ in range(2):
        with pytest.raises(RunError, match="no space left"):
            kept.write(packed(checkpoint(2)))
    monkeypatch.undo()
    assert anew(kept).newest().checkpoint.step == 1


def test_dropped_both_are_gone_and_the_first_is_the_next_again(kept):
    for step in (1, 2, 3):
        kept.write(packed(checkpoint(step)))
    kept.drop()
    assert not any((kept.folder / name).exists() for name in CHECKPOINT_FILES)
    assert kept.newest() is None
    kept.write(packed(checkpoint(1)))
    assert (kept.folder / CHECKPOINT_FILES[0]).exists()


def with_table(**changes):
    """Return a checkpoint that says other things, with the hash that goes with them."""
    content = packed(checkpoint())
    length = int.from_bytes(content[:8], "little")
    table = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["checkpoint"])
    table = {k: v for k, v in (table | changes).items() if v is not None}
    text, arrays = json.dumps(table), safetensors.numpy.load(content)
    return safetensors.numpy.save(arrays, {"checkpoint": text, "sha256": _digest(text, arrays)})


def test_the_hash_alone_makes_no_checkpoint():
    assert unpacked(with_table(step=0)).step == 0
    for changes in [
        {"step": -1}, {"step": True}, {"step": 1.0}, {"log": -1}, {"log": "3"}, {"log_hash": 3},
        {"values": []}, {"environment": "x"}, {"spec": None}, {"more": 1}, {"fingerprint": 1},
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=f"damaged: .*({next(iter(changes))}|other keys)"):
            unpacked(with_table(**changes))


@pytest.mark.parametrize("metadata", [{}, {"checkpoint": "{}"}, {"checkpoint": "1", "sha256": "2"}])
def test_a_file_of_tensors_that_is_none_is_damaged(metadata):
    with pytest.raises(ValueError, match="damaged"):
        unpacked(safetensors.numpy.save({"w": np.zeros(2)}, metadata))


@pytest.mark.parametrize(
    "header", [b"[1]", b"3", b"[" * 100_000, b'{"__metadata__": null}', b"\xff"]
)
def test_a_header_of_another_kind_is_damaged(header):
    with pytest.raises(ValueError, match="damaged"):
        unpacked(len(header).to_bytes(8, "little") + header)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"F64"', b'"I64"'),
        (b'"shape":[2,3]', b'"shape":[3,2]'),
        (b'"shape":[3,2]', b'"shape":[2,3]'),
    ],
)
def test_kinds_and_shapes_of_arrays_are_under_the_hash_too(old, new):
    content = packed(checkpoint())
    assert old in content
    with pytest.raises(ValueError, match="damaged: another hash"):
        unpacked(content.replace(old, new))

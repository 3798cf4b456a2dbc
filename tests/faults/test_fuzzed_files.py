"""A part of the fuzzer, on every change, and what it found before: `make fuzz` has the whole."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from triptych.data import load
from triptych.errors import CheckpointError, DataError, RunError
from triptych.records import RunFolder
from triptych.records.files import read_lines
from triptych.spec import TableSpec

FUZZER = Path(__file__).parent / "fuzzer.py"


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and reads memory in /proc")
def test_damaged_and_hostile_files_of_every_format_are_refused_and_broken_readers_are_found():
    done = subprocess.run(
        [sys.executable, FUZZER, "--files", "420", "--slow", "4"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-3000:]
    rows = {row[0]: row[1:] for row in (re.split(r"  +", t) for t in done.stdout.splitlines())}
    assert int(rows["all"][0]) >= 400
    # Some damage harms nothing, most is told.
    for name in ("csv", "parquet", "npz", "pictures", "cifar10", "sequences", "study", "model"):
        files, clean, *refused = map(int, rows[name][:7])
        assert files > clean
        assert sum(refused) == files - clean
    assert int(rows["all"][1]) > 100


def npz(tmp_path, header: bytes, body: bytes = b"") -> TableSpec:
    """Return the spec of a table of two arrays, one with this header."""
    import zipfile

    out = io.BytesIO()
    np.save(out, np.arange(4.0))
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("y.npy", out.getvalue())
        size = len(header).to_bytes(2, "little")
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + size + header + body)
    return TableSpec(path=str(tmp_path / "t.npz"), target="y")


# What the fuzzer found, each once a traceback.


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (4,), } (\n",
        b"{'descr': '<f8[[[[\n",
        b"{'descr': '\0'}\n",
        b"  {\n 1}\n  2\n 3\n",
        b"(" * 900 + b"\n",
    ],
)
def test_the_header_of_an_array_that_python_cannot_parse_is_refused(tmp_path, header):
    with pytest.raises(DataError, match=r"t\.npz: this is no whole \.npz file"):
        load(npz(tmp_path, header), 0)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("letter", [0x110000, 0xFFFFFFFF, 0xD800])
def test_texts_of_letters_that_there_are_not_are_refused(tmp_path, order, letter):
    header = f"{{'descr': '{order}U1', 'fortran_order': False, 'shape': (4,), }}\n".encode()
    texts = np.array([97, 98, letter, 99], f"{order}u4").tobytes()
    with pytest.raises(DataError, match=r"array 'x' has texts that are none"):
        load(npz(tmp_path, header, texts), 0)


def test_a_log_line_that_is_nested_too_deep_is_damaged(tmp_path):
    (tmp_path / "log").write_bytes(b'{"a":' * 100_000 + b"\n")
    with pytest.raises(RunError, match="log is damaged"):
        read_lines(tmp_path / "log")


@pytest.mark.parametrize(
    ("name", "pattern", "value"),
    [
        (name, pattern, value)
        for name, pattern in (
            ("metrics.jsonl", r'("test_loss": )[0-9.e-]+'),
            ("result.json", r'("test_accuracy": )[0-9.e-]+'),
        )
        for value in ("1" + "0" * 400, "1e999", "NaN")
    ]
    + [("findings.json", r"(\[)[0-9.e-]+", "1" + "0" * 400)]
    + [
        ("result.json", r'("peak_memory": )[0-9.e-]+', '"much"'),
        ("result.json", r'("seconds": )[0-9.e-]+', "1" + "0" * 400),
        ("result.json", r'("steps": ){[^}]*}', "1.5"),
    ],
)
def test_numbers_that_no_float_holds_are_damage_of_a_run(trained_once, name, pattern, value):
    folder = trained_once / "runs/narrow/seed-0"
    whole = (folder / name).read_text()
    changed = re.sub(pattern, rf"\g<1>{value}", whole, count=1)
    assert changed != whole
    try:
        (folder / name).write_text(changed)
        with pytest.raises(RunError, match="damaged"):
            RunFolder(folder).read()
    finally:
        (folder / name).write_text(whole)


def test_a_run_in_the_place_of_another_is_damage(trained_once):
    from triptych.records import StudyFolder

    path = trained_once / "runs/narrow/seed-0/result.json"
    whole = path.read_text()
    for key, other in (("arm", "wide"), ("seed", 7)):
        try:
            path.write_text(json.dumps({**json.loads(whole), key: other}))
            with pytest.raises(RunError, match="another run's result"):
                StudyFolder(trained_once).read()
        finally:
            path.write_text(whole)


@pytest.mark.parametrize(
    ("name", "value"),
    [("log", "x"), ("log", -1), ("log", True), ("step", None), ("values", [1]), ("spec", 7)],
)
def test_a_checkpoint_with_values_of_another_kind_is_damaged_though_its_hash_is_right(
    tmp_path, name, value
):
    from triptych.contracts import State
    from triptych.records.checkpoints import (
        CHECKPOINT_FILES,
        Checkpoint,
        Checkpoints,
        _digest,
        log_until,
        packed,
        unpacked,
    )  # fmt: skip

    (tmp_path / "log").write_bytes(b"")
    state = State({"w": np.ones(2)}, {"epoch": 1})
    good = packed(
        Checkpoint(spec="a", fingerprint="b", environment={}, step=3, state=state, **log_until(b""))
    )
    assert unpacked(good).step == 3
    length = int.from_bytes(good[:8], "little")
    table = json.loads(json.loads(good[8 : 8 + length])["__metadata__"]["checkpoint"])
    text, arrays = json.dumps(table | {name: value}), safetensors.numpy.load(good)
    hashed = {"checkpoint": text, "sha256": _digest(text, arrays)}
    (tmp_path / CHECKPOINT_FILES[0]).write_bytes(safetensors.numpy.save(arrays, hashed))
    with pytest.raises(CheckpointError, match="is damaged"):
        Checkpoints(tmp_path, tmp_path / "log").newest()


def test_a_label_of_a_picture_whose_name_no_file_can_have_is_refused(tmp_path):
    from triptych.data.looks import look

    (tmp_path / "labels.csv").write_text(f"file,label\n{'9' * 400}.png,a\n")
    with pytest.raises(DataError, match=r"line 2: .* names no file in the folder of its pictures"):
        look(tmp_path)


def test_the_lock_has_a_hash_for_every_pinned_package_but_pytorch():
    """`make lock` writes it anew."""
    root = Path(__file__).parents[2]

    def named(text: str) -> dict[str, str]:
        found = re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)", text, re.MULTILINE)
        return {re.sub(r"[-_.]+", "-", name.lower()): version for name, version in found}

    pinned = named((root / "constraints.txt").read_text())
    text = (root / "requirements-dev.lock").read_text()
    assert named(text) == {k: v for k, v in pinned.items() if k != "torch"}
    blocks = re.split(r"\n(?=[^\s#])", text.partition("\n\n")[2] or text)
    blocks = [block for block in blocks if "==" in block]
    assert all("--hash=sha256:" in block for block in blocks)

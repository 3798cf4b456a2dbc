"""Files are written whole or not at all, and what is read back is what was written."""

import errno
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from triptych.errors import RunError
from triptych.records import Finding, RunFolder, RunRecord, StudyFolder, make_folder, write_atomic
from triptych.records.files import append_line, dump_json, read_json, read_lines
from triptych.spec import ArmSpec, MLPSpec, StudySpec, ToySpec, TrainSpec, spec_id

ARM = ArmSpec(data=ToySpec(source="moons"), network=MLPSpec(), train=TrainSpec())


def a_record(**fields):
    base = {
        "arm": "a", "seed": 0, "key": "k", "spec": spec_id(ARM), "status": "finished",
        "engine": "numpy", "data": "moons", "fingerprint": "f", "notes": ("n",), "train_rows": 8,
        "test_rows": 2, "parameters": 1, "flops": 1,
        "scores": {"test_loss": 0.5}, "environment": {"python": "3"},
    }  # fmt: skip
    return RunRecord(**{**base, **fields})


def failing(number):
    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.fault(26)
@pytest.mark.parametrize("operation", ["fsync", "replace", "open", "write"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_write_that_fails_anywhere_leaves_the_old_file_and_nothing_else(
    tmp_path, monkeypatch, operation, number
):
    path = tmp_path / "file"
    write_atomic(path, b"old")
    if operation == "fsync":
        monkeypatch.setattr(os, "fsync", failing(number))
    elif operation == "write":
        real_open = Path.open

        def open_short(self, *args, **kwargs):
            file = real_open(self, *args, **kwargs)
            file.raw.write(b"ne")  # half of it reaches the disk
            monkeypatch.setattr(os, "fsync", failing(number))
            return file

        monkeypatch.setattr(Path, "open", open_short)
    else:
        monkeypatch.setattr(Path, operation, failing(number))
    words = "no space left" if number == errno.ENOSPC else "cannot write"
    with pytest.raises(RunError, match=words):
        write_atomic(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_in_the_log_is_said_plainly(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "open", failing(errno.ENOSPC))
    with pytest.raises(RunError, match="no space left to write .*finished runs are kept"):
        append_line(tmp_path / "log", "x")


@pytest.mark.fault(20)
def test_numbers_that_are_not_finite_become_null():
    text = dump_json({"a": [math.nan, 1.5], "b": (math.inf, -math.inf)})
    assert json.loads(text) == {"a": [None, 1.5], "b": [None, None]}


@pytest.mark.fault(29)
def test_a_torn_last_line_is_dropped_and_a_torn_middle_is_an_error(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b'{"a": 1}\n{"a": 2}\n{"a"')
    assert read_lines(path) == [{"a": 1}, {"a": 2}]
    path.write_bytes(b'{"a": 1}\n{"a"\n{"a": 3}\n')
    with pytest.raises(RunError, match="is damaged"):
        read_lines(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_a_damaged_table_is_an_error_that_names_the_file(tmp_path, content):
    (tmp_path / "t.json").write_bytes(content)
    with pytest.raises(RunError, match="t.json"):
        read_json(tmp_path / "t.json")


@pytest.mark.fault(16)
@pytest.mark.parametrize(
    ("name", "words"),
    [("a\nb", "control character"), ("x" * 256, "longer than 255"), ("a/../../b", "contains '..'"),
     ("file", "it is a file"), ("file/below", "is a file"), ("x/" * 2100, "File name too long")],
)  # fmt: skip
def test_a_folder_that_cannot_be_used_is_refused_with_the_reason(tmp_path, name, words):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(RunError, match=f"cannot use .*{words}"):
        make_folder(tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_read_only_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(RunError, match="read-only"):
        make_folder(tmp_path)


def test_a_run_reads_back_as_it_was_written(tmp_path):
    folder = RunFolder(tmp_path / "run")
    weights = {"w1": np.arange(6.0).reshape(2, 3), "n": np.array(3)}
    folder.start(ARM, 0, {"python": "3"})
    assert not folder.is_finished()
    folder.append({"epoch": 1, "test_loss": math.nan})
    folder.append({"epoch": 2, "test_loss": 0.5})
    curve = ({"epoch": 1, "test_loss": None}, {"epoch": 2, "test_loss": 0.5})
    record = a_record(curve=curve)
    folder.finish(record, weights)
    assert folder.read() == record
    for name, array in folder.weights().items():
        np.testing.assert_array_equal(array, weights[name])


def test_starting_again_clears_what_an_unfinished_run_left(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.start(ARM, 0, {})
    folder.append({"epoch": 1})
    folder.finish(a_record(), {})
    folder.start(ARM, 0, {})
    assert not folder.is_finished()
    assert read_lines(folder.path / "metrics.jsonl") == []


@pytest.mark.parametrize("name", ["result.json", "metrics.jsonl", "environment.json"])
def test_a_damaged_run_is_an_error_that_names_the_file(tmp_path, name):
    folder = RunFolder(tmp_path / "run")
    folder.start(ARM, 0, {})
    folder.finish(a_record(), {})
    (folder.path / name).write_bytes(b'{"arm"\n')
    with pytest.raises(RunError, match=name):
        folder.read()


def test_damaged_weights_are_an_error(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.start(ARM, 0, {})
    folder.finish(a_record(), {"w": np.zeros(100)})
    path = folder.path / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RunError, match=r"weights\.safetensors"):
        folder.weights()


def test_a_study_reads_back_with_the_runs_of_its_present_settings_only(tmp_path):
    study = StudySpec(title="t", arms={"a": ARM}, seeds=2)
    folder = StudyFolder(tmp_path / "study")
    folder.start(study)
    for seed, spec in ((0, spec_id(ARM)), (1, "of other settings")):
        run = folder.run("a", seed)
        run.start(ARM, seed, {})
        run.finish(a_record(seed=seed, spec=spec), {})
    found = folder.read()
    assert found.study == study
    assert [run.seed for run in found.runs] == [0]


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match="has files of something else"):
        StudyFolder(tmp_path).start(StudySpec(title="t", arms={"a": ARM}))
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_without_a_study_is_no_study(tmp_path):
    with pytest.raises(RunError, match="not the folder of a study"):
        StudyFolder(tmp_path).read()


def test_a_second_process_is_told_who_holds_the_folder_and_the_lock_dies_with_its_holder(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from triptych.records import StudyFolder\n"
        "with StudyFolder(Path(sys.argv[1])).lock():\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(RunError, match=f"in use by pid {holder.pid} on host"),
            StudyFolder(tmp_path).lock(),
        ):
            pass
        holder.kill()
        holder.wait()
    with StudyFolder(tmp_path).lock():
        pass


def a_finding(**arrays):
    return Finding("kind", "title", "caption", {k: np.array(v, float) for k, v in arrays.items()})


def test_findings_are_read_back_to_four_digits(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.start(ARM, 0, {})
    one = a_finding(line=[1 / 3, math.nan, -2.0], plane=[[1, 2], [3, 4]], number=7.0)
    folder.finish(a_record(findings=(one,)), None)
    (back,) = folder.read().findings
    assert (back.kind, back.title, back.caption) == ("kind", "title", "caption")
    for name, array in one.arrays.items():
        np.testing.assert_allclose(back.arrays[name], array, rtol=1e-4)
    assert "findings" not in read_json(folder.path / "result.json")
    folder.start(ARM, 0, {})
    assert not (folder.path / "findings.json").exists()


def test_bytes_counts_and_labels_of_findings_are_read_back_exactly(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.start(ARM, 0, {})
    picture = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    one = replace(
        a_finding(counts=[123_456.0, 7.0]),
        arrays={"picture": picture, "none": picture[:0], "counts": np.array([123_456.0, 0.5])},
        labels={"classes": ("<b>", "ü\x1b"), "empty": ()},
    )
    folder.finish(a_record(findings=(one,)), None)
    (back,) = folder.read().findings
    assert back.labels == one.labels
    for name, array in one.arrays.items():
        assert back.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(back.arrays[name], array)


@pytest.mark.parametrize(
    "array",
    [
        {"shape": [2], "bytes": "AA=="}, {"shape": [1], "bytes": "not base64"}, {"shape": [1]},
        {"shape": [-1, -1], "bytes": "AA=="}, {"shape": 1, "bytes": "AA=="},
        {"shape": [10**9, 10**9, 10**9], "bytes": "AA=="},
    ],
)  # fmt: skip
def test_damaged_bytes_of_findings_are_an_error(tmp_path, array):
    folder = RunFolder(tmp_path / "run")
    folder.start(ARM, 0, {})
    folder.finish(a_record(), None)
    found = {"kind": "", "title": "", "caption": "", "arrays": {"a": array}}
    (folder.path / "findings.json").write_text(json.dumps({"findings": [found]}))
    with pytest.raises(RunError, match=r"findings\.json is damaged"):
        folder.read()


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"{}",
        b'{"findings": [1]}',
        b'{"findings": [{"kind": "k"}]}',
        b'{"findings": [{"kind": "", "title": "", "caption": "", "arrays": {"a": ["x"]}}]}',
        b'{"findings": [{"kind": "", "title": "", "caption": "", "arrays": [1]}]}',
        b'{"findings": [{"kind": "", "title": "", "caption": "", "arrays": {}, "labels": [1]}]}',
        b'{"findings": [{"kind":"", "title":"", "caption":"", "arrays":{}, "labels": {"a": 1}}]}',
    ],
)
def test_damaged_findings_are_an_error_that_names_the_file(tmp_path, content):
    folder = RunFolder(tmp_path / "run")
    folder.start(ARM, 0, {})
    folder.finish(a_record(), None)
    assert folder.read().findings == ()
    (folder.path / "findings.json").write_bytes(content)
    with pytest.raises(RunError, match=r"findings\.json is damaged"):
        folder.read()

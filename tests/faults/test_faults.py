"""A part of the fault harness, on every change: `make faults` has the whole."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).parent / "fault_harness.py"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks")


def harness(*arguments):
    done = subprocess.run(
        [sys.executable, HARNESS, *arguments, "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done


def test_whatever_write_fails_or_is_killed_the_study_ends_with_the_same_bytes():
    found, done = harness("points", "--study", "mlp-numpy", "--every", "31")
    assert done.returncode == 0, done.stdout
    assert found[0]["trials"] > 60


def test_killed_at_any_time_the_study_ends_with_the_same_bytes():
    studies = ("mlp-numpy", "lanes-compiled", "cnn-torch", "rnn-compiled")
    named = [word for study in studies for word in ("--study", study)]
    found, done = harness("kills", *named, "--count", "60")
    assert done.returncode == 0, done.stdout
    assert sum(one["trials"] for one in found) >= 60


def test_every_broken_variant_is_caught():
    found, done = harness("broken")
    assert done.returncode == 0, done.stdout
    assert len(found) >= 8


def test_nothing_but_the_disk_of_records_writes():
    """Every call that changes a disk is in records/files.py, where the harness stands."""
    import ast

    src = Path(__file__).parents[2] / "src" / "triptych"
    calls = {
        "write_text", "write_bytes", "unlink", "rename", "rmdir", "mkdir", "rmtree", "fsync",
        "truncate", "touch", "remove", "removedirs", "makedirs", "save_file",
    }  # fmt: skip
    found = set()
    for path in src.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            name, value = node.func.attr, node.func.value
            if name == "remove" and not (isinstance(value, ast.Name) and value.id == "os"):
                continue  # of a list, or ours
            modes = [a.value for a in node.args if isinstance(a, ast.Constant)]
            opens = name == "open" and any(str(m)[:1] in "wax" or "+" in str(m) for m in modes)
            if name in calls or opens:
                found.add((str(path.relative_to(src)), name))
    assert {where for where, _ in found} - {"records/files.py"} == {
        "data/cifar10.py",  # the cache of downloads
        "records/caches.py",  # what stands in for it
        "engines/memory.py",  # asks the system to forget a peak
    }

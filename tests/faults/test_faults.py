"""A part of the fault harness, on every change: `make faults` has the whole."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).parent / "fault_harness.py"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks")


@pytest.fixture
def harness(tmp_path):
    def act(*arguments):
        done = subprocess.run(
            [sys.executable, HARNESS, *arguments, "--json", tmp_path / "found.json"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        found = json.loads((tmp_path / "found.json").read_text())
        return {(one["way"], one["study"]): one for one in found}

    return act


def is_good(one):
    return not any(one[name] for name in ("different", "unresumable", "lost", "rude"))


@pytest.mark.fault(25, 26)
def test_whatever_fails_is_killed_or_loses_power_the_study_ends_with_the_same_bytes(harness):
    found = harness("points", "power", "--study", "mlp-numpy", "--every", "61")
    assert all(map(is_good, found.values()))
    assert found["points", "mlp-numpy"]["trials"] > 40
    assert found["power", "mlp-numpy"]["trials"] > 20


@pytest.mark.fault(25, 29)
def test_killed_at_any_time_the_study_its_page_and_its_exports_end_with_the_same_bytes(harness):
    studies = ("mlp-numpy", "lanes-compiled", "cnn-torch", "rnn-compiled")
    named = [word for study in studies for word in ("--study", study)]
    found = harness("kills", "pages", *named, "--count", "15")
    assert all(map(is_good, found.values()))
    assert all(found["kills", study]["trials"] >= 15 for study in studies)
    assert found["pages", "page"]["trials"] >= 2


def test_every_broken_variant_is_caught(harness):
    found = harness("broken")
    assert len(found) >= 19
    assert not any(map(is_good, found.values()))


@pytest.mark.slow
@pytest.mark.fault(26)
def test_a_disk_that_is_really_full_costs_nothing_that_was_kept(harness):
    (found,) = harness("full").values()
    if not found["trials"]:
        pytest.skip("needs the right to mount")
    assert is_good(found)


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

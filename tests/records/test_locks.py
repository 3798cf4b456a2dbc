"""One process writes to a study's folder, and whoever else tries is told which."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from triptych.errors import RunError
from triptych.records.locks import HOLDER_FILE, LOCK_FILE, InUse, hold

HOLDS = (
    "import sys, time; from pathlib import Path; from triptych.records.locks import hold\n"
    "with hold(Path(sys.argv[1])):\n"
    "    print('held', flush=True); time.sleep(600)"
)


@pytest.fixture
def holder(tmp_path):
    """Return a process that holds the folder until it is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, tmp_path], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def refused(folder):
    """Try to hold a folder, at once in vain; return what is said."""
    started = time.monotonic()
    with pytest.raises(InUse) as caught, hold(folder):
        pass
    assert time.monotonic() - started < 2
    assert caught.value.exit_code == 4
    return str(caught.value)


@pytest.mark.fault(27)
def test_the_holder_is_named_and_its_lock_dies_with_it(tmp_path, holder):
    who = f"'{tmp_path}' is in use by pid {holder.pid} on host {socket.gethostname()}."
    before = (tmp_path / HOLDER_FILE).read_bytes()
    assert refused(tmp_path) == who
    assert (tmp_path / HOLDER_FILE).read_bytes() == before
    holder.kill()
    holder.wait()
    with hold(tmp_path):
        here = json.loads((tmp_path / HOLDER_FILE).read_text())
        assert here == {"pid": os.getpid(), "host": socket.gethostname()}


@pytest.mark.parametrize(
    "said", [None, b"", b"{", b"[]", b"{}", b'{"pid": 1}', b'{"host": "h"}', b"\xff"]
)
def test_a_holder_that_has_not_said_so_is_another_process(tmp_path, holder, said):
    path = tmp_path / HOLDER_FILE
    path.unlink() if said is None else path.write_bytes(said)
    assert refused(tmp_path) == f"'{tmp_path}' is in use by another process."


def test_a_folder_is_let_go_of_also_after_an_error(tmp_path):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), hold(tmp_path):
            raise ZeroDivisionError
    script = HOLDS.replace("time.sleep(600)", "pass")
    subprocess.run([sys.executable, "-c", script, tmp_path], check=True, capture_output=True)


def test_what_cannot_be_locked_is_an_error_with_its_reason(tmp_path):
    (tmp_path / LOCK_FILE).mkdir()
    with pytest.raises(RunError, match=r"cannot lock '.*': .+\.$") as caught, hold(tmp_path):
        pass
    assert not isinstance(caught.value, InUse)

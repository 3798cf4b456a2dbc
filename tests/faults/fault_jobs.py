"""Commands with two jobs, killed at random times: no process may go on, and the bits are the same.

Nothing stands still here, so seconds and peak memory are left out of what is compared.
"""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fault_studies import TWO_JOBS
from fault_trials import Outcome

# And peak memory.
_TIMES = rb'"(seconds|peak_memory|data|evaluation|findings)": [\d.e-]*'


def jobs(count: int, seed: int = 0) -> Outcome:
    """Kill a whole command with two jobs, `count` times in all, three times a study."""
    started, outcome, draw = time.monotonic(), Outcome("two jobs"), random.Random(seed)
    home = Path(tempfile.mkdtemp(prefix="faults-"))
    (home / "s.toml").write_text(TWO_JOBS)
    command = [sys.executable, "-m", "triptych", "run", "s.toml", "--jobs", "2"]
    command += ["--checkpoint", "0.01 s", "--out"]
    quiet = {"cwd": home, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    before = time.monotonic()
    subprocess.run([*command, "whole"], check=True, **quiet)
    seconds = time.monotonic() - before
    while outcome.trials < count:
        for _ in range(3):
            with subprocess.Popen([*command, "killed"], **quiet) as process:
                time.sleep(draw.uniform(0.2, 1.0) * seconds)
                outcome.trials += 1
                children = children_of(process.pid)
                process.kill()
            time.sleep(0.2)
            if any(is_alive(child) for child in children):
                outcome.note("rude", "a process went on")
        if subprocess.run([*command, "killed"], check=False, **quiet).returncode != 0:
            outcome.note("unresumable", "killed")
        elif without_times(home / "killed") != without_times(home / "whole"):
            outcome.note("different", "killed")
        shutil.rmtree(home / "killed")
    shutil.rmtree(home)
    outcome.seconds = time.monotonic() - started
    return outcome


def children_of(pid: int) -> list[int]:
    """Return the processes whose parent is `pid`."""
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in found.read_text().split()] if found.exists() else []


def is_alive(pid: int) -> bool:
    """Whether a process runs, and is not only waited for."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and " Z " not in stat.read_text()


def without_times(folder: Path) -> dict[str, str]:
    """Return the hash of every file of runs, of those with times without them."""
    found = {}
    for path in sorted((folder / "runs").rglob("*")):
        if path.is_file():
            text = path.read_bytes()
            if path.name in ("metrics.jsonl", "result.json"):
                text = re.sub(_TIMES, b"", text)
            found[str(path.relative_to(folder))] = hashlib.sha256(text).hexdigest()
    return found

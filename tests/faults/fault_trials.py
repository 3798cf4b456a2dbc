"""One study after another, made to fail or killed, and held against one in one go.

Time stands still (so that seconds are 0), memory is not measured, training is cut into single
steps with a checkpoint before each, and the page is a list of all that it would show, since drawing
it takes a second (`fault_pages` draws the real one). A kill does not lose what was written and not
synced, so nothing is synced here, which would take most of the time; what a machine without power
loses is replayed from what was done (`fault_power`).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import sklearn.datasets
import sklearn.model_selection
import torch
import torch._dynamo
from fault_power import OPERATIONS, Machine, Operation, Recorder, write_out
from fault_studies import STUDIES, former

from triptych.engines import PeakMemory
from triptych.errors import TriptychError
from triptych.records import StudyFolder
from triptych.records.checkpoints import unpacked
from triptych.records.disk import CHECKPOINT_FILES
from triptych.records.files import DISK
from triptych.report import study_values
from triptych.runner import (
    RunEnded,
    Setting,
    StudyResult,
    execute_study,
    explained,
    read_result,
    results,
    runs,
)
from triptych.runner.under_way import Run
from triptych.spec import parse_study
from triptych.training import jobs, loop, torch_together

Break = Callable[[], None]
"""Breaks something in a child."""
FAULTS = ("kill before", "kill within", "kill after", "ENOSPC", "EIO", "short write")
# They say who holds a folder; and what was told of runs.
NOT_COMPARED = {"lock", "lock.json", "disk.lock", "diary"}
_TRACEBACK = 98
_MOST_LIVES = 6
DIARY = "diary"
_ENDED = 10**9  # more than any step


def stand_still() -> None:
    """Let nothing of a study depend on time or memory, and be cut into single steps."""
    loop._SECONDS_BETWEEN_PROGRESS = 0.0
    for module in (loop, jobs, explained, runs, results):
        module.time = SimpleNamespace(perf_counter=lambda: 0.0, monotonic=time.monotonic)
    PeakMemory.megabytes = lambda *_: None
    StudyResult.to_html = lambda self: json.dumps(
        study_values(self.record, self.verdicts), indent=1, default=str
    )
    DISK.sync = lambda handle: None
    torch.set_num_threads(1)
    # So that no child has to load what its first step does.
    assert sklearn.datasets
    assert sklearn.model_selection
    assert torch._dynamo
    assert torch_together


def make(text: str, folder: Path) -> None:
    """Run a study to its end, with its page, keeping a diary beside its folder."""
    note = keep_diary(folder.parent / DIARY)
    setting = Setting(device="cpu", checkpoint=0.0)
    for event in execute_study(parse_study(text), StudyFolder(folder), setting):
        if isinstance(event, RunEnded):
            note("ended", event.record.arm, event.record.seed, _ENDED)
    read_result(folder).write_page()


def keep_diary(path: Path) -> Callable[[str, str, int, int], None]:
    """Note from which step each run goes on, and which of its checkpoints are written.

    Returns
    -------
    callable
        Notes a word on an arm, a seed and a step.
    """
    keep, begin = Run.keep, Run.begin

    def note(word: str, arm: str, seed: int, step: int) -> None:
        with path.open("a") as file:
            file.write(f"{word} {arm} {seed} {step}\n")

    def note_of(word: str, run: Run) -> None:
        note(word, run.blank.arm, run.blank.seed, run.job.taken if run.job else 0)

    def keep_and_tell(run: Run) -> bool:
        kept = keep(run)
        note_of("kept", run)
        return kept

    def begin_and_tell(run: Run, *rest: Any) -> Any:
        told = begin(run, *rest)
        note_of("begun", run)
        return told

    Run.keep, Run.begin = keep_and_tell, begin_and_tell
    return note


def was_lost(diary: Path) -> bool:
    """Whether a run went on from before a checkpoint that had been written, or after its end."""
    kept: dict[str, int] = {}
    for line in diary.read_text().splitlines() if diary.exists() else ():
        word, arm, seed, step = line.split()
        if word == "begun" and int(step) < kept.get(f"{arm} {seed}", 0):
            return True
        kept[f"{arm} {seed}"] = int(step)
    return False


def in_child(act: Callable[[], object], seconds: float | None = None) -> int:
    """Do something in a fork of this process, killed after some seconds; return how it ended.

    Returns
    -------
    int
        Its exit code; that of the command line for errors; below 0: the signal that ended it.
    """
    child = os.fork()
    if child == 0:
        code = _TRACEBACK
        try:
            act()
            code = 0
        except TriptychError as error:
            code = error.exit_code
            if os.environ.get("SHOW"):
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)  # it may have ended, but it is still there to be waited for
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def bits(folder: Path) -> dict[str, str]:
    """Return the hash of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in NOT_COMPARED
    }


@dataclass
class Faults:
    """Counts what is done to the disk, and does one thing of it wrong."""

    at: int
    kind: str
    count: int = 0

    def install(self) -> None:
        """Stand between this process and its disk."""
        for name in OPERATIONS:
            act = getattr(DISK, name)
            setattr(DISK, name, lambda *a, name=name, act=act: self._do(name, act, *a))

    def _do(self, name: str, act: Callable[..., Any], *rest: Any) -> Any:
        self.count += 1
        full = self.kind in ("ENOSPC", "short write") and self.count > self.at
        if full and name in ("open", "write", "make_folder"):  # a full disk stays full
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.count != self.at:
            return act(*rest)
        number = errno.EIO if self.kind == "EIO" else errno.ENOSPC
        if self.kind in ("kill within", "short write") and name == "write":
            file, content = rest
            act(file, content[: len(content) // 2])
        elif self.kind in ("kill within", "kill after"):  # others are whole or not at all
            act(*rest)
        if self.kind.startswith("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(number, os.strerror(number))


@dataclass
class Outcome:
    """What came of some trials.

    Attributes
    ----------
    trials : int
        Kills, or operations that failed.
    different, unresumable, lost, rude : int
        Studies whose bits differ in the end; that cannot go on; in which a run went on from before
        its newest checkpoint; and processes that ended with a traceback.
    """

    study: str
    trials: int = 0
    different: int = 0
    unresumable: int = 0
    lost: int = 0
    rude: int = 0
    seconds: float = 0.0
    first: str = ""

    @property
    def is_good(self) -> bool:
        """Whether all ended as they would have."""
        return not (self.different or self.unresumable or self.lost or self.rude)

    def __add__(self, other: Outcome) -> Outcome:
        """Return what came of both."""
        names = ("trials", "different", "unresumable", "lost", "rude", "seconds")
        sums = {name: getattr(self, name) + getattr(other, name) for name in names}
        return Outcome(self.study, **sums, first=self.first or other.first)

    def note(self, what: str, where: str) -> None:
        """Count something that went wrong."""
        setattr(self, what, getattr(self, what) + 1)
        self.first = self.first or f"{what}: {where}"


class Trial:
    """One study after another, each in a folder of its own, held against one in one go.

    Parameters
    ----------
    study : str
    broken : callable, optional
        Breaks something, in every child that is made to fail or goes on; not in the one that is
        held against.
    make : callable
        Makes a study, of a text, in a folder.
    home : Path, optional
        Where its folder is to be; absent: in memory.
    """

    def __init__(
        self,
        study: str,
        broken: Break | None = None,
        make: Callable[[str, Path], None] = make,
        home: Path | None = None,
    ) -> None:
        self.study, self.broken, self.make = study, broken, make
        self.text = STUDIES[study]
        self.outcome = Outcome(study)
        self.home = Path(tempfile.mkdtemp(prefix="faults-", dir=home or _memory()))
        self.folder = self.home / "at" / "study"
        self.gone_on: dict[str, str] = {}
        if "torch" not in self.text:
            # Here, so that children find kernels loaded; PyTorch would begin threads.
            make_once(self.text, self.home / "warm" / "study")
            shutil.rmtree(self.home / "warm")
        self.clear()
        started = time.monotonic()
        code = in_child(lambda: make(self.text, self.folder))
        self.seconds = time.monotonic() - started
        assert code == 0, f"{study} does not run: {code}"
        self.expected = bits(self.folder.parent)

    def clear(self) -> None:
        """Begin with nothing."""
        shutil.rmtree(self.folder.parent, ignore_errors=True)
        self.folder.parent.mkdir(parents=True)

    def close(self) -> Outcome:
        """Remove what was written, and return what came of all."""
        shutil.rmtree(self.home)
        return self.outcome

    def act(self, faults: Faults | Recorder | None = None) -> None:
        """Make the study, or go on with it, in this process; its disk may be stood before."""
        if self.broken is not None:
            self.broken()
        if faults is not None:
            faults.install()
        self.make(self.text, self.folder)

    def operations(self, begun: str = "empty", draw: random.Random | None = None) -> Machine:
        """Return a machine on which the study was made, with every operation on its disk.

        Parameters
        ----------
        begun : {"empty", "former", "killed"}
            With nothing there, after a study of other settings, or after a kill at a drawn time.
        draw : random.Random, optional
        """
        self.clear()
        if begun == "former":
            in_child(lambda: self.make(former(self.text), self.folder))
            (self.folder.parent / DIARY).unlink()
        elif begun == "killed" and draw is not None:
            in_child(self.act, draw.uniform(0.2, 0.9) * self.seconds)
        machine = Machine(self.folder.parent, DIARY)
        path = self.home / "operations"

        def record() -> None:
            recorder = Recorder(self.folder.parent, DIARY)
            try:
                self.act(recorder)
            finally:
                path.write_text(json.dumps([asdict(one) for one in recorder.done]))

        code = in_child(record)
        assert code == 0, f"{self.study} does not go on: {code}"
        machine.coming = [Operation(**one) for one in json.loads(path.read_text())]
        machine.said = _text(self.folder.parent / DIARY)
        return machine

    def point(self, at: int, kind: str) -> None:
        """Let one operation fail, and go on."""
        self.clear()
        self.outcome.trials += 1
        code = in_child(lambda: self.act(Faults(at, kind)))
        where = f"{kind} at operation {at}"
        if code not in (0, -signal.SIGKILL, 4):
            self.outcome.note("rude", f"{where}: exit {code}")
        self._finish_once(where)

    def power(self, machine: Machine, draw: random.Random) -> None:
        """Let the power fail now, and go on from each state that the disk may be in."""
        for how, state in machine.states(draw):
            self.clear()
            write_out(state, self.folder.parent)
            (self.folder.parent / DIARY).write_text(machine.told)
            self._finish_once(f"{how}, before operation {machine.done + 1}", count=True)

    def kill_until_done(self, draw: random.Random, flip: bool = False) -> None:
        """Kill it some times, at any moment, then let it end."""
        self.clear()
        for life in range(draw.randint(1, _MOST_LIVES)):
            code = in_child(self.act, draw.uniform(0, 1.1 * self.seconds))
            if code == 0:
                break
            self.outcome.trials += 1
            if code != -signal.SIGKILL:
                self.outcome.note("unresumable", f"life {life}: exit {code}")
                return
            if flip:
                flip_a_bit(self.folder, draw)
        self.finish("killed", flipped=flip)

    def _finish_once(self, where: str, *, count: bool = False) -> None:
        """Let the study end, unless one went on from the same bytes: it would do the same again."""
        found = bits(self.folder.parent) | {DIARY: _text(self.folder.parent / DIARY)}
        start = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()
        if start not in self.gone_on:
            self.outcome.trials += count
            self.gone_on[start] = self.finish(where)
        elif (what := self.gone_on[start]) and not count:
            self.outcome.note(what, where)

    def finish(self, where: str, *, flipped: bool = False) -> str:
        """Let the study end, and hold it against the one in one go; return what went wrong."""
        code = in_child(self.act)
        what = ""
        if code != 0:
            what, where = "unresumable", f"{where}: exit {code}"
        elif (found := bits(self.folder.parent)) != self.expected:
            odd = sorted(k for k, _ in set(found.items()) ^ set(self.expected.items()))
            what, where = "different", f"{where}: {', '.join(dict.fromkeys(odd))}"
        elif not flipped and was_lost(self.folder.parent / DIARY):
            what = "lost"
        if what:
            self.outcome.note(what, where)
        return what


def make_once(text: str, folder: Path) -> None:
    """Run a study in this process."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    keep, begin = Run.keep, Run.begin
    make(text, folder)
    Run.keep, Run.begin = keep, begin


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def flip_a_bit(folder: Path, draw: random.Random) -> None:
    """Damage one of two checkpoints of each run: so that the other is whole."""
    for run in folder.glob("runs/*/*"):
        paths = [path for name in CHECKPOINT_FILES if (path := run / name).exists()]
        if len(paths) == 2 and all(map(is_whole, paths)):
            path = draw.choice(paths)
            content = bytearray(path.read_bytes())
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
            path.write_bytes(bytes(content))


def is_whole(path: Path) -> bool:
    """Whether a checkpoint is whole."""
    try:
        unpacked(path.read_bytes())
    except ValueError:
        return False
    return True


def _memory() -> str | None:
    """Return where files are in memory, as thousands of small ones wear out a disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

"""What must be true of a study's folder, found from its files alone and from what was done to it.

Nothing here calls what it is held against, but to make each run once in one go: results, logs and
checkpoints are read as JSON and bytes. A file that was damaged on purpose is known by its content.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.numpy

from triptych.cli.main import _guarded
from triptych.records.environment import _versions

ARMS = ("net", "trees")
CHECKPOINTS = ("checkpoint-a.safetensors", "checkpoint-b.safetensors")
RESULT, LOG, WEIGHTS, SPEC = "result.json", "metrics.jsonl", "weights.safetensors", "spec.json"
WHERE, FINDINGS = "environment.json", "findings.json"
RECORD = {RESULT, LOG, WHERE, FINDINGS}
"""What is read of a run; a change of it that can still be read is not always found."""
LOCKS = {"lock", "lock.json", "disk.lock"}
PAGE = {"report.html", "report.json"}
Files = dict[str, bytes]
Place = tuple[str, int]

_STUDY = """
title = "A life"
seeds = 2
[data]
source = "table"
path = "rows.csv"
target = "kind"
[arm.net]
engine = "numpy"
network = { kind = "mlp", hidden = [3], dropout = 0.2 }
[arm.net.train]
epochs = 4
batch_size = 10
patience = 2
validation = 0.3
optimizer = { name = "adam", lr = LR }
[arm.trees]
network = { kind = "reference", model = "linear" }
"""
SETTINGS = {"one": "0.02", "two": "0.3"}
DATA = ("before", "after")


@dataclass(frozen=True)
class Call:
    """How a study is called: what decides what comes out, and what only may stop it."""

    settings: str = "one"
    data: str = "before"
    here: bool = True
    first: int = 0
    seeds: int = 2
    inexact: bool = False
    disk: str = ""

    @property
    def wanted(self) -> list[Place]:
        """Every run of it."""
        return [(a, s) for a in ARMS for s in range(self.first, self.first + self.seeds)]

    def arguments(self, folder: Path) -> list[str]:
        """Return the command."""
        options = {"--seeds": self.seeds, "--first-seed": self.first, "--out": folder}
        options |= {"--disk": self.disk} if self.disk else {}
        words = [str(word) for pair in options.items() for word in pair]
        return ["run", f"{self.settings}.toml", "--device", "cpu", *words,
                *(["--inexact"] if self.inexact else [])]  # fmt: skip


class Said(NamedTuple):
    """What a command ended with."""

    code: int
    out: str
    err: str


def write_studies(home: Path) -> None:
    """Write the study with each of its settings, and two tables."""
    for name, lr in SETTINGS.items():
        (home / f"{name}.toml").write_text(_STUDY.replace("LR", lr))
    for k, name in enumerate(DATA):
        rows = [
            f"{i % 7},{(i * (3 + k)) % 11},{'ab'[(i % 7 > 3) ^ (i % 5 == 0)]}" for i in range(40)
        ]
        (home / f"{name}.csv").write_text("\n".join(["x,y,kind", *rows, ""]))


def use(data: str) -> None:
    """Let the study's table be that of this name."""
    link = Path("rows.csv")
    link.unlink(missing_ok=True)
    link.symlink_to(f"{data}.csv")


@contextmanager
def somewhere(*, here: bool) -> Iterator[None]:
    """Be where the library has another version."""
    module, real = sys.modules["triptych.records.environment"], _versions
    if not here:
        module._versions = lambda: real() | {"numpy": "9.9"}  # type: ignore[attr-defined]
    try:
        yield
    finally:
        module._versions = real  # type: ignore[attr-defined]


def command(arguments: list[str], *, here: bool = True) -> Said:
    """Run a command in this process; anything but an exit code is raised."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), somewhere(here=here):
        code = _guarded(arguments)
    return Said(code, out.getvalue(), err.getvalue())


def read_files(folder: Path) -> Files:
    """Return every file below a folder, by its path from there."""
    found = {}
    for path, _, names in os.walk(folder):
        for name in names:
            file = Path(path, name)
            found[file.relative_to(folder).as_posix()] = file.read_bytes()
    return found


def of_run(files: Files, place: Place) -> Files:
    """Return the files of one run."""
    start = f"runs/{place[0]}/seed-{place[1]}/"
    return {name.removeprefix(start): v for name, v in files.items() if name.startswith(start)}


@cache
def in_one_go(settings: str, data: str, place: Place, *, here: bool, first: bool) -> Files:
    """Return the files of a run that nothing happened to, of its study's first seed or not."""
    arm, seed = place
    call = Call(settings, data, here, seed, 1) if first else Call(settings, data, here, seed - 1, 2)
    folder = Path("whole")
    shutil.rmtree(folder, ignore_errors=True)
    use(data)
    said = command(call.arguments(folder), here=here)
    assert said.code == 0, said
    return of_run(read_files(folder), (arm, seed))


class Header(NamedTuple):
    """What a checkpoint says of itself."""

    step: int
    spec: str
    fingerprint: str
    here: bool
    elsewhere: bool
    log: int
    log_hash: str
    explained: bool

    def has_log(self, log: bytes | None) -> bool:
        """Whether a log begins as it did then."""
        if log is None or len(log) < self.log:
            return False
        return hashlib.sha256(log[: self.log]).hexdigest() == self.log_hash


def header(content: bytes) -> Header:
    """Read a checkpoint that is whole."""
    length = int.from_bytes(content[:8], "little")
    text = json.loads(content[8 : 8 + length])["__metadata__"]["checkpoint"]
    table = json.loads(text)
    notes = table["values"]["run"]["begun"]["notes"]
    here = table["environment"]["numpy"] != "9.9"
    return Header(table["step"], table["spec"], table["fingerprint"], here, bool(notes),
                  table["log"], table["log_hash"], bool(table["values"]["explainer"]))  # fmt: skip


KEPT, MADE, GOES_ON, MIXED, REFUSED, UNSURE = "kept", "made", "goes on", "mixed", "refused", "?"


class Fate(NamedTuple):
    """What must become of a run that is asked for."""

    what: str
    why: str = ""
    step: int = 0


@dataclass
class Known:
    """A run that is whole: what it is of."""

    settings: str
    data: str
    here: bool
    mixed: bool

    def is_of(self, call: Call, arm: str) -> bool:
        """Whether it is what a call asks for."""
        same = arm != "net" or self.settings == call.settings
        return same and (self.data, self.here) == (call.data, call.here)


@dataclass
class Model:
    """What is known of a folder.

    Attributes
    ----------
    runs : dict
        Those that are whole.
    damaged : dict of str to (bytes or None)
        What files were made to be, None of those removed, as long as they are that.
    weightless : set
        Whole runs whose weights may have gone.
    late : set
        Runs that were explained from some step on only, as they were begun as another seed than
        the first.
    """

    folder: Path
    runs: dict[Place, Known] = field(default_factory=dict)
    damaged: dict[str, bytes | None] = field(default_factory=dict)
    weightless: set[Place] = field(default_factory=set)
    late: set[Place] = field(default_factory=set)

    def files(self) -> Files:
        """Return what is there; what was damaged and has been written since is damaged no more."""
        found = read_files(self.folder)
        self.damaged = {k: v for k, v in self.damaged.items() if found.get(k) == v}
        return found

    def damages(self, place: Place) -> set[str]:
        """Return which files of a run are damaged or were removed."""
        start = f"runs/{place[0]}/seed-{place[1]}/"
        return {k.removeprefix(start) for k in self.damaged if k.startswith(start)}

    def mend(self, place: Place) -> None:
        """Take no file of a run for a damaged one any more: it was made again, or deleted."""
        start = f"runs/{place[0]}/seed-{place[1]}/"
        self.damaged = {k: v for k, v in self.damaged.items() if not k.startswith(start)}

    def fate(self, place: Place, call: Call, files: Files) -> Fate:
        """Return what must become of a run when the study is called."""
        mine, damages = of_run(files, place), self.damages(place)
        if RESULT in mine:
            if damages & RECORD:
                return Fate(REFUSED, "damaged") if self.is_torn(mine[RESULT]) else Fate(UNSURE)
            known = self.runs[place]
            return Fate(KEPT if known.is_of(call, place[0]) else MADE)
        there = {name: mine[name] for name in CHECKPOINTS if name in mine}
        whole = [
            one
            for name, content in there.items()
            if name not in damages and (one := header(content)).has_log(mine.get(LOG))
        ]
        if place[0] != "net" or not there:
            return Fate(MADE)
        if not whole:
            return Fate(REFUSED, "damaged")
        newest = max(whole, key=lambda one: one.step)
        fate = _going_on(newest, place, call)
        if fate.what in (GOES_ON, MIXED) and place[1] == call.first and not newest.explained:
            self.late.add(place)
        return fate

    @staticmethod
    def is_torn(result: bytes) -> bool:
        """Whether a result is no JSON any more."""
        try:
            return not isinstance(json.loads(result), dict)
        except ValueError:
            return True

    def is_whole(self, place: Place, mine: Files, expected: Files) -> bool:
        """Whether the files of a run are those, but for damage on purpose and dropped weights."""
        left_out = self.damages(place) | set(CHECKPOINTS)
        if place in self.weightless and WEIGHTS not in mine:
            left_out |= {WEIGHTS}
        left_out |= {FINDINGS} if place in self.late else set()
        names = {n for n in mine.keys() | expected.keys() if not n.endswith(".partial")}
        return all(mine.get(name) == expected.get(name) for name in names - left_out)

    def status(self, place: Place, files: Files) -> set[str]:
        """Return what lists may call a run."""
        mine, damages = of_run(files, place), self.damages(place)
        if RESULT not in mine:
            return {"unfinished"}
        study = tomllib.loads(files["study.toml"].decode())
        first = study.get("first_seed", 0)
        former = place[1] not in range(first, first + study["seeds"])
        if place[0] == "net" and RESULT not in damages:
            lr = study["arm"]["net"]["train"]["optimizer"]["lr"]
            former |= str(lr) != SETTINGS[self.runs[place].settings]
        if damages & RECORD:
            return {"damaged"} if self.is_torn(mine[RESULT]) else {"damaged", "former", "finished"}
        return {"former" if former else "finished"}


def _going_on(newest: Header, place: Place, call: Call) -> Fate:
    """Return what must become of a run that has a whole checkpoint."""
    wanted = aim(place, call)
    result = json.loads(wanted[RESULT])
    if newest.spec != result["spec"]:
        return Fate(MADE)
    if newest.fingerprint != result["fingerprint"]:
        return Fate(REFUSED, "its data have changed since its checkpoint")
    if newest.here != call.here and not call.inexact:
        return Fate(REFUSED, "was begun with")
    mixed = newest.elsewhere or newest.here != call.here
    return Fate(MIXED if mixed else GOES_ON, step=newest.step)


def aim(place: Place, call: Call) -> Files:
    """Return the files that a run has in the end when nothing happens to the study."""
    settings = call.settings if place[0] == "net" else "one"
    first = place[1] == call.first  # of a reference that makes no difference
    files = in_one_go(settings, call.data, place, here=call.here, first=first)
    use(call.data)
    return files


def is_mixed(mine: Files, pure: Files) -> bool:
    """Whether a run is that of one go, but begun in one place and ended in another, and says so."""
    result, one = json.loads(mine[RESULT]), json.loads(pure[RESULT])
    notes = [note for note in result.pop("notes") if note not in one["notes"]]
    one.pop("notes")
    said = any("It was begun with numpy" in n and "has other bits" in n for n in notes)
    tensors: list[dict[str, Any]] = [
        safetensors.numpy.load(files[WEIGHTS]) for files in (mine, pure) if WEIGHTS in files
    ]
    same = len(tensors) < 2 or all(
        tensors[0][name].tobytes() == tensors[1][name].tobytes() for name in tensors[1]
    )
    return said and same and result == one and mine[LOG] == pure[LOG]

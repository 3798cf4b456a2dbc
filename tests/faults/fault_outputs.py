"""Fails, kills and interrupts commands while they write a file: the old one stays, or none.

    python tests/faults/fault_outputs.py --every 13

A child calls the command line as a user does, and something happens at one operation on its disk.
Then each file it writes has the bytes that it had before, or all of the new ones; after the same
command again it has the new ones, and nothing else lies about.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fault_train import small, stand_still_in_training, table
from fault_trials import FAULTS, Faults

from triptych import cli
from triptych.baseline import plans
from triptych.data import text_files
from triptych.tracking import event_files, figures

SIGNALS = {"SIGINT": 130, "SIGTERM": 143}
KINDS = (*FAULTS, *SIGNALS)
COMMANDS = {
    "predict": ("predict", "t/model.safetensors", "table.csv", "--out", "out/p.csv"),
    "predict json": ("predict", "t/model.safetensors", "table.csv", "--json", "--out", "out/p.csv"),
    "export onnx": ("export", "t/model.safetensors", "--onnx", "out/m.onnx"),
    "export tensorboard": ("export", "t", "--tensorboard", "out"),
    "report": ("report", "t"),
}


class Interruptions(Faults):
    """Stands before the disk, and lets a signal arrive before one operation."""

    def _do(self, name: str, act: Any, *rest: Any) -> Any:
        if self.kind not in SIGNALS:
            return super()._do(name, act, *rest)
        self.count += 1
        if self.count == self.at:
            signal.raise_signal(signal.Signals[self.kind])
        return act(*rest)


@dataclass
class Found:
    """What came of some trials, and what was wrong first."""

    trials: int = 0
    wrong: str = ""


def called(arguments: tuple[str, ...], faults: Interruptions | None = None) -> tuple[int, str]:
    """Return how a command ends in a fork of this process, and what it says on standard error."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 98
        said = io.StringIO()
        try:
            if faults is not None:
                faults.install()
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
                cli.main(list(arguments))
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 97
        finally:
            os.write(writing, f"{faults.count if faults else 0}\n{said.getvalue()}".encode())
            os._exit(code)
    os.close(writing)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with os.fdopen(reading) as pipe:
        return code, pipe.read()


def files(*folders: str) -> dict[str, bytes]:
    """Return what the files below some folders hold, but for those of locks."""
    return {
        str(path): path.read_bytes()
        for folder in folders
        for path in Path(folder).rglob("*")
        if path.is_file() and not path.name.startswith("lock")
    }


def trial(name: str, at: int, kind: str, old: dict[str, bytes], new: dict[str, bytes]) -> str:
    """Let one thing happen; return what was wrong."""
    put(old)
    code, said = called(COMMANDS[name], Interruptions(at, kind))
    where = f"{name}, {kind} at operation {at}: "
    wanted = {**SIGNALS, **{k: -signal.SIGKILL for k in FAULTS if k.startswith("kill")}}.get(
        kind, 4
    )
    # What only tidies up, or comes after the last rename, may fail without harm.
    if (code != wanted and not (code == 0 and wanted == 4)) or "Traceback" in said:
        return f"{where}exit code {code}, {said!r}"
    if wanted == 4 and code == 4 and said.count("\n") != 2:
        return f"{where}{said!r}"
    found = files("out", "t")
    for path, content in found.items():
        if not path.endswith(".partial") and content not in (old.get(path), new.get(path)):
            return f"{where}{path} is neither old nor new"
    if missing := old.keys() - found.keys():
        return f"{where}{missing} are gone"
    if kind not in FAULTS[:3] and any(path.endswith(".partial") for path in found):
        return f"{where}half of a file was left"
    if (code := called(COMMANDS[name])[0]) != 0 or files("out", "t") != new:
        return f"{where}again: exit code {code}, or other bytes"
    return ""


def put(content: dict[str, bytes]) -> None:
    """Let the files below be these, and no others."""
    for path in files("out", "t").keys() - content.keys():
        Path(path).unlink()
    for path, one in content.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(one)


def olds(name: str, new: dict[str, bytes]) -> Iterator[dict[str, bytes]]:
    """Give what may be there before: nothing, and files of other content."""
    outs = {path for path in new if path.startswith("out/") or name == "report"}
    outs -= {path for path in outs if path.startswith("t/") and "report." not in path}
    rest = {path: one for path, one in new.items() if path not in outs}
    yield rest
    yield rest | dict.fromkeys(outs, b"what was there before")


def tried(name: str, every: int) -> Found:
    """Try a command with every so manyth fault, of all at each of its operations on the disk."""
    Path("out").mkdir(exist_ok=True)
    code, said = called(COMMANDS[name])
    new, found = files("out", "t"), Found()
    if code != 0:
        return Found(0, f"{name} does not run: {said}")
    for old in olds(name, new):
        put(old)
        count = int(called(COMMANDS[name], Interruptions(-1, ""))[1].split("\n")[0])
        pairs = [(at, kind) for at in range(1, count + 1) for kind in KINDS]
        for at, kind in pairs[found.trials % every :: every]:
            found.wrong = found.wrong or trial(name, at, kind, old, new)
            found.trials += 1
    put({path: one for path, one in new.items() if path.startswith("t/")})
    return found


def main() -> int:
    """Do all of it in a temporary folder; return 0 if all is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--every", type=int, default=1, help="of all faults only every so many")
    every = parser.parse_args().every
    stand_still_in_training()
    text_files._BLOCK_BYTES = 512  # so that a table comes in pieces
    for module in (event_files, figures):  # else the time at which a result was written
        module.ended = lambda *_: 0.0
    with tempfile.TemporaryDirectory() as home:
        os.chdir(home)
        Path("table.csv").write_text(table())
        planned = plans._planned
        plans._planned = lambda *rest: (small((found := planned(*rest))[0]), found[1])
        code, said = called(("train", "table.csv", "--seeds", "1", "--out", "t"))
        assert code == 0, said
        found = {name: tried(name, every) for name in COMMANDS}
        os.chdir("/")
    print(json.dumps({name: vars(one) for name, one in found.items()}, indent=1))
    return int(any(one.wrong or not one.trials for one in found.values()))


if __name__ == "__main__":
    sys.exit(main())

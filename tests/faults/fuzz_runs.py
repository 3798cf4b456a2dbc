"""The files of a study's folder, damaged, and who reads them: lists, pages, exports, reruns."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random

import numpy as np
import safetensors.numpy
from fuzz_bytes import in_json, in_safetensors
from fuzz_readers import Format, called, command

sys.path.insert(0, str(Path(__file__).parents[1]))
from kept_study import KEPT
from triptych.errors import RunError
from triptych.records import checkpoints as kept
from triptych.rerun import Again

RUN = "kept/runs/narrow/seed-0"
_REPAIRED = {".json": in_json, ".jsonl": in_json, ".safetensors": in_safetensors}
_UNDER_WAY = """\
from pathlib import Path
from triptych.records import StudyFolder
from triptych.runner import Setting, execute_study, stopping
from triptych.spec import read_study
from triptych.training import loop

left = iter(range(9))
stopping.Signals.is_asked = property(lambda self: next(left, None) is None)
stopping.Signals.obey = lambda self: exec("raise KeyboardInterrupt")
loop._SECONDS_BETWEEN_PROGRESS = 0.0
try:
    setting = Setting(device="cpu", checkpoint=0.0)
    list(execute_study(read_study("kept.toml"), StudyFolder(Path("going")), setting))
except KeyboardInterrupt:
    pass
"""


def run_formats(home: Path) -> Iterable[Format]:
    """Give each file of a study's folder."""
    (home / "kept.toml").write_text(KEPT)
    # In a process of its own: what draws the page begins threads, and forks have none of them.
    run_it = [sys.executable, "-m", "triptych", "run", "kept.toml", "--out", "kept"]
    subprocess.run(run_it, check=True, capture_output=True)
    (home / "kept/matched.json").write_text("{}")
    (home / "kept/stopped.json").write_text('{"why": "decided"}')
    (home / "kept/answer.json").write_text('{"answer": ["Yes.", "It is."]}')
    yield from _listed(home)
    yield from _used(home)
    yield from _checkpoints(home)


def _listed(home: Path) -> Iterable[Format]:
    """Give what is listed and compared."""
    from triptych.records import RunFolder
    from triptych.runner import read_result

    readers = (
        lambda path: command("runs", "kept"),
        lambda path: command("runs", "kept", "--json"),
        lambda path: command("runs", "list", "kept", "--sort=-score", "--where", "epochs > 1"),
        lambda path: command("runs", "compare", RUN, "kept/runs/wide/seed-0"),
        lambda path: command("runs", "delete", "kept", "--status", "damaged", "--dry-run"),
        lambda path: called(lambda: read_result(Path("kept")).to_dict()),
    )
    compare = (
        lambda path: called(RunFolder(Path(RUN)).weights),
        lambda path: command("runs", "compare", RUN, "kept/runs/wide/seed-0"),
    )
    for place in (
        f"{RUN}/result.json", f"{RUN}/metrics.jsonl", f"{RUN}/environment.json",
        f"{RUN}/findings.json", f"{RUN}/spec.json", "kept/study.toml", "kept/matched.json",
        "kept/stopped.json", "kept/answer.json", "kept/report.json",
        f"{RUN}/weights.safetensors",
    ):  # fmt: skip
        name = Path(place).name
        seed = {name: (home / place).read_bytes()}
        reads = compare if name.startswith("weights") else readers
        yield Format(name, seed, reads, _REPAIRED, place)
    lock = {"lock.json": (home / "kept/lock.json").read_bytes()}
    locked = (_second_writer, lambda path: command("runs", "kept"))
    yield Format("lock.json", lock, locked, _REPAIRED, "kept/lock.json")


def _second_writer(path: Path) -> int:
    """Run a study in a folder that is in use, by whom a damaged file says."""
    from triptych.records.locks import hold

    note = path.read_bytes()
    with hold(Path("kept")):
        path.write_bytes(note)
        return command("run", "kept.toml", "--out", "kept")


def _used(home: Path) -> Iterable[Format]:
    """Give what a page, an export, a rerun or another call of the run is made from."""
    _rerun_briefly()
    page = (
        lambda path: _in_copy(lambda: command("report", "again")),
        lambda path: _in_copy(lambda: command("report", "again", "--json")),
        lambda path: _in_copy(lambda: command("export", "again", "--tensorboard", "again/events")),
        lambda path: _in_copy(lambda: command("run", "kept.toml", "--out", "again")),
    )
    for place in (
        f"{RUN}/result.json", f"{RUN}/metrics.jsonl", f"{RUN}/environment.json",
        f"{RUN}/findings.json", f"{RUN}/weights.safetensors", "kept/study.toml",
        "kept/matched.json", "kept/stopped.json", "kept/answer.json", "kept/report.json",
    ):  # fmt: skip
        name = Path(place).name
        seed = {name: (home / place).read_bytes()}
        yield Format(f"{name} used", seed, page, _REPAIRED, place, slow=True)
    again = (_rerun,)
    for name in ("spec.json", "result.json", "metrics.jsonl", "environment.json"):
        seed = {name: (home / RUN / name).read_bytes()}
        yield Format(f"{name} rerun", seed, again, _REPAIRED, f"{RUN}/{name}", slow=True)


def _in_copy(use: Callable[[], int], of: str = "kept") -> int:
    """Use a copy of a study's folder, which may be changed."""
    shutil.copytree(of, "again")
    try:
        return use()
    finally:
        shutil.rmtree("again")


def _rerun(path: Path) -> int:
    code = command("rerun", RUN)
    return 0 if code == 1 else code  # it came out otherwise, which is what it says


def _rerun_briefly() -> None:
    """Refuse what would take long, which a study may ask for, in this process and its forks."""
    events = Again.events

    def brief(self):
        data, train = self.arm.data, self.arm.train
        if getattr(data, "n_samples", 0) > 1000 or (train and train.epochs > 50):
            raise RunError("it would take too long")
        return events(self)

    Again.events = brief


def _checkpoints(home: Path) -> Iterable[Format]:
    """Give the checkpoint of a run under way: as it is read, and as the run goes on from it."""
    # It ends by the signal that it was told of.
    subprocess.run([sys.executable, "-c", _UNDER_WAY], check=False, capture_output=True)
    name = kept.CHECKPOINT_FILES[0]
    place = Path(f"going/runs/narrow/seed-0/{name}")
    place.with_name(kept.CHECKPOINT_FILES[1]).unlink()
    seed = {name: (home / place).read_bytes()}
    repaired = {place.suffix: rehashed}
    log = place.with_name("metrics.jsonl")
    read = (lambda path: called(lambda: kept.Checkpoints(path.parent, log).newest()),)
    go_on = (lambda path: _in_copy(lambda: command("run", "kept.toml", "--out", "again"), "going"),)
    yield Format("checkpoint", seed, read, repaired, str(place))
    yield Format("checkpoint taken up", seed, go_on, repaired, str(place), slow=True)


def rehashed(content: bytes, others: Sequence[bytes], draw: Random) -> bytes:
    """Return a checkpoint of which text or arrays were changed, with the hash that it then has."""
    arrays = safetensors.numpy.load(content)
    length = int.from_bytes(content[:8], "little")
    text = json.loads(content[8 : 8 + length])["__metadata__"]["checkpoint"]
    if draw.random() < 0.7:
        text = in_json(text.encode(), others, draw).decode("utf-8", "replace")
    else:
        name = draw.choice(sorted(arrays))
        array = arrays.pop(name)
        if draw.random() < 0.8:
            arrays[name] = draw.choice((
                np.full_like(array, np.nan if array.dtype.kind == "f" else 7), array.astype("f2"),
                array.reshape(-1)[:1], array[None], array.astype("i8"), array.reshape(-1)[:0],
            ))  # fmt: skip
    hashed = {"checkpoint": text, "sha256": kept._digest(text, arrays)}
    return safetensors.numpy.save(arrays, hashed)

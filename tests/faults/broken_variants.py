"""Checkpoints done wrong in the ways that people do them wrong: the harness must catch each.

Each names a study in which it shows, what shows it, and what breaks it within a child.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import safetensors.numpy
from fault_trials import Break

from triptych.contracts import State
from triptych.errors import RunError
from triptych.records import checkpoints, files, findings, runs, study
from triptych.records.files import DISK, Disk, dump_json
from triptych.records.findings import write_findings
from triptych.runner import under_way
from triptych.runner.explained import Explainer
from triptych.training.growth import Growth
from triptych.training.jobs import Job
from triptych.training.numpy_learner import NumpyLearner


def naive_write() -> None:
    """Write files in their place."""

    def in_place(path: Path, content: bytes) -> None:
        try:
            with DISK.open(path, "wb") as file:
                DISK.write(file, content)
        except OSError as error:
            raise RunError(f"cannot write {path}") from error

    for module in (checkpoints, findings, runs, study):
        module.write_atomic = in_place


def log_not_cut() -> None:
    """Leave what was logged after the checkpoint."""
    runs.cut_log = lambda *_: None


def _restored(change: Callable[[Job], None]) -> Break:
    """Return what changes a job after it was restored."""

    def broken() -> None:
        restore = Job.restore

        def restore_wrongly(job: Job, state: State) -> None:
            restore(job, state)
            change(job)

        Job.restore = restore_wrongly

    return broken


def no_moments() -> None:
    """Begin the optimiser anew, but for its count of steps."""

    def load(learner: NumpyLearner, moments: Any) -> None:
        learner.optimizer.steps = int(moments["steps"])

    NumpyLearner.load_moments = load


def _steps_of_learner(job: Job) -> None:
    job.learner.optimizer.steps = 0


def _place_in_epoch(job: Job) -> None:
    job.steps -= job.steps % 3


def _best(job: Job) -> None:
    job.best = None


def _waited(job: Job) -> None:
    job.waited = 0


def no_statistics() -> None:
    """Leave out what batch normalisation has seen."""

    def load(learner: NumpyLearner, weights: Any) -> None:
        for name, w in learner.network.trainable.items():
            w[...] = weights[name]

    NumpyLearner.load = load


def no_growth() -> None:
    """Forget how long sequences may be by now."""
    Growth.load = lambda growth, state: setattr(growth, "done", int(state["done"]))


def no_findings() -> None:
    """Forget the decision boundaries seen so far."""
    Explainer.restore = lambda *_: None


def no_hash() -> None:
    """Believe whatever a checkpoint holds."""

    def believed(content: bytes) -> checkpoints.Checkpoint:
        try:
            length = int.from_bytes(content[:8], "little")
            text = json.loads(content[8 : 8 + length])["__metadata__"]["checkpoint"]
            table, found = json.loads(text), safetensors.numpy.load(content)
            arrays = {name: array.copy() for name, array in found.items()}
            return checkpoints.Checkpoint(state=State(arrays, table.pop("values")), **table)
        except Exception as error:
            raise ValueError from error

    checkpoints.unpacked = believed


def result_first() -> None:
    """Say that a run is whole before its weights are written."""

    def finish(folder: Any, record: Any, weights: Any) -> None:
        table = {f.name: getattr(record, f.name) for f in fields(record)}
        for name in ("curve", "environment", "findings"):
            table.pop(name)
        runs.write_atomic(folder.path / "result.json", dump_json(table))
        content = safetensors.numpy.save(weights, {"key": record.key})
        runs.write_atomic(folder.path / "weights.safetensors", content)
        if record.findings:
            write_findings(folder.path, record.findings)
        folder.checkpoints.drop()

    runs.RunFolder.finish = finish


def begins_anew() -> None:
    """Never take anything up."""
    under_way.found_checkpoint = lambda *_: None


def one_file() -> None:
    """Write each checkpoint over the last, in its place."""
    naive_write()
    checkpoints.Checkpoints._turn = lambda *_: None


def forgets_the_others() -> None:
    """Say of runs only what the process that ends them knows."""
    note = under_way.Run._note
    under_way.Run._note = lambda run, before, *rest: note(run, {}, *rest)


class _OfNo(Disk):
    """The disk, but that files, or folders, are never synced."""

    def __init__(self, is_such: Callable[[int], bool]) -> None:
        self.is_such = is_such

    def __getattribute__(self, name: str) -> Any:
        return (
            object.__getattribute__(self, name)
            if name in ("sync", "is_such")
            else getattr(DISK, name)
        )

    def sync(self, handle: int) -> None:
        if not self.is_such(os.fstat(handle).st_mode):
            DISK.sync(handle)


def files_not_synced() -> None:
    """Rename files that may not be on the disk yet."""
    files.DISK = _OfNo(stat.S_ISREG)


def folders_not_synced() -> None:
    """Say that a file is kept while its name may not be on the disk yet."""
    files.DISK = _OfNo(stat.S_ISDIR)


def log_not_synced() -> None:
    """Write checkpoints whose log may not be on the disk yet."""
    runs.sync_log = lambda path: path.read_bytes()


def result_removed_last() -> None:
    """Begin a run anew so that its old result may come back without what it rests on."""
    runs.remove_surely = lambda path: None


VARIANTS: dict[str, tuple[str, str, Break]] = {
    "files written in place": ("mlp-numpy", "points", naive_write),
    "one checkpoint, written in place": ("mlp-numpy", "points", one_file),
    "log not rolled back": ("mlp-numpy", "points", log_not_cut),
    "optimiser state dropped": ("mlp-numpy", "points", no_moments),
    "random state dropped": ("mlp-numpy", "points", _restored(_steps_of_learner)),
    "place in the epoch dropped": ("mlp-numpy", "points", _restored(_place_in_epoch)),
    "best weights dropped": ("mlp-numpy", "points", _restored(_best)),
    "patience dropped": ("mlp-numpy", "points", _restored(_waited)),
    "batch statistics dropped": ("cnn-numpy", "points", no_statistics),
    "growth dropped": ("rnn-numpy", "points", no_growth),
    "findings dropped": ("mlp-numpy", "points", no_findings),
    "hash not looked at": ("mlp-numpy", "flips", no_hash),
    "result before weights": ("mlp-numpy", "points", result_first),
    "begins anew": ("mlp-numpy", "points", begins_anew),
    "how it was begun dropped": ("lanes-compiled", "points", forgets_the_others),
    "files not synced": ("mlp-numpy", "power", files_not_synced),
    "folders not synced": ("mlp-numpy", "power", folders_not_synced),
    "log not synced": ("mlp-numpy", "power", log_not_synced),
    "old result not removed first": ("mlp-numpy", "power, former", result_removed_last),
}

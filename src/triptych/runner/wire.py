"""What a study and its worker processes say to each other: lines of JSON, and nothing else.

A study tells a worker once which study it is (`Hello`), then which runs to make (`Order`), one
after the other, and maybe to stop (`STOP`). A worker tells what happens, as `triptych.runner.runs`
would, and at the end of each order that it is done, that it stopped, or which error ended it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from triptych import errors
from triptych.errors import TriptychError
from triptych.records import RunRecord, StudyFolder
from triptych.runner.events import RunEnded, RunEvent, RunPrepared, RunTold
from triptych.runner.setting import Setting
from triptych.training import Evaluation, Notice, Progress

Message = dict[str, Any]
STOP: Message = {"stop": True}
"""Asks a worker to write a checkpoint where it can, and end."""


@dataclass(frozen=True)
class Hello:
    """What a worker must know before its first run.

    Attributes
    ----------
    study : str
        The text of its study file.
    folder, data_dir : str, str or None
    device, first_seed, disk, checkpoint, inexact
        See `Setting`.
    """

    study: str
    folder: str
    data_dir: str | None
    device: str
    first_seed: int
    disk: int | None
    checkpoint: float | None
    inexact: bool


@dataclass(frozen=True)
class Order:
    """Runs to make: some seeds of one arm, and what a `Setting` says of how."""

    arm: str
    seeds: tuple[int, ...]
    jobs: int
    alone: bool
    timed: bool
    own_process: bool

    def setting(self, hello: Hello) -> Setting:
        """Return the setting of these runs."""
        return Setting(
            None if hello.data_dir is None else Path(hello.data_dir), hello.device,
            self.jobs, self.alone, self.timed, self.own_process, hello.first_seed,
            hello.disk, hello.checkpoint, hello.inexact,
        )  # fmt: skip


def line(message: Message | Hello | Order) -> bytes:
    """Return a message as one line."""
    return (json.dumps(message if isinstance(message, dict) else asdict(message)) + "\n").encode()


def told(event: RunEvent) -> Message | None:
    """Return an event as a message; None of what only the process that trains needs."""
    match event:
        case RunPrepared(blank):
            return {"prepared": asdict(blank)}
        case RunEnded(record, kept, trace):
            return {"ended": record.seed, "kept": kept, "trace": trace}
        case RunTold(event=Progress() | Evaluation() | Notice() as inner):
            kind = type(inner).__name__
            return {"told": kind, "arm": event.arm, "seed": event.seed, "event": asdict(inner)}
    return None


def heard(message: Message, name: str, folder: StudyFolder) -> RunEvent | None:
    """Return the event of `told`'s message about arm `name`; records are read from `folder`.

    Raises
    ------
    RunError
        If a record is damaged.
    """
    if "prepared" in message:
        table = message["prepared"]
        return RunPrepared(
            RunRecord(
                **{
                    **table,
                    "notes": tuple(table["notes"]),
                    "sample_shape": tuple(table["sample_shape"]),
                    "curve": (),
                }
            )
        )
    if "ended" in message:
        record = folder.run(name, message["ended"]).read()
        return RunEnded(record, message["kept"], message["trace"])
    if "told" in message:
        return RunTold(name, message["seed"], _event(message["told"], message["event"]))
    return None


def _event(kind: str, table: Message) -> Progress | Evaluation | Notice:
    if kind == "Progress":
        return Progress(**table)
    if kind == "Notice":
        return Notice(**table)
    return Evaluation.from_dict(table)


def told_error(error: TriptychError) -> Message:
    """Return an error that ends the study as a message."""
    return {"error": type(error).__name__, "text": str(error)}


def heard_error(message: Message) -> TriptychError:
    """Return the error of `told_error`'s message."""
    kind = getattr(errors, message["error"], errors.RunError)
    error: TriptychError = kind(message["text"])
    return error

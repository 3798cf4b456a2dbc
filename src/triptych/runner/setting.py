"""Where and how runs are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from triptych.data import Handed
from triptych.engines import Makers
from triptych.records import FAILED, RunRecord


@dataclass(frozen=True)
class Setting:
    """Where runs are executed.

    Attributes
    ----------
    data_dir : Path, optional
        Folder of CIFAR-10; absent: `triptych.data` looks for it.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"`` (a GPU where there is one).
    jobs : int
        How many runs of the study may be made at the same time.
    alone : bool
        Whether these are made with nothing else running.
    timed : bool
        Whether a claim compares their seconds.
    own_process : bool
        Whether the process makes no other run.
    first_seed : int
        Of the study: its runs are those that are explained.
    disk : int, optional
        Bytes that the study's folder may take; old weights are dropped for it.
    checkpoint : float, optional
        Seconds from one checkpoint to the next; absent: see `triptych.runner.keeping.Rhythm`.
    inexact : bool
        Whether a run that was begun in another environment may go on, to other bits.
    networks : mapping of str to callable
        What makes networks of kind ``"custom"``, by their name.
    arrays : mapping of str to tuple or Dataset
        Data of source ``"arrays"``, by their name.
    handed : mapping of str to Arrays or Dataset
        The same once they are read, by their fingerprint.
    """

    data_dir: Path | None = None
    device: str = "auto"
    jobs: int = 1
    alone: bool = True
    timed: bool = False
    own_process: bool = False
    first_seed: int = 0
    disk: int | None = None
    checkpoint: float | None = None
    inexact: bool = False
    networks: Makers = field(default_factory=dict)
    arrays: Mapping[str, Any] = field(default_factory=dict)
    handed: Handed = field(default_factory=dict)

    @property
    def by_itself(self) -> bool:
        """Whether each run is trained by itself, so that its time or memory is its own."""
        return self.timed or self.own_process

    def keeps(self, record: RunRecord) -> bool:
        """Whether a run that is there need not be made again, its settings being the same."""
        return record.status != FAILED and not (self.timed and record.shared)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of how the runs were made."""
        if not self.alone:
            return (
                f"Up to {self.jobs} runs were made at the same time; their seconds are longer "
                "than those of a run alone.",
            )
        if self.timed and self.jobs > 1:
            return ("Arms whose seconds a claim compares were timed with nothing else running.",)
        return ()

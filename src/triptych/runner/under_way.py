"""One run under way: what was told of it so far, and what it can be taken up from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from triptych.contracts import Dataset, Split, State
from triptych.engines import PeakMemory
from triptych.records import DIVERGED, Finding, Found, RunFolder, RunRecord
from triptych.runner.explained import Explainer
from triptych.runner.keeping import differences, found_checkpoint
from triptych.runner.rows import evaluation_row, final_scores
from triptych.runner.setting import Setting
from triptych.spec import ArmSpec
from triptych.training import (
    Diverged,
    Evaluation,
    Event,
    Finished,
    Job,
    RateFound,
    class_step,
)


@dataclass
class Run:
    """A run that is under way; a reference has no job.

    Attributes
    ----------
    blank : RunRecord
        As far as it is known before it is trained.
    curve : list of dict
        The evaluations so far.
    begun : dict
        What it was begun as, in which later calls may not differ: ``key``, ``together`` (runs
        that were trained at the same time), ``shared``, ``notes``.
    kept : tuple of int and str, or None
        Of the newest checkpoint: steps of all kinds, and how far that is in words.
    ended : bool
    """

    arm: ArmSpec
    data: Dataset
    blank: RunRecord
    folder: RunFolder
    job: Job | None
    explainer: Explainer | None
    peak: PeakMemory
    device: str
    loading: float
    curve: list[dict[str, Any]] = field(default_factory=list)
    begun: dict[str, Any] = field(default_factory=dict)
    kept: tuple[int, str] | None = None
    ended: bool = False
    peak_before: float | None = None
    rate: float | None = None

    def begin(self, setting: Setting, together: int) -> tuple[str, ...]:
        """Write what begins the run, or take it up where it was left; return what to tell of that.

        Parameters
        ----------
        setting : Setting
        together : int
            How many runs are trained at the same time.

        Raises
        ------
        RunError, CheckpointError
            See `triptych.runner.keeping.found_checkpoint`; or if nothing can be written.
        """
        found = None if self.job is None else found_checkpoint(self.blank, self.folder, setting)
        before = self.folder.begun(self.arm) or {}
        if found is not None:
            before = found.checkpoint.state.part("run").values["begun"]
        if setting.timed and before.get("shared"):  # its seconds would not be its own
            found, before = None, {}
        if found is None and before.get("key") != self.blank.key:
            before = {}
        self._note(
            before, setting, together, "" if found is None else differences(found, self.blank)
        )
        if found is None:
            self.folder.start(self.arm, self.blank.seed, self.blank.environment, self.begun)
            return ()
        self._take_up(found)
        # Both may be damaged or gone, and no checkpoint would know.
        self.folder.describe(self.arm, self.blank.seed, self.blank.environment, self.begun)
        return tuple(f"{name} of {self.folder.path} is damaged" for name in found.damaged)

    def _note(
        self, before: dict[str, Any], setting: Setting, together: int, elsewhere: str
    ) -> None:
        """Settle what it was begun as, and the notes that follow from it."""
        shared = together > 1 or not setting.alone
        notes = [*before.get("notes", ()), *setting.notes]
        if elsewhere:
            notes.append(
                f"It was begun {elsewhere}, where it went on: a run in one place has other bits."
            )
        self.begun = {
            "key": self.blank.key,
            "together": before.get("together", together),
            "shared": before.get("shared", False) or shared,
            "notes": list(dict.fromkeys(notes)),
        }
        notes = [*self.blank.notes, *self.begun["notes"]]
        if (count := self.begun["together"]) > 1:
            notes.append(
                f"{count} seeds were trained at the same time; seconds are the share of each. "
                "Peak memory is that of all."
            )
        self.blank = replace(self.blank, notes=tuple(notes), shared=self.begun["shared"])

    def _take_up(self, found: Found) -> None:
        assert self.job is not None  # a reference has no checkpoint
        state = found.checkpoint.state
        self.curve = self.folder.resume(found.checkpoint)
        self.job.restore(state.part("job"))
        if self.explainer is not None:
            self.explainer.restore(state.part("explainer"))
        self.peak_before = state.part("run").values["peak"]
        self.kept = self.job.taken, self.job.place

    def keep(self) -> bool:
        """Write a checkpoint; return whether there is one, which needs room and finite numbers.

        Raises
        ------
        RunError
            If the disk is full or fails.
        """
        assert self.job is not None  # a reference never pauses
        seen = State() if self.explainer is None else self.explainer.state()
        run = State(values={"begun": self.begun, "peak": self._peak_memory()})
        state = State.join({"job": self.job.state(), "explainer": seen, "run": run})
        if not state.not_finite <= {f"job/{name}" for name in self.job.unbounded}:
            return False
        kept = self.folder.keep(
            spec=self.blank.spec,
            fingerprint=self.blank.fingerprint,
            environment=self.blank.environment,
            step=self.job.taken,
            state=state,
        )
        self.kept = (self.job.taken, self.job.place) if kept else self.kept
        return kept

    def take(self, event: Event) -> RunRecord | None:
        """Write down what the loop tells; return the record where that ends the run."""
        if isinstance(event, Evaluation):
            row = evaluation_row(event)
            self.folder.append(row)
            self.curve.append(row)
            if self.explainer is not None:
                self.explainer.look(event.epoch)
        elif isinstance(event, RateFound):
            self.rate = event.best
            if self.explainer is not None:
                self.explainer.rates = event
        elif isinstance(event, Finished):
            return self._finish(event)
        elif isinstance(event, Diverged):
            record = self._diverged(event)
            self.folder.finish(record, None)
            return record
        return None

    def _finish(self, end: Finished) -> RunRecord:
        """Explain the run, write it down, and return its record."""
        found: tuple[Finding, ...] = ()
        if self.explainer is not None:
            told = self.explainer
            found = told.findings(end.weights, end.evaluation.epoch, end.temperature)
        record = self._record(
            epochs=end.epochs,
            seconds=end.seconds,
            scores=final_scores(end, self.rate),
            findings=found,
        )
        self.folder.finish(record, end.weights or None)
        return record

    def _diverged(self, end: Diverged) -> RunRecord:
        """Return the record of a run that diverged, and keep what it was before that step."""
        # Where that is not finite either, the checkpoint before it stays.
        if self.job is not None:
            self.keep()
        last = "none" if self.kept is None else self.kept[1]
        error = f"{end.what}; last finite checkpoint: {last}; {end.hint}."
        epochs = self.curve[-1]["epoch"] if self.curve else 0
        seconds = self.job.seconds if self.job else 0.0
        return self._record(status=DIVERGED, error=error, epochs=epochs, seconds=seconds)

    def _record(self, **fields: Any) -> RunRecord:
        self.ended = True
        judging = self.job.judging if self.job else 0.0
        explaining = self.explainer.seconds if self.explainer else 0.0
        fields["times"] = {"data": self.loading, "evaluation": judging, "findings": explaining}
        steps = _steps(self.data, self.job.judged if self.job else self.data.train)
        fields["peak_memory"] = self._peak_memory()
        return replace(self.blank, **fields, curve=tuple(self.curve), steps=steps)

    def _peak_memory(self) -> float | None:
        """Return the peak of this process, or that of one before it which had come to more."""
        peaks = (self.peak.megabytes(self.device), self.peak_before)
        return max((peak for peak in peaks if peak is not None), default=None)


def _steps(data: Dataset, judged: Split) -> dict[str, float]:
    """Return the steps of the scores in which classes count alike, however many rows they have."""
    if not data.classes:
        return {}
    steps = {"train": class_step(judged.y), "test": class_step(data.test.y)}
    names = ("balanced_accuracy", "macro_f1")
    return {f"{split}_{name}": step for split, step in steps.items() for name in names}

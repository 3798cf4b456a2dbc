"""Some seeds of one arm, from their specs to their records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from triptych.chance import stream, stream_seed
from triptych.data import load
from triptych.engines import (
    choose_device,
    choose_engine,
    create_learner,
    create_orders,
    machine,
    use_threads,
)
from triptych.models import cost_on
from triptych.records import (
    DIVERGED,
    FINISHED,
    RunFolder,
    RunRecord,
    StudyFolder,
    run_key,
)
from triptych.runner.explained import Explainer
from triptych.spec import ArmSpec, spec_id
from triptych.training import (
    CompiledTogether,
    Diverged,
    Evaluation,
    Event,
    Finished,
    Job,
    split_rows,
    train,
    train_together,
)


@dataclass(frozen=True)
class RunTold:
    """Something the training loop told of a run."""

    arm: str
    seed: int
    event: Event


@dataclass(frozen=True)
class RunEnded:
    """A run is whole; `kept` says that it had been before."""

    record: RunRecord
    kept: bool


@dataclass(frozen=True)
class Setting:
    """Where runs are executed.

    Attributes
    ----------
    data_dir : Path, optional
        Folder of CIFAR-10; absent: `triptych.data` looks for it.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"`` (a GPU where there is one).
    """

    data_dir: Path | None = None
    device: str = "auto"


@dataclass
class _Run:
    """A run that is under way, and what was told of it so far."""

    job: Job
    blank: RunRecord
    folder: RunFolder
    explainer: Explainer
    curve: list[dict[str, float]] = field(default_factory=list)

    def take(self, event: Event) -> RunRecord | None:
        """Write down what the loop tells; return the record where that ends the run."""
        if isinstance(event, Evaluation):
            row = evaluation_row(event)
            self.folder.append(row)
            self.curve.append(row)
            self.explainer.look(event.epoch)
        elif isinstance(event, Finished):
            scores = _scores(evaluation_row(event.evaluation))
            found = self.explainer.findings(event.weights, event.evaluation.epoch)
            record = self._record(
                epochs=event.epochs, seconds=event.seconds, scores=scores, findings=found
            )
            self.folder.finish(record, event.weights)
            return record
        elif isinstance(event, Diverged):
            epochs = self.curve[-1]["epoch"] if self.curve else 0
            record = self._record(
                status=DIVERGED, error=str(event.error), epochs=epochs, seconds=self.job.seconds
            )
            self.folder.finish(record, None)
            return record
        return None

    def _record(self, **fields: Any) -> RunRecord:
        return RunRecord(**{**asdict(self.blank), **fields, "curve": tuple(self.curve)})


def execute_runs(
    name: str, arm: ArmSpec, seeds: Sequence[int], study: StudyFolder, setting: Setting
) -> Iterator[RunTold | RunEnded]:
    """Train one arm on some seeds, but for those runs that `study` has already.

    Several seeds are trained at the same time, which only the compiled engine can do.

    Yields
    ------
    RunTold or RunEnded
        What the loop tells, and each record.
    """
    runs: list[_Run] = []
    for seed in seeds:
        found = _prepare(name, arm, seed, study.run(name, seed), setting)
        if isinstance(found, RunRecord):
            yield RunEnded(found, kept=True)
        else:
            runs.append(found)
    if not runs:
        return
    jobs = [run.job for run in runs]
    orders = create_orders(choose_engine(arm, jobs[0].data, setting.device)[0])
    if len(jobs) == 1:
        events: Iterator[tuple[int, Event]] = ((0, e) for e in train(jobs[0], arm.train, orders))
    else:
        note = f"{len(jobs)} seeds were trained at the same time; seconds are the share of each."
        for run in runs:
            run.blank = replace(run.blank, notes=(*run.blank.notes, note))
        together = CompiledTogether()
        together.prepare([job.learner for job in jobs], arm.train.batch_size or 1)
        events = train_together(jobs, arm.train, orders, together)
    for k, event in events:
        record = runs[k].take(event)
        yield RunTold(name, runs[k].blank.seed, event)
        if record is not None:
            yield RunEnded(record, kept=False)


def _prepare(
    name: str, arm: ArmSpec, seed: int, folder: RunFolder, setting: Setting
) -> _Run | RunRecord:
    """Return a run ready to train, or its record where `folder` has it already."""
    data = load(arm.data, seed, setting.data_dir)
    engine, wording = choose_engine(arm, data, setting.device)
    device = choose_device(setting.device, engine)
    use_threads(arm, data, engine)
    where = machine(engine, device)
    key = run_key(arm, seed, data.fingerprint, where)
    if folder.is_finished() and (old := folder.read()).key == key:
        return old
    costs = cost_on(arm.network, data)
    blank = RunRecord(
        arm=name,
        seed=seed,
        key=key,
        spec=spec_id(arm),
        status=FINISHED,
        engine=wording,
        data=data.name,
        fingerprint=data.fingerprint,
        notes=data.notes,
        train_rows=len(data.train),
        test_rows=len(data.test),
        parameters=costs.parameters,
        flops=costs.flops,
        environment=where,
    )
    folder.start(arm, seed, where)
    rows = split_rows(arm.train, len(data.train), stream(seed, "validation"))
    learner = create_learner(arm, engine, data, seed, device)
    job = Job(learner, data, rows, stream_seed(seed, "order"))
    return _Run(job, blank, folder, Explainer(arm, seed, data, learner))


def evaluation_row(evaluation: Evaluation) -> dict[str, float]:
    """Return an evaluation as the flat row that the metrics file holds."""
    row = {
        "epoch": evaluation.epoch,
        "step": evaluation.step,
        "lr": evaluation.lr,
        "seconds": evaluation.seconds,
    }
    for split in ("train", "test", "validation"):
        scores = getattr(evaluation, split)
        if scores is not None:
            row |= {f"{split}_loss": scores.loss, f"{split}_accuracy": scores.accuracy}
    if evaluation.test_views_accuracy is not None:
        row["test_views_accuracy"] = evaluation.test_views_accuracy
    row |= {f"test_accuracy_at({t})": value for t, value in evaluation.probes.items()}
    return row


def _scores(row: dict[str, float]) -> dict[str, float | None]:
    return {name: value for name, value in row.items() if "_loss" in name or "_accuracy" in name}

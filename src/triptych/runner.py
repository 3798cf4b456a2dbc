"""The composition root: specs in, records out.

Data, models, training, records, verdicts and report never import each other; here they meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from triptych.contracts import stream
from triptych.data import load
from triptych.engines import (
    choose_device,
    choose_engine,
    create_learner,
    machine,
    use_threads,
)
from triptych.errors import NumericsError, RunError
from triptych.models import cost_on
from triptych.records import (
    DIVERGED,
    FINISHED,
    RunFolder,
    RunRecord,
    StudyFolder,
    StudyRecord,
    run_key,
)
from triptych.report import render_html
from triptych.spec import ArmSpec, StudySpec, spec_id
from triptych.training import (
    Evaluation,
    Event,
    Finished,
    split_rows,
    train,
)
from triptych.verdicts import Verdict, judge


@dataclass(frozen=True)
class RunStarted:
    """A run begins: which arm and seed, the how-manieth of how many."""

    arm: str
    seed: int
    number: int
    total: int


@dataclass(frozen=True)
class RunTold:
    """Something the training loop told."""

    arm: str
    seed: int
    event: Event


@dataclass(frozen=True)
class RunEnded:
    """A run is whole; `kept` says that it had been before."""

    record: RunRecord
    kept: bool


StudyEvent = RunStarted | RunTold | RunEnded


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


def execute_run(
    name: str, arm: ArmSpec, seed: int, folder: RunFolder, setting: Setting
) -> Iterator[Event | RunEnded]:
    """Train one arm on one seed, unless `folder` has that very run already.

    Yields
    ------
    Event or RunEnded
        What the loop tells, then the record.
    """
    data = load(arm.data, seed, setting.data_dir)
    engine, wording = choose_engine(arm, data)
    device = choose_device(setting.device, engine)
    use_threads(arm, data, engine)
    where = machine(engine, device)
    key = run_key(arm, seed, data.fingerprint, where)
    if folder.is_finished() and (old := folder.read()).key == key:
        yield RunEnded(old, kept=True)
        return
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
    events = train(learner, arm.train, data, rows, stream(seed, "order"))
    yield from _recorded(events, blank, folder)


def _recorded(
    events: Iterator[Event], blank: RunRecord, folder: RunFolder
) -> Iterator[Event | RunEnded]:
    """Write what the loop tells as it comes, pass it on, and end with the record."""
    fields = asdict(blank)
    curve = []
    try:
        for event in events:
            if isinstance(event, Evaluation):
                row = evaluation_row(event)
                folder.append(row)
                curve.append(row)
            elif isinstance(event, Finished):
                fields |= {"epochs": event.epochs, "seconds": event.seconds}
                fields["scores"] = _scores(evaluation_row(event.evaluation))
                record = RunRecord(**{**fields, "curve": tuple(curve)})
                folder.finish(record, event.weights)
            yield event
    except NumericsError as error:
        last = curve[-1] if curve else {}
        fields |= {"status": DIVERGED, "error": str(error), "curve": tuple(curve)}
        fields |= {"epochs": last.get("epoch", 0), "seconds": last.get("seconds", 0.0)}
        record = RunRecord(**fields)
        folder.finish(record, None)
    yield RunEnded(record, kept=False)


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
    return row


def _scores(row: dict[str, float]) -> dict[str, float | None]:
    return {name: row[name] for name in row if name.endswith(("_loss", "_accuracy"))}


def execute_study(study: StudySpec, folder: StudyFolder, setting: Setting) -> Iterator[StudyEvent]:
    """Run every arm on every seed, seed by seed, so that arms stay paired if it is cut short.

    Yields
    ------
    StudyEvent

    Raises
    ------
    DataError, UnsafeFileError, SpecError
        If data or device cannot be used; nothing was written then.
    NumericsError
        If every run diverged.
    """
    # What is wrong with the data or the device shows before anything is written.
    for data in {arm.data for arm in study.arms.values()}:
        load(data, 0, setting.data_dir)
    if setting.device == "cuda":
        choose_device("cuda", "torch")
    folder.start(study)
    jobs = [(arm, seed) for seed in range(study.seeds) for arm in study.arms]
    records = []
    with folder.lock():
        for number, (name, seed) in enumerate(jobs, start=1):
            yield RunStarted(name, seed, number, len(jobs))
            run = folder.run(name, seed)
            for event in execute_run(name, study.arms[name], seed, run, setting):
                if isinstance(event, RunEnded):
                    records.append(event.record)
                    yield event
                else:
                    yield RunTold(name, seed, event)
    if all(record.status == DIVERGED for record in records):
        raise NumericsError(f"every run diverged; the first: {records[0].error}")


@dataclass(frozen=True)
class StudyResult:
    """A study's runs and the verdicts on its claims.

    Attributes
    ----------
    record : StudyRecord
    verdicts : tuple of Verdict
    """

    record: StudyRecord
    verdicts: tuple[Verdict, ...]

    def __str__(self) -> str:
        """Return one line for each claim."""
        return "\n".join(f"{v.verdict:>9}  {v.claim.says}" for v in self.verdicts)

    def to_html(self) -> str:
        """Return the page: one self-contained HTML file."""
        return render_html(self.record, self.verdicts, repeat_command(self.record))


def repeat_command(record: StudyRecord) -> str:
    """Return the command that repeats a study from its folder's own study file."""
    return f"triptych run {record.folder / 'study.toml'} --out again"


def read_result(folder: Path) -> StudyResult:
    """Return what a study's folder holds.

    Raises
    ------
    RunError
        If it is not a study's folder, is damaged, or has no finished run.
    """
    record = StudyFolder(folder).read()
    if not record.runs:
        raise RunError(f"{str(folder)!r} has no finished run yet.")
    return StudyResult(record, judge(record))


def default_folder(name: str, study: StudySpec) -> Path:
    """Return where a study is kept unless told otherwise, under the current folder."""
    stem = Path(name).stem
    return Path("triptych-runs") / (f"{stem}-{study.scale}" if study.scale else stem)

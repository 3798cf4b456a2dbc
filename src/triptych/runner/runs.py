"""Some seeds of one arm, from their specs to their records."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from triptych.chance import stream, stream_seed
from triptych.contracts import Dataset
from triptych.data import source_id
from triptych.engines import (
    NONE,
    DataShape,
    Makers,
    PeakMemory,
    choose_device,
    choose_engine,
    create_learner,
    create_orders,
    create_together,
    machine,
    threads_of_blas,
    use_threads,
)
from triptych.models import Cost, cost_on
from triptych.records import FINISHED, STEPS, RunFolder, RunRecord, StudyFolder, run_key
from triptych.runner.events import RunEnded, RunPrepared, RunTold
from triptych.runner.explained import Explainer
from triptych.runner.inputs import load_for
from triptych.runner.keeper import Keeper, rhythm_of
from triptych.runner.kept import kept_run, steps_of
from triptych.runner.setting import Setting
from triptych.runner.stopping import Signals, Stop
from triptych.runner.under_way import Run
from triptych.spec import ArmSpec, ReferenceSpec, TrainSpec, spec_id
from triptych.training import (
    Event,
    Job,
    Notice,
    fit_reference,
    split_rows,
    train,
    train_found,
    train_together,
)

_STACKED = (
    "Networks of several seeds were stacked to take their steps in one call: each run is that of "
    "its seed by itself but for rounding."
)


def execute_runs(
    name: str,
    arm: ArmSpec,
    seeds: Sequence[int],
    study: StudyFolder,
    setting: Setting,
    stop: Stop | None = None,
) -> Iterator[RunPrepared | RunTold | RunEnded]:
    """Train one arm on some seeds, but for those runs that `study` has already.

    Several seeds are trained at the same time, by the compiled engine or stacked in the torch one.
    What can be stacked is so even where it is one seed, as its bits must not depend on how many.
    Runs that were cut short go on from their checkpoints.

    Parameters
    ----------
    name, arm, seeds, study, setting
        What is made, where and how.
    stop : Stop, optional
        Asks to stop between two steps; absent: signals do.

    Yields
    ------
    RunPrepared, RunTold or RunEnded
        What the loop tells, and each record.

    Raises
    ------
    RunError, CheckpointError
        If runs cannot be taken up or written.
    """
    runs: list[Run] = []
    peak = PeakMemory(own_process=setting.own_process)
    study = StudyFolder(study.path, setting.disk)
    for seed in seeds:
        found = _prepare(name, arm, seed, study.run(name, seed), setting, peak)
        if isinstance(found, RunRecord):
            yield RunEnded(found, kept=True)
        else:
            runs.append(found)
    if not runs:
        return
    started = time.monotonic()
    told = [(run, text) for run in runs for text in run.begin(setting, len(runs))]
    rhythm = rhythm_of(arm, runs, setting, time.monotonic() - started)
    yield from (RunPrepared(run.blank) for run in runs)
    told += _taken_up(runs)
    yield from (RunTold(name, run.blank.seed, Notice(text)) for run, text in told)
    keeper = Keeper(rhythm, stop or Signals())
    with threads_of_blas(arm, runs[0].data):
        for group in _at_one_step(runs):
            for run, event, record in keeper.watch(group, _events(arm, group, setting)):
                yield RunTold(name, run.blank.seed, event)
                if record is not None:
                    words = run.folder.told
                    yield from (RunTold(name, record.seed, Notice(text)) for text in words)
                    yield RunEnded(record, kept=False)


def _at_one_step(runs: Sequence[Run]) -> list[list[Run]]:
    """Return runs in groups that have taken as many steps: only those can go on together."""
    groups: dict[int, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.job.steps if run.job else 0, []).append(run)
    return [groups[step] for step in sorted(groups)]


def _taken_up(runs: Sequence[Run]) -> list[tuple[Run, str]]:
    """Return what to tell of runs that go on from a checkpoint, and of which run it is told."""
    groups: dict[tuple[int, str], list[Run]] = {}
    for run in runs:
        if run.kept is not None and run.kept[0]:
            groups.setdefault(run.kept, []).append(run)
    told = []
    for place in sorted(groups):
        first = groups[place][0]
        seeds = ", ".join(str(run.blank.seed) for run in groups[place])
        told.append((first, f"{first.blank.arm}, seed {seeds}: goes on after {place[1]}"))
    return told


def _events(arm: ArmSpec, runs: Sequence[Run], setting: Setting) -> Iterator[tuple[int, Event]]:
    """Train all runs, or fit them, and tell which of them an event is of."""
    if isinstance(arm.network, ReferenceSpec):
        for k, run in enumerate(runs):
            for event in fit_reference(arm.network, run.data, run.blank.seed):
                yield k, event
        return
    _, spec = arm.trained
    jobs = [run.job for run in runs if run.job is not None]
    engine, _ = choose_engine(arm, runs[0].data, setting.device)
    stacked = STEPS in runs[0].blank.environment
    yield from train_jobs(jobs, spec, engine, stacked=stacked)


def train_jobs(
    jobs: Sequence[Job], spec: TrainSpec, engine: str, *, stacked: bool
) -> Iterator[tuple[int, Event]]:
    """Train one job, or several at the same time.

    Parameters
    ----------
    jobs : sequence of Job
    spec : TrainSpec
    engine : str
    stacked : bool
        Whether the steps of one job alone are taken as those of several are.

    Yields
    ------
    (int, Event)
        Which job, and what the loop tells of it.
    """
    # Whole groups of rows do not always make up the same number of them, seed by seed.
    alike: dict[tuple[int, int], list[int]] = {}
    for k, job in enumerate(jobs):
        alike.setdefault((len(job.data.train), len(job.rows.fit)), []).append(k)
    for places in alike.values():
        events = _train_alike([jobs[k] for k in places], spec, engine, stacked=stacked)
        yield from ((places[k], event) for k, event in events)


def _train_alike(
    jobs: Sequence[Job], spec: TrainSpec, engine: str, *, stacked: bool
) -> Iterator[tuple[int, Event]]:
    orders = create_orders(engine)
    if spec.search is not None:  # each has a rate of its own
        for k, job in enumerate(jobs):
            yield from ((k, event) for event in train_found(job, spec, orders))
        return
    if len(jobs) == 1 and not stacked:
        yield from ((0, event) for event in train(jobs[0], spec, orders))
        return
    together = create_together(engine)
    together.prepare([job.learner for job in jobs], spec.batch_size or 1)
    yield from train_together(jobs, spec, orders, together)


def create_job(
    arm: ArmSpec, engine: str, data: Dataset, seed: int, device: str, networks: Makers = NONE
) -> Job:
    """Return what one run of `arm` trains: its learner, its rows, the key of its orders."""
    rows = split_rows(arm.trained[1], data.train, stream(seed, "validation"))
    learner = create_learner(arm, engine, data, seed, device, networks)
    return Job(learner, data, rows, stream_seed(seed, "order"))


def _prepare(
    name: str, arm: ArmSpec, seed: int, folder: RunFolder, setting: Setting, peak: PeakMemory
) -> Run | RunRecord:
    """Return a run ready to train, or its record where `folder` has it already."""
    if kept := kept_run(arm, seed, folder, setting):
        return kept
    # Before the data are: should they change meanwhile, this is not what they are made from.
    source = source_id(arm.data, seed, setting.data_dir)
    started = time.perf_counter()
    data = load_for(arm, seed, setting.data_dir, setting.handed)
    loading = time.perf_counter() - started
    engine, wording = choose_engine(arm, data, setting.device)
    device = choose_device(setting.device, engine)
    use_threads(arm, data, engine)
    steps = steps_of(arm, data, engine, device, setting)
    where, notes = machine(engine, device) | steps, (*data.notes, *([_STACKED] if steps else []))
    key = run_key(arm, seed, data.fingerprint, where)
    if folder.is_finished() and (old := folder.read()).key == key and setting.keeps(old):
        return old
    shape = DataShape.of(data)
    costs = Cost(0, 0) if isinstance(arm.network, ReferenceSpec) else cost_on(arm.network, data)
    blank = RunRecord(
        arm=name,
        seed=seed,
        key=key,
        spec=spec_id(arm),
        status=FINISHED,
        engine=wording,
        data=data.name,
        fingerprint=data.fingerprint,
        notes=tuple(notes),
        source=source,
        train_rows=shape.rows,
        test_rows=len(data.test),
        sample_shape=shape.sample_shape,
        outputs=shape.outputs,
        classes=shape.classes,
        symbols=shape.symbols,
        parameters=costs.parameters,
        flops=costs.flops,
        environment=where,
        arranged=data.arranged,
    )
    job = explainer = None
    if not isinstance(arm.network, ReferenceSpec):
        job = create_job(arm, engine, data, seed, device, setting.networks)
        # Of an arm's runs only that of the first seed is explained.
        if seed == setting.first_seed:
            explainer = Explainer(arm, seed, data, job.learner)
    return Run(arm, data, blank, folder, job, explainer, peak, device, loading)

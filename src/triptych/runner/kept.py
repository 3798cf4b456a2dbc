"""What there is already, told without loading data or a training library.

A finished study that is called again has nothing to train, and most of the time it took was to
load what only training needs. So a run is first looked at by its record: if what its data are
made from is what it was (`triptych.data.source_id`), so are the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from triptych.contracts import Dataset
from triptych.data import Handed, source_id
from triptych.engines import (
    DataShape,
    can_train_together,
    choose_device,
    choose_engine,
    device_name,
)
from triptych.records import (
    DIVERGED,
    FINISHED,
    STEPS,
    RunFolder,
    RunRecord,
    StudyFolder,
    environment,
    run_key,
)
from triptych.runner.inputs import load_for
from triptych.runner.setting import Setting
from triptych.spec import ArmSpec, StudySpec


def kept_run(arm: ArmSpec, seed: int, folder: RunFolder, setting: Setting) -> RunRecord | None:
    """Return the run of `arm` in `folder` if it would come out the same; None where not, or unsure.

    Raises
    ------
    RunError
        If its record is damaged.
    """
    record = _of_same_data(arm, seed, folder, setting.data_dir)
    if record is None or not setting.keeps(record):
        return None
    shape = _shape(record)
    engine, _ = choose_engine(arm, shape, setting.device)
    device = choose_device(setting.device, engine)
    where = environment(0, device_name(device))
    where |= steps_of(arm, shape, engine, device, setting)
    return record if record.key == run_key(arm, seed, record.fingerprint, where) else None


def steps_of(
    arm: ArmSpec, data: Dataset | DataShape, engine: str, device: str, setting: Setting
) -> dict[str, str]:
    """Return what an environment says of steps: nothing, where they are those of one learner."""
    stacked = not setting.by_itself and can_train_together(arm, data, engine, device)
    return {STEPS: "of stacked seeds"} if stacked else {}


def check_tasks(study: StudySpec, shapes: Mapping[str, DataShape]) -> None:
    """Refuse arms and claims that do not fit what is to be told of their data.

    Raises
    ------
    SpecError
    """
    study.check_tasks(
        {name: "classification" if one.classes else "regression" for name, one in shapes.items()}
    )


def data_shapes(
    study: StudySpec, folder: StudyFolder, data_dir: Path | None, handed: Handed | None = None
) -> dict[str, DataShape]:
    """Return the shape of each arm's data, for the study's first seed.

    What there is no run of in `folder` is loaded: so what is wrong with it shows before anything is
    written.

    Raises
    ------
    DataError, UnsafeFileError
    SpecError
        See `triptych.runner.inputs.load_for`.
    """
    found: dict[str, DataShape] = {}
    first = study.first_seed
    for names in _read_alike(study):
        arms = {name: study.arms[name] for name in names}
        records = (
            _of_same_data(arm, first, folder.run(name, first), data_dir)
            for name, arm in arms.items()
        )
        record = next(filter(None, records), None)
        # Whether a network can read them is looked at when they are laid out for it.
        shape = (
            _shape(record)
            if record
            else DataShape.of(load_for(arms[names[0]], first, data_dir, handed))
        )
        found |= dict.fromkeys(names, shape)
    return found


def _read_alike(study: StudySpec) -> list[list[str]]:
    """Return the arms of each data set and way of reading it."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for name, arm in study.arms.items():
        design = getattr(arm.network, "design", "")
        group = (arm.data, arm.scrambled, arm.network.reads, design)
        groups.setdefault(group, []).append(name)
    return list(groups.values())


def _of_same_data(
    arm: ArmSpec, seed: int, folder: RunFolder, data_dir: Path | None
) -> RunRecord | None:
    """Return the record in `folder` if data made for `arm` now would be its data."""
    if not folder.is_finished():
        return None
    record = folder.read()
    whole = record.status in (FINISHED, DIVERGED)
    same = record.source and record.source == source_id(arm.data, seed, data_dir)
    return record if whole and same else None


def _shape(record: RunRecord) -> DataShape:
    return DataShape(
        record.train_rows, record.sample_shape, record.outputs, record.classes, record.symbols
    )

"""What there is already, told without loading data or a training library.

A finished study that is called again has nothing to train, and most of the time it took was to
load what only training needs. So a run is first looked at by its record: if what its data are
made from is what it was (`triptych.data.source_id`), so are the data.
"""

from __future__ import annotations

from pathlib import Path

from triptych.data import load, source_id
from triptych.engines import DataShape, choose_device, choose_engine, device_name
from triptych.records import (
    DIVERGED,
    FINISHED,
    RunFolder,
    RunRecord,
    StudyFolder,
    environment,
    run_key,
)
from triptych.spec import ArmSpec, DataSpec, StudySpec


def kept_run(
    arm: ArmSpec, seed: int, folder: RunFolder, data_dir: Path | None, device: str
) -> RunRecord | None:
    """Return the run of `arm` in `folder` if it would come out the same; None where not, or unsure.

    Parameters
    ----------
    arm : ArmSpec
    seed : int
    folder : RunFolder
    data_dir, device
        Of the `triptych.runner.Setting`.

    Raises
    ------
    RunError
        If its record is damaged.
    """
    record = _of_same_data(arm, seed, folder, data_dir)
    if record is None:
        return None
    engine, _ = choose_engine(arm, _shape(record), device)
    where = environment(0, device_name(choose_device(device, engine)))
    return record if record.key == run_key(arm, seed, record.fingerprint, where) else None


def data_shapes(
    study: StudySpec, folder: StudyFolder, data_dir: Path | None
) -> dict[DataSpec, DataShape]:
    """Return the shape of each data set of a study, for seed 0.

    What there is no run of is loaded: so what is wrong with it shows before anything is written.

    Raises
    ------
    DataError, UnsafeFileError
    """
    found: dict[DataSpec, DataShape] = {}
    for name, arm in study.arms.items():
        if arm.data not in found:
            record = _of_same_data(arm, 0, folder.run(name, 0), data_dir)
            if record is not None:
                found[arm.data] = _shape(record)
    for arm in study.arms.values():
        if arm.data not in found:
            found[arm.data] = DataShape.of(load(arm.data, 0, data_dir))
    return found


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
    return DataShape(record.train_rows, record.sample_shape, record.outputs, record.classes)

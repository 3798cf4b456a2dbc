"""What there is already, told without loading data or a training library.

A finished study that is called again has nothing to train, and most of the time it took was to
load what only training needs. So a run is first looked at by its record: if what its data are
made from is what it was (`triptych.data.source_id`), so are the data.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from triptych.data import load, source_id
from triptych.engines import DataShape, choose_device, choose_engine, device_name
from triptych.records import RunFolder, RunRecord, StudyFolder, environment, run_key
from triptych.spec import ArmSpec, StudySpec


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


def data_shape(arm: ArmSpec, seed: int, folder: RunFolder, data_dir: Path | None) -> DataShape:
    """Return the shape of an arm's data, from its record where that still tells it."""
    record = _of_same_data(arm, seed, folder, data_dir)
    return _shape(record) if record else DataShape.of(load(arm.data, seed, data_dir))


def check_data(study: StudySpec, folder: StudyFolder, data_dir: Path | None) -> None:
    """Load what data there is no run of: what is wrong shows before anything is written.

    Raises
    ------
    DataError, UnsafeFileError
    """
    for data in {arm.data for arm in study.arms.values()}:
        arms = {name: arm for name, arm in study.arms.items() if arm.data == data}
        if not any(_runs(arms.items(), folder, data_dir)):
            load(data, 0, data_dir)


def _runs(
    arms: Iterable[tuple[str, ArmSpec]], folder: StudyFolder, data_dir: Path | None
) -> Iterable[RunRecord | None]:
    return (_of_same_data(arm, 0, folder.run(name, 0), data_dir) for name, arm in arms)


def _of_same_data(
    arm: ArmSpec, seed: int, folder: RunFolder, data_dir: Path | None
) -> RunRecord | None:
    """Return the record in `folder` if data made for `arm` now would be its data."""
    if not folder.is_finished():
        return None
    record = folder.read()
    same = record.source and record.source == source_id(arm.data, seed, data_dir)
    return record if same else None


def _shape(record: RunRecord) -> DataShape:
    return DataShape(record.train_rows, record.sample_shape, record.outputs)

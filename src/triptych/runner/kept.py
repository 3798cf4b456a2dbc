"""What there is already."""

from __future__ import annotations

from pathlib import Path

from triptych.engines import choose_device, choose_engine, machine
from triptych.records import RunFolder, RunRecord, run_key
from triptych.runner.inputs import load_for
from triptych.spec import ArmSpec


def kept_run(
    arm: ArmSpec, seed: int, folder: RunFolder, data_dir: Path | None, device: str
) -> RunRecord | None:
    """Return the run of `arm` in `folder` if it would come out the same; None where not.

    Raises
    ------
    RunError
        If its record is damaged.
    """
    if not folder.is_finished():
        return None
    data = load_for(arm, seed, data_dir)
    engine, _ = choose_engine(arm, data, device)
    key = run_key(arm, seed, data.fingerprint, machine(engine, choose_device(device, engine)))
    record = folder.read()
    return record if record.key == key else None

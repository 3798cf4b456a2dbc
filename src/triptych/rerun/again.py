"""A recorded run done again, and whether the same came out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from triptych.engines import torch_threads
from triptych.errors import RunError, SpecError
from triptych.records import STEPS, RunFolder, RunRecord, temporary_study
from triptych.rerun.compare import Difference, RunComparison, compare_runs, engine_of, require_ended
from triptych.runner import RunStarted, Setting, StudyEvent, execute_runs, load_for
from triptych.spec import ArmSpec, StudySpec, structure

SAME, CLOSE, DIFFERS = "same bits", "within tolerance", "differs"
TOLERANCES = {"float64": 1e-8, "float32": 1e-3}
"""How far weights and losses may be apart, as a share of a tensor's largest value or of the loss.

About the square root of the precision: rounding that thousands of steps have carried along, but not
another training. An accuracy may be off by a thousandth, or by two rows.
"""
_ACCURACY, _ROWS = 1e-3, 2


@dataclass(frozen=True)
class Repeat:
    """What came of doing a run again.

    Attributes
    ----------
    outcome : {"same bits", "within tolerance", "differs"}
    comparison : RunComparison or None
        Of the recorded run with the new one; None where nothing was trained.
    causes : tuple of Difference
        What is not as it was recorded, of data, engine, versions and machine.
    tolerance : float
        What it was judged by, see `TOLERANCES`.
    """

    outcome: str
    comparison: RunComparison | None
    causes: tuple[Difference, ...]
    tolerance: float


class Again:
    """A recorded run that is to be done again, in a temporary folder.

    A run whose seeds were trained together is done alone: each comes out as it does alone.

    Parameters
    ----------
    folder : RunFolder
        Of the recorded run.
    setting : Setting
        Where it is done; ``device="auto"`` takes that of the record.

    Raises
    ------
    RunError
        If there is no whole record, or its settings are none of this version's.
    """

    def __init__(self, folder: RunFolder, setting: Setting) -> None:
        self.folder = folder
        self.record = folder.read()
        require_ended(self.record, folder)
        self.arm = _arm(folder)
        on_cpu = self.record.environment.get("device", "cpu") == "cpu"
        same = setting.device == "auto" and on_cpu
        setting = replace(setting, device="cpu") if same else setting
        # Steps that were not those of a stack of seeds are not to be it now.
        self.setting = replace(setting, timed=STEPS not in self.record.environment)
        name = self.record.arm
        self.study = StudySpec(title=f"{name} again", arms={name: self.arm}, seeds=1)
        self.repeat: Repeat | None = None

    def events(self) -> Iterator[StudyEvent]:
        """Check the data, train, and compare; `repeat` is what came of it.

        Yields
        ------
        StudyEvent

        Raises
        ------
        DataError, UnsafeFileError
            If the data cannot be had.
        """
        name, seed = self.record.arm, self.record.seed
        train = self.arm.train
        tolerance = TOLERANCES[train.dtype if train else "float64"]
        data = load_for(self.arm, seed, self.setting.data_dir)
        if data.fingerprint != self.record.fingerprint:
            prints = (self.record.fingerprint[:12], data.fingerprint[:12])
            self.repeat = Repeat(
                DIFFERS, None, (Difference("data fingerprint", *prints),), tolerance
            )
            return
        with temporary_study(self.study) as study, torch_threads(self._threads()):
            yield RunStarted(name, (seed,))
            yield from execute_runs(name, self.arm, [seed], study, self.setting)
            comparison = compare_runs(self.folder, study.run(name, seed))
        outcome = DIFFERS
        if comparison.same_bits:
            outcome = SAME
        elif is_close(comparison, tolerance):
            outcome = CLOSE
        self.repeat = Repeat(outcome, comparison, comparison.environment, tolerance)

    def _threads(self) -> int | None:
        """Return how many threads PyTorch had, whose number the last bits depend on."""
        threads = self.record.environment.get("threads", "")
        return int(threads) if engine_of(self.record) == "torch" and threads.isdigit() else None


def _arm(folder: RunFolder) -> ArmSpec:
    try:
        arm = structure(ArmSpec, folder.read_spec().get("arm"), "arm")
        return replace(arm, part="")  # of a study that is not read here
    except SpecError as error:
        path = folder.path / "spec.json"
        raise RunError(f"{path} cannot be run by this version: {error}") from None


def is_close(comparison: RunComparison, tolerance: float) -> bool:
    """Whether two runs are the same but for rounding: weights, and every evaluation."""
    one, other = comparison.one, comparison.other
    ended = (one.status, one.error) == (other.status, other.error)
    if not ended or len(one.curve) != len(other.curve):
        return False
    if comparison.weights == "shapes":
        return False
    if any(tensor.relative > tolerance for tensor in comparison.tensors):
        return False
    rows = zip(one.curve, other.curve, strict=True)
    return all(_rows_close(a, b, one, tolerance) for a, b in rows)


def _rows_close(
    one: dict[str, Any], other: dict[str, Any], record: RunRecord, tolerance: float
) -> bool:
    return one.keys() == other.keys() and all(
        _values_close(name, one[name], other[name], record, tolerance)
        for name in one
        if name != "seconds"
    )


def _values_close(
    name: str, one: float | None, other: float | None, record: RunRecord, tolerance: float
) -> bool:
    if one is None or other is None:
        return one is other
    if "accuracy" in name or "f1" in name:
        rows = record.train_rows if name.startswith("train") else record.test_rows
        return abs(one - other) <= max(_ACCURACY, _ROWS / max(rows, 1))
    return abs(one - other) <= tolerance * max(abs(one), abs(other))

"""Runs that fail: an error that is nobody's on purpose, or a process that died.

Such a run is kept in the record, so that no table leaves it out silently, and the study goes on.
The next call makes it again, from its last checkpoint.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from triptych.errors import ResourceError, TriptychError
from triptych.records import FAILED, FINISHED, RunFolder, RunRecord, StudyFolder
from triptych.runner.events import RunEnded, RunEvent, RunPrepared
from triptych.runner.runs import execute_runs
from triptych.runner.setting import Setting
from triptych.runner.stopping import Stop
from triptych.spec import ArmSpec, ReferenceSpec, spec_id
from triptych.training import is_out_of_memory

_LONGEST = 500


def execute_or_fail(
    name: str,
    arm: ArmSpec,
    seeds: Sequence[int],
    study: StudyFolder,
    setting: Setting,
    stop: Stop | None = None,
) -> Iterator[RunEvent]:
    """Do as `execute_runs`, but let an error end these runs only, and not the study.

    Raises
    ------
    TriptychError
        What was raised on purpose ends the study: it would happen to other runs too. Only too
        little memory may not.
    """
    blanks: dict[int, RunRecord] = {}
    left = list(seeds)
    try:
        for event in execute_runs(name, arm, seeds, study, setting, stop):
            if isinstance(event, RunPrepared):
                blanks[event.blank.seed] = event.blank
            elif isinstance(event, RunEnded):
                left.remove(event.record.seed)
            yield event
    except Exception as error:
        if isinstance(error, TriptychError) and not isinstance(error, ResourceError):
            raise
        trace = traceback.format_exc()
        for seed in left:
            blank = blanks.get(seed) or blank_of(name, arm, seed)
            record = fail(study.run(name, seed), arm, blank, _in_one_line(error, arm))
            yield RunEnded(record, kept=False, trace=trace)


def fail(folder: RunFolder, arm: ArmSpec, blank: RunRecord, error: str) -> RunRecord:
    """Write down that a run failed, and return its record.

    Parameters
    ----------
    folder : RunFolder
    arm : ArmSpec
    blank : RunRecord
        What was known of the run; see `blank_of` where that is nothing.
    error : str
        One line.
    """
    if not blank.key and folder.begun(arm) is None:
        # It failed before it began: what is there is another run's.
        folder.start(arm, blank.seed, {})
    record = replace(blank, status=FAILED, error=error[:_LONGEST])
    folder.finish(record, None)
    return folder.read()


def blank_of(name: str, arm: ArmSpec, seed: int) -> RunRecord:
    """Return the record of a run of which only its settings are known."""
    return RunRecord(
        arm=name, seed=seed, key="", spec=spec_id(arm), status=FINISHED, engine=arm.engine,
        data=arm.data.source, fingerprint="", notes=(), train_rows=0, test_rows=0, parameters=0,
        flops=0,
    )  # fmt: skip


def _in_one_line(error: Exception, arm: ArmSpec) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, TriptychError):
        return text
    if is_out_of_memory(error) and not isinstance(arm.network, ReferenceSpec):
        why = f" ({text})" if text else ""
        return f"out of memory beside its steps{why}; fewer rows or a smaller network take less"
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}, line {last.lineno}"
    return (
        f"{type(error).__name__}: {text} ({where})" if text else f"{type(error).__name__} ({where})"
    )

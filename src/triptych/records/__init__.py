"""What happened: run folders, study folders, and the only code that writes to disk."""

from triptych.records.environment import environment
from triptych.records.files import make_folder, write_atomic
from triptych.records.matching import Matched, lookup, settled
from triptych.records.runs import (
    DIVERGED,
    FAILED,
    FINISHED,
    STEPS,
    RunFolder,
    RunRecord,
    run_key,
)
from triptych.records.study import BUDGET, DECIDED, MAX_SEEDS, StudyFolder, StudyRecord

__all__ = [
    "BUDGET",
    "DECIDED",
    "DIVERGED",
    "FAILED",
    "FINISHED",
    "MAX_SEEDS",
    "STEPS",
    "Matched",
    "RunFolder",
    "RunRecord",
    "StudyFolder",
    "StudyRecord",
    "environment",
    "lookup",
    "make_folder",
    "run_key",
    "settled",
    "write_atomic",
]

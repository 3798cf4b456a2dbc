"""What happened: run folders, study folders, and the only code that writes to disk."""

from triptych.records.environment import environment
from triptych.records.files import make_folder, write_atomic
from triptych.records.findings import Finding
from triptych.records.runs import DIVERGED, FINISHED, RunFolder, RunRecord, run_key
from triptych.records.study import BUDGET, DECIDED, MAX_SEEDS, StudyFolder, StudyRecord

__all__ = [
    "BUDGET",
    "DECIDED",
    "DIVERGED",
    "FINISHED",
    "MAX_SEEDS",
    "Finding",
    "RunFolder",
    "RunRecord",
    "StudyFolder",
    "StudyRecord",
    "environment",
    "make_folder",
    "run_key",
    "write_atomic",
]

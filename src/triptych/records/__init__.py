"""What happened: run folders, study folders, and the only code that writes to disk."""

from triptych.records.caches import temporary_cache
from triptych.records.checkpoints import Checkpoint, Checkpoints, Found
from triptych.records.deletion import Deletion, delete_runs
from triptych.records.disk import DiskLimit, disk_use
from triptych.records.environment import code_id, environment
from triptych.records.files import (
    append_bytes,
    atomic_file,
    dump_json,
    finite,
    read_json,
    write_atomic,
    write_on,
)
from triptych.records.findings import Finding, finding_values
from triptych.records.folders import make_folder
from triptych.records.keys import STEPS, run_key
from triptych.records.listing import (
    DAMAGED,
    FORMER,
    STATUSES,
    UNFINISHED,
    RunEntry,
    StudyEntry,
    list_studies,
    list_study,
    named_study,
)
from triptych.records.locks import InUse
from triptych.records.matching import Matched, lookup, settled
from triptych.records.model_files import open_model, write_model
from triptych.records.run_record import (
    DIVERGED,
    FAILED,
    FINISHED,
    LEARNING_RATE,
    TEMPERATURE,
    RunRecord,
)
from triptych.records.runs import RunFolder
from triptych.records.selection import (
    SORTS,
    Selection,
    find_run,
    main_score,
    sorted_runs,
    study_of,
)
from triptych.records.study import (
    BUDGET,
    DECIDED,
    MAX_SEEDS,
    STUDIES,
    StudyFolder,
    StudyRecord,
    temporary_study,
)

__all__ = [
    "BUDGET",
    "DAMAGED",
    "DECIDED",
    "DIVERGED",
    "FAILED",
    "FINISHED",
    "FORMER",
    "LEARNING_RATE",
    "MAX_SEEDS",
    "SORTS",
    "STATUSES",
    "STEPS",
    "STUDIES",
    "TEMPERATURE",
    "UNFINISHED",
    "Checkpoint",
    "Checkpoints",
    "Deletion",
    "DiskLimit",
    "Finding",
    "Found",
    "InUse",
    "Matched",
    "RunEntry",
    "RunFolder",
    "RunRecord",
    "Selection",
    "StudyEntry",
    "StudyFolder",
    "StudyRecord",
    "append_bytes",
    "atomic_file",
    "code_id",
    "delete_runs",
    "disk_use",
    "dump_json",
    "environment",
    "find_run",
    "finding_values",
    "finite",
    "list_studies",
    "list_study",
    "lookup",
    "main_score",
    "make_folder",
    "named_study",
    "open_model",
    "read_json",
    "run_key",
    "settled",
    "sorted_runs",
    "study_of",
    "temporary_cache",
    "temporary_study",
    "write_atomic",
    "write_model",
    "write_on",
]

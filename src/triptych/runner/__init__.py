"""The composition root: specs in, records out.

Data, models, training, records, verdicts and report never import each other; here they meet.
"""

from triptych.runner.events import RunEnded, RunEvent, RunStarted, RunTold
from triptych.runner.inputs import load_for
from triptych.runner.keeping import other_data
from triptych.runner.results import StudyResult, default_folder, read_result, repeat_command
from triptych.runner.rows import evaluation_row
from triptych.runner.runs import execute_runs
from triptych.runner.setting import Setting
from triptych.runner.studies import (
    ArmsMatched,
    ClaimDecided,
    RunsPlanned,
    SeedsEnded,
    StudyEvent,
    execute_study,
)

__all__ = [
    "ArmsMatched",
    "ClaimDecided",
    "RunEnded",
    "RunEvent",
    "RunStarted",
    "RunTold",
    "RunsPlanned",
    "SeedsEnded",
    "Setting",
    "StudyEvent",
    "StudyResult",
    "default_folder",
    "evaluation_row",
    "execute_runs",
    "execute_study",
    "load_for",
    "other_data",
    "read_result",
    "repeat_command",
]

"""What to run: frozen, validated values, and the study files they are read from."""

from triptych.spec.arms import ArmSpec
from triptych.spec.claims import UNITS, Comparison, Metric, parse_claim
from triptych.spec.conditions import COUNTS, Condition, parse_condition
from triptych.spec.durations import seconds_of
from triptych.spec.fields import Checked, plain, structure, structure_one
from triptych.spec.files import flat, parse_study, read_study, spec_id, study_table, write_study
from triptych.spec.matching import MatchSpec, match_order
from triptych.spec.naming import nearest
from triptych.spec.networks import (
    CNNSpec,
    CustomSpec,
    MLPSpec,
    NetworkSpec,
    Reads,
    ReferenceSpec,
    RNNSpec,
    TrainedSpec,
)
from triptych.spec.parts import PartSpec, Reported
from triptych.spec.searching import SearchSpec
from triptych.spec.sizes import bytes_of, size_text
from triptych.spec.sources import (
    ArraysSpec,
    Cifar10Spec,
    DataSpec,
    DigitsSpec,
    FolderSpec,
    PalindromeSpec,
    SequenceFileSpec,
    ToySpec,
    task_of,
)
from triptych.spec.study import (
    MIN_SEEDS,
    ClaimSpec,
    Evidence,
    StudySpec,
)
from triptych.spec.tables import BundledSpec, TableSpec, Task
from triptych.spec.training import (
    AugmentSpec,
    GrowthSpec,
    OptimizerSpec,
    ScheduleSpec,
    TrainSpec,
)

__all__ = [
    "COUNTS",
    "MIN_SEEDS",
    "UNITS",
    "ArmSpec",
    "ArraysSpec",
    "AugmentSpec",
    "BundledSpec",
    "CNNSpec",
    "Checked",
    "Cifar10Spec",
    "ClaimSpec",
    "Comparison",
    "Condition",
    "CustomSpec",
    "DataSpec",
    "DigitsSpec",
    "Evidence",
    "FolderSpec",
    "GrowthSpec",
    "MLPSpec",
    "MatchSpec",
    "Metric",
    "NetworkSpec",
    "OptimizerSpec",
    "PalindromeSpec",
    "PartSpec",
    "RNNSpec",
    "Reads",
    "ReferenceSpec",
    "Reported",
    "ScheduleSpec",
    "SearchSpec",
    "SequenceFileSpec",
    "StudySpec",
    "TableSpec",
    "Task",
    "ToySpec",
    "TrainSpec",
    "TrainedSpec",
    "bytes_of",
    "flat",
    "match_order",
    "nearest",
    "parse_claim",
    "parse_condition",
    "parse_study",
    "plain",
    "read_study",
    "seconds_of",
    "size_text",
    "spec_id",
    "structure",
    "structure_one",
    "study_table",
    "task_of",
    "write_study",
]

"""What to run: frozen, validated values, and the study files they are read from."""

from triptych.spec.claims import UNITS, Comparison, Metric, parse_claim
from triptych.spec.conditions import COUNTS, Condition, parse_condition
from triptych.spec.durations import seconds_of
from triptych.spec.fields import Checked, nearest, plain, structure
from triptych.spec.files import flat, parse_study, read_study, spec_id, study_table, write_study
from triptych.spec.networks import CNNSpec, MLPSpec, NetworkSpec, RNNSpec
from triptych.spec.sizes import bytes_of, size_text
from triptych.spec.sources import Cifar10Spec, DataSpec, DigitsSpec, PalindromeSpec, ToySpec
from triptych.spec.study import (
    MIN_SEEDS,
    ArmSpec,
    ClaimSpec,
    Evidence,
    PartSpec,
    Reported,
    StudySpec,
)
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
    "AugmentSpec",
    "CNNSpec",
    "Checked",
    "Cifar10Spec",
    "ClaimSpec",
    "Comparison",
    "Condition",
    "DataSpec",
    "DigitsSpec",
    "Evidence",
    "GrowthSpec",
    "MLPSpec",
    "Metric",
    "NetworkSpec",
    "OptimizerSpec",
    "PalindromeSpec",
    "PartSpec",
    "RNNSpec",
    "Reported",
    "ScheduleSpec",
    "StudySpec",
    "ToySpec",
    "TrainSpec",
    "bytes_of",
    "flat",
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
    "study_table",
    "write_study",
]

"""From a trained network to findings: what it does inside, as a few numbers to draw."""

from triptych.explain.boundaries import BOUNDARY, Boundary, chosen_epochs
from triptych.explain.calibration import CALIBRATION, Tempered, calibration
from triptych.explain.confusions import CONFUSION, MISTAKES, confusion, mistakes
from triptych.explain.gradient_flow import FLOW, gradient_flow
from triptych.explain.hidden_states import STATES, hidden_states
from triptych.explain.importance import IMPORTANCE, importance
from triptych.explain.judged import SHARING, Judged, Tells, class_shares
from triptych.explain.layers import FILTERS, MAPS, feature_maps, filters
from triptych.explain.networks import Recurrent
from triptych.explain.occlusion import OCCLUSION, occlusion
from triptych.explain.rates import RATES, learning_rates
from triptych.explain.thumbnails import levels, thumbnails

KINDS = (
    BOUNDARY, CONFUSION, MISTAKES, FILTERS, MAPS, OCCLUSION, IMPORTANCE, CALIBRATION, RATES, FLOW,
    STATES,
)  # fmt: skip

__all__ = [
    "KINDS",
    "SHARING",
    "Boundary",
    "Judged",
    "Recurrent",
    "Tells",
    "Tempered",
    "calibration",
    "chosen_epochs",
    "class_shares",
    "confusion",
    "feature_maps",
    "filters",
    "gradient_flow",
    "hidden_states",
    "importance",
    "learning_rates",
    "levels",
    "mistakes",
    "occlusion",
    "thumbnails",
]

"""From a trained network to findings: what it does inside, as a few numbers to draw."""

from triptych.explain.boundaries import BOUNDARY, Boundary, chosen_epochs
from triptych.explain.calibration import CALIBRATION, Tempered, calibration
from triptych.explain.confusions import CONFUSION, MISTAKES, confusion, mistakes
from triptych.explain.gradient_flow import FLOW, gradient_flow
from triptych.explain.hidden_states import STATES, hidden_states
from triptych.explain.importance import IMPORTANCE, importance
from triptych.explain.integrated_gradients import MOST_STEPS, Asked, Attribution, attribute
from triptych.explain.judged import SHARING, Judged, Tells, class_shares, numbered
from triptych.explain.layers import FILTERS, MAPS, feature_maps, filters
from triptych.explain.networks import Recurrent
from triptych.explain.occlusion import OCCLUSION, occlusion
from triptych.explain.rates import RATES, learning_rates
from triptych.explain.rested_on import (
    INTEGRATED,
    Rows,
    columns_rested_on,
    first_rows,
    pixels_rested_on,
)
from triptych.explain.thumbnails import levels, thumbnails

KINDS = (
    BOUNDARY, CONFUSION, MISTAKES, FILTERS, MAPS, OCCLUSION, INTEGRATED, IMPORTANCE, CALIBRATION,
    RATES, FLOW, STATES,
)  # fmt: skip

__all__ = [
    "KINDS",
    "MOST_STEPS",
    "SHARING",
    "Asked",
    "Attribution",
    "Boundary",
    "Judged",
    "Recurrent",
    "Rows",
    "Tells",
    "Tempered",
    "attribute",
    "calibration",
    "chosen_epochs",
    "class_shares",
    "columns_rested_on",
    "confusion",
    "feature_maps",
    "filters",
    "first_rows",
    "gradient_flow",
    "hidden_states",
    "importance",
    "learning_rates",
    "levels",
    "mistakes",
    "numbered",
    "occlusion",
    "pixels_rested_on",
    "thumbnails",
]

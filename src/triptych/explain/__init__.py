"""From a trained network to findings: what it does inside, as a few numbers to draw."""

from triptych.explain.gradient_flow import FLOW, gradient_flow
from triptych.explain.hidden_states import STATES, hidden_states
from triptych.explain.networks import Recurrent

__all__ = ["FLOW", "STATES", "Recurrent", "gradient_flow", "hidden_states"]

"""The multilayer perceptron and the Elman network compiled by Numba: whole epochs in one call.

The equations, their order and their semantics are those of `triptych.models.mlp_numpy` and
`triptych.models.rnn_numpy`, and of the optimisers in `triptych.training.optimizers`: exact
sequential steps, one batch after the other. What is gone is the price of a call. Sums run in
another order than BLAS's, so weights agree to rounding. Kernels are kept on disk, so that a second
process starts at once.
"""

from triptych.models.compiled.chance import Orders
from triptych.models.compiled.elman import ElmanPlan
from triptych.models.compiled.fast import Lanes
from triptych.models.compiled.flat import Bad, State
from triptych.models.compiled.plan import Plan, Rows

__all__ = ["Bad", "ElmanPlan", "Lanes", "Orders", "Plan", "Rows", "State"]

"""The multilayer perceptron compiled by Numba: whole epochs in one call.

The equations, their order and their semantics are those of `triptych.models.mlp_numpy` and of the
optimisers in `triptych.training.optimizers`: exact sequential steps, one batch after the other.
What is gone is the price of a call. Sums run in another order than BLAS's, so weights agree to
rounding. Kernels are kept on disk, so that a second process starts at once.
"""

from triptych.models.compiled.chance import Orders
from triptych.models.compiled.fast import Lanes
from triptych.models.compiled.plan import Bad, Plan, Rows, State

__all__ = ["Bad", "Lanes", "Orders", "Plan", "Rows", "State"]

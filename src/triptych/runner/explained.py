"""What a trained network is like inside: which findings a run gets."""

from __future__ import annotations

from dataclasses import replace

from triptych.chance import stream, stream_seed
from triptych.contracts import Dataset, Finding, Split, Weights
from triptych.data import load
from triptych.explain import gradient_flow, hidden_states
from triptych.models import RNNNumpy, initial_weights
from triptych.spec import ArmSpec, PalindromeSpec, RNNSpec

# One length for all arms, so that they can be compared; longer than what most are trained on.
_FLOW_LENGTH, _FLOW_STRINGS = 101, 64
_PATH_LENGTH, _PATH_STRINGS = 201, 200
_FIRST_SEED = 0


def explain_run(arm: ArmSpec, seed: int, data: Dataset, weights: Weights) -> tuple[Finding, ...]:
    """Return the findings on a trained network.

    Only a vanilla RNN has any yet, and of its runs the first seed's.

    Parameters
    ----------
    arm : ArmSpec
    seed : int
    data : Dataset
        That it was trained on.
    weights : Weights
        That it ended with.
    """
    network, source = arm.network, arm.data
    if seed != _FIRST_SEED or not isinstance(network, RNNSpec) or not network.is_vanilla:
        return ()
    # Of strings whose steps were scrambled, "so far back in time" says nothing.
    if not isinstance(source, PalindromeSpec) or arm.scrambled:
        return ()
    first = initial_weights(network, data, stream(seed, "weights"))
    before = RNNNumpy(network, first)
    after = RNNNumpy(network, {name: w.astype("float64") for name, w in weights.items()})
    return (
        gradient_flow(before, after, _strings(source, seed, _FLOW_LENGTH, _FLOW_STRINGS)),
        hidden_states(after, _strings(source, seed, _PATH_LENGTH, _PATH_STRINGS)),
    )


def _strings(source: PalindromeSpec, seed: int, length: int, count: int) -> Split:
    """Draw palindromes of one length, from a stream that no training draws from."""
    spec = replace(source, length=length, shortest=None, probes=(), train_size=1, test_size=count)
    return load(spec, stream_seed(seed, "explain")).test

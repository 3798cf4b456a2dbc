"""The identity of a run: what decides how it comes out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from triptych.spec import ArmSpec, ReferenceSpec, spec_id

STEPS = "steps"
"""Of an environment: how steps were taken, where not by one learner; they may round otherwise."""


def run_key(arm: ArmSpec, seed: int, fingerprint: str, environment: Mapping[str, str]) -> str:
    """Return the identity of a run: two runs with one key give the same result."""
    parts = [spec_id(arm), str(seed), fingerprint]
    fitted = ("scikit-learn",) if isinstance(arm.network, ReferenceSpec) else ()
    names = ("triptych", "numpy", "torch", "device", *fitted)
    parts += [f"{name}={environment[name]}" for name in names]
    if STEPS in environment:
        parts.append(environment[STEPS])
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()

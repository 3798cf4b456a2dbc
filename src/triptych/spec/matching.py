"""Arms that are made to cost what another does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from triptych.errors import SpecError
from triptych.spec.fields import Checked
from triptych.spec.naming import nearest
from triptych.spec.networks import CNNSpec, MLPSpec, RNNSpec

if TYPE_CHECKING:
    from triptych.spec.arms import ArmSpec


@dataclass(frozen=True, kw_only=True)
class MatchSpec(Checked):
    """Which other arm an arm is to be as large, or to train as long, as.

    Attributes
    ----------
    arm : str
        The other.
    on : {"parameters", "flops", "seconds"}
        ``"parameters"``, ``"flops"`` (of one sample's forward pass): hidden sizes or channels are
        scaled by one factor to where the count comes nearest. ``"seconds"``: as many epochs as fit
        into the other's seconds in training steps, measured when the study starts.
    """

    arm: str
    on: Literal["parameters", "flops", "seconds"]


def match_order(arms: Mapping[str, ArmSpec]) -> list[str]:
    """Return the arms that are matched to another, each after what it is matched to.

    Raises
    ------
    SpecError
        If an arm is matched to one that is not there, to itself, in a circle, or has nothing, or is
        matched to something that has nothing, to be measured or scaled.
    """
    order: list[str] = []
    for name in arms:
        chain = [name]
        while (match := arms[chain[-1]].match) is not None:
            _check(chain[-1], match, arms)
            if match.arm in chain:
                circle = " to ".join(f"'{one}'" for one in (*chain, match.arm))
                raise SpecError(
                    f"arm.{name}.match: {circle} is a circle. One of them needs its own settings."
                )
            chain.append(match.arm)
        order += [one for one in reversed(chain[:-1]) if one not in order]
    return order


def _check(name: str, match: MatchSpec, arms: Mapping[str, ArmSpec]) -> None:
    path = f"arm.{name}.match"
    if match.arm == name:
        raise SpecError(f"{path}: an arm cannot be matched to itself.")
    if match.arm not in arms:
        raise SpecError(f"{path}.arm: unknown arm '{match.arm}'.{nearest(match.arm, arms)}")
    for one in (name, match.arm):
        if not isinstance(arms[one].network, MLPSpec | CNNSpec | RNNSpec):
            raise SpecError(
                f"{path}: only kinds 'mlp', 'cnn' and 'rnn' can be matched, and '{one}' is of kind "
                f"'{arms[one].network.kind}'."
            )
    network = arms[name].network
    if match.on != "seconds" and isinstance(network, MLPSpec) and not network.hidden:
        raise SpecError(f"{path}: '{name}' has no hidden layer to scale. Use on = 'seconds'.")

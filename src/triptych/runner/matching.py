"""Arms that are matched to others: the sizes, or the epochs, that make them cost as much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from triptych.engines import DataShape
from triptych.errors import SpecError
from triptych.models import cost_on, scale_to, scaled, widths
from triptych.records import Matched, StudyFolder, lookup, settled
from triptych.report.wording import figure
from triptych.runner.pace import Pace
from triptych.runner.setting import Setting
from triptych.spec import ArmSpec, CNNSpec, CustomSpec, NetworkSpec, StudySpec

NEAR = 0.02
"""The share that a count may be off before a note says by how much."""

_MOST_EPOCHS = 1_000_000  # that a `TrainSpec` takes


def match_arms(
    study: StudySpec,
    shapes: Mapping[str, DataShape],
    folder: StudyFolder | None,
    setting: Setting,
) -> tuple[StudySpec, dict[str, Matched]]:
    """Return the study with matched arms as large, or as long, as what they are matched to.

    Sizes follow from specs and the shape of the data. Epochs for the same seconds are measured once
    and then taken from `folder`, as long as both arms stay what they are.

    Raises
    ------
    SpecError
        If an arm cannot be matched: no size comes near, or its seconds cannot be told beforehand.
    RunError
        If the folder's file of matches is damaged.
    """
    kept = lookup(folder.matched() if folder is not None and folder.is_there() else {})
    pace = Pace(folder, study.all_seeds, setting)
    matched: dict[str, Matched] = {}

    def find(name: str, arm: ArmSpec, other: ArmSpec) -> Matched:
        assert arm.match is not None
        if arm.match.on == "seconds":
            matched[name] = kept(name, arm, other) or _by_seconds(name, arm, other, pace)
        else:
            matched[name] = _by_size(name, arm, other, shapes)
        return matched[name]

    return settled(study, find), matched


def _by_size(name: str, arm: ArmSpec, other: ArmSpec, shapes: Mapping[str, DataShape]) -> Matched:
    """Scale an arm's sizes to the other's count of parameters or FLOPs."""
    assert arm.match is not None
    (asked, _), (theirs, _) = arm.trained, other.trained
    assert not isinstance(asked, CustomSpec)  # a `StudySpec` matches none
    on, data = arm.match.on, shapes[name]
    unit = "FLOPs" if on == "flops" else on

    def count(network: NetworkSpec) -> int:
        number: int = getattr(cost_on(network, data), on)
        return number

    target: int = getattr(cost_on(theirs, shapes[arm.match.arm]), on)
    network = scale_to(asked, target, count)
    found = count(network)
    off = abs(found - target) / target
    sizes = _dashed(widths(network))
    least, most = (count(scaled(asked, factor)) for factor in (0.0, 1e9))
    if off > NEAR and not least <= target <= most:
        raise SpecError(
            f"arm.{name}.match: the nearest it comes to the {target:,} {unit} of "
            f"'{arm.match.arm}' is {found:,}, with sizes {sizes}. Match that arm to this one."
        )
    kind = "channels" if isinstance(network, CNNSpec) else "hidden"
    note = (
        f"{name} matched to {arm.match.arm} on {unit}: {found:,} against {target:,}, "
        f"{kind} {_dashed(widths(asked))} → {sizes}"
    )
    if off > NEAR:
        note += f"; {100 * off:.2g} % off, as near as one factor comes"
    return Matched.create(arm, other, replace(arm, network=network), f"{note}.")


def _by_seconds(name: str, arm: ArmSpec, other: ArmSpec, pace: Pace) -> Matched:
    """Give an arm as many epochs as fit into the other's seconds."""
    assert arm.match is not None
    path, theirs = f"arm.{name}.match", arm.match.arm
    total, total_from = pace.seconds(path, theirs, other)

    def fitted(asked: ArmSpec) -> tuple[ArmSpec, float, str]:
        an_epoch, how = pace.seconds_an_epoch(path, name, asked)
        epochs = min(int(total / an_epoch), _MOST_EPOCHS)
        if epochs < 1:
            raise SpecError(
                f"{path}: one epoch takes {figure(an_epoch)} s, longer than the {figure(total)} s "
                f"of '{theirs}'. Give '{theirs}' more epochs."
            )
        return replace(asked, train=replace(asked.trained[1], epochs=epochs)), an_epoch, how

    found, an_epoch, epoch_from = fitted(arm)
    engine: Any = pace.engine(found)
    if engine != pace.engine(arm):
        # Another engine takes so many epochs, and has its own pace. It stays, whatever it finds.
        found, an_epoch, epoch_from = fitted(replace(found, engine=engine))
    epochs, how = found.trained[1].epochs, " and ".join(dict.fromkeys((total_from, epoch_from)))
    note = (
        f"{name} matched to {theirs} on seconds: about {figure(epochs * an_epoch)} s against "
        f"{figure(total)} s, epochs {arm.trained[1].epochs:,} → {epochs:,}; measured on this "
        f"machine ({pace.processor}), by {how}. Elsewhere it would be other epochs."
    )
    return Matched.create(arm, other, found, note)


def _dashed(sizes: tuple[int, ...]) -> str:
    return "-".join(map(str, sizes))

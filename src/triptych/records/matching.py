"""What arms that are matched to others were given, kept so that a later call has the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from triptych.errors import RunError, SpecError
from triptych.records.files import dump_json, read_json, remove, write_atomic
from triptych.spec import ArmSpec, StudySpec, match_order, plain, spec_id, structure

MATCHED_FILE = "matched.json"


@dataclass(frozen=True, kw_only=True)
class Matched:
    """What an arm was given to match another.

    Attributes
    ----------
    of : str
        Identity of the two as they were asked for, see `pair_id`.
    arm : dict
        The settings that it trains with, plain.
    note : str
        What was matched, how near it came, and how it was found.
    """

    of: str
    arm: dict[str, Any]
    note: str

    @classmethod
    def create(cls, asked: ArmSpec, other: ArmSpec, found: ArmSpec, note: str) -> Matched:
        """Return what makes `found` of `asked`, which is matched to `other`."""
        table = plain(replace(found, match=None))
        assert isinstance(table, dict)
        return cls(of=pair_id(asked, other), arm=table, note=note)


def pair_id(arm: ArmSpec, other: ArmSpec) -> str:
    """Return the identity of what is matched: SHA-256, hexadecimal, 64 characters."""
    return hashlib.sha256(f"{spec_id(arm)}\n{spec_id(other)}".encode()).hexdigest()


Find = Callable[[str, ArmSpec, ArmSpec], Matched | None]
"""Takes an arm's name, the arm, and the one it is matched to, itself settled."""


def settled(study: StudySpec, find: Find) -> StudySpec:
    """Return `study` with matched arms replaced by what `find` says; where it is None, kept."""
    arms = dict(study.arms)
    for name in match_order(study.arms):
        match = arms[name].match
        assert match is not None
        if (matched := find(name, arms[name], arms[match.arm])) is not None:
            found = structure(ArmSpec, matched.arm, f"arm.{name}")
            # Names may have changed since.
            arms[name] = replace(found, label=arms[name].label, part=arms[name].part)
    return replace(study, arms=arms)


def write_matched(folder: Path, matched: Mapping[str, Matched]) -> None:
    """Write what the arms of a study were given; nothing is left where there are none."""
    if not matched:
        remove(folder / MATCHED_FILE)
        return
    table = {name: asdict(one) for name, one in matched.items()}
    write_atomic(folder / MATCHED_FILE, dump_json(table))


def read_matched(folder: Path) -> dict[str, Matched]:
    """Return what `write_matched` wrote; empty where there is none.

    Raises
    ------
    RunError
        If the file is damaged.
    """
    path = folder / MATCHED_FILE
    if not path.exists():
        return {}
    found = {}
    try:
        for name, table in read_json(path).items():
            found[name] = Matched(**table)
            structure(ArmSpec, found[name].arm, f"arm.{name}")
    except (TypeError, SpecError) as error:
        raise RunError(f"{path} is damaged: {error}") from None
    return found


def lookup(matched: Mapping[str, Matched]) -> Find:
    """Return a `Find` that gives what is known of the same two arms."""

    def find(name: str, arm: ArmSpec, other: ArmSpec) -> Matched | None:
        known = matched.get(name)
        return known if known is not None and known.of == pair_id(arm, other) else None

    return find


def note_texts(
    asked: StudySpec, study: StudySpec, matched: Mapping[str, Matched]
) -> tuple[str, ...]:
    """Return the notes of those arms of `asked` that were matched in `study`."""
    return tuple(
        matched[name].note
        for name in match_order(asked.arms)
        if name in matched and study.arms[name].match is None
    )

"""Study files: TOML to `StudySpec` and back.

A file gives every arm at its full settings; ``[scale.NAME]`` names a smaller scale, and
``[arm.X.NAME]`` what that scale changes for arm X. What was changed is listed in
`StudySpec.cuts`, by comparing the two, so that no table can leave it out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli_w

from triptych.errors import SpecError
from triptych.spec.arms import ArmSpec
from triptych.spec.fields import merged, plain, structure, structure_one
from triptych.spec.naming import nearest, shown, unknown_key
from triptych.spec.parts import PartSpec, Reported
from triptych.spec.sources import DataSpec
from triptych.spec.study import ClaimSpec, Evidence, StudySpec
from triptych.spec.study_text import study_text, toml_table

_SEED_KEYS = ("seeds", "max_seeds", "first_seed", "budget")
_KEYS = (
    "title", "question", *_SEED_KEYS, "cuts", "scale", "data", "part", "arm", "claim", "reported",
)  # fmt: skip

_CLAIM_KEYS = ("says", "test", "part", "cause")

Table = Mapping[str, Any]


def read_study(path: str | Path, scale: str | None = None) -> StudySpec:
    """Read and validate a study file, whole, at one scale.

    Parameters
    ----------
    path : str or Path
        A TOML file of at most 1 MB.
    scale : str, optional
        One of the file's scales; its first where absent.

    Raises
    ------
    SpecError
        Naming file, key path or line, rule, value and nearest valid name.
    """
    path = Path(path)
    text = study_text(path)
    try:
        return parse_study(text, scale, path.parent)
    except SpecError as error:
        raise SpecError(f"{path.name}: {error}") from None


def parse_study(text: str, scale: str | None = None, folder: Path | None = None) -> StudySpec:
    """Read and validate the text of a study file; see `read_study`.

    Parameters
    ----------
    text : str
    scale : str, optional
    folder : Path, optional
        Where relative paths of data start; the current folder where absent.

    Raises
    ------
    SpecError
    """
    table = toml_table(text)
    for key in table:
        if key not in _KEYS:
            raise unknown_key("", key, _KEYS)
    scales: Table = table.get("scale", {}) if isinstance(table.get("scale"), dict) else {}
    chosen = _chosen_scale(scales, scale)
    base = {
        name: _without(arm, scales) for name, arm in _table(table.get("arm", {}), "arm").items()
    }
    base = {name: _located(arm, folder) for name, arm in base.items()}
    shared = _located({"data": table.get("data")}, folder)["data"]
    full = _arms(base, shared)
    changes = {
        name: _located(arm[chosen], folder)
        for name, arm in table.get("arm", {}).items()
        if chosen in scales and chosen in arm
    }
    arms = _arms({n: merged(arm, changes.get(n, {})) for n, arm in base.items()}, shared)
    fields = {
        "title": table.get("title", "Untitled study"),
        "question": table.get("question", ""),
        "scale": chosen or (table["scale"] if isinstance(table.get("scale"), str) else ""),
        **_seeds(table, _table(scales.get(chosen, {}), f"scale.{chosen}"), f"scale.{chosen}"),
    }
    return StudySpec(
        **fields,
        arms=arms,
        cuts=(*table.get("cuts", ()), *_cuts(full, arms)),
        parts=tuple(structure(PartSpec, p, f"part {i}") for i, p in _numbered(table, "part")),
        claims=tuple(_claim(c, f"claim {i}") for i, c in _numbered(table, "claim")),
        reported=tuple(
            structure(Reported, r, f"reported {i}") for i, r in _numbered(table, "reported")
        ),
    )


def _seeds(table: Table, settings: Table, path: str) -> dict[str, Any]:
    """Return which seeds: what the scale says, else what the study says."""
    for key in settings:
        if key not in _SEED_KEYS:
            raise unknown_key(path, key, _SEED_KEYS)
    found = {key: table[key] for key in _SEED_KEYS if key in table}
    if settings.get("seeds", "auto") != "auto":
        found.pop("budget", None)  # the study's own is for its own seeds
    return {**found, **settings}


def _chosen_scale(scales: Table, asked: str | None) -> str:
    if asked is not None and asked not in scales:
        raise SpecError(f"scale: this study has no scale {shown(asked)}.{nearest(asked, scales)}")
    return asked or next(iter(scales), "")


def _table(value: object, path: str) -> Table:
    if not isinstance(value, dict):
        raise SpecError(f"{path}: must be a table, got {shown(value)}.")
    return value


def _numbered(table: Table, key: str) -> list[tuple[int, object]]:
    rows = table.get(key, [])
    if not isinstance(rows, list):
        raise SpecError(f"{key}: must be an array of tables, [[{key}]], got {shown(rows)}.")
    return list(enumerate(rows, start=1))


def _without(arm: object, scales: Table) -> dict[str, Any]:
    return {k: v for k, v in _table(arm, "arm").items() if k not in scales}


def _located(arm: Any, folder: Path | None) -> Any:
    """Return an arm's table in which the path of its data starts at `folder`."""
    data = arm.get("data") if isinstance(arm, dict) else None
    path = data.get("path") if isinstance(data, dict) else None
    if folder is None or not data or not isinstance(path, str) or path.startswith("~"):
        return arm
    return {**arm, "data": {**data, "path": str(folder.absolute() / path)}}


def _arms(tables: Mapping[str, Table], data: object) -> dict[str, ArmSpec]:
    shared = {}
    if data is not None:  # by itself first, so that what is wrong has its own path, not an arm's
        structure_one(DataSpec, _table(data, "data"), "data")
        shared = {"data": data}
    return {n: structure(ArmSpec, {**shared, **arm}, f"arm.{n}") for n, arm in tables.items()}


def _claim(value: object, path: str) -> ClaimSpec:
    table = dict(_table(value, path))
    for key in table:
        if key not in _CLAIM_KEYS:
            raise unknown_key(path, key, _CLAIM_KEYS)
    tests = table.pop("test", [])
    causes = table.pop("cause", [])
    if not isinstance(causes, list):
        raise SpecError(f"{path}.cause: must be an array of tables, [[claim.cause]].")
    table["tests"] = [tests] if isinstance(tests, str) else tests
    claim = structure(ClaimSpec, table, path)
    found = tuple(structure(Evidence, c, f"{path}.cause {i}") for i, c in enumerate(causes, 1))
    return replace(claim, causes=found)


def flat(value: object, path: str = "") -> dict[str, object]:
    """Return nested tables as one, its keys joined by points; lists are values."""
    if not isinstance(value, dict):
        return {path: value}
    out: dict[str, object] = {}
    for key, item in value.items():
        out |= flat(item, f"{path}.{key}" if path else key)
    return out


def _cuts(full: Mapping[str, ArmSpec], arms: Mapping[str, ArmSpec]) -> list[str]:
    """Say what differs, arms with the same change in one line."""
    changed: dict[str, list[str]] = {}
    for name, arm in arms.items():
        before, after = flat(plain(full[name])), flat(plain(arm))
        parts = [
            f"{key} {_short(before.get(key))} → {_short(after.get(key))}"
            for key in dict.fromkeys([*before, *after])
            if before.get(key) != after.get(key)
        ]
        if parts:
            changed.setdefault(", ".join(parts), []).append(name)
    return [f"{', '.join(names)}: {what}" for what, names in changed.items()]


def _short(value: object) -> str:
    if value is None:
        return "all"
    return "-".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def study_table(study: StudySpec) -> dict[str, Any]:
    """Return a study as the plain table that a study file holds, at its one scale."""
    whole = plain(study)
    assert isinstance(whole, dict)
    if not study.first_seed:  # so that files of before this key came stay as they are
        del whole["first_seed"]
    for old, new in (("arms", "arm"), ("parts", "part"), ("claims", "claim")):
        whole[new] = whole.pop(old)
    for claim in whole["claim"]:
        claim["test"] = claim.pop("tests")
        claim["cause"] = claim.pop("causes")
    return whole


def write_study(study: StudySpec) -> str:
    """Return the text of a study file that reads back as `study`."""
    return tomli_w.dumps(study_table(study))


def spec_id(arm: ArmSpec) -> str:
    """Return the identity of what `arm` computes: SHA-256, hexadecimal, 64 characters.

    Labels do not count: renaming an arm does not change its runs. Nor does a key that came later,
    where it changes nothing: runs that were made before stay the arm's.
    """
    settings = plain(replace(arm, label="", part=""))
    assert isinstance(settings, dict)
    if not arm.scrambled:
        del settings["scrambled"]
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()

"""Networks and arrays of one's own: what specs only name is put to what was handed over.

A bound spec says what it stands for: of a network class, code and cost, of arrays their
fingerprint. So identities, records and pages need neither code nor arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from triptych.contracts import Dataset
from triptych.data import Arrays, read_arrays
from triptych.engines import DataShape, described
from triptych.errors import SpecError
from triptych.runner.executors import count_jobs
from triptych.runner.setting import Setting
from triptych.runner.ways import Way
from triptych.spec import ArmSpec, ArraysSpec, CustomSpec, StudySpec, nearest

_STAY = "networks and arrays of one's own stay in the process that made them"


def has_own(study: StudySpec) -> bool:
    """Whether a study needs something that no file can hold."""
    return any(
        isinstance(arm.network, CustomSpec) or isinstance(arm.data, ArraysSpec)
        for arm in study.arms.values()
    )


def jobs_of(study: StudySpec, jobs: int | Literal["auto"]) -> int:
    """Return how many runs are made at the same time: one, where the study has something own.

    Raises
    ------
    SpecError
        If more were asked for.
    """
    if not has_own(study):
        return count_jobs(jobs)
    if jobs != "auto" and count_jobs(jobs) > 1:
        raise SpecError(f"jobs: {_STAY}. Use jobs = 1, got {jobs}.")
    return 1


def with_arrays(study: StudySpec, setting: Setting) -> tuple[StudySpec, Setting]:
    """Return the study with arrays read, and the setting that has them.

    Raises
    ------
    SpecError
        If arrays that an arm names are not there, or what it asks does not fit them.
    DataError
        If they cannot be used.
    """
    bound: dict[str, ArmSpec] = {}
    read: dict[ArraysSpec, tuple[ArraysSpec, Arrays | Dataset]] = {}
    handed: dict[str, Arrays | Dataset] = {}
    for name, arm in study.arms.items():
        spec = arm.data
        if not isinstance(spec, ArraysSpec):
            bound[name] = arm
            continue
        plain = replace(spec, fingerprint="")
        if plain not in read:
            read[plain] = read_arrays(plain, _found(spec, setting))
        whole, rows = read[plain]
        handed[whole.fingerprint] = rows
        try:
            bound[name] = replace(arm, data=whole)
        except SpecError as error:
            raise SpecError(f"arm.{name}.{error}") from None
    if not handed:
        return study, setting
    return replace(study, arms=bound), replace(setting, handed=handed)


def _found(spec: ArraysSpec, setting: Setting) -> object:
    if spec.name in setting.arrays:
        return setting.arrays[spec.name]
    if setting.arrays:
        near = nearest(spec.name, setting.arrays)
        raise SpecError(f"arrays: has no '{spec.name}', which an arm names.{near}")
    raise SpecError(
        f"data: arrays '{spec.name}' are in no file. Run the study from Python: "
        f"triptych.run(study, arrays={{'{spec.name}': (x, y)}})."
    )


def with_networks(study: StudySpec, shapes: Mapping[str, DataShape], setting: Setting) -> StudySpec:
    """Return the study with every network of one's own made once and described.

    Raises
    ------
    SpecError
        See `triptych.engines.described`.
    """
    bound = {
        name: replace(arm, network=described(arm, arm.network, shapes[name], setting.networks))
        if isinstance(arm.network, CustomSpec)
        else arm
        for name, arm in study.arms.items()
    }
    return study if bound == study.arms else replace(study, arms=bound)


def refuse_processes(study: StudySpec, ways: Mapping[str, Way]) -> None:
    """Refuse runs in processes of their own, where they would need what no file can hold.

    Raises
    ------
    SpecError
    """
    alone = [name for name, way in ways.items() if way.own_process]
    if alone and has_own(study):
        raise SpecError(
            f"claim: 'peak_memory' of '{alone[0]}' is measured in a process of its own, and "
            f"{_STAY}. Leave the claim out."
        )

"""What a folder holds already: what was asked before, and whether it may be used for this."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from triptych.baseline.networks import NETWORK
from triptych.baseline.options import TrainOptions
from triptych.data import source_id
from triptych.errors import RunError
from triptych.records import StudyFolder, code_id, dump_json, read_json, write_atomic
from triptych.report.wording import visible
from triptych.runner import load_for, other_data
from triptych.spec import StudySpec, spec_id, write_study

NOTE_FILE = "train.json"
# Asked for otherwise, they change nothing of what was made before.
_ADDED = ("seeds", "model", "out")


def check_folder(folder: StudyFolder) -> None:
    """Refuse a folder that cannot be used, or is in use for something else; nothing is written.

    Raises
    ------
    RunError
    """
    folder.check()
    study = _study(folder)
    if study is not None and NETWORK not in study.arms:
        raise RunError(
            f"cannot use {str(folder.path)!r} as a run folder: it holds {study.title!r}, which "
            "'triptych train' did not make. --out names another."
        )


def keep_asked(
    folder: StudyFolder, study: StudySpec, says: tuple[str, ...], options: TrainOptions
) -> bool:
    """Write down what was asked and how it was understood, so that a second call need not look.

    Returns whether that can be told from now on: not where the data were just written.
    """
    made_of = _made_of(study)
    note = {
        "asked": options.as_dict(), "says": list(says), "made_of": made_of, "study": _digest(study),
    }  # fmt: skip
    write_atomic(folder.path / NOTE_FILE, dump_json(note))
    return bool(made_of)


def kept_plan(
    options: TrainOptions, folder: StudyFolder
) -> tuple[StudySpec, tuple[str, ...]] | None:
    """Return the study that was made of the same before, and what was said; None where unsure."""
    note, study = _note(folder), _study(folder)
    if study is None or not _asks_same(note, options) or note.get("study") != _digest(study):
        return None
    made_of, says = note.get("made_of"), note.get("says")
    same = made_of and made_of == _made_of(study)
    return (study, tuple(map(str, says))) if same and isinstance(says, list) else None


def other_settings(options: TrainOptions, folder: StudyFolder) -> str:
    """Return what to say where a folder is of other settings; empty where it is not."""
    then, now = _note(folder).get("asked"), _plain(options)
    if not isinstance(then, dict) or not (names := _changed(then, options)):
        return ""
    what = "; ".join(
        f"{name} {_shown(name, then.get(name))}, now {_shown(name, now[name])}" for name in names
    )
    return visible(
        f"note: {folder.path} is of other settings: {what}. What these change is made anew there; "
        "--out FOLDER keeps both."
    )


def check_unfinished(options: TrainOptions, folder: StudyFolder, study: StudySpec) -> None:
    """Refuse to begin anew where the same is asked, but of data that have changed since.

    As the network follows from the data, its settings may have changed with them, and what a run
    had come to would be lost without a word.

    Raises
    ------
    RunError
        With both fingerprints.
    CheckpointError
        If there are checkpoints, and none of them is whole.
    """
    then = _note(folder).get("asked")
    if not isinstance(then, dict) or _changed(then, options):
        return
    arm = study.arms[NETWORK]
    for seed in study.all_seeds:
        run = folder.run(NETWORK, seed)
        found = run.checkpoints.newest() if run.is_to_be_made() else None
        if found is None or found.checkpoint.spec == spec_id(arm):
            continue  # this is looked at where the run is taken up
        now, then = load_for(arm, seed, None).fingerprint, found.checkpoint.fingerprint
        if now != then:
            raise other_data(f"{NETWORK}, seed {seed}", then, now, run.path)


def _note(folder: StudyFolder) -> dict[str, Any]:
    try:
        return read_json(folder.path / NOTE_FILE)
    except RunError:
        return {}


def _study(folder: StudyFolder) -> StudySpec | None:
    try:
        return folder.read_study()
    except RunError:
        return None


def _plain(options: TrainOptions) -> dict[str, Any]:
    """Return what is asked as it comes back from a file."""
    found: dict[str, Any] = json.loads(json.dumps(options.as_dict()))
    return found


def _changed(then: dict[str, Any], options: TrainOptions) -> list[str]:
    """Return what is asked otherwise, of what makes a difference to what was made before."""
    now = _plain(options)
    return [name for name in now if name not in _ADDED and then.get(name) != now[name]]


def _asks_same(note: dict[str, Any], options: TrainOptions) -> bool:
    return note.get("asked") == _plain(options)


def _made_of(study: StudySpec) -> str:
    """Return the identity of the data and of the code that chose; empty where nobody can say."""
    source = source_id(study.arms[NETWORK].data, 0) if NETWORK in study.arms else ""
    return f"{source} {code_id('triptych.baseline', 'triptych.spec')}" if source else ""


def _digest(study: StudySpec) -> str:
    return hashlib.sha256(write_study(study).encode()).hexdigest()


def _shown(name: str, value: object) -> str:
    if value in (None, []):
        return "not given"
    texts = value if isinstance(value, list) else [value]
    return ", ".join(Path(text).name if name == "data" else text for text in map(str, texts))

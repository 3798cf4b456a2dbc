"""Declared studies that ship with Triptych."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from triptych.errors import SpecError
from triptych.spec import StudySpec, nearest, read_study


def shipped() -> tuple[str, ...]:
    """Return the names of the studies that ship."""
    entries = files(__name__).iterdir()
    return tuple(sorted(Path(e.name).stem for e in entries if e.name.endswith(".toml")))


def find_study(name: str, scale: str | None = None) -> StudySpec:
    """Return a study by the name of one that ships, or by the path of a TOML file.

    Parameters
    ----------
    name : str
        Such as ``"paper"`` or ``"my/study.toml"``.
    scale : str, optional
        One of the study's scales; its first where absent.

    Raises
    ------
    SpecError
        If there is no such study, or it is not valid.
    """
    if name.endswith(".toml"):
        return read_study(Path(name), scale)
    if name not in shipped():
        raise SpecError(
            f"unknown study {name[:80]!r}.{nearest(name, shipped())} "
            "A study of your own is named by its file, ending in .toml."
        )
    with as_file(files(__name__) / f"{name}.toml") as path:
        return read_study(path, scale)

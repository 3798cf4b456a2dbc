"""Findings as a file: what explains a run, kept beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from triptych.contracts import Finding
from triptych.errors import RunError
from triptych.records.files import dump_json, read_json, write_atomic

FINDINGS_FILE = "findings.json"


def write_findings(folder: Path, findings: Sequence[Finding]) -> None:
    """Write a run's findings, to four digits, into its folder.

    Raises
    ------
    RunError
        If they cannot be written.
    """
    table = [
        {
            "kind": one.kind,
            "title": one.title,
            "caption": one.caption,
            "arrays": {name: _plain(array) for name, array in one.arrays.items()},
        }
        for one in findings
    ]
    write_atomic(folder / FINDINGS_FILE, dump_json({"findings": table}, indent=None))


def _plain(value: object) -> object:
    """Return an array as nested lists, each number to four digits: finer than any screen."""
    plain = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(plain, list):
        return [_plain(item) for item in plain]
    return float(f"{plain:.4g}")


def read_findings(folder: Path) -> tuple[Finding, ...]:
    """Return what `write_findings` wrote; nothing where it wrote nothing.

    Raises
    ------
    RunError
        If the file is damaged.
    """
    path = folder / FINDINGS_FILE
    if not path.exists():
        return ()
    try:
        return tuple(
            Finding(
                str(one["kind"]),
                str(one["title"]),
                str(one["caption"]),
                # What was not finite is null in the file, NaN here.
                {name: np.array(array, float) for name, array in one["arrays"].items()},
            )
            for one in read_json(path)["findings"]
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{path} is damaged: {error}.") from None

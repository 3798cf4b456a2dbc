"""What explains a run, and the file that keeps it."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from triptych.contracts import Array
from triptych.errors import RunError
from triptych.records.files import dump_json, read_json, write_atomic

FINDINGS_FILE = "findings.json"


@dataclass(frozen=True)
class Finding:
    """Something that explains a trained network: a few numbers to draw, and how to read them.

    Attributes
    ----------
    kind : str
        What is drawn: one of `triptych.explain.KINDS`.
    title, caption : str
        Heading, and how to read it in a sentence or two.
    arrays : mapping of str to Array
        What is drawn, by name; a few kB, pictures as uint8.
    labels : mapping of str to tuple of str
        What places in the arrays are called.
    """

    kind: str
    title: str
    caption: str
    arrays: Mapping[str, Array]
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def write_findings(folder: Path, findings: Sequence[Finding]) -> None:
    """Write a run's findings into its folder: numbers to four digits, bytes as they are.

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
            "arrays": {name: _written(array) for name, array in one.arrays.items()},
            "labels": {name: list(labels) for name, labels in one.labels.items()},
        }
        for one in findings
    ]
    write_atomic(folder / FINDINGS_FILE, dump_json({"findings": table}, indent=None))


def _written(array: Array) -> object:
    """Return an array as JSON can hold it: bytes as text, which is a third of their numbers."""
    if array.dtype == np.uint8:
        return {"shape": list(array.shape), "bytes": base64.b64encode(array.tobytes()).decode()}
    return _plain(array.tolist())


def _plain(value: object) -> object:
    """Return nested lists: counts as they are, other numbers to four digits."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    number = float(value)  # type: ignore[arg-type] # what tolist of an array gives
    return int(number) if number.is_integer() else float(f"{number:.4g}")


def finding_values(finding: Finding) -> dict[str, Any]:
    """Return a finding as plain values: arrays as nested lists, numbers to four digits."""
    return {
        "kind": finding.kind,
        "title": finding.title,
        "caption": finding.caption,
        "arrays": {name: _plain(array.tolist()) for name, array in finding.arrays.items()},
        "labels": {name: list(texts) for name, texts in finding.labels.items()},
    }


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
                {name: _read(value) for name, value in one["arrays"].items()},
                {name: tuple(map(str, texts)) for name, texts in one.get("labels", {}).items()},
            )
            for one in read_json(path)["findings"]
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RunError(f"{path} is damaged: {error}.") from None


def _read(value: Any) -> Array:
    """Return what `_written` made; what was not finite is null in the file, NaN here."""
    if not isinstance(value, Mapping):
        return np.array(value, float)
    shape = [int(size) for size in value["shape"]]
    content = base64.b64decode(value["bytes"], validate=True)
    if min(shape, default=0) < 0 or math.prod(shape) != len(content):
        raise ValueError(f"{len(content)} bytes are no array of shape {shape}")
    return np.frombuffer(content, np.uint8).reshape(shape)

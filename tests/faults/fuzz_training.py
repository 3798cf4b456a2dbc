"""What `triptych train` is given, damaged: it looks, trains, judges and draws a page.

It trains for an epoch or two, beside one other model: what a file does to it shows in these too.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from fuzz_bytes import in_json, in_png, in_zip
from fuzz_readers import Format, command

from triptych.baseline import plans

_TABLES = ("t.csv", "gaps.csv", "quoted.csv", "stored.npz", "snappy.parquet")
_SEQUENCES = ("w.tsv", "s.csv", "n.jsonl")
_PICTURES = ("rgb.png", "palette.png", "rgb.jpg")


def training_formats(
    home: Path, seeds: dict[str, bytes], among_pets: Callable[[Path, Callable[[], int]], int]
) -> Iterable[Format]:
    """Give files of all kinds that are trained on, and what a training notes down.

    Parameters
    ----------
    home : Path
    seeds : dict of str to bytes
        Whole files of all formats.
    among_pets : callable
        Uses the folder of pets while a picture is in it.
    """
    _train_briefly()

    def chosen(*names: str) -> dict[str, bytes]:
        return {name: seeds[name] for name in names}

    def train(path: Path) -> int:
        return _trained("train", path, "--seeds", "1")

    def train_filled(path: Path) -> int:
        return _trained("train", path, "--seeds", "1", "--missing", "fill", "--target", "kind")

    def train_pets(path: Path) -> int:
        return among_pets(path, lambda: _trained("train", "pets", "--seeds", "1", "--skip-bad"))

    repaired = {".npz": in_zip, ".jsonl": in_json, ".png": in_png}
    yield Format("train on tables", chosen(*_TABLES), (train_filled,), repaired, slow=True)
    yield Format("train on sequences", chosen(*_SEQUENCES), (train,), repaired, slow=True)
    yield Format("train on pictures", chosen(*_PICTURES), (train_pets,), repaired, slow=True)
    asked = ("train", "t.csv", "--seeds", "1", "--out", "trained")

    def again(path: Path) -> int:
        Path("trained/report.json").unlink(missing_ok=True)  # so that the page is drawn anew
        return command(*asked)

    # In a process of its own: what draws the page begins threads, and forks have none of them.
    subprocess.run([sys.executable, "-m", "triptych", *asked], check=True, capture_output=True)
    for name in ("train.json", "answer.json"):
        seed = {name: (home / "trained" / name).read_bytes()}
        place = f"trained/{name}"
        yield Format(f"{name} of a training", seed, (again,), {".json": in_json}, place, slow=True)


def _trained(*arguments: object) -> int:
    try:
        return command(*arguments, "--out", "made")
    finally:
        shutil.rmtree("made", ignore_errors=True)


def _train_briefly() -> None:
    """Make trainings short, in this process and its forks."""
    whole, all_references = plans.network_for, plans.references

    def network_for(data):
        network, train = whole(data)
        return network, replace(train, epochs=2, search=None, resolutions=(), eval_every=1)

    def references(data, *, weighted):
        found, left = all_references(data, weighted=weighted)
        return found[:1], left

    plans.network_for, plans.references = network_for, references
